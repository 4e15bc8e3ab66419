"""What is to be written to the mailbox now, and what the ledger decides about open intents without asking it.

In a mailbox on an IMAP server mails are found folder by folder; behind a web API by the provider's ids.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.intents import LIVE, UNSEEN, tell_closed
from store.ledger import Place

COLUMNS = "t.id, t.message_id, t.kind, t.detail, t.wanted, t.expected, t.tried_at is not null as tried"
# Of a mail that lies where it is wanted, and still where it was, the copy that is left is the one to be moved.
IN_FOLDER = text(
    f"""
    select {COLUMNS}, l.uid, l.flags, l.raw_sha256, m.message_id_header as header,
      exists (select {LIVE} and f.synced and f.id <> :folder
        and (f.role in (t.expected, t.wanted) or (f.role = 'all' and 'archive' in (t.expected, t.wanted)))) as elsewhere
    from intents t
    join messages m on m.tenant_id = t.tenant_id and m.id = t.message_id
    join ledger l on l.tenant_id = t.tenant_id and l.message_id = t.message_id
    where t.tenant_id = :tenant and t.inbox_id = :inbox and t.state = 'open' and (t.kind <> 'read' or m.is_read)
      and l.folder_id = :folder and l.uidvalidity = :uidvalidity and l.uid is not null and l.gone_at is null
      and (t.kind <> 'read' or not '\\Seen' = any(l.flags))
    order by t.kind desc, l.uid limit :limit
    """  # constants of this file
)
# A mail that was moved is fetched anew from its new folder: as long as such mails are not read, nobody knows what is gone. Those
# that a backfill will read are none of them.
ALL_READ = """
  not exists (select from ledger p left join folders b on b.tenant_id = p.tenant_id and b.id = p.folder_id
    where p.tenant_id = :tenant and p.inbox_id = :inbox and p.state = 'stored'
      and (not p.historical or coalesce(b.backfill_state, 'none') not in ('waiting', 'running', 'paused')))
"""
NOWHERE = text(
    f"""
    select {COLUMNS}, null as uid, null as flags, m.message_id_header as header, false as elsewhere
    from intents t join messages m on m.tenant_id = t.tenant_id and m.id = t.message_id
    where t.tenant_id = :tenant and t.inbox_id = :inbox and t.state = 'open' and t.kind in ('place', 'label')
      and not exists (select {LIVE} and f.synced) and {ALL_READ}
    order by t.asked_at, t.id limit :limit
    """  # constants of this file
)
BY_ID = text(
    f"""
    select {COLUMNS}, l.provider_message_id as provider_id
    from intents t
    join messages m on m.tenant_id = t.tenant_id and m.id = t.message_id
    join ledger l on l.tenant_id = t.tenant_id and l.message_id = t.message_id
    where t.tenant_id = :tenant and t.inbox_id = :inbox and t.state = 'open' and l.provider_message_id is not null
      and (t.kind <> 'read' or m.is_read)
    order by t.asked_at, t.id limit :limit
    """  # constants of this file
)
SETTLE = text(
    f"""
    with judged as (
      select t.id, case
        when not m.is_read then 'superseded'
        when not exists (select {LIVE}) then case when {ALL_READ} then 'gone' end
        when not exists ({UNSEEN}) then 'done' end as state
      from intents t join messages m on m.tenant_id = t.tenant_id and m.id = t.message_id
      where t.tenant_id = :tenant and t.inbox_id = :inbox and t.state = 'open' and t.kind = 'read' for no key update of t
    )
    update intents t set state = judged.state, closed_at = now() from judged
    where t.tenant_id = :tenant and t.id = judged.id and judged.state is not null
    returning t.message_id, t.kind, t.state, t.detail, t.wanted, t.reason, (select conversation_id from messages m
      where m.tenant_id = t.tenant_id and m.id = t.message_id) as conversation_id
    """  # constants of the store
)
TRY = text(
    """
    update intents set tried_at = coalesce(tried_at, now())
    where tenant_id = :tenant and inbox_id = :inbox and id = any(cast(:ids as uuid[])) and state = 'open' returning id
    """
)
FOLDER_OF = text(
    """
    select path from folders where tenant_id = :tenant and inbox_id = :inbox and role = :role
      and (state <> 'parked' or state_reason <> 'gone') order by path limit 1
    """
)


@dataclass(frozen=True, slots=True)
class Due:
    """An open intent with the mail it is about. `uid` and `flags` are those of one folder, None where the mail lies in no folder
    that is read. `elsewhere`: another folder that is read shows it where it was, or where it is wanted.
    """

    id: uuid.UUID
    message_id: uuid.UUID
    kind: str
    detail: str
    wanted: str
    expected: str
    tried: bool
    uid: int = 0
    flags: frozenset[str] = frozenset()
    header: str | None = None
    elsewhere: bool = False
    raw_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class DueById:
    """A mail behind a web API, with what is open about it, in the order in which it was asked for."""

    provider_id: str
    intents: tuple[Due, ...]


async def due_in_folder(connection: AsyncConnection, place: Place, *, limit: int) -> list[Due]:
    """What is open about the mails of this folder. Reading comes before moving, which takes the mail out of it."""
    rows = await connection.execute(IN_FOLDER, {**place.bound(), "limit": limit})
    return [_due(row, uid=int(row.uid), flags=frozenset(row.flags), raw_sha256=row.raw_sha256) for row in rows]


async def due_nowhere(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, limit: int
) -> list[Due]:
    """What is open about mails that lie in no folder that is read: moved by us, by somebody else, or deleted."""
    rows = await connection.execute(NOWHERE, {"tenant": tenant_id, "inbox": inbox_id, "limit": limit})
    return [_due(row) for row in rows]


async def due_by_id(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, limit: int
) -> list[DueById]:
    """What is open about mails of a mailbox behind a web API."""
    rows = await connection.execute(BY_ID, {"tenant": tenant_id, "inbox": inbox_id, "limit": limit})
    found: dict[str, list[Due]] = {}
    for row in rows:
        one = Due(row.id, row.message_id, row.kind, row.detail, row.wanted, row.expected, row.tried)
        found.setdefault(row.provider_id, []).append(one)
    return [DueById(key, tuple(intents)) for key, intents in found.items()]


async def settle(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> int:
    """Close what the ledger decides about reading: read everywhere, marked unread at the provider since, or gone. How many.

    It asks the ledger and not our own doing, so our change coming back as news and a colleague's in another program are the
    same. Twice is once.
    """
    rows = (await connection.execute(SETTLE, {"tenant": tenant_id, "inbox": inbox_id})).all()
    await tell_closed(connection, tenant_id, inbox_id, rows)
    return len(rows)


async def begin(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> frozenset[uuid.UUID]:
    """Note that the server is told now: from here on a mail that left its folder may have been moved by us. Those still open."""
    rows = await connection.execute(TRY, {"tenant": tenant_id, "inbox": inbox_id, "ids": list(ids)})
    return frozenset(rows.scalars())


async def folder_for(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, role: str
) -> str | None:
    """The path of the folder with this role at the server, whether it is read or not; None where there is none."""
    bound = {"tenant": tenant_id, "inbox": inbox_id, "role": role}
    found: str | None = (await connection.execute(FOLDER_OF, bound)).scalar_one_or_none()
    return found


def _due(row: Any, **more: Any) -> Due:
    return Due(
        row.id,
        row.message_id,
        row.kind,
        row.detail,
        row.wanted,
        row.expected,
        row.tried,
        header=row.header,
        elsewhere=row.elsewhere,
        **more,
    )
