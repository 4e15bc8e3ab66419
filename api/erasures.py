"""Erasing a contact on request, and the receipts. For administrators."""

import uuid

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, not_found, not_valid
from api.schemas.base import Named, PageOf, PageQuery
from api.schemas.forgetting import AskedErasure, Erasure
from store.erasures import ErasureRow, NotTheirAddress, ask_erasure, get_erasure, list_erasures

ALWAYS_KEPT = (
    "Mail stays in the mailboxes at the provider; it is not taken in again from there.",
    "What others wrote about or quoted of this person stays in their mails, and so do the raw octets of those mails.",
    "Notes of the team in conversations that other people take part in stay.",
    "Backups made before this day hold what was removed until they are thrown away.",
)
HELD = "{} messages stand in conversations under a hold and were left."
REFUSED = "{} stored mails did not have the octets that were written down, and were left for the operator."


async def erase(call: Call[Empty, AskedErasure]) -> Erasure:
    """The row first, then the word to the workflow; the sweep starts what a crash between them leaves behind."""
    who = call.who
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            erasure_id = await ask_erasure(
                connection,
                who.tenant_id,
                call.id("contact_id"),
                confirm=call.body.confirm.strip(),
                user_id=who.user_id,
                actor=who.viewer.actor,
            )
    except NotTheirAddress:
        raise not_valid(FieldError("confirm", "is none of this contact's addresses; type one of them")) from None
    if erasure_id is None:
        raise not_found()
    await call.deps.gateway.start_erase(str(who.tenant_id), str(erasure_id))
    return await _shown(call, erasure_id)


async def list_all(call: Call[PageQuery, None]) -> PageOf[Erasure]:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        page = await list_erasures(connection, tenant_id, after=call.query.after, limit=call.query.limit)
    return PageOf[Erasure](items=[_erasure(row) for row in page.items], next=page.next)


async def one(call: Call[Empty, None]) -> Erasure:
    return await _shown(call, call.id("erasure_id"))


async def _shown(call: Call[Empty, AskedErasure] | Call[Empty, None], erasure_id: uuid.UUID) -> Erasure:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await get_erasure(connection, call.who.tenant_id, erasure_id)
    if row is None:
        raise not_found()
    return _erasure(row)


def _erasure(row: ErasureRow) -> Erasure:
    held, refused = row.counts.get("held_messages", 0), row.counts.get("octets_refused", 0)
    return Erasure.model_validate(
        {
            "id": str(row.id),
            "state": row.state,
            "address_hashes": list(row.address_hashes),
            "asked_by": Named(id=str(row.asked_by), name=row.asked_by_name or "") if row.asked_by else None,
            "asked_at": row.asked_at,
            "rows_gone_at": row.rows_gone_at,
            "done_at": row.done_at,
            "counts": dict(row.counts),
            "kept": [
                *ALWAYS_KEPT,
                *([HELD.format(held)] if held else []),
                *([REFUSED.format(refused)] if refused else []),
            ],
        }
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/contacts/{contact_id}/erase",
        erase,
        Access.ADMIN,
        "Remove a person for good",
        response=Erasure,
        status=202,
        body=AskedErasure,
    ),
    Endpoint(
        "GET", "/v1/erasures", list_all, Access.ADMIN, "Receipts of erasures", response=PageOf[Erasure], query=PageQuery
    ),
    Endpoint("GET", "/v1/erasures/{erasure_id}", one, Access.ADMIN, "One receipt", response=Erasure),
)
