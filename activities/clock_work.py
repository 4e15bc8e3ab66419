"""Works out the clocks of conversations and writes them: the one way for the desk's reactor, the timer and recounts.

All within the caller's transaction, under the conversations' locks. It reads facts and writes what follows from them, so doing
it twice, late or once too often changes nothing.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.sla_course import Story
from rules.sla_reading import Outcome, Settings, outcome, read_settings, stories
from rules.sla_recount import Clock, read_clock
from store.event_log import NewEvent, append_events
from store.sla_clocks import COLUMNS, adopt_clocks, drop_clocks, save_clocks, show_clocks
from store.sla_facts import clocks_of, keep_statuses, lock_conversations, mails_of, statuses_of
from store.sla_settings import list_hours, list_policies

SAVED = tuple(c for c in COLUMNS if c not in ("id", "conversation_id"))


@dataclass(slots=True)
class Worked:
    """What was worked out: the conversations' rows and clocks by their ids, how many of them show something new now, how many
    breaches were excused, and the earliest instant at which one of them has something to do.
    """

    rows: dict[uuid.UUID, Mapping[str, Any]] = field(default_factory=dict)
    clocks: dict[uuid.UUID, dict[tuple[str, dt.datetime], tuple[uuid.UUID | None, Clock]]] = field(default_factory=dict)
    moved: int = 0
    excused: int = 0
    earliest: dt.datetime | None = None


async def settings_of(connection: AsyncConnection, tenant_id: uuid.UUID) -> Settings:
    return read_settings(await list_policies(connection, tenant_id), await list_hours(connection, tenant_id))


async def work_on(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    ids: Collection[uuid.UUID],
    settings: Settings,
    *,
    now: dt.datetime,
    kin: Collection[uuid.UUID] = (),
    anew: bool = False,
    free_only: bool = False,
    reconcile: bool = False,
    causality: Mapping[str, Any] | None = None,
) -> Worked:
    """Work out these conversations. Among `kin` (merged, split) mails moved, and their clocks go with them. `anew`: hours or
    policies were changed. `free_only`: leave out those that somebody else holds. `reconcile`: what a row's status says is
    believed also where no event told of it yet.
    """
    wanted = sorted(set(ids) | set(kin))
    locked = await lock_conversations(connection, tenant_id, wanted, free_only=free_only)
    rows = {r["id"]: r for r in locked}
    told = stories(
        rows, await mails_of(connection, tenant_id, list(rows)), await statuses_of(connection, tenant_id, list(rows))
    )
    if reconcile:
        told |= await _reconciled(connection, tenant_id, rows, told)
    standing: dict[uuid.UUID, dict[tuple[str, dt.datetime], tuple[uuid.UUID, Clock]]] = {i: {} for i in rows}
    for found in await clocks_of(connection, tenant_id, list(rows)):
        clock = read_clock(found)
        standing[found["conversation_id"]][clock.key] = (found["id"], clock)
    await _adopt(connection, tenant_id, told, standing, [i for i in kin if i in rows])
    outcomes = {
        i: outcome(row, told[i], [c for _, c in standing[i].values()], settings, now=now, anew=anew)
        for i, row in rows.items()
    }
    worked = Worked(rows=rows)
    saved: list[dict[str, Any]] = []
    dropped: list[uuid.UUID] = []
    for i, made in outcomes.items():
        _compare(worked, i, made, standing[i], saved, dropped)
    await drop_clocks(connection, tenant_id, dropped)
    await save_clocks(connection, tenant_id, saved)
    await _show(connection, tenant_id, worked, outcomes, causality or {})
    return worked


async def _reconciled(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    rows: Mapping[uuid.UUID, Mapping[str, Any]],
    told: Mapping[uuid.UUID, Story],
) -> dict[uuid.UUID, Story]:
    """Stories of conversations whose status is another than was told: the event is not read yet, or is older than the statuses
    that are kept. The event, when it comes, brings the true and earlier instant.
    """
    unknown = {i: row for i, row in rows.items() if row["status"] != told[i].status}
    if not unknown:
        return {}
    await keep_statuses(connection, tenant_id, {(i, row["updated_at"]): row["status"] for i, row in unknown.items()})
    ids = list(unknown)
    return stories(ids, await mails_of(connection, tenant_id, ids), await statuses_of(connection, tenant_id, ids))


async def _adopt(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    told: Mapping[uuid.UUID, Story],
    standing: dict[uuid.UUID, dict[tuple[str, dt.datetime], tuple[uuid.UUID, Clock]]],
    kin: Sequence[uuid.UUID],
) -> None:
    """Rows follow the mails that started them, so that what has warned or breached does not do it again elsewhere."""
    keys = {i: {(c.target, c.started_at) for c in told[i].courses} for i in kin}
    moves: list[tuple[uuid.UUID, uuid.UUID]] = []
    for home in kin:
        for key in [k for k in standing[home] if k not in keys[home]]:
            to = next((i for i in kin if i != home and key in keys[i] and key not in standing[i]), None)
            if to is not None:
                standing[to][key] = standing[home].pop(key)
                moves.append((standing[to][key][0], to))
    await adopt_clocks(connection, tenant_id, moves)


def _compare(
    worked: Worked,
    conversation_id: uuid.UUID,
    made: Outcome,
    before: Mapping[tuple[str, dt.datetime], tuple[uuid.UUID, Clock]],
    saved: list[dict[str, Any]],
    dropped: list[uuid.UUID],
) -> None:
    kept = worked.clocks.setdefault(conversation_id, {})
    for clock in made.clocks:
        row_id, stood = before.get(clock.key, (None, None))
        kept[clock.key] = (row_id, clock)
        if clock != stood:
            saved.append(
                {c: getattr(clock, c) for c in SAVED} | {"id": row_id, "conversation_id": conversation_id}
            )
        if clock.excuse is not None and (stood is None or stood.excuse is None):
            worked.excused += 1
        if clock.next_at is not None:
            worked.earliest = min(clock.next_at, worked.earliest or clock.next_at)
    dropped += [row_id for key, (row_id, _) in before.items() if key not in kept]


async def _show(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    worked: Worked,
    outcomes: Mapping[uuid.UUID, Outcome],
    causality: Mapping[str, Any],
) -> None:
    changed = await show_clocks(
        connection,
        tenant_id,
        [
            {
                "id": i,
                "policy_id": o.shown.policy_id,
                "due_at": o.shown.due_at,
                "warn_at": o.shown.warn_at,
                "paused": o.shown.paused,
                "breached": o.shown.breached,
                "first_seconds": o.first_seconds,
                "average_seconds": o.average_seconds,
            }
            for i, o in outcomes.items()
        ],
    )
    worked.moved += len(changed)
    await append_events(
        connection,
        [
            NewEvent(
                type="sla.updated",
                tenant_id=tenant_id,
                inbox_id=told.inbox_id,
                conversation_id=told.id,
                payload={"version": told.version},
                causality=causality,
            )
            for told in changed
        ],
    )
