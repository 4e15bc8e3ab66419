"""The one table of routes: everything the API answers, in the order in which paths are matched."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from api import (
    access,
    analytics,
    api_keys,
    assignment,
    assignment_policies,
    attachments,
    balance,
    bulk,
    business_hours,
    contacts,
    conversation_lists,
    conversations,
    domains,
    drafts,
    erasures,
    events,
    followers,
    forwards,
    health,
    inbox_status,
    inboxes,
    invitations,
    ledger,
    me,
    messages,
    notes,
    notifications,
    oauth,
    presence,
    push_webhooks,
    quarantine,
    reingest,
    replies,
    reply_words,
    retention,
    rule_explain,
    rule_trials,
    rules,
    ses_inboxes,
    ses_webhook,
    session,
    shape,
    sla,
    suppressions,
    tags,
    teams,
    templates,
    uploads,
    users,
    views,
    webhooks,
)
from api.auth import Access
from api.deps import Deps
from api.dispatch import Dispatcher
from api.endpoint import Call, Empty, Endpoint
from api.openapi import openapi_document
from api.schemas.service import OpenApiDocument
from api.static import WebClient

VERSION = "0.1.0"


async def openapi(_call: Call[Empty, None]) -> Response:
    return JSONResponse(document(), headers={"Cache-Control": "no-cache"})


ENDPOINTS: tuple[Endpoint, ...] = (
    *session.ENDPOINTS,
    *me.ENDPOINTS,
    *invitations.ENDPOINTS,
    *users.ENDPOINTS,
    *teams.ENDPOINTS,
    *api_keys.ENDPOINTS,
    *conversation_lists.ENDPOINTS,
    *conversations.ENDPOINTS,
    *views.ENDPOINTS,
    *assignment.ENDPOINTS,
    *assignment_policies.ENDPOINTS,
    *replies.ENDPOINTS,
    *shape.ENDPOINTS,
    *bulk.ENDPOINTS,
    *contacts.ENDPOINTS,
    *forwards.ENDPOINTS,
    *reply_words.ENDPOINTS,
    *rule_trials.ENDPOINTS,
    *rules.ENDPOINTS,
    *rule_explain.ENDPOINTS,
    *templates.ENDPOINTS,
    *messages.ENDPOINTS,
    *notes.ENDPOINTS,
    *followers.ENDPOINTS,
    *drafts.ENDPOINTS,
    *presence.ENDPOINTS,
    *tags.ENDPOINTS,
    *attachments.ENDPOINTS,
    *uploads.ENDPOINTS,
    *inboxes.ENDPOINTS,
    *oauth.ENDPOINTS,
    *access.ENDPOINTS,
    *domains.ENDPOINTS,
    *ses_inboxes.ENDPOINTS,
    *inbox_status.ENDPOINTS,
    *ledger.ENDPOINTS,
    *balance.ENDPOINTS,
    *quarantine.ENDPOINTS,
    *reingest.ENDPOINTS,
    *analytics.ENDPOINTS,
    *business_hours.ENDPOINTS,
    *sla.ENDPOINTS,
    *events.ENDPOINTS,
    *suppressions.ENDPOINTS,
    *notifications.ENDPOINTS,
    *retention.ENDPOINTS,
    *erasures.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *ses_webhook.ENDPOINTS,
    *push_webhooks.ENDPOINTS,
    *health.ENDPOINTS,
    Endpoint("GET", "/v1/openapi.json", openapi, Access.PUBLIC, "This document", response=OpenApiDocument, needs_database=False),
)


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI document of everything above."""
    return openapi_document(ENDPOINTS, version=VERSION)


def routes(deps: Deps, endpoints: Sequence[Endpoint] = ENDPOINTS) -> list[BaseRoute]:
    """Starlette's routes for the endpoints, then the web client."""
    web = WebClient(deps.config.web_directory, deps.config.s3_origin, deps.config.cookie_name)
    made: list[BaseRoute] = [
        Route(e.path, _asgi(Dispatcher(e, deps)), methods=[e.method], name=f"{e.method} {e.path}")
        for e in endpoints
    ]
    made.append(Route("/web/{path:path}", web.file, methods=["GET"]))
    made.append(Route("/{path:path}", web.page, methods=["GET"]))
    return made


def _asgi(dispatcher: Dispatcher) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await dispatcher(request)

    return endpoint
