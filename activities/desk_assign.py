"""Reactor: gives out what waits, and takes back from people who went offline, by the policies of inboxes and teams.

Any change of a conversation, a person, a team or a policy may free a place or fill a queue; so each batch that holds one
looks at every queue that gives out by itself. Running twice finds nothing left to give; what it wrote comes round as an
event and makes it look once more, so that more than one round's worth is given out round by round.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.desk import Followup
from rules.assignment import Agent, Given, Policy, Work, give_out, is_free
from rules.language import language_of
from store.assignment_desk import (
    DeskPolicy,
    Queued,
    Staff,
    hand_back_left,
    policies_at_work,
    save_turns,
    staff_of,
    turns_of,
    waiting_for,
    written_last,
)
from store.assignment_moves import Move, loads_of, lock_agents, move_conversations
from store.event_log import LoggedEvent

LOOKED_AT = ("conversation.", "user.", "team.", "inbox.members", "assignment_policy.", "contact.")
QUEUE_PAGE, PAGES_MOST = 200, 10  # how much of one queue is looked at in one round: most may wait for somebody who is not here


class DeskAssign:
    """`clock` gives aware instants."""

    name = "assignment"

    def __init__(self, *, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self._clock = clock

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> Sequence[Followup]:
        looked_at = [e for e in events if e.type.startswith(LOOKED_AT)]
        if not looked_at:
            return ()
        if any(e.type == "user.status" and e.payload.get("status") == "offline" for e in looked_at):
            await hand_back_left(connection, tenant_id, now=self._clock())
        policies = await policies_at_work(connection, tenant_id)
        if policies:
            await self._give_out(connection, tenant_id, policies, _depths(looked_at))
        return ()

    async def _give_out(
        self,
        connection: AsyncConnection,
        tenant_id: uuid.UUID,
        policies: Sequence[DeskPolicy],
        depths: Mapping[uuid.UUID, int],
    ) -> None:
        staff = await staff_of(connection, tenant_id)
        # Locked before they are counted: a claim at the same time waits, or has been counted. Who is locked is read again,
        # since somebody may have gone, or gone full, while we waited.
        await lock_agents(connection, tenant_id, [w.id for w in staff.workers if w.status != "offline" and w.capacity > 0])
        staff = await staff_of(connection, tenant_id)
        loads = await loads_of(connection, tenant_id, [w.id for w in staff.workers])
        turns = await turns_of(connection, tenant_id)
        for row in policies:
            policy = Policy(row.strategy, row.include_away, row.must_match, row.senior_from)
            agents = _agents(staff, row, loads, turns)
            behind: Queued | None = None
            for _ in range(PAGES_MOST):
                if not any(is_free(a, policy) for a in agents):
                    break
                queue = await waiting_for(connection, tenant_id, row, behind=behind, limit=QUEUE_PAGE)
                if not queue:
                    break
                behind = queue[-1]
                spoken = await _spoken(connection, tenant_id, policy, agents, queue)
                given, agents = give_out(policy, agents, [_work(q, spoken.get(q.id)) for q in queue])
                where = {q.id: q for q in queue}
                moves = [_move(g, where[g.work.id], row.strategy, depths) for g in given]
                await move_conversations(connection, tenant_id, moves)
                loads |= {a.id: a.load for a in agents}
                chosen = {g.agent_id for g in given}
                await save_turns(connection, tenant_id, row.id, {a.id: a.turn for a in agents if a.id in chosen})


def _agents(
    staff: Staff, policy: DeskPolicy, loads: Mapping[uuid.UUID, int], turns: Mapping[tuple[uuid.UUID, uuid.UUID], int]
) -> list[Agent]:
    return [
        Agent(
            w.id,
            w.status,
            w.capacity,
            loads.get(w.id, 0),
            turns.get((policy.id, w.id), 0),
            w.skills,
            w.languages,
            w.seniority,
            w.inboxes,
        )
        for w in staff.of(policy)
    ]


async def _spoken(
    connection: AsyncConnection, tenant_id: uuid.UUID, policy: Policy, agents: Sequence[Agent], queue: Sequence[Queued]
) -> dict[uuid.UUID, str | None]:
    """The languages of the texts, where somebody is chosen by language and nobody has written it down."""
    if policy.strategy != "skills" or not any(a.languages for a in agents):
        return {}
    words = await written_last(connection, tenant_id, [q.id for q in queue if q.language is None])
    return {conversation: language_of(text) for conversation, text in words.items()}


def _work(row: Queued, spoken: str | None) -> Work:
    return Work(row.id, row.inbox_id, row.priority, row.vip, row.language or spoken, row.labels, row.declined_by)


def _move(given: Given, row: Queued, strategy: str, depths: Mapping[uuid.UUID, int]) -> Move:
    causality = {"depth": depths.get(row.id, 0) + 1}
    return Move(row.id, given.agent_id, row.team_id, strategy, given.reason, causality=causality)


def _depths(events: Sequence[LoggedEvent]) -> dict[uuid.UUID, int]:
    """How deep in a chain of reactions each conversation of the batch is."""
    found: dict[uuid.UUID, int] = {}
    for event in events:
        if event.conversation_id is not None:
            depth = int(event.causality.get("depth", 0))
            found[event.conversation_id] = max(found.get(event.conversation_id, 0), depth)
    return found
