"""Saved views: whose they are, who may change them, and their order. What is in them is kept by `store/view_members.py`."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.box_counts import forget_box
from store.event_log import NewEvent, append_events
from store.view_conditions import Group, read_conditions
from store.visibility import Viewer

MOST_VIEWS = 300  # of a tenant: each is looked at for every conversation that changes
CHANGED = "view.changed"
COLUMNS = (
    "id, owner_id, shared, name, icon, color, position, conditions, sort, revision, ready, filled_revision, filled_to, to_fill,"
    " moved_at, created_at, updated_at"
)
SEEN = "tenant_id = :tenant and (shared or owner_id = :me)"
LIST = text(f"select {COLUMNS} from views where {SEEN} order by position, created_at, id")
ONE = text(f"select {COLUMNS} from views where {SEEN} and id = :id")
OF_TENANT = text(f"select {COLUMNS} from views where tenant_id = :tenant order by id for key share")
# The tenant's row is the lock under which views are counted.
LOCK = text("select id from tenants where id = :tenant for no key update")
HOW_MANY = text("select count(*) as n, coalesce(max(position), 0) as last from views where tenant_id = :tenant")
ADD = text(
    f"""
    insert into views (tenant_id, owner_id, shared, name, icon, color, position, conditions, sort)
    values (:tenant, :owner_id, :shared, :name, :icon, :color, :position, cast(:conditions as jsonb), :sort) returning {COLUMNS}
    """
)
SETTABLE = {
    "name": "name = :name",
    "icon": "icon = :icon",
    "color": "color = :color",
    "position": "position = :position",
    "sort": "sort = :sort",
    "shared": "shared = :shared, revision = revision + 1, ready = false",
    "conditions": "conditions = cast(:conditions as jsonb), revision = revision + 1, ready = false",
}
DRIFT = text(
    """
    update tenants set counts_checked_at = now(), counts_drift = case when :begins then 0 else counts_drift end + :wrong where id = :tenant
    """
)
DELETE = text("delete from views where tenant_id = :tenant and id = :id")


class TooManyViews(Exception):
    """The tenant has as many as can be kept up."""


class NotYours(Exception):
    """A shared view is changed by who made it, or by an administrator."""


@dataclass(frozen=True, slots=True)
class ViewRow:
    """`filled_to` of `to_fill` conversations have been looked at since the conditions changed; `ready` when all have."""

    id: uuid.UUID
    owner_id: uuid.UUID | None
    shared: bool
    name: str
    icon: str
    color: str
    position: int
    conditions: Group
    sort: str
    revision: int
    ready: bool
    filled_revision: int
    filled_to: int
    to_fill: int
    moved_at: dt.datetime | None
    created_at: dt.datetime
    updated_at: dt.datetime


def _row(row: Row[Any]) -> ViewRow:
    values = row._asdict()
    return ViewRow(**{**values, "conditions": read_conditions(values["conditions"])})


async def list_views(connection: AsyncConnection, viewer: Viewer) -> list[ViewRow]:
    """The shared ones and the viewer's own, in their order. At most `MOST_VIEWS`."""
    rows = await connection.execute(LIST, {"tenant": viewer.tenant_id, "me": viewer.user_id})
    return [_row(r) for r in rows]


async def get_view(connection: AsyncConnection, viewer: Viewer, view_id: uuid.UUID) -> ViewRow | None:
    """None for one that does not exist or is somebody else's own."""
    bound = {"tenant": viewer.tenant_id, "me": viewer.user_id, "id": view_id}
    row = (await connection.execute(ONE, bound)).first()
    return _row(row) if row else None


async def views_of_tenant(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[ViewRow]:
    """All, held so that none is deleted before the transaction ends."""
    return [_row(r) for r in await connection.execute(OF_TENANT, {"tenant": tenant_id})]


async def add_view(connection: AsyncConnection, viewer: Viewer, view: Mapping[str, Any], conditions: Group) -> ViewRow:
    """Make a view at the end of the order, not filled yet: the event brings the desk to fill it. Raises TooManyViews."""
    await connection.execute(LOCK, {"tenant": viewer.tenant_id})
    known = (await connection.execute(HOW_MANY, {"tenant": viewer.tenant_id})).one()
    if known.n >= MOST_VIEWS:
        raise TooManyViews
    bound = {
        **view,
        "tenant": viewer.tenant_id,
        "owner_id": viewer.user_id,
        "conditions": json.dumps(conditions.as_json()),
        "position": known.last + 1,
    }
    made = _row((await connection.execute(ADD, bound)).one())
    await _tell(connection, viewer, made.id)
    return made


async def change_view(
    connection: AsyncConnection, viewer: Viewer, view_id: uuid.UUID, changes: Mapping[str, Any], *, manages: bool
) -> ViewRow | None:
    """Set what is given; `conditions` is a checked tree. None when there is no such view. Raises NotYours."""
    view = await get_view(connection, viewer, view_id)
    if view is None:
        return None
    _allowed(view, viewer, manages)
    new = {n: v for n, v in changes.items() if getattr(view, n) != v}
    if not new:
        return view
    bound: dict[str, Any] = {"tenant": viewer.tenant_id, "id": view_id, **new}
    if "conditions" in new:
        bound["conditions"] = json.dumps(new["conditions"].as_json())
    names = [n for n in new if not (n == "shared" and "conditions" in new)]
    sets = ", ".join([SETTABLE[n] for n in names] + (["shared = :shared"] if len(names) < len(new) else []))
    statement = text(f"update views set {sets}, updated_at = now() where tenant_id = :tenant and id = :id returning {COLUMNS}")
    changed = _row((await connection.execute(statement, bound)).one())
    await _tell(connection, viewer, view_id)
    return changed


async def delete_view(connection: AsyncConnection, viewer: Viewer, view_id: uuid.UUID, *, manages: bool) -> bool:
    """False when there is no such view. Raises NotYours."""
    view = await get_view(connection, viewer, view_id)
    if view is None:
        return False
    _allowed(view, viewer, manages)
    await connection.execute(DELETE, {"tenant": viewer.tenant_id, "id": view_id})
    await forget_box(connection, viewer.tenant_id, str(view_id))
    await _tell(connection, viewer, view_id)
    return True


async def note_drift(connection: AsyncConnection, tenant_id: uuid.UUID, wrong: int, *, begins: bool) -> None:
    """Add to what the last check found wrong, from nothing when it begins; operators see the sum."""
    await connection.execute(DRIFT, {"tenant": tenant_id, "wrong": wrong, "begins": begins})


def _allowed(view: ViewRow, viewer: Viewer, manages: bool) -> None:
    if not manages and view.owner_id != viewer.user_id:
        raise NotYours


async def _tell(connection: AsyncConnection, viewer: Viewer, view_id: uuid.UUID) -> None:
    event = NewEvent(CHANGED, viewer.tenant_id, actor=viewer.actor, payload={"view_id": str(view_id)})
    await append_events(connection, [event])
