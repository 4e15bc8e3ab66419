"""Business hours and policies of service levels as a tenant's administrators keep them.

Changing or removing one is told by an event; that conversations are worked out again is the recount's business, which is
written in the same transaction.
"""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import new_id
from store.event_log import NewEvent, append_events

HOURS = text(
    "select * from business_hours where tenant_id = :tenant and deleted_at is null order by is_default desc, lower(name), id"
)
POLICIES = text("select * from sla_policies where tenant_id = :tenant and deleted_at is null order by position, id")
SAVE_HOURS = text(
    """
    insert into business_hours (tenant_id, id, name, time_zone, week, country, subdivision, dates, is_default)
    values (:tenant, :id, :name, :time_zone, cast(:week as jsonb), :country, :subdivision, cast(:dates as jsonb), :is_default)
    on conflict (tenant_id, id) do update set name = excluded.name, time_zone = excluded.time_zone, week = excluded.week,
      country = excluded.country, subdivision = excluded.subdivision, dates = excluded.dates, is_default = excluded.is_default,
      updated_at = now()
    """
)
ONE_DEFAULT = text(
    "update business_hours set is_default = false where tenant_id = :tenant and id <> :id and is_default and deleted_at is null"
)
SAVE_POLICY = text(
    """
    insert into sla_policies (tenant_id, id, name, position, enabled, conditions, targets, business_hours_id, warn_percent, pause_on,
      actions)
    values (:tenant, :id, :name, coalesce(cast(:position as bigint), (select coalesce(max(position), 0) + 1 from sla_policies
        where tenant_id = :tenant and deleted_at is null)), :enabled,
      cast(:conditions as jsonb), cast(:targets as jsonb), :business_hours_id, :warn_percent, :pause_on, cast(:actions as jsonb))
    on conflict (tenant_id, id) do update set name = excluded.name, position = excluded.position, enabled = excluded.enabled,
      conditions = excluded.conditions, targets = excluded.targets, business_hours_id = excluded.business_hours_id,
      warn_percent = excluded.warn_percent, pause_on = excluded.pause_on, actions = excluded.actions, updated_at = now()
    """
)
USERS_OF_HOURS = text(
    "select name from sla_policies where tenant_id = :tenant and business_hours_id = :id and deleted_at is null order by position"
)
REMOVE_HOURS = text(
    "update business_hours set deleted_at = now(), is_default = false where tenant_id = :tenant and id = :id and deleted_at is null"
)
REMOVE_POLICY = text(
    "update sla_policies set deleted_at = now() where tenant_id = :tenant and id = :id and deleted_at is null"
)
KNOWN = {
    "inbox": text("select id from inboxes where tenant_id = :tenant and deleted_at is null and id = any(cast(:ids as uuid[]))"),
    "tag": text("select id from tags where tenant_id = :tenant and id = any(cast(:ids as uuid[]))"),
    "user": text("select id from users where tenant_id = :tenant and deleted_at is null and id = any(cast(:ids as uuid[]))"),
    "team": text("select id from teams where tenant_id = :tenant and id = any(cast(:ids as uuid[]))"),
}


class HoursInUse(Exception):
    """Policies count by these hours; `names` are theirs."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("policies use these hours")
        self.names = names


async def list_hours(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[dict[str, Any]]:
    """Rows of `business_hours`, the default first."""
    return [dict(r) for r in (await connection.execute(HOURS, {"tenant": tenant_id})).mappings()]


async def list_policies(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[dict[str, Any]]:
    """Rows of `sla_policies` in their order, switched off ones too."""
    return [dict(r) for r in (await connection.execute(POLICIES, {"tenant": tenant_id})).mappings()]


async def unknown_ids(
    connection: AsyncConnection, tenant_id: uuid.UUID, kind: str, ids: list[uuid.UUID]
) -> set[uuid.UUID]:
    """Those that are none of the tenant's inboxes, tags, users or teams."""
    if not ids:
        return set()
    found = await connection.execute(KNOWN[kind], {"tenant": tenant_id, "ids": ids})
    return set(ids) - set(found.scalars())


async def save_hours(connection: AsyncConnection, tenant_id: uuid.UUID, row: Mapping[str, Any], *, actor: str) -> uuid.UUID:
    """Make or change one; of several defaults the last stands."""
    row_id = row.get("id") or new_id()
    if row["is_default"]:
        await connection.execute(ONE_DEFAULT, {"tenant": tenant_id, "id": row_id})
    names = ("name", "time_zone", "country", "subdivision", "is_default")
    values = {n: row[n] for n in names} | {n: orjson.dumps(row[n]).decode() for n in ("week", "dates")}
    await connection.execute(SAVE_HOURS, {"tenant": tenant_id, "id": row_id, **values})
    await _tell(connection, tenant_id, actor, "hours", row_id)
    return row_id


async def save_policy(
    connection: AsyncConnection, tenant_id: uuid.UUID, row: Mapping[str, Any], *, actor: str
) -> uuid.UUID:
    """Make or change one; a new one without a `position` comes last."""
    row_id = row.get("id") or new_id()
    names = ("name", "enabled", "business_hours_id", "warn_percent", "pause_on")
    values = {n: row[n] for n in names} | {n: orjson.dumps(row[n]).decode() for n in ("conditions", "targets", "actions")}
    await connection.execute(
        SAVE_POLICY, {"tenant": tenant_id, "id": row_id, "position": row.get("position"), **values}
    )
    await _tell(connection, tenant_id, actor, "policy", row_id)
    return row_id


async def remove_hours(connection: AsyncConnection, tenant_id: uuid.UUID, row_id: uuid.UUID, *, actor: str) -> bool:
    """False when there is none. Raises HoursInUse."""
    used = list((await connection.execute(USERS_OF_HOURS, {"tenant": tenant_id, "id": row_id})).scalars())
    if used:
        raise HoursInUse(used)
    gone = await connection.execute(REMOVE_HOURS, {"tenant": tenant_id, "id": row_id})
    if gone.rowcount:
        await _tell(connection, tenant_id, actor, "hours", row_id)
    return bool(gone.rowcount)


async def remove_policy(connection: AsyncConnection, tenant_id: uuid.UUID, row_id: uuid.UUID, *, actor: str) -> bool:
    """False when there is none. Its clocks stay with what they have done."""
    gone = await connection.execute(REMOVE_POLICY, {"tenant": tenant_id, "id": row_id})
    if gone.rowcount:
        await _tell(connection, tenant_id, actor, "policy", row_id)
    return bool(gone.rowcount)


async def _tell(connection: AsyncConnection, tenant_id: uuid.UUID, actor: str, what: str, row_id: uuid.UUID) -> None:
    event = NewEvent(type="sla.settings", tenant_id=tenant_id, actor=actor, payload={"what": what, "id": str(row_id)})
    await append_events(connection, [event])
