"""The tags of a tenant with their colours. A change is told to everybody, since a tag may stand in any list."""

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events
from store.visibility import Viewer

MOST = 2000
LIST = text("select id, name, color from tags where tenant_id = :tenant order by lower(name), name limit :most")
MAKE = text(
    """
    insert into tags (tenant_id, name, color, created_by) values (:tenant, :name, :color, :person)
    on conflict (tenant_id, name) do nothing returning id
    """
)
HELD = text("select name, color from tags where tenant_id = :tenant and id = :id for no key update")
CHANGE = text("update tags set name = :name, color = :color where tenant_id = :tenant and id = :id")
REMOVE = text("delete from tags where tenant_id = :tenant and id = :id returning id")


class NameTaken(Exception):
    """Another tag of this tenant has the name."""


@dataclass(frozen=True, slots=True)
class TagRow:
    id: uuid.UUID
    name: str
    color: str


async def list_tags(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[TagRow]:
    """All of them by name, at most two thousand."""
    rows = await connection.execute(LIST, {"tenant": tenant_id, "most": MOST})
    return [TagRow(r.id, r.name, r.color) for r in rows]


async def make_tag(connection: AsyncConnection, viewer: Viewer, *, name: str, color: str) -> TagRow:
    """A new tag. Raises NameTaken, so also the second time."""
    bound = {"tenant": viewer.tenant_id, "name": name, "color": color, "person": viewer.user_id}
    made = (await connection.execute(MAKE, bound)).scalar_one_or_none()
    if made is None:
        raise NameTaken
    await _tell(connection, viewer, made, "made")
    return TagRow(made, name, color)


async def change_tag(
    connection: AsyncConnection, viewer: Viewer, tag_id: uuid.UUID, *, name: str | None = None, color: str | None = None
) -> TagRow | None:
    """Another name or colour, wherever it stands; None when there is no such tag. What stands already tells nobody. Raises
    NameTaken, after which the transaction is over.
    """
    key = {"tenant": viewer.tenant_id, "id": tag_id}
    row = (await connection.execute(HELD, key)).first()
    if row is None:
        return None
    new = TagRow(tag_id, name if name is not None else row.name, color if color is not None else row.color)
    if (new.name, new.color) != (row.name, row.color):
        try:
            await connection.execute(CHANGE, {**key, "name": new.name, "color": new.color})
        except IntegrityError:
            raise NameTaken from None
        await _tell(connection, viewer, tag_id, "changed")
    return new


async def remove_tag(connection: AsyncConnection, viewer: Viewer, tag_id: uuid.UUID) -> bool:
    """Take it away, from every conversation too; False when there is no such tag. A label in a mailbox stays there."""
    gone = (await connection.execute(REMOVE, {"tenant": viewer.tenant_id, "id": tag_id})).first() is not None
    if gone:
        await _tell(connection, viewer, tag_id, "removed")
    return gone


async def _tell(connection: AsyncConnection, viewer: Viewer, tag_id: uuid.UUID, what: str) -> None:
    event = NewEvent(
        type="tags.changed", tenant_id=viewer.tenant_id, actor=viewer.actor, payload={"tag_id": str(tag_id), "what": what}
    )
    await append_events(connection, [event])
