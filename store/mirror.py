"""Mirrors inward what people did with mails in other programs: read, unread, flagged, moved away, deleted.

Nothing is ever deleted here: a mail that is gone from the server keeps its message, marked as gone. A mail that moved
shows up in its new folder as a duplicate of the same message, so it counts as gone only when no folder has it any more.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import array_text
from store.event_log import NewEvent, append_events
from store.ingest_lock import lock_ingest
from store.ledger import Place

CHANGED = text(
    """
    update ledger l set flags = cast(v.flags as text[]), updated_at = now()
    from unnest(cast(:uids as bigint[]), cast(:flags as text[])) as v(uid, flags)
    where l.tenant_id = :tenant and l.inbox_id = :inbox and l.folder_id = :folder and l.uidvalidity = :uidvalidity
      and l.uid = v.uid and not (cast(l.flags as text[]) @> cast(v.flags as text[])
                               and cast(v.flags as text[]) @> cast(l.flags as text[]))
    returning l.message_id, l.flags
    """
)
# `is_read` follows \\Seen only where \\Seen itself changed; what an agent read here stays read.
FLAG_MESSAGES = text(
    """
    with told as (
      select v.id, cast(v.flags as text[]) as flags, '\\Seen' = any(cast(v.flags as text[])) as seen
      from unnest(cast(:ids as uuid[]), cast(:flags as text[])) as v(id, flags)
    ), before as (
      select m.id, m.conversation_id, m.is_read, m.direction, '\\Seen' = any(m.flags) as was_seen
      from messages m join told on m.id = told.id where m.tenant_id = :tenant for no key update of m
    ), changed as (
      update messages m set flags = told.flags,
        is_read = case when b.direction = 'inbound' and told.seen <> b.was_seen then told.seen else m.is_read end,
        read_at = case when b.direction = 'inbound' and told.seen and not b.was_seen and not m.is_read then now()
                       else m.read_at end
      from told join before b on b.id = told.id
      where m.tenant_id = :tenant and m.id = told.id
      returning m.id, m.conversation_id, m.historical, m.is_read, b.is_read as was_read
    ), counted as (
      update conversations c set unread_count = greatest(0, c.unread_count + d.unread)
      from (select conversation_id, sum(case when was_read and not is_read then 1 when is_read and not was_read then -1
                                             else 0 end) as unread
            from changed where conversation_id is not null group by conversation_id) d
      where c.tenant_id = :tenant and c.id = d.conversation_id and d.unread <> 0
      returning c.id, c.version
    )
    select changed.id, changed.conversation_id, changed.is_read, counted.version
    from changed left join counted on counted.id = changed.conversation_id
    """
)
LOCK_CONVERSATIONS = text(
    """
    select c.id from conversations c where c.tenant_id = :tenant and c.id in (
      select m.conversation_id from messages m where m.tenant_id = :tenant and m.id = any(cast(:ids as uuid[])))
    order by c.id for no key update
    """
)
GONE = text(
    """
    update ledger set gone_at = now(), updated_at = now()
    where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder and uidvalidity = :uidvalidity
      and uid = any(cast(:uids as bigint[])) and gone_at is null and state <> 'vanished'
    returning message_id
    """
)
THERE = text(
    """
    select uid from ledger
    where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder and uidvalidity = :uidvalidity
      and uid <= :last and gone_at is null and state <> 'vanished'
    """
)
VOID = text(
    """
    update ledger set gone_at = now(), updated_at = now()
    where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder and uidvalidity <> :uidvalidity
      and gone_at is null
    returning message_id
    """
)
# A number below zero is no UIDVALIDITY (RFC 3501 §9: nz-number), so such a row is void like one of an older UIDVALIDITY.
VOID_ROWS = text(
    """
    update ledger set uidvalidity = -cast(extract(epoch from clock_timestamp()) * 1000000 as bigint), updated_at = now()
    where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder and uidvalidity = :uidvalidity
      and (uid >= :first or uid = any(cast(:uids as bigint[])))
    """
)
BACK = text(
    """
    update ledger l set gone_at = null, updated_at = now()
    from unnest(cast(:uids as bigint[])) as v(uid)
    where l.tenant_id = :tenant and l.inbox_id = :inbox and l.folder_id = :folder and l.uidvalidity = :uidvalidity
      and l.uid = v.uid and l.gone_at is not null
    """
)
NOWHERE = text(
    """
    select m.id, m.conversation_id from messages m
    where m.tenant_id = :tenant and m.id = any(cast(:ids as uuid[]))
      and not exists (select 1 from ledger l where l.tenant_id = m.tenant_id and l.message_id = m.id and l.gone_at is null)
      and not exists (select 1 from intents t where t.tenant_id = m.tenant_id and t.message_id = m.id and t.kind = 'place'
        and t.state = 'open' and t.tried_at is not null)
    """  # a mail that we may have moved is looked for before anybody calls it gone
)
DELETED = "\\Deleted"


async def mirror_flags(connection: AsyncConnection, place: Place, flags: Mapping[int, frozenset[str]]) -> int:
    """Write changed flags of a folder's mails and what follows for their messages. Returns how many mails changed.

    A mail flagged as deleted is as good as gone (libredesk #355); without that flag it is back. Twice is once.
    """
    if not flags:
        return 0
    uids = sorted(flags)
    answer = await connection.execute(
        CHANGED, {**place.bound(), "uids": uids, "flags": [array_text(sorted(flags[u])) for u in uids]}
    )
    changed = answer.all()
    told = {row.message_id: row.flags for row in changed if row.message_id is not None}
    await flag_messages(connection, place.tenant_id, place.inbox_id, told)
    deleted = [uid for uid in uids if DELETED in flags[uid]]
    gone = await _gone(connection, place, GONE, {"uids": deleted}) if deleted else 0
    back = [uid for uid in uids if DELETED not in flags[uid]]
    if back:
        await connection.execute(BACK, {**place.bound(), "uids": back})
    return max(len(changed), gone)


async def mirror_gone(connection: AsyncConnection, place: Place, uids: Sequence[int]) -> int:
    """These UIDs left the folder. Returns how many the ledger still believed to be there."""
    return await _gone(connection, place, GONE, {"uids": list(uids)}) if uids else 0


async def mirror_moved(connection: AsyncConnection, place: Place, uids: Sequence[int]) -> None:
    """These UIDs left the folder because we moved them: the mails are not gone, so nobody is told that they are."""
    if uids:
        await connection.execute(GONE, {**place.bound(), "uids": list(uids)})


async def mirror_present(
    connection: AsyncConnection, place: Place, present: frozenset[int], *, last: int
) -> int:
    """Of the UIDs up to `last` only `present` are in the folder; the others left it."""
    believed = await connection.execute(THERE, {**place.bound(), "last": last})
    return await mirror_gone(connection, place, [uid for uid in believed.scalars() if uid not in present])


async def void_identities(connection: AsyncConnection, place: Place) -> int:
    """The UIDs of an older UIDVALIDITY mean nothing any more; mails that did not come back are gone."""
    return await _gone(connection, place, VOID, {})


async def void_rows(connection: AsyncConnection, place: Place, *, first: int, uids: Sequence[int]) -> None:
    """UIDs from `first` on, and these `uids`, do not mean any more what they meant when their rows were written."""
    await connection.execute(VOID_ROWS, {**place.bound(), "first": first, "uids": list(uids)})


async def flag_messages(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    told: Mapping[uuid.UUID, Sequence[str]],
) -> None:
    """The messages whose mails bear these flags now: read or unread with them, and told so."""
    if not told:
        return
    ids = list(told)
    await lock_ingest(connection, inbox_id)  # before the rows, as ingest does
    await connection.execute(LOCK_CONVERSATIONS, {"tenant": tenant_id, "ids": ids})
    bound = {"tenant": tenant_id, "ids": ids, "flags": [array_text(told[i]) for i in ids]}
    rows = await connection.execute(FLAG_MESSAGES, bound)
    await _tell_flags(connection, tenant_id, inbox_id, rows.all())


async def tell_gone(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, message_ids: Sequence[uuid.UUID]
) -> None:
    """Tell of those messages that lie nowhere any more."""
    if not message_ids:
        return
    nowhere = await connection.execute(NOWHERE, {"tenant": tenant_id, "ids": list(message_ids)})
    await append_events(
        connection,
        [
            NewEvent(
                "message.updated",
                tenant_id,
                inbox_id=inbox_id,
                conversation_id=row.conversation_id,
                message_id=row.id,
                payload={"gone": True},
            )
            for row in nowhere
        ],
    )


async def _gone(
    connection: AsyncConnection, place: Place, statement: TextClause, bound: Mapping[str, object]
) -> int:
    answer = await connection.execute(statement, {**place.bound(), **bound})
    rows = answer.scalars().all()
    await tell_gone(connection, place.tenant_id, place.inbox_id, [i for i in rows if i is not None])
    return len(rows)


async def _tell_flags(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, rows: Sequence[Row[Any]]
) -> None:
    events: list[NewEvent] = []
    conversations: dict[uuid.UUID, int] = {}
    for row in rows:
        events.append(
            NewEvent(
                "message.updated",
                tenant_id,
                inbox_id=inbox_id,
                conversation_id=row.conversation_id,
                message_id=row.id,
                payload={"is_read": row.is_read},
            )
        )
        if row.version is not None:
            conversations[row.conversation_id] = row.version
    events += [
        NewEvent(
            "conversation.updated",
            tenant_id,
            inbox_id=inbox_id,
            conversation_id=conversation_id,
            payload={"version": version},
        )
        for conversation_id, version in conversations.items()
    ]
    await append_events(connection, events)
