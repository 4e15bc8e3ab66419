"""Steps of the timer of service levels: act on the clocks that are due, and carry recounts on.

If one dies, its transaction is undone and the next attempt finds the same rows. Run twice, the second finds `warned_at` and
`breached_at` set. Late, it acts on what is still due by the facts: each conversation is worked out again first, so an answer
that the desk has not come to yet keeps its clock from acting.
"""

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities._edges import edges
from activities.clock_work import Worked, settings_of, work_on
from contracts.sla import RecountReport, SlaRef, SlaReport, SlaSteps
from rules.sla_policy import Actions
from rules.sla_reading import Settings
from rules.sla_recount import Clock
from store.event_log import NewEvent, append_events
from store.sla_clocks import mark_breached, mark_late_again, mark_warned
from store.sla_escalation import Escalation, escalate, members_of, set_breached
from store.sla_facts import database_now, due_conversations, next_instant
from store.sla_recounts import move_recount, recount_page, running_recount
from store.unit_of_work import Database

AT_ONCE = 200
PAGE = 200
HELD_SECONDS = 1.0  # before a conversation that somebody else was holding is looked at again


@dataclass(frozen=True, slots=True)
class _Act:
    row_id: uuid.UUID
    conversation_id: uuid.UUID
    clock: Clock


class SlaTiming(SlaSteps):
    """`clock` asks for the instant that everything is compared with; PostgreSQL's, since hosts may disagree."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[AsyncConnection], Awaitable[dt.datetime]] = database_now,
    ) -> None:
        self._database = database
        self._clock = clock

    @activity.defn(name="sla.act")
    async def act(self, ref: SlaRef) -> SlaReport:
        tenant_id = uuid.UUID(ref.tenant_id)
        with edges():
            async with self._database.unit_of_work(tenant_id) as connection:
                now = await self._clock(connection)
                ids = await due_conversations(connection, tenant_id, now, limit=AT_ONCE)
                warned = breached = 0
                if ids:
                    settings = await settings_of(connection, tenant_id)
                    worked = await work_on(
                        connection, tenant_id, ids, settings, now=now, free_only=True, reconcile=True
                    )
                    warned, breached = await _act_on(connection, tenant_id, worked, settings, now)
            # What the transaction decided stands now, and so does what others wrote meanwhile.
            async with self._database.unit_of_work(tenant_id) as connection:
                following = await next_instant(connection, tenant_id)
                recounting = await running_recount(connection, tenant_id) is not None
                now = await self._clock(connection)
            wait = None if following is None else max((following - now).total_seconds(), 0.0)
            if wait == 0 and ids and not warned and not breached and len(worked.rows) < len(ids):
                wait = HELD_SECONDS
            return SlaReport(warned, breached, wait, recounting)

    @activity.defn(name="sla.recount")
    async def recount(self, ref: SlaRef) -> RecountReport:
        tenant_id = uuid.UUID(ref.tenant_id)
        with edges():
            async with self._database.unit_of_work(tenant_id) as connection:
                recount = await running_recount(connection, tenant_id)
                if recount is None:
                    return RecountReport()
                page = await recount_page(connection, tenant_id, recount.after, limit=PAGE)
                now, settings = await self._clock(connection), await settings_of(connection, tenant_id)
                worked = await work_on(connection, tenant_id, page, settings, now=now, anew=True, reconcile=True)
                ends = len(page) < PAGE
                await move_recount(
                    connection, tenant_id, recount, page, moved=worked.moved, excused=worked.excused, ends=ends
                )
                done = recount.done + len(page)
                told = {"id": str(recount.id), "done": done, "total": recount.total, "state": "done" if ends else "running"}
                await append_events(connection, [NewEvent("sla.recount", tenant_id, payload=told)])
            return RecountReport(done, recount.total, not ends)


async def _act_on(
    connection: AsyncConnection, tenant_id: uuid.UUID, worked: Worked, settings: Settings, now: dt.datetime
) -> tuple[int, int]:
    due = [
        _Act(row_id, conversation_id, clock)
        for conversation_id, clocks in worked.clocks.items()
        for row_id, clock in clocks.values()
        if row_id is not None and clock.next_at is not None and clock.next_at <= now
    ]
    breaching = [a for a in due if a.clock.due_at is not None and a.clock.due_at <= now]
    again = [a for a in breaching if a.clock.breached_at is not None]
    warning = [a for a in due if a not in breaching]
    broke = await mark_breached(
        connection, tenant_id, [a.row_id for a in breaching if a.clock.breached_at is None], now
    )
    late = await mark_late_again(connection, tenant_id, [a.row_id for a in again])
    warned = await mark_warned(connection, tenant_id, [a.row_id for a in warning], now)
    acts = [("breach", a) for a in breaching if a.row_id in broke] + [("warn", a) for a in warning if a.row_id in warned]
    versions = await set_breached(connection, tenant_id, [a.conversation_id for a in breaching if a.row_id in broke | late])
    members: dict[tuple[str, ...], list[str]] = {}
    told = []
    for when, act in acts:
        orders = _orders(settings, when, act.clock)
        if orders.notify_teams not in members:
            members[orders.notify_teams] = await members_of(connection, tenant_id, orders.notify_teams)
        notify = [*orders.notify_users, *members[orders.notify_teams]]
        told.append(_event(tenant_id, worked, when, act, notify, versions.get(act.conversation_id)))
    await append_events(connection, told)
    ordered: set[tuple[str, uuid.UUID, str | None]] = set()
    for when, act in acts:
        orders = _orders(settings, when, act.clock)
        # Two clocks of one policy that come due together order the same: it is done once.
        order = when, act.conversation_id, act.clock.policy_id
        if act.clock.ended_at is None and order not in ordered:
            await _escalate(connection, tenant_id, worked, settings, when, act, orders)
        ordered.add(order)
    return len(warned), len(broke)


def _event(
    tenant_id: uuid.UUID, worked: Worked, when: str, act: _Act, notify: Sequence[str], version: int | None
) -> NewEvent:
    row, clock = worked.rows[act.conversation_id], act.clock
    return NewEvent(
        type="sla.breached" if when == "breach" else "sla.warned",
        tenant_id=tenant_id,
        inbox_id=row["inbox_id"],
        conversation_id=act.conversation_id,
        payload={
            "clock": str(act.row_id),
            "target": clock.target,
            "policy_id": clock.policy_id,
            "due_at": clock.due_at.isoformat() if clock.due_at else None,
            "ended": clock.ended_at is not None,
            "notify": list(dict.fromkeys(notify)),
        }
        | ({"version": version} if version is not None else {}),
        causality=_causality(clock),
    )


async def _escalate(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    worked: Worked,
    settings: Settings,
    when: str,
    act: _Act,
    orders: Actions,
) -> None:
    """What the policy orders. About a matter that is over by now nothing is done any more."""
    row, clock = worked.rows[act.conversation_id], act.clock
    policy = settings.by_id.get(clock.policy_id or "")
    named = policy.name if policy is not None else ""
    wanted = Escalation(
        conversation_id=act.conversation_id,
        inbox_id=row["inbox_id"],
        priority=orders.priority if _rises(row["priority"], orders.priority) else None,
        assign_user=orders.assign_user,
        assign_team=orders.assign_team,
        tags=tuple(t for t in orders.tags if uuid.UUID(t) not in row["tags"]),
        was=row["assigned_to"],
        was_team=row["team_id"],
        reason=f"{clock.target.replace('_', ' ')} of “{named}” {'is late' if when == 'breach' else 'is due soon'}",
    )
    await escalate(connection, tenant_id, wanted, _causality(clock))


def _orders(settings: Settings, when: str, clock: Clock) -> Actions:
    policy = settings.by_id.get(clock.policy_id or "")
    return (policy.actions.get(when) if policy is not None else None) or Actions()


def _causality(clock: Clock) -> dict[str, Any]:
    return {"depth": 1, "by": [f"sla:{clock.policy_id}"]}


def _rises(now: str, to: str | None) -> bool:
    """Escalation never lowers a priority."""
    order: Sequence[str] = ("low", "normal", "high", "urgent")
    return to is not None and order.index(to) > order.index(now)
