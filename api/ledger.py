"""The ledger of an inbox: each mail that was ever seen, what became of it and why."""

from typing import Any

from api.auth import Access
from api.endpoint import Call, Endpoint
from api.inboxes import found
from api.schemas.base import PageOf
from api.schemas.inboxes import LedgerLine, LedgerQuery
from store.ledger_view import LedgerLine as LedgerRow
from store.ledger_view import list_ledger


async def read_ledger(call: Call[LedgerQuery, None]) -> PageOf[LedgerLine]:
    query = call.query
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        inbox = await found(connection, call)
        page = await list_ledger(
            connection,
            call.who.viewer,
            inbox.id,
            classification=query.classification,
            state=query.state,
            after=query.after,
            limit=query.limit,
        )
    return PageOf[LedgerLine](items=[_line(r) for r in page.items], next=page.next)


def _line(row: LedgerRow) -> LedgerLine:
    return LedgerLine.model_validate(
        {
            "id": str(row.id),
            "folder": row.folder,
            "uidvalidity": row.uidvalidity,
            "uid": row.uid,
            "provider_message_id": row.provider_message_id,
            "state": row.state,
            "classification": row.classification,
            # Why it stands where it stands; for a mail that was judged, why it was judged so.
            "reason": row.reason or row.classification_reason,
            "conversation_id": str(row.conversation_id) if row.conversation_id else None,
            "message_id": str(row.message_id) if row.message_id else None,
            "subject": row.subject,
            "from": _written(row),
            "recipients": [_recipient(r) for r in row.reports or ()],
            "attempts": row.attempts,
            "size_bytes": row.size_bytes,
            "internal_date": row.internal_date,
            "created_at": row.created_at,
        }
    )


def _written(row: LedgerRow) -> str | None:
    """Name and address both, as a reader must see them (integrity X-5)."""
    if not row.from_address:
        return row.from_name or None
    return f"{row.from_name} <{row.from_address}>" if row.from_name else row.from_address


def _recipient(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": str(report.get("address", "")),
        "class": report.get("class"),
        "status": report.get("status") or None,
        "action": report.get("action") or None,
    }


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/inboxes/{inbox_id}/ledger",
        read_ledger,
        Access.VIEWER,
        "Every mail that was ever seen",
        response=PageOf[LedgerLine],
        query=LedgerQuery,
    ),
)
