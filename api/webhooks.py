"""Webhooks out, kept by administrators: endpoints, their secrets, what each was told, and telling it again."""

import secrets
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageOf
from api.schemas.webhooks import (
    ChangeWebhook,
    DeliveryQuery,
    MadeWebhook,
    NewWebhook,
    Webhook,
    WebhookDelivery,
)
from rules.webhooks import PREVIOUS_SIGNS, SECRET_OCTETS, WebhookUrlProblem, check_url, make_secret
from store.webhook_deliveries import DeliveryRow, deliver_again, get_delivery, list_deliveries, queue_test
from store.webhook_endpoints import (
    MOST,
    EndpointRow,
    NoSuchInbox,
    TooManyEndpoints,
    add_endpoint,
    change_endpoint,
    get_endpoint,
    list_endpoints,
    remove_endpoint,
    rotate_secret,
)


async def list_webhooks(call: Call[Empty, None]) -> PageOf[Webhook]:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        rows = await list_endpoints(connection, call.who.tenant_id)
    return PageOf[Webhook](items=[Webhook.model_validate(_shape(r)) for r in rows])


async def read_webhook(call: Call[Empty, None]) -> Webhook:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return Webhook.model_validate(_shape(await _found(connection, call)))


async def add_webhook(call: Call[Empty, NewWebhook]) -> MadeWebhook:
    """Dying after the commit leaves an endpoint whose secret nobody knows: rotate it, or remove the endpoint."""
    who, body, secret = call.who, call.body, _secret()
    url = _url(call, body.url)
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        try:
            made = await add_endpoint(
                connection,
                who.viewer,
                call.deps.sealer,
                secret=secret,
                name=body.name.strip(),
                url=url,
                events=body.events,
                inbox_ids=body.inbox_ids,
            )
        except TooManyEndpoints:
            raise Problem(409, f"There are {MOST} webhooks, and no more fit. Remove one first.", name="too-many-webhooks") from None
        except NoSuchInbox as wrong:
            raise _no_such_inbox(wrong) from None
        row = await get_endpoint(connection, who.tenant_id, made)
    if row is None:
        raise not_found()
    return MadeWebhook.model_validate({**_shape(row), "secret": secret})


async def change_webhook(call: Call[Empty, ChangeWebhook]) -> Webhook:
    who = call.who
    changes = {name: getattr(call.body, name) for name in call.body.model_fields_set}
    changes = {name: value for name, value in changes.items() if value is not None or name == "inbox_ids"}
    if "url" in changes:
        changes["url"] = _url(call, changes["url"])
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        try:
            if not await change_endpoint(connection, who.viewer, call.id("webhook_id"), changes):
                raise not_found()
        except NoSuchInbox as wrong:
            raise _no_such_inbox(wrong) from None
        row = await _found(connection, call)
    if row.waiting and row.status != "disabled":
        await _start(call)
    return Webhook.model_validate(_shape(row))


async def remove_webhook(call: Call[Empty, None]) -> None:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        if not await remove_endpoint(connection, call.who.viewer, call.id("webhook_id")):
            raise not_found()


async def rotate_webhook(call: Call[Empty, None]) -> MadeWebhook:
    """The secret before signs as well for a day. Rotated again within it, only the last two sign."""
    who, secret = call.who, _secret()
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        until = call.now() + PREVIOUS_SIGNS
        endpoint_id = call.id("webhook_id")
        if not await rotate_secret(connection, who.viewer, call.deps.sealer, endpoint_id, secret=secret, until=until):
            raise not_found()
        row = await _found(connection, call)
    return MadeWebhook.model_validate({**_shape(row), "secret": secret})


async def test_webhook(call: Call[Empty, None]) -> WebhookDelivery:
    """The row first, then the word to the workflow; the sweep starts what a crash between them leaves behind."""
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        row = await _switched_on(connection, call)
        delivery_id = await queue_test(connection, tenant_id, row.id)
        delivery = await get_delivery(connection, tenant_id, row.id, delivery_id)
    return await _queued(call, delivery)


async def webhook_deliveries(call: Call[DeliveryQuery, None]) -> PageOf[WebhookDelivery]:
    tenant_id, query = call.who.tenant_id, call.query
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        row = await _found(connection, call)
        page = await list_deliveries(
            connection, tenant_id, row.id, status=query.status, after=query.after, limit=query.limit
        )
    items = [WebhookDelivery.model_validate(_delivery(r)) for r in page.items]
    return PageOf[WebhookDelivery](items=items, next=page.next)


async def redeliver(call: Call[Empty, None]) -> WebhookDelivery:
    """It waits again under its id, before everything newer; twice is once while it waits."""
    tenant_id, delivery_id = call.who.tenant_id, call.id("delivery_id")
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        row = await _found(connection, call)
        if await get_delivery(connection, tenant_id, row.id, delivery_id) is None:
            raise not_found()
        await _switched_on(connection, call)
        await deliver_again(connection, tenant_id, row.id, delivery_id)
        delivery = await get_delivery(connection, tenant_id, row.id, delivery_id)
    return await _queued(call, delivery)


async def _queued(call: Call[Any, Any], delivery: DeliveryRow | None) -> WebhookDelivery:
    if delivery is None:
        raise not_found()
    await _start(call)
    return WebhookDelivery.model_validate(_delivery(delivery))


async def _start(call: Call[Any, Any]) -> None:
    await call.deps.gateway.start_webhook(str(call.who.tenant_id), str(call.id("webhook_id")))


async def _found(connection: AsyncConnection, call: Call[Any, Any]) -> EndpointRow:
    row = await get_endpoint(connection, call.who.tenant_id, call.id("webhook_id"))
    if row is None:
        raise not_found()
    return row


async def _switched_on(connection: AsyncConnection, call: Call[Any, Any]) -> EndpointRow:
    row = await _found(connection, call)
    if row.status == "disabled":
        raise Problem(409, "This webhook is switched off. Switch it on first.", name="webhook-off")
    return row


def _secret() -> str:
    return make_secret(secrets.token_bytes(SECRET_OCTETS))


def _url(call: Call[Any, Any], given: str) -> str:
    try:
        return check_url(given, plain_allowed=call.deps.config.plain_webhooks)
    except WebhookUrlProblem as wrong:
        raise not_valid(FieldError("url", str(wrong))) from None


def _no_such_inbox(wrong: NoSuchInbox) -> Problem:
    return not_valid(FieldError(f"inbox_ids[{wrong.position}]", "is no inbox of yours"))


def _shape(row: EndpointRow) -> dict[str, Any]:
    names = set(Webhook.model_fields) - {"id", "events", "inbox_ids"}
    inboxes = None if row.inbox_ids is None else [str(i) for i in row.inbox_ids]
    return {"id": str(row.id), "events": list(row.events), "inbox_ids": inboxes} | {n: getattr(row, n) for n in names}


def _delivery(row: DeliveryRow) -> dict[str, Any]:
    return {n: getattr(row, n) for n in WebhookDelivery.model_fields} | {"id": str(row.id)}


AT = "/v1/webhooks/{webhook_id}"
MADE, TOLD = PageOf[Webhook], PageOf[WebhookDelivery]
ENDPOINTS = (
    Endpoint("GET", "/v1/webhooks", list_webhooks, Access.ADMIN, "Webhooks that are told", response=MADE),
    Endpoint(
        "POST",
        "/v1/webhooks",
        add_webhook,
        Access.ADMIN,
        "Add a webhook",
        response=MadeWebhook,
        status=201,
        body=NewWebhook,
        conflicts=("too-many-webhooks",),
    ),
    Endpoint("GET", AT, read_webhook, Access.ADMIN, "One webhook", response=Webhook),
    Endpoint("PATCH", AT, change_webhook, Access.ADMIN, "Change a webhook", response=Webhook, body=ChangeWebhook),
    Endpoint("DELETE", AT, remove_webhook, Access.ADMIN, "Remove a webhook", status=204),
    Endpoint("POST", f"{AT}/rotate", rotate_webhook, Access.ADMIN, "Give it a new secret", response=MadeWebhook),
    Endpoint(
        "POST", f"{AT}/test", test_webhook, Access.ADMIN, "Tell it a test", response=WebhookDelivery, status=202, conflicts=("webhook-off",)
    ),
    Endpoint(
        "GET", f"{AT}/deliveries", webhook_deliveries, Access.ADMIN, "What it was told", response=TOLD, query=DeliveryQuery
    ),
    Endpoint(
        "POST",
        f"{AT}/deliveries/{{delivery_id}}/redeliver",
        redeliver,
        Access.ADMIN,
        "Tell it once more",
        response=WebhookDelivery,
        status=202,
        conflicts=("webhook-off",),
    ),
)
