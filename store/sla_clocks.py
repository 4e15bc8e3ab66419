"""Writes the rows of clocks and what a conversation shows of them, and tells of it. The caller holds the conversations' locks.

A clock acts once: `warned_at` and `breached_at` are set by an update that finds them empty, in the transaction of its event.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import bound, insert_rows, insertion, new_id, rows_of

COLUMNS = {
    "id": "uuid",
    "conversation_id": "uuid",
    "target": "text",
    "policy_id": "uuid",
    "target_seconds": "bigint",
    "business": "boolean",
    "started_at": "timestamptz",
    "warn_at": "timestamptz",
    "due_at": "timestamptz",
    "next_at": "timestamptz",
    "paused_at": "timestamptz",
    "met_at": "timestamptz",
    "met_by": "uuid",
    "ended_at": "timestamptz",
    "ended_by": "text",
    "excused_at": "timestamptz",
    "excuse": "text",
    "segments": "jsonb",
}
KEYS = ("id", "conversation_id", "target", "started_at")
# What has acted stays so: those two columns are set by `WARN` and `BREACH` alone.
SAVE = insertion(
    "sla_clocks",
    COLUMNS,
    "on conflict (tenant_id, conversation_id, target, started_at) do update set "
    + ", ".join(f"{c} = excluded.{c}" for c in COLUMNS if c not in KEYS),
)
# A clock whose mail moved to another conversation goes there with what it has done.
ADOPT = text(
    f"""
    update sla_clocks k set conversation_id = v.conversation_id
    from ({rows_of({"id": "uuid", "conversation_id": "uuid"})}) as v where k.tenant_id = :tenant and k.id = v.id
    """
)
DROP = text("delete from sla_clocks where tenant_id = :tenant and id = any(cast(:ids as uuid[]))")
SHOWN = {
    "id": "uuid",
    "policy_id": "uuid",
    "due_at": "timestamptz",
    "warn_at": "timestamptz",
    "paused": "boolean",
    "breached": "boolean",
    "first_seconds": "bigint",
    "average_seconds": "bigint",
}
SHOW = text(
    f"""
    update conversations c set sla_policy_id = v.policy_id, sla_due_at = v.due_at, sla_warn_at = v.warn_at, sla_paused = v.paused,
      sla_breached = v.breached, first_response_business_seconds = v.first_seconds,
      avg_response_business_seconds = v.average_seconds
    from ({rows_of(SHOWN)}) as v
    where c.tenant_id = :tenant and c.id = v.id
      and (c.sla_policy_id, c.sla_due_at, c.sla_warn_at, c.sla_paused, c.sla_breached, c.first_response_business_seconds,
           c.avg_response_business_seconds)
        is distinct from (v.policy_id, v.due_at, v.warn_at, v.paused, v.breached, v.first_seconds, v.average_seconds)
    returning c.id, c.inbox_id, c.version
    """
)
WARN = text(
    """
    update sla_clocks set warned_at = :now, next_at = due_at
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and warned_at is null and breached_at is null
    returning id
    """
)
BREACH = text(
    """
    update sla_clocks set breached_at = :now, next_at = null
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and breached_at is null
    returning id
    """
)
# It was excused by hours or a policy that were changed, and is late by those too. It has acted, and does not act again.
LATE_AGAIN = text(
    """
    update sla_clocks set excuse = null, excused_at = null, next_at = null
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and breached_at is not null
    returning id
    """
)


@dataclass(frozen=True, slots=True)
class Told:
    """A conversation whose row changed by its clocks."""

    id: uuid.UUID
    inbox_id: uuid.UUID
    version: int


async def save_clocks(
    connection: AsyncConnection, tenant_id: uuid.UUID, clocks: Sequence[Mapping[str, Any]]
) -> None:
    """Insert and update rows of `COLUMNS`; a new one has no `id`."""
    await insert_rows(connection, SAVE, tenant_id, [{**c, "id": c.get("id") or new_id()} for c in clocks])


async def adopt_clocks(
    connection: AsyncConnection, tenant_id: uuid.UUID, moves: Sequence[tuple[uuid.UUID, uuid.UUID]]
) -> None:
    """Each clock belongs to that conversation from now on."""
    if moves:
        rows = [{"id": clock, "conversation_id": conversation} for clock, conversation in moves]
        await connection.execute(ADOPT, {"tenant": tenant_id, **bound(rows)})


async def drop_clocks(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> None:
    """Remove clocks that never acted and are none any more."""
    if ids:
        await connection.execute(DROP, {"tenant": tenant_id, "ids": list(ids)})


async def show_clocks(
    connection: AsyncConnection, tenant_id: uuid.UUID, rows: Sequence[Mapping[str, Any]]
) -> list[Told]:
    """Write rows of `SHOWN` to their conversations; those that changed come back."""
    if not rows:
        return []
    changed = await connection.execute(SHOW, {"tenant": tenant_id, **bound(rows)})
    return [Told(r.id, r.inbox_id, r.version) for r in changed]


async def mark_warned(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], now: dt.datetime
) -> set[uuid.UUID]:
    """Those that had not acted yet."""
    return await _mark(connection, WARN, tenant_id, ids, {"now": now})


async def mark_breached(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], now: dt.datetime
) -> set[uuid.UUID]:
    """Those that had not breached yet."""
    return await _mark(connection, BREACH, tenant_id, ids, {"now": now})


async def mark_late_again(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Their excuse holds no more."""
    return await _mark(connection, LATE_AGAIN, tenant_id, ids, {})


async def _mark(
    connection: AsyncConnection, statement: Any, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], more: Mapping[str, Any]
) -> set[uuid.UUID]:
    if not ids:
        return set()
    found = await connection.execute(statement, {"tenant": tenant_id, "ids": list(ids), **more})
    return set(found.scalars())
