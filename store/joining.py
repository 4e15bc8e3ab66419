"""A person merges one conversation into another, or asks what was merged into one.

Only within one inbox. Across inboxes the members of the one would read the mail of the other, and answers would leave from an
address that the customer never wrote to: that is refused, and said so.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import append_events
from store.merging import merge_conversations
from store.recounting import recount
from store.shape_rows import CannotReshape, hold, read_shape
from store.visibility import Viewer

MERGED = text(
    """
    select c.id, c.number, c.subject, c.customer_name, c.customer_identifier, c.merged_at, c.merged_under is not null as undoable
    from conversations c
    where c.tenant_id = :tenant and c.merged_into = :id order by c.merged_at desc nulls last, c.id desc limit 100
    """
)


@dataclass(frozen=True, slots=True)
class MergedOne:
    """A conversation whose mails stand in this one. Older merges remember no homes and cannot be undone."""

    id: uuid.UUID
    number: int
    subject: str
    customer_name: str
    customer_identifier: str
    merged_at: dt.datetime | None
    undoable: bool


async def merge_by_person(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, into: uuid.UUID
) -> uuid.UUID | None:
    """Merge and return the survivor; None when there is no such conversation. Twice is once, with one event.

    Where `into` was merged itself, its survivor is meant. Raises CannotReshape, also for a target that the viewer may not see.
    """
    loser, target = (
        await read_shape(connection, viewer, conversation_id),
        await read_shape(connection, viewer, into),
    )
    if loser is None:
        return None
    if target is None:
        raise CannotReshape("no-target", "is no conversation that you can see; choose another one")
    if target.inbox_id != loser.inbox_id:
        raise CannotReshape(
            "other-inbox",
            "The two are of different inboxes. Merged, the members of one inbox would read the mail of the other. Forward"
            " the message instead.",
        )
    loser, target = await hold(connection, viewer, loser.inbox_id, conversation_id, into)
    if loser is None or target is None:
        return None
    if loser.root == target.root:
        if loser.into is not None:
            return target.root
        raise CannotReshape("same-conversation", "Both are one conversation already.", target.root)
    if loser.into is not None:
        raise CannotReshape(
            "merged-already", "It was merged before. Merge the conversation that has its mails now.", loser.into
        )
    survivor = target.root
    await merge_conversations(
        connection, viewer.tenant_id, loser.inbox_id, [(loser.id, survivor)], actor=viewer.actor
    )
    version = (await recount(connection, viewer.tenant_id, [survivor]))[survivor]
    payload = {"version": version, "changed": ["merged"], "merged": str(loser.id)}
    await append_events(connection, [loser.event(viewer, "conversation.updated", survivor, payload)])
    return survivor


async def merged_into(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> list[MergedOne]:
    """What was merged into this one, the newest merge first. The caller has found that the viewer may see it."""
    rows = await connection.execute(MERGED, {"tenant": viewer.tenant_id, "id": conversation_id})
    return [MergedOne(*row) for row in rows]
