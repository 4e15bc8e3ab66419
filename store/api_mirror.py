"""Mirrors inward what people did with mails of a mailbox behind a web API: flags, labels, folders, deletions, by the provider's ids.

A mail has one row whatever folder shows it; the row says where it lies now. Nothing is ever deleted here.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import FolderRole
from store.api_ledger import ApiPlace
from store.bulk import bound, rows_of
from store.event_log import NewEvent, append_events
from store.mirror import flag_messages, tell_gone
from store.spam_release import bring_in

COLUMNS = {"id": "text", "folder_id": "uuid", "flags": "text[]"}
TOLD = text(
    f"""
    with changed as (
      update ledger l set flags = coalesce(v.flags, l.flags), folder_id = v.folder_id, gone_at = null, updated_at = now()
      from ({rows_of(COLUMNS)}) as v ({", ".join(COLUMNS)})
      where l.tenant_id = :tenant and l.inbox_id = :inbox and l.provider_message_id = v.id
        and not (l.raw_sha256 is null and l.state in ('vanished', 'skipped'))
        and (l.folder_id is distinct from v.folder_id or l.gone_at is not null
          or (v.flags is not null and not (l.flags @> v.flags and v.flags @> l.flags)))
      returning l.message_id, old.folder_id as was_in, new.folder_id as lies_in, old.gone_at is not null as was_gone,
        old.flags as had, new.flags as flags
    )
    select c.message_id, m.conversation_id, c.was_gone, c.had, c.flags, was.role as was_role, lies.role as role
    from changed c left join messages m on m.tenant_id = :tenant and m.id = c.message_id
    left join folders was on was.tenant_id = :tenant and was.id = c.was_in
    left join folders lies on lies.tenant_id = :tenant and lies.id = c.lies_in
    """  # constants of this file
)
# A mail of which nothing is here yet has vanished before it could be fetched.
GONE = text(
    """
    update ledger set updated_at = now(), gone_at = now(), state = case when state = 'seen' then 'vanished' else state end
    where tenant_id = :tenant and inbox_id = :inbox and provider_message_id = any(cast(:ids as text[]))
      and (cast(:folder as uuid) is null or folder_id = :folder) and gone_at is null and state <> 'vanished'
    returning message_id
    """
)


@dataclass(frozen=True, slots=True)
class ToldMail:
    """A mail as the provider shows it now. `flags` None: not said; `folder_id` is where it lies."""

    id: str
    folder_id: uuid.UUID
    flags: tuple[str, ...] | None


async def mirror_told(connection: AsyncConnection, place: ApiPlace, told: Sequence[ToldMail]) -> int:
    """Write what changed and what follows for the messages; one that was gone is back, one that left Junk comes into its
    conversation. How many mails changed; twice is once.
    """
    once = {mail.id: mail for mail in told}
    if not once:
        return 0
    records = [{"id": m.id, "folder_id": m.folder_id, "flags": m.flags} for _, m in sorted(once.items())]
    key = {"tenant": place.tenant_id, "inbox": place.inbox_id}
    rows = (await connection.execute(TOLD, {**key, **bound(records)})).all()
    flagged = {r.message_id: r.flags for r in rows if r.message_id and set(r.had) != set(r.flags)}
    await flag_messages(connection, place.tenant_id, place.inbox_id, flagged)
    back = [
        NewEvent(
            "message.updated",
            place.tenant_id,
            inbox_id=place.inbox_id,
            conversation_id=r.conversation_id,
            message_id=r.message_id,
            payload={"gone": False},
        )
        for r in rows
        if r.was_gone and r.message_id
    ]
    if back:
        await append_events(connection, back)
    for row in rows:
        if row.message_id and row.was_role == FolderRole.JUNK and row.role != FolderRole.JUNK:
            await bring_in(connection, place.tenant_id, row.message_id)
    return len(rows)


async def mirror_left(connection: AsyncConnection, place: ApiPlace, ids: Sequence[str]) -> int:
    """These mails left the place. One that meanwhile lies in another folder of the inbox is not gone. How many are."""
    if not ids:
        return 0
    rows = (await connection.execute(GONE, {**place.bound(), "ids": sorted(ids)})).scalars().all()
    gone = [message_id for message_id in rows if message_id is not None]
    await tell_gone(connection, place.tenant_id, place.inbox_id, gone)
    return len(rows)


async def mirror_thrown(connection: AsyncConnection, place: ApiPlace, ids: Sequence[str]) -> None:
    """These mails lie in the bin because we put them there: as good as gone, but nobody is told that they are."""
    await connection.execute(GONE, {**place.bound(), "ids": sorted(ids)})
