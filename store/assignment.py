"""What people do about who has a conversation: claim it, take the next of the queue, give it to somebody or to a team.

Each locks the conversation, then the agent, and counts the agent's open conversations under that lock: two claims at once,
or a claim and the desk, never exceed a capacity together. Repeating a call that was carried out changes nothing.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.assignment_moves import Move, loads_of, lock_agents, move_conversations
from store.assignment_queue import first_waiting
from store.pages import Page, id_cursor, read_id_cursor
from store.visibility import Viewer, seen_inboxes

UNCHANGED = object()
HELD = text(
    """
    select id, inbox_id, assigned_to, team_id, status from conversations
    where tenant_id = :tenant and deleted_at is null
      and id = coalesce((select m.merged_into from conversations m where m.tenant_id = :tenant and m.id = :id), :id)
    for no key update
    """
)
# Somebody who may work in this inbox: no viewer, and a member, or the inbox is open to all.
WORKER = text(
    """
    select u.id, u.name, u.capacity from users u
    where u.tenant_id = :tenant and u.id = :user and u.deleted_at is null and u.role <> 'viewer'
      and (u.role in ('owner', 'admin')
        or exists (select from inbox_members m where m.tenant_id = :tenant and m.inbox_id = :inbox and m.user_id = u.id)
        or exists (select from inbox_teams t join team_members m on m.tenant_id = t.tenant_id and m.team_id = t.team_id
                   where t.tenant_id = :tenant and t.inbox_id = :inbox and m.user_id = u.id)
        or not exists (select from inbox_members m where m.tenant_id = :tenant and m.inbox_id = :inbox)
           and not exists (select from inbox_teams t where t.tenant_id = :tenant and t.inbox_id = :inbox))
    """
)
TEAM = text("select id from teams where tenant_id = :tenant and id = :team")
NAME = text("select name from users where tenant_id = :tenant and id = :user")
HISTORY = text(
    """
    select a.id, a.method, a.reason, a.assigned_at, a.unassigned_at, a.agent_id, u.name as agent_name, a.team_id,
      t.name as team_name, a.assigned_by_id, b.name as by_name
    from conversation_assignments a
    left join users u on u.tenant_id = a.tenant_id and u.id = a.agent_id
    left join users b on b.tenant_id = a.tenant_id and b.id = a.assigned_by_id
    left join teams t on t.tenant_id = a.tenant_id and t.id = a.team_id
    where a.tenant_id = :tenant and a.conversation_id = :conversation and (cast(:after as uuid) is null or a.id < :after)
    order by a.id desc limit :limit
    """
)


class AlreadyTaken(Exception):
    """Somebody else has the conversation; `name` is who."""

    def __init__(self, name: str) -> None:
        super().__init__("somebody else has it")
        self.name = name


class AtCapacity(Exception):
    """The agent has as many open conversations as they can take."""

    def __init__(self, load: int, capacity: int) -> None:
        super().__init__("at capacity")
        self.load, self.capacity = load, capacity


class NotWaiting(Exception):
    """The conversation is not open, so nobody claims it; `status` is what it is."""

    def __init__(self, status: str) -> None:
        super().__init__("not open")
        self.status = status


class NoSuchWorker(Exception):
    """Nobody of this team who may work in this inbox."""


class NoSuchTeam(Exception):
    """The team is not known here."""


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation under lock."""

    id: uuid.UUID
    inbox_id: uuid.UUID
    assigned_to: uuid.UUID | None
    team_id: uuid.UUID | None
    status: str


@dataclass(frozen=True, slots=True)
class Stay:
    """One stretch of a conversation's history, with a person, or waiting for one."""

    id: uuid.UUID
    method: str
    reason: str
    assigned_at: dt.datetime
    unassigned_at: dt.datetime | None
    agent_id: uuid.UUID | None
    agent_name: str | None
    team_id: uuid.UUID | None
    team_name: str | None
    by_id: uuid.UUID | None
    by_name: str | None


async def hold(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> Held | None:
    """The conversation, or the one that it was merged into, under lock; None when the viewer may not see it."""
    row = (await connection.execute(HELD, {"tenant": viewer.tenant_id, "id": conversation_id})).first()
    if row is None:
        return None
    inboxes = await seen_inboxes(connection, viewer)
    if inboxes is not None and row.inbox_id not in inboxes:
        return None
    return Held(row.id, row.inbox_id, row.assigned_to, row.team_id, row.status)


async def claim(connection: AsyncConnection, viewer: Viewer, user_id: uuid.UUID, conversation_id: uuid.UUID) -> bool:
    """Make it mine; False when there is no such conversation. Claiming what is mine already is done.

    Raises AlreadyTaken, NotWaiting, AtCapacity, and NoSuchWorker for a viewer.
    """
    held = await hold(connection, viewer, conversation_id)
    if held is None:
        return False
    if held.assigned_to == user_id:
        return True
    if held.assigned_to is not None:
        name = (await connection.execute(NAME, {"tenant": viewer.tenant_id, "user": held.assigned_to})).scalar()
        raise AlreadyTaken(name or "")
    if held.status != "open":
        raise NotWaiting(held.status)
    await _take(connection, viewer, user_id, held, "Claimed.")
    return True


async def take_next(connection: AsyncConnection, viewer: Viewer, user_id: uuid.UUID) -> uuid.UUID | None:
    """The most urgent, of these the oldest, that waits where I work, made mine; None when nothing waits.

    Rows that somebody else is taking just now are passed over, so fifty people asking at once get fifty conversations.
    Raises AtCapacity, NoSuchWorker.
    """
    row = await first_waiting(connection, viewer)
    if row is None:
        return None
    held = Held(row.id, row.inbox_id, None, row.team_id, "open")
    await _take(connection, viewer, user_id, held, "Next in the queue.")
    return held.id


async def _take(connection: AsyncConnection, viewer: Viewer, user_id: uuid.UUID, held: Held, reason: str) -> None:
    load, capacity = await _room(connection, viewer.tenant_id, held.inbox_id, user_id)
    if load >= capacity:
        raise AtCapacity(load, capacity)
    move = Move(held.id, user_id, held.team_id, "manual", reason, by_id=user_id)
    await move_conversations(connection, viewer.tenant_id, [move], actor=viewer.actor)


async def _room(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, user_id: uuid.UUID
) -> tuple[int, int]:
    """How many open conversations this person has and can take, under their lock. Raises NoSuchWorker."""
    await lock_agents(connection, tenant_id, [user_id])
    found = await connection.execute(WORKER, {"tenant": tenant_id, "user": user_id, "inbox": inbox_id})
    row = found.first()
    if row is None:
        raise NoSuchWorker
    loads = await loads_of(connection, tenant_id, [user_id])
    return loads.get(user_id, 0), int(row.capacity)


async def place(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    *,
    user_id: uuid.UUID | None,
    team_id: uuid.UUID | object | None = UNCHANGED,
    reason: str = "",
    may_exceed: bool = False,
    method: str = "manual",
) -> bool:
    """Give it to a person, to a team's queue, or back to the inbox's; False when there is no such conversation.

    `team_id` left out: the team stays. What stands already changes nothing. `may_exceed`: above the person's capacity too,
    which the reason then says. Raises NoSuchWorker, NoSuchTeam, AtCapacity.
    """
    held = await hold(connection, viewer, conversation_id)
    if held is None:
        return False
    team = held.team_id if team_id is UNCHANGED else team_id
    if team is not None and not isinstance(team, uuid.UUID):
        raise TypeError("a team is named by its id")
    if (held.assigned_to, held.team_id) == (user_id, team):
        return True
    if team is not None and team != held.team_id:
        found = await connection.execute(TEAM, {"tenant": viewer.tenant_id, "team": team})
        if found.first() is None:
            raise NoSuchTeam
    said = reason.strip()
    if user_id is not None and user_id != held.assigned_to:
        load, capacity = await _room(connection, viewer.tenant_id, held.inbox_id, user_id)
        if held.status == "open" and load >= capacity:
            if not may_exceed:
                raise AtCapacity(load, capacity)
            said = f"{said} Above capacity: {load + 1} of {capacity}.".strip()
    move = Move(
        held.id, user_id, team, method, said or _usual(held, user_id, team), by_id=viewer.user_id, was=held.assigned_to
    )
    await move_conversations(connection, viewer.tenant_id, [move], actor=viewer.actor)
    return True


def _usual(held: Held, user_id: uuid.UUID | None, team_id: uuid.UUID | None) -> str:
    if user_id is not None:
        return "Assigned by hand."
    if team_id is not None and team_id != held.team_id:
        return "Handed to a team."
    return "Put back into the queue."


async def history_of(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, *, after: str | None, limit: int
) -> Page[Stay]:
    """Who had it, newest first. The caller has made sure that the viewer may see it. Raises BadCursor."""
    bound = {
        "tenant": viewer.tenant_id,
        "conversation": conversation_id,
        "after": read_id_cursor(after) if after else None,
        "limit": limit + 1,
    }
    rows: Sequence[Stay] = [Stay(*r) for r in await connection.execute(HISTORY, bound)]
    kept = rows[:limit]
    return Page(kept, id_cursor(kept[-1].id) if len(rows) > limit else None)
