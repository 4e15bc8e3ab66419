"""Removes messages and conversations for good: their rows, what the ledger holds of them, and, by a note, their octets.

Everything is one transaction of the caller, so a removal stands whole or not at all; run twice, the second finds nothing.
The ledger keeps each mail's identity, length and SHA-256: a provider that still shows the mail shows nothing new. The octets
are dropped afterwards by `store/dropped_objects.py`'s list.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.retention import TombstoneReason
from store.event_log import NewEvent, append_events
from store.ingest_lock import lock_ingest

__all__ = ["TombstoneReason", "drop_conversations", "recount", "remove_messages"]

PLACES = text(
    "select distinct inbox_id from messages where tenant_id = :tenant and id = any(cast(:ids as uuid[])) order by inbox_id"
)
LOCK_CONVERSATIONS = text(
    """
    select c.id from conversations c where c.tenant_id = :tenant and c.id in (
      select conversation_id from messages where tenant_id = :tenant and id = any(cast(:ids as uuid[])))
    order by c.id for no key update
    """
)
# A mail that is being submitted now stays for the next time: its attempt still needs the row.
LOCK_MESSAGES = text(
    """
    select id, conversation_id, raw_key, raw_offset, raw_length, raw_sha256, message_id_header, inbox_id from messages
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and send_status is distinct from 'sending'
    order by id for update
    """
)
# A row that waits to be read is settled too. Its length stays: by it and the date an identity is known again (RFC 3501 §2.3.1.1).
EMPTY_LEDGER = text(
    """
    update ledger set state = 'skipped', reason = :reason, raw_key = null, reports = null, message_id = null,
      classification_reason = null, provider_thread = null, updated_at = now()
    where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))
    returning id, folder_id, old.raw_key as raw_key, raw_offset, raw_length, raw_sha256
    """
)
BURY = text(
    """
    insert into tombstones (tenant_id, raw_sha256, place, reason)
    select :tenant, v.sha256, v.place, :reason from unnest(cast(:hashes as text[]), cast(:places as text[])) as v(sha256, place)
    on conflict do nothing
    """
)
DROP = text(
    """
    insert into dropped_objects (tenant_id, storage_key, raw_offset, raw_length, raw_sha256, erasure_id)
    select :tenant, v.key, v.at, v.length, v.sha256, :erasure
    from unnest(cast(:keys as text[]), cast(:offsets as bigint[]), cast(:lengths as bigint[]), cast(:hashes as text[]))
      as v(key, at, length, sha256)
    on conflict (tenant_id, storage_key, raw_offset) do update
      set dropped_at = now(), refusal = null, erasure_id = coalesce(excluded.erasure_id, dropped_objects.erasure_id)
    """
)
FILES = text(
    """
    select distinct storage_key from attachments
    where tenant_id = :tenant and message_id = any(cast(:ids as uuid[])) and (encoded_offset is null or stored_at is not null)
    """
)
COUNT_PARTS = text(
    """
    select (select count(*) from attachments where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))) as files,
      (select count(*) from message_recipients where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))) as recipients,
      (select count(*) from search_documents where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))) as search_documents
    """
)
FORGET_QUARANTINE = text("delete from quarantine where tenant_id = :tenant and ledger_id = any(cast(:ids as uuid[]))")
FORGET_READINGS = text("delete from reingest_changes where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))")
FORGET_KEYS = text(
    """
    delete from thread_keys where tenant_id = :tenant and inbox_id = any(cast(:inboxes as uuid[]))
      and key = any(cast(:keys as text[]))
    """
)
DELETE_MESSAGES = text("delete from messages where tenant_id = :tenant and id = any(cast(:ids as uuid[]))")
# What is left of them, counted anew; the words in the list are those of the newest message that stays.
RECOUNT = text(
    """
    update conversations c set
      message_count = n.messages, customer_message_count = n.customer, agent_message_count = n.messages - n.customer,
      unread_count = n.unread, failed_sends = n.failed, unknown_sends = n.unknown,
      snippet = coalesce(last.snippet, ''), last_message_at = coalesce(last.received_at, c.created_at),
      last_message_direction = last.direction
    from unnest(cast(:ids as uuid[])) as wanted(id)
    cross join lateral (
      select count(*) as messages, count(*) filter (where direction = 'inbound') as customer,
        count(*) filter (where direction = 'inbound' and not is_read) as unread,
        count(*) filter (where send_status = 'failed' and kind = 'message') as failed,
        count(*) filter (where send_status = 'unknown' and kind = 'message') as unknown
      from messages where tenant_id = :tenant and conversation_id = wanted.id and send_status is distinct from 'cancelled') n
    left join lateral (
      select left(regexp_replace(coalesce(nullif(body_visible, ''), body_text), '\\s+', ' ', 'g'), 200) as snippet,
        received_at, direction
      from messages where tenant_id = :tenant and conversation_id = wanted.id and kind = 'message'
        and send_status is distinct from 'cancelled'
      order by received_at desc, id desc limit 1) last on true
    where c.tenant_id = :tenant and c.id = wanted.id
    returning c.id, c.inbox_id, c.version
    """
)
# With those that were merged into them. One that still has a message is left: its message could not be removed yet.
DROP_CONVERSATIONS = text(
    """
    delete from conversations c
    where c.tenant_id = :tenant and (c.id = any(cast(:ids as uuid[])) or c.merged_into = any(cast(:ids as uuid[])))
      and not exists (select from messages m where m.tenant_id = :tenant
        and m.conversation_id in (c.id, coalesce(c.merged_into, c.id)))
    returning c.id, c.inbox_id, c.status, c.merged_into
    """
)


async def remove_messages(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    ids: Sequence[uuid.UUID],
    *,
    reason: TombstoneReason,
    erasure_id: uuid.UUID | None = None,
) -> tuple[Counter[str], set[uuid.UUID]]:
    """Remove these messages; counts by kind of row, and the conversations that they stood in. Those that are just being submitted
    stay. The caller recounts or drops the conversations.

    Order of locks: the inboxes' ingest (so that no mail joins them now), conversations, messages, as everywhere.
    """
    key = {"tenant": tenant_id, "ids": [str(i) for i in ids]}
    counts: Counter[str] = Counter()
    if not ids:
        return counts, set()
    for inbox_id in (await connection.execute(PLACES, key)).scalars().all():
        await lock_ingest(connection, inbox_id)
    await connection.execute(LOCK_CONVERSATIONS, key)
    rows = (await connection.execute(LOCK_MESSAGES, key)).all()
    if not rows:
        return counts, set()
    key["ids"] = [str(r.id) for r in rows]
    ledger = (await connection.execute(EMPTY_LEDGER, {**key, "reason": reason.value})).all()
    files = list((await connection.execute(FILES, key)).scalars())
    counts.update((await connection.execute(COUNT_PARTS, key)).one()._asdict())
    counts.update(messages=len(rows), ledger_rows=len(ledger))

    everywhere = reason is TombstoneReason.ERASED
    buried = {(r.raw_sha256, "" if everywhere else str(r.folder_id or "")) for r in ledger if r.raw_sha256}
    if everywhere:
        buried |= {(r.raw_sha256, "") for r in rows if r.raw_sha256}
    if buried:
        hashes, places = (list(column) for column in zip(*sorted(buried), strict=True))
        await connection.execute(
            BURY, {"tenant": tenant_id, "hashes": hashes, "places": places, "reason": reason.value}
        )
    # A frozen mail is an object of its own; what came in is a stretch of a pack.
    stretches = {(r.raw_key, r.raw_offset): (r.raw_length, r.raw_sha256) for r in [*rows, *ledger] if r.raw_key}
    stretches = {
        at: (None if at[0].startswith("out/") else length, sha256) for at, (length, sha256) in stretches.items()
    }
    stretches |= {(name, 0): (None, None) for name in files}
    await _drop(connection, tenant_id, stretches, erasure_id)

    await connection.execute(FORGET_QUARANTINE, {"tenant": tenant_id, "ids": [str(r.id) for r in ledger]})
    await connection.execute(FORGET_READINGS, key)
    headers = sorted({r.message_id_header for r in rows if r.message_id_header})
    inboxes = sorted({str(r.inbox_id) for r in rows})
    forgotten = await connection.execute(FORGET_KEYS, {"tenant": tenant_id, "inboxes": inboxes, "keys": headers})
    counts["thread_keys"] += forgotten.rowcount
    await connection.execute(DELETE_MESSAGES, key)
    return counts, {r.conversation_id for r in rows if r.conversation_id is not None}


async def recount(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], *, actor: str
) -> None:
    """Count anew what is left of these conversations, and tell of it."""
    if not ids:
        return
    rows = await connection.execute(RECOUNT, {"tenant": tenant_id, "ids": sorted(str(i) for i in ids)})
    await append_events(
        connection,
        [
            NewEvent(
                "conversation.updated",
                tenant_id,
                inbox_id=r.inbox_id,
                conversation_id=r.id,
                actor=actor,
                payload={"version": r.version, "changed": ["messages"]},
            )
            for r in rows.all()
        ],
    )


async def drop_conversations(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], *, reason: TombstoneReason, actor: str
) -> int:
    """Remove conversations that have no message left, with their aliases, notes, tags and history; how many it was."""
    if not ids:
        return 0
    rows = (await connection.execute(DROP_CONVERSATIONS, {"tenant": tenant_id, "ids": [str(i) for i in ids]})).all()
    await append_events(
        connection,
        [
            NewEvent(
                "conversation.deleted",
                tenant_id,
                inbox_id=r.inbox_id,
                conversation_id=r.id,
                actor=actor,
                payload={"status": r.status, "reason": reason.value},
            )
            for r in rows
        ],
    )
    return len(rows)


async def _drop(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    stretches: dict[tuple[str, int], tuple[int | None, str | None]],
    erasure_id: uuid.UUID | None,
) -> None:
    if stretches:
        await connection.execute(
            DROP,
            {
                "tenant": tenant_id,
                "erasure": erasure_id,
                "keys": [key for key, _ in stretches],
                "offsets": [offset for _, offset in stretches],
                "lengths": [length for length, _ in stretches.values()],
                "hashes": [sha256 for _, sha256 in stretches.values()],
            },
        )


def before(now: dt.datetime, days: int) -> dt.datetime:
    """The instant that many days ago."""
    return now - dt.timedelta(days=days)
