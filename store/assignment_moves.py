"""Writes who has a conversation from now on: the row, its history with the reason, and the event, in the caller's transaction.

The caller holds the conversations' locks, and those of the agents where capacity counts. Locks are taken in one order
everywhere, conversations first, then agents by id, so that a claim and the desk never wait for each other in a ring.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import bound, insertion, new_id, rows_of
from store.event_log import NewEvent, append_events

MOVE = {"conversation_id": "uuid", "agent_id": "uuid", "team_id": "uuid", "method": "text"}
SET = text(
    f"""
    update conversations c set
      assigned_to = v.agent_id, team_id = v.team_id,
      assigned_at = case when v.agent_id is null then null else now() end,
      assigned_by = case when v.agent_id is null then null else v.method end
    from ({rows_of(MOVE)}) as v where c.tenant_id = :tenant and c.id = v.conversation_id
    returning c.id, c.version, c.inbox_id
    """
)
END = text(
    """
    update conversation_assignments set unassigned_at = now()
    where tenant_id = :tenant and conversation_id = any(cast(:ids as uuid[])) and unassigned_at is null
    """
)
BEGIN = insertion(
    "conversation_assignments",
    {
        "id": "uuid",
        "conversation_id": "uuid",
        "agent_id": "uuid",
        "team_id": "uuid",
        "assigned_by_id": "uuid",
        "method": "text",
        "reason": "text",
    },
)
# What counts against a capacity: open ones. Those that wait for the customer, sleep or are done take nobody's time.
LOADS = text(
    """
    select assigned_to, count(*) as load from conversations
    where tenant_id = :tenant and assigned_to = any(cast(:agents as uuid[])) and status = 'open'
      and merged_into is null and deleted_at is null
    group by assigned_to
    """
)
LOCK_AGENTS = text(
    """
    select id from users where tenant_id = :tenant and id = any(cast(:agents as uuid[])) and deleted_at is null
    order by id for no key update
    """
)


@dataclass(frozen=True, slots=True)
class Move:
    """`agent_id` None: it waits, in the team's queue or, without a team, in its inbox's. `by_id` is the person who did it.
    `was` is whose it was before.
    """

    conversation_id: uuid.UUID
    agent_id: uuid.UUID | None
    team_id: uuid.UUID | None
    method: str
    reason: str
    by_id: uuid.UUID | None = None
    was: uuid.UUID | None = None
    causality: Mapping[str, Any] = field(default_factory=dict)


async def lock_agents(connection: AsyncConnection, tenant_id: uuid.UUID, agents: Sequence[uuid.UUID]) -> None:
    """From here on nobody else gives these agents anything until the transaction ends."""
    await connection.execute(LOCK_AGENTS, {"tenant": tenant_id, "agents": list(agents)})


async def loads_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, agents: Sequence[uuid.UUID]
) -> dict[uuid.UUID, int]:
    """Open conversations of each; who has none is missing. Exact where the agents are locked."""
    rows = await connection.execute(LOADS, {"tenant": tenant_id, "agents": list(agents)})
    return {r.assigned_to: int(r.load) for r in rows}


async def move_conversations(
    connection: AsyncConnection, tenant_id: uuid.UUID, moves: Sequence[Move], *, actor: str = "system"
) -> None:
    """Write them. Each conversation is there once."""
    if not moves:
        return
    rows = [
        {"conversation_id": m.conversation_id, "agent_id": m.agent_id, "team_id": m.team_id, "method": m.method}
        for m in moves
    ]
    now = {r.id: r for r in await connection.execute(SET, {"tenant": tenant_id, **bound(rows)})}
    made = [m for m in moves if m.conversation_id in now]
    await connection.execute(END, {"tenant": tenant_id, "ids": list(now)})
    await connection.execute(
        BEGIN,
        {
            "tenant": tenant_id,
            **bound(
                [
                    {
                        "id": new_id(),
                        "conversation_id": m.conversation_id,
                        "agent_id": m.agent_id,
                        "team_id": m.team_id,
                        "assigned_by_id": m.by_id,
                        "method": m.method,
                        "reason": m.reason,
                    }
                    for m in made
                ]
            ),
        },
    )
    await append_events(
        connection,
        [
            NewEvent(
                "conversation.updated",
                tenant_id,
                inbox_id=now[m.conversation_id].inbox_id,
                conversation_id=m.conversation_id,
                actor=actor,
                payload={
                    "version": now[m.conversation_id].version,
                    "changed": ["assigned_to", "team_id"],
                    "assigned_to": _text(m.agent_id),
                    "assigned_from": _text(m.was),
                    "team_id": _text(m.team_id),
                    "method": m.method,
                },
                causality=m.causality,
            )
            for m in made
        ],
    )


def _text(value: uuid.UUID | None) -> str | None:
    return None if value is None else str(value)
