"""Quarantine as the inbound flow keeps it: mails that could not be read enter, a later success resolves them, a person
asks for another try. How people read the list is in `store.quarantine_view`.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events

ENTER = text(
    """
    insert into quarantine (tenant_id, ledger_id, reason, detail, stack_hash)
    select :tenant, v.* from unnest(cast(:ids as uuid[]), cast(:reasons as text[]), cast(:details as text[]),
      cast(:stacks as text[])) as v
    on conflict (tenant_id, ledger_id) do update set reason = excluded.reason, detail = excluded.detail,
      stack_hash = excluded.stack_hash, last_at = now(), resolved_at = null, resolution = null
    returning id, ledger_id
    """
)
RESOLVE = text(
    """
    update quarantine set resolved_at = now(), resolution = 'ingested', last_at = now()
    where tenant_id = :tenant and ledger_id = any(cast(:ids as uuid[])) and resolved_at is null
    returning id, ledger_id
    """
)
# A mail whose bytes are here is read again; one that could not be fetched, or only in part, is fetched again, as long as
# its UID still means the same mail; a web API's id always does.
RETRY = text(
    """
    update ledger l set attempts = 0, updated_at = now(),
      state = case when l.raw_key is null or q.reason = 'too_large' then 'seen' else 'stored' end
    from quarantine q left join ledger own on own.tenant_id = q.tenant_id and own.id = q.ledger_id
      left join folders f on f.tenant_id = own.tenant_id and f.id = own.folder_id
    where q.tenant_id = :tenant and q.id = :id and q.resolved_at is null
      and l.tenant_id = q.tenant_id and l.id = q.ledger_id and l.state = 'quarantined'
      and ((l.raw_key is not null and q.reason <> 'too_large') or f.uidvalidity = l.uidvalidity
        or l.provider_message_id is not null)
    returning l.inbox_id
    """
)
TOUCH = text("update quarantine set last_at = now() where tenant_id = :tenant and id = :id")


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail that enters. `detail` is our own sentence and quotes nothing of the mail."""

    ledger_id: uuid.UUID
    reason: str
    detail: str = ""
    stack_hash: str | None = None


async def enter(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, entries: Sequence[Entry]
) -> None:
    """Record why, once per mail; a repeat refreshes the reason. Tells the event log."""
    if not entries:
        return
    answer = await connection.execute(
        ENTER,
        {
            "tenant": tenant_id,
            "ids": [e.ledger_id for e in entries],
            "reasons": [e.reason for e in entries],
            "details": [e.detail for e in entries],
            "stacks": [e.stack_hash for e in entries],
        },
    )
    reasons = {e.ledger_id: e.reason for e in entries}
    await append_events(
        connection,
        [
            NewEvent(
                "quarantine.opened",
                tenant_id,
                inbox_id=inbox_id,
                payload={"quarantine_id": str(row.id), "reason": reasons[row.ledger_id]},
            )
            for row in answer
        ],
    )


async def resolve(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, ledger_ids: Sequence[uuid.UUID]
) -> None:
    """Of these settled mails, those that stood in quarantine leave it. Most batches have none: one cheap statement."""
    if not ledger_ids:
        return
    answer = await connection.execute(RESOLVE, {"tenant": tenant_id, "ids": list(ledger_ids)})
    await append_events(
        connection,
        [
            NewEvent(
                "quarantine.resolved",
                tenant_id,
                inbox_id=inbox_id,
                payload={"quarantine_id": str(row.id), "resolution": "ingested"},
            )
            for row in answer
        ],
    )


async def retry(
    connection: AsyncConnection, tenant_id: uuid.UUID, quarantine_id: uuid.UUID
) -> uuid.UUID | None:
    """Let a mail be tried again from the first attempt; the next sync of the returned inbox does it (poke it).

    None when it is resolved, unknown, or gone from the server so that nothing can be tried.
    """
    key = {"tenant": tenant_id, "id": quarantine_id}
    inbox_id: uuid.UUID | None = (await connection.execute(RETRY, key)).scalar_one_or_none()
    if inbox_id is not None:
        await connection.execute(TOUCH, key)
    return inbox_id
