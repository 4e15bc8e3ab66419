"""The conversation whose shape a person wants to change: as that person may see it, held, and still what it was.

Order of locks: the inbox's ingest lock, then conversations by id, then messages. The first keeps threading out, which plans with the
keys that are about to move; the second keeps out whoever sends, reads or changes one of them.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Conversation
from store.event_log import NewEvent
from store.ingest_lock import lock_ingest
from store.moving import lock_in_order
from store.visibility import Viewer, may_see


class CannotReshape(Exception):
    """It cannot be merged, split or taken apart. `name` is the problem's, `remedy` a sentence that says what to do instead."""

    def __init__(self, name: str, remedy: str, survivor: uuid.UUID | None = None) -> None:
        super().__init__(remedy)
        self.name = name
        self.remedy = remedy
        self.survivor = survivor


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a conversation stands among the merged ones. `under` is what it was merged into itself, `into` who has its mails now."""

    id: uuid.UUID
    inbox_id: uuid.UUID
    number: int
    into: uuid.UUID | None
    under: uuid.UUID | None
    priority: str

    @property
    def root(self) -> uuid.UUID:
        return self.into or self.id

    def event(self, viewer: Viewer, kind: str, conversation_id: uuid.UUID, payload: Mapping[str, Any]) -> NewEvent:
        """Of something that this viewer did to a conversation of the same inbox."""
        return NewEvent(
            kind, viewer.tenant_id, self.inbox_id, conversation_id, actor=viewer.actor, payload=payload
        )


async def read_shape(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> Shape | None:
    """None for a conversation that is not there, or not for this viewer."""
    row = (
        await connection.execute(
            select(
                Conversation.id,
                Conversation.inbox_id,
                Conversation.number,
                Conversation.merged_into,
                Conversation.merged_under,
                Conversation.priority,
            ).where(
                Conversation.tenant_id == viewer.tenant_id,
                Conversation.id == conversation_id,
                Conversation.deleted_at.is_(None),
                may_see(viewer, Conversation.inbox_id),
            )
        )
    ).first()
    return Shape(*row) if row is not None else None


async def hold(
    connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID, *ids: uuid.UUID
) -> list[Shape | None]:
    """Hold conversations of one inbox and those that have their mails now; then read them again, in the order given."""
    await lock_ingest(connection, inbox_id)
    shapes = [await read_shape(connection, viewer, i) for i in ids]
    await lock_in_order(connection, viewer.tenant_id, {i for s in shapes if s is not None for i in (s.id, s.root)})
    return [await read_shape(connection, viewer, i) for i in ids]
