"""Who follows a conversation. Whoever is assigned follows by a trigger, whoever a note mentions by the note."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events
from store.visibility import Viewer

LIST = text(
    """
    select u.id, u.name, f.reason from followers f join users u on u.tenant_id = f.tenant_id and u.id = f.user_id
    where f.tenant_id = :tenant and f.conversation_id = :id and u.deleted_at is null order by u.name, u.id limit 200
    """
)
ADD = text(
    """
    insert into followers (tenant_id, conversation_id, user_id, reason)
    select :tenant, :id, person, :reason from unnest(cast(:people as uuid[])) as v(person)
    on conflict do nothing returning user_id
    """
)
REMOVE = text(
    "delete from followers where tenant_id = :tenant and conversation_id = :id and user_id = :user returning user_id"
)


@dataclass(frozen=True, slots=True)
class FollowerRow:
    id: uuid.UUID
    name: str
    reason: str


async def followers_of(connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID) -> list[FollowerRow]:
    """By name. The caller has found that the viewer may see the conversation."""
    rows = await connection.execute(LIST, {"tenant": tenant_id, "id": conversation_id})
    return [FollowerRow(r.id, r.name, r.reason) for r in rows]


async def add_followers(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, people: Sequence[uuid.UUID], *, reason: str
) -> list[uuid.UUID]:
    """Make them follow; those who did not before. Tells nobody: the event of what made them follow does. Twice is once."""
    if not people:
        return []
    bound = {"tenant": tenant_id, "id": conversation_id, "people": list(people), "reason": reason}
    return list((await connection.execute(ADD, bound)).scalars())


async def follow(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, inbox_id: uuid.UUID, person: uuid.UUID
) -> None:
    """One follows from now on, by their own wish or a colleague's. The caller has found that both may see it. Twice is once."""
    reason = "self" if person == viewer.user_id else "added"
    if await add_followers(connection, viewer.tenant_id, conversation_id, [person], reason=reason):
        await _tell(connection, viewer, conversation_id, inbox_id, person, following=True)


async def unfollow(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, inbox_id: uuid.UUID, person: uuid.UUID
) -> None:
    """One follows no longer. Twice is once."""
    bound = {"tenant": viewer.tenant_id, "id": conversation_id, "user": person}
    if (await connection.execute(REMOVE, bound)).first() is not None:
        await _tell(connection, viewer, conversation_id, inbox_id, person, following=False)


async def _tell(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    inbox_id: uuid.UUID,
    person: uuid.UUID,
    *,
    following: bool,
) -> None:
    """The version stays: nothing that a reply could miss has changed."""
    event = NewEvent(
        type="followers.changed",
        tenant_id=viewer.tenant_id,
        inbox_id=inbox_id,
        conversation_id=conversation_id,
        actor=viewer.actor,
        payload={"user_id": str(person), "following": following},
    )
    await append_events(connection, [event])
