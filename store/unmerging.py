"""Takes a merged conversation out again: each message goes back where it came from.

What goes back: the messages that it brought along (their `home_id`, also those of conversations merged into it before), its keys and
notes; and what came after the merge in answer to one of those, whoever wrote it. What was written or came otherwise stays with the
survivor, and so do tags and followers, which the merge only added. The two are kept apart from then on: a mail that names
both goes where its nearest id leads.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.apart import keep_apart
from store.event_log import append_events
from store.moving import are_news, lock_in_order, move_messages
from store.recounting import recount
from store.shape_rows import CannotReshape, hold, read_shape
from store.visibility import Viewer

# `merged_under` makes a tree: below it what comes along, above it what it stood in.
BELOW = text(
    """
    with recursive below as (
      select id from conversations where tenant_id = :tenant and id = :id
      union
      select c.id from below b join conversations c on c.tenant_id = :tenant and c.merged_into = :root and c.merged_under = b.id
    )
    select id from below
    """
)
ABOVE = text(
    """
    with recursive above as (
      select merged_under as id from conversations where tenant_id = :tenant and id = :id
      union
      select c.merged_under from above a join conversations c on c.tenant_id = :tenant and c.id = a.id
      where c.merged_under is not null
    )
    select id from above where id is not null
    """
)
MESSAGES = text(
    """
    select m.id, m.message_id_header as header, m.in_reply_to, m.home_id, m.created_at > :merged_at as later,
      array(select r.referenced_id from message_references r
        where r.tenant_id = m.tenant_id and r.message_id = m.id order by r.position desc) as references_back
    from messages m where m.tenant_id = :tenant and m.conversation_id = :root order by m.received_at, m.id
    """
)
MERGED_AT = text("select merged_at from conversations where tenant_id = :tenant and id = :id")
NOTES = text(
    """
    update notes set conversation_id = :id, home_id = case when home_id <> :id then home_id end
    where tenant_id = :tenant and conversation_id = :root and home_id = any(cast(:homes as uuid[]))
    returning id
    """
)
NOTES_ARE_NEWS = text("update notes set at_version = :version where tenant_id = :tenant and id = any(cast(:ids as uuid[]))")
RAISE = text(
    """
    update conversations set
      merged_into = case when id = :id then null else cast(:id as uuid) end,
      merged_under = case when id = :id then null else merged_under end,
      merged_at = case when id = :id then null else merged_at end
    where tenant_id = :tenant and id = any(cast(:homes as uuid[]))
    """
)
# What came while it was merged reopens it, as it would have then.
REOPEN = text(
    """
    update conversations set status = 'open', closed_at = null, snoozed_until = null
    where tenant_id = :tenant and id = :id and unread_count > 0
      and status in ('closed', 'pending', 'snoozed', 'archived', 'trash')
    """
)


@dataclass(frozen=True, slots=True)
class MergedMessage:
    """One message of the survivor. `later`: it came after the merge; `parents` are the ids it answers to, nearest first."""

    id: uuid.UUID
    header: str | None
    parents: tuple[str, ...]
    home: uuid.UUID | None
    later: bool


async def unmerge(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> uuid.UUID | None:
    """Give a merged conversation its own back, and return the one it was taken from; None when there is no such conversation.

    Raises CannotReshape when it is not merged, or by an older version, which remembered no homes.
    """
    found = await read_shape(connection, viewer, conversation_id)
    if found is None:
        return None
    (shape,) = await hold(connection, viewer, found.inbox_id, conversation_id)
    if shape is None:
        return None
    if shape.into is None:
        raise CannotReshape("not-merged", "It is not merged into another conversation.")
    if shape.under is None:
        raise CannotReshape(
            "merged-before", "It was merged before merges could be undone. Split the messages off instead.", shape.into
        )
    tenant_id, root = viewer.tenant_id, shape.into
    key = {"tenant": tenant_id, "id": shape.id}
    homes = list((await connection.execute(BELOW, {**key, "root": root})).scalars())
    await lock_in_order(connection, tenant_id, {root, *homes})
    messages = await _messages(connection, key, root)
    above = frozenset((await connection.execute(ABOVE, key)).scalars())
    going = going_back(messages, homes=frozenset(homes), above=above)
    await move_messages(connection, tenant_id, old=root, new=shape.id, message_ids=going, homes=homes)
    notes = list((await connection.execute(NOTES, {**key, "root": root, "homes": homes})).scalars())
    await connection.execute(RAISE, {**key, "homes": homes})
    await keep_apart(connection, tenant_id, shape.id, root)
    await recount(connection, tenant_id, [root, shape.id])
    await connection.execute(REOPEN, key)
    versions = await recount(connection, tenant_id, [root, shape.id])
    await are_news(connection, tenant_id, shape.id, going, versions[shape.id])
    await connection.execute(NOTES_ARE_NEWS, {"tenant": tenant_id, "ids": notes, "version": versions[shape.id]})
    back, left = versions[shape.id], versions[root]
    await append_events(
        connection,
        [
            shape.event(viewer, "conversation.unmerged", shape.id, {"from": str(root), "version": back}),
            shape.event(viewer, "conversation.updated", shape.id, {"version": back, "changed": ["merged"]}),
            shape.event(viewer, "conversation.updated", root, {"version": left, "changed": ["merged"]}),
        ],
    )
    return root


def going_back(
    messages: Sequence[MergedMessage], *, homes: frozenset[uuid.UUID], above: frozenset[uuid.UUID]
) -> list[uuid.UUID]:
    """Which messages leave: those of these homes, and what came later in answer to one that leaves.

    `above` are the conversations it stood in: what belongs to yet another one merged into them stays there.
    """
    bearer = {m.header: m for m in messages if m.header is not None}
    leaves: dict[uuid.UUID, bool] = {m.id: True for m in messages if m.home in homes}
    may = {m.id for m in messages if m.later and (m.home is None or m.home in above)}
    for message in messages:
        path: list[uuid.UUID] = []
        here: MergedMessage | None = message
        while here is not None and here.id not in leaves and here.id in may and here.id not in path:
            path.append(here.id)
            here = _parent(here, bearer)
        answer = leaves.get(here.id, False) if here is not None else False
        leaves.update(dict.fromkeys(path, answer))
    return [m.id for m in messages if leaves.get(m.id, False)]


def _parent(message: MergedMessage, bearer: Mapping[str, MergedMessage]) -> MergedMessage | None:
    return next((bearer[p] for p in message.parents if p in bearer and bearer[p].id != message.id), None)


async def _messages(
    connection: AsyncConnection, key: Mapping[str, uuid.UUID], root: uuid.UUID
) -> list[MergedMessage]:
    merged_at: dt.datetime = (await connection.execute(MERGED_AT, key)).scalar_one()
    rows = await connection.execute(MESSAGES, {"tenant": key["tenant"], "root": root, "merged_at": merged_at})
    return [
        MergedMessage(
            row.id,
            row.header,
            tuple(dict.fromkeys(([row.in_reply_to] if row.in_reply_to else []) + row.references_back)),
            row.home_id,
            row.later,
        )
        for row in rows
    ]
