"""The fake API's routes for mailboxes at Google and Microsoft: what can be connected, the permission, the setup."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web import fake_data as data
from tests.web.fake_state import Fake, now

GOOGLE = "https://www.googleapis.com/auth/"


def access(**changes: Any) -> dict[str, Any]:
    """A Gmail mailbox whose application is in testing."""
    return {
        "provider": "gmail", "account": "support@desk.example.com", "shared": False, "permission": "delegated",
        "scopes": [f"{GOOGLE}gmail.modify", f"{GOOGLE}gmail.settings.basic"], "granted_at": data.ago(days=5.5), "renewed_at": data.ago(minutes=20),
        "ended_reason": None, "expiries": [
            {"what": "refresh_token", "at": data.ago(days=-1.5), "soon": True}, {"what": "unused", "at": data.ago(days=-180), "soon": False},
        ], **changes,
    }  # fmt: skip


def setup() -> list[dict[str, Any]]:
    """One of everything: a topic that Gmail may not publish to."""
    console = "Google Auth Platform, Data Access"
    return [
        {"name": "application", "field": "MAILROOM_GOOGLE_CLIENT_ID", "state": "ok", "detail": "The provider accepts the client id and secret.", "remedy": None},
        {"name": "redirect", "field": "Google Cloud console, Clients, Authorized redirect URIs", "state": "unknown",
         "detail": "Must be registered to the letter: https://desk.example.com/oauth/callback", "remedy": None},
        {"name": "scopes", "field": console, "state": "ok", "detail": "All that are needed are granted.", "remedy": None},
        {"name": "announcements", "field": "MAILROOM_GOOGLE_PUBSUB_TOPIC; Pub/Sub, the topic's permissions", "state": "wrong", "detail": "Refused (topic_refused).",
         "remedy": "Grant the role Pub/Sub Publisher on it to gmail-api-push@system.gserviceaccount.com."},
    ]  # fmt: skip


def access_routes(fake: Fake) -> list[Route]:
    """`fake.access` by inbox id and `fake.choices` are the tests' to change."""

    async def choices(_: Request) -> Response:
        return JSONResponse(fake.choices)

    async def start(request: Request) -> Response:
        """The provider sends the browser straight back, without a consent where a test wants that."""
        inbox_id = request.state.body.get("inbox_id")
        if fake.oauth_error is None:
            return JSONResponse({"url": f"{fake.origin}/inboxes/{inbox_id or data.INBOX_SUPPORT}"})
        named = f"&inbox={inbox_id}" if inbox_id else ""
        return JSONResponse({"url": f"{fake.origin}/inboxes?oauth_error={fake.oauth_error}{named}"})

    async def by_application(request: Request) -> Response:
        id_ = request.state.body.get("inbox_id") or data.INBOX_SUPPORT
        row = fake.inboxes[id_]
        row |= {"health": "ok", "connected_at": now(), "last_error": None}
        return JSONResponse(row, 201)

    async def shown(request: Request) -> Response:
        return JSONResponse({"access": fake.access.get(request.path_params["id"])})

    async def tried(_: Request) -> Response:
        items = setup()
        return JSONResponse({"ok": all(item["state"] != "wrong" for item in items), "items": items})

    return [
        Route("/v1/inboxes/oauth/choices", choices),
        Route("/v1/inboxes/oauth/start", start, methods=["POST"]),
        Route("/v1/inboxes/oauth/application", by_application, methods=["POST"]),
        Route("/v1/inboxes/{id}/access", shown),
        Route("/v1/inboxes/{id}/setup", tried),
    ]
