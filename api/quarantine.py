"""Mails that could not be read: look at them, try again, or put them aside."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import PlainTextResponse, Response

from api.auth import Access
from api.downloads import NO_SCRIPT, raw_mail
from api.endpoint import Call, Empty, Endpoint
from api.problems import Problem, not_found
from api.schemas.base import PageOf
from api.schemas.inboxes import QuarantineLine, QuarantineQuery
from mail.display_text import scrubbed
from store.quarantine import retry
from store.quarantine_view import QuarantineRow, dismiss, get_quarantined, list_quarantine

MOST_TEXT = 256 * 1024


async def list_all(call: Call[QuarantineQuery, None]) -> PageOf[QuarantineLine]:
    query = call.query
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        page = await list_quarantine(
            connection,
            call.who.viewer,
            resolved=query.state == "resolved",
            after=query.after,
            limit=query.limit,
        )
    return PageOf[QuarantineLine](items=[_line(r) for r in page.items], next=page.next)


async def raw(call: Call[Empty, None]) -> Response:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await _found(connection, call)
    if row.raw is None:
        raise _never_fetched()
    return await raw_mail(call.deps.blobs, row.raw, f"{row.id}.eml")


async def text(call: Call[Empty, None]) -> Response:
    """The first part of the bytes as text: no parser touches it, since a parser is what it broke."""
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await _found(connection, call)
    if row.raw is None:
        raise _never_fetched()
    length = min(row.raw.length, MOST_TEXT)
    data = await call.deps.blobs.get(row.raw.key, offset=row.raw.offset, length=length)
    return PlainTextResponse(
        scrubbed(data.decode("utf-8", "replace")),
        headers={"Content-Security-Policy": NO_SCRIPT, "Cache-Control": "private, no-store"},
    )


async def retry_one(call: Call[Empty, None]) -> QuarantineLine:
    """It is read again by the next sync, which is poked. Dying before the poke only delays it."""
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await _found(connection, call)
        if await retry(connection, call.who.tenant_id, row.id) is None:
            raise Problem(
                409,
                "It cannot be tried again: it is resolved, or gone from the mail server.",
                name="cannot-retry",
            )
        row = await _found(connection, call)
    if await call.deps.gateway.start_sync(str(call.who.tenant_id), str(row.inbox_id), row.provider):
        await call.deps.gateway.signal_sync(str(row.inbox_id), "poke")
    return _line(row)


async def dismiss_one(call: Call[Empty, None]) -> QuarantineLine:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await _found(connection, call)
        await dismiss(connection, call.who.viewer, row)
        return _line(await _found(connection, call))


async def _found(connection: AsyncConnection, call: Call[Any, Any]) -> QuarantineRow:
    row = await get_quarantined(connection, call.who.viewer, call.id("quarantine_id"))
    if row is None:
        raise not_found()
    return row


def _never_fetched() -> Problem:
    return Problem(
        404, "This mail could not be fetched, so there are no bytes of it here.", name="not-fetched"
    )


def _line(row: QuarantineRow) -> QuarantineLine:
    return QuarantineLine.model_validate(
        {
            "id": str(row.id),
            "ledger_id": str(row.ledger_id),
            "inbox": {"id": str(row.inbox_id), "name": row.inbox_name},
            "reason": row.reason,
            "detail": row.detail,
            "attempts": row.attempts,
            "first_at": row.first_at,
            "last_at": row.last_at,
            "resolved_at": row.resolved_at,
            "resolution": row.resolution,
            "size_bytes": row.raw_length,
        }
    )


AT = "/v1/quarantine/{quarantine_id}"
ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/quarantine",
        list_all,
        Access.VIEWER,
        "Mails that could not be read",
        response=PageOf[QuarantineLine],
        query=QuarantineQuery,
    ),
    Endpoint("GET", f"{AT}/raw", raw, Access.VIEWER, "Its raw bytes", media_type="message/rfc822"),
    Endpoint("GET", f"{AT}/text", text, Access.VIEWER, "Its bytes as plain text", media_type="text/plain"),
    Endpoint(
        "POST",
        f"{AT}/retry",
        retry_one,
        Access.ADMIN,
        "Try again",
        response=QuarantineLine,
        status=202,
        conflicts=("cannot-retry",),
    ),
    Endpoint("POST", f"{AT}/dismiss", dismiss_one, Access.ADMIN, "Put it aside", response=QuarantineLine),
)
