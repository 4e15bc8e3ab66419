"""What the desk reads and writes to give out what waits: policies, who works where, the queues under lock, turns, hand-backs.

A conversation of a team goes by the team's policy, every other by its inbox's. Rows that somebody holds just now are
passed over; whoever holds them writes an event when they are done, and the desk looks again.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.conversations import WAITING
from store.assignment_moves import Move, move_conversations
from store.assignment_queue import PRIORITIES, START

POLICIES = text(
    f"""
    select p.id, p.inbox_id, p.team_id, p.strategy, p.include_away, p.must_match, p.senior_from
    from assignment_policies p left join inboxes i on i.tenant_id = p.tenant_id and i.id = p.inbox_id
    where p.tenant_id = :tenant and p.strategy <> 'manual' and i.deleted_at is null
      and (exists (select from conversations where tenant_id = :tenant and inbox_id = p.inbox_id and {WAITING} and team_id is null)
        or exists (select from conversations where tenant_id = :tenant and team_id = p.team_id and {WAITING} and team_id is not null))
    order by p.id
    """
)
# `inboxes` are those that somebody is a member of, by name or by a team; `listed` those that have members at all.
WORKERS = text(
    """
    select u.id, u.role, u.status, u.capacity, u.skills, u.languages, u.seniority,
      array(select m.team_id from team_members m where m.tenant_id = u.tenant_id and m.user_id = u.id) as teams,
      array(select m.inbox_id from inbox_members m where m.tenant_id = u.tenant_id and m.user_id = u.id
            union select t.inbox_id from inbox_teams t join team_members m on m.tenant_id = t.tenant_id and m.team_id = t.team_id
              where t.tenant_id = u.tenant_id and m.user_id = u.id) as inboxes
    from users u where u.tenant_id = :tenant and u.deleted_at is null and u.role <> 'viewer' order by u.id
    """
)
INBOXES = text(
    """
    select i.id, exists (select from inbox_members m where m.tenant_id = i.tenant_id and m.inbox_id = i.id)
      or exists (select from inbox_teams t where t.tenant_id = i.tenant_id and t.inbox_id = i.id) as listed
    from inboxes i where i.tenant_id = :tenant
    """
)
TURNS = text("select policy_id, user_id, turn from assignment_turns where tenant_id = :tenant")
TAKE_TURN = text(
    """
    insert into assignment_turns (tenant_id, policy_id, user_id, turn)
    select :tenant, :policy, v.user_id, v.turn from unnest(cast(:users as uuid[]), cast(:turns as bigint[])) as v(user_id, turn)
    on conflict (tenant_id, policy_id, user_id) do update set turn = excluded.turn
    """
)
# The most urgent first, of equals the oldest, each priority read from the queue's index. The language is what somebody or
# something wrote down of the conversation, else of its contact.
QUEUE = """
with line as materialized (
  select q.id, p.rank from unnest(array['urgent', 'high', 'normal', 'low']) with ordinality as p(priority, rank)
  cross join lateral (
    select id from conversations where tenant_id = :tenant and {place} and priority = p.priority and {waiting}
      and (p.rank > :rank or id > :after) order by id limit :limit) q
  where p.rank >= :rank order by p.rank, q.id limit :limit)
select c.id, c.inbox_id, c.team_id, c.priority, coalesce(k.vip, false) as vip,
  lower(coalesce(c.metadata ->> 'language', k.custom ->> 'language')) as language, lower(c.category) as category,
  array(select lower(t.name) from conversation_tags g join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
        where g.tenant_id = c.tenant_id and g.conversation_id = c.id) as tags,
  (select a.assigned_by_id from conversation_assignments a
   where a.tenant_id = c.tenant_id and a.conversation_id = c.id and a.unassigned_at is null and a.agent_id is null
     and a.method = 'manual' order by a.id desc limit 1) as declined_by
from line l join conversations c on c.tenant_id = :tenant and c.id = l.id
left join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
where {waiting_c}
order by l.rank, l.id for no key update of c skip locked
"""
# What their customers wrote last, without what it quotes.
WRITTEN = text(
    """
    select w.id, m.words from unnest(cast(:ids as uuid[])) as w(id)
    cross join lateral (
      select left(m.body_visible, 2000) as words from messages m
      where m.tenant_id = :tenant and m.conversation_id = w.id and m.direction = 'inbound' and m.classification = 'message'
      order by m.sent_at desc, m.id desc limit 1) m
    """
)
WAITING_C = " and ".join(f"not c.{w[4:]}" if w.startswith("not ") else f"c.{w}" for w in WAITING.split(" and "))
OF_INBOX = text(
    QUEUE.format(
        place="inbox_id = :place", waiting=f"{WAITING} and team_id is null", waiting_c=f"{WAITING_C} and c.team_id is null"
    )
)
OF_TEAM = text(
    QUEUE.format(
        place="team_id = :place", waiting=f"{WAITING} and team_id is not null", waiting_c=f"{WAITING_C} and c.team_id = :place"
    )
)
# Of people who are offline: at once, or after the minutes that the policy gives them.
LEFT = text(
    """
    select c.id, c.team_id, c.assigned_to, p.hand_back from conversations c
    join users u on u.tenant_id = c.tenant_id and u.id = c.assigned_to
    join assignment_policies p on p.tenant_id = c.tenant_id
      and ((c.team_id is not null and p.team_id = c.team_id) or (c.team_id is null and p.inbox_id = c.inbox_id))
    where c.tenant_id = :tenant and c.status = 'open' and c.merged_into is null and c.deleted_at is null
      and u.status = 'offline' and u.deleted_at is null
      and (p.hand_back = 'at_once'
        or (p.hand_back = 'after' and u.offline_since <= :now - make_interval(mins => p.hand_back_minutes::int)))
      and not (p.keep_answered and c.agent_message_count > 0)
    order by c.id limit :limit for no key update of c skip locked
    """
)
# Whose time to hand back has come, over all tenants: asked once a minute, so it begins with the few who are offline.
DUE = text(
    """
    select distinct u.tenant_id from users u
    join assignment_policies p on p.tenant_id = u.tenant_id and p.hand_back <> 'never'
    where u.status = 'offline' and u.deleted_at is null and u.offline_since is not null
      and exists (select from conversations c where c.tenant_id = u.tenant_id and c.assigned_to = u.id and c.status = 'open'
        and c.merged_into is null and c.deleted_at is null)
    """
)
MOST = 500


@dataclass(frozen=True, slots=True)
class DeskPolicy:
    id: uuid.UUID
    inbox_id: uuid.UUID | None
    team_id: uuid.UUID | None
    strategy: str
    include_away: bool
    must_match: bool
    senior_from: int


@dataclass(frozen=True, slots=True)
class Worker:
    """`inboxes` None: all of them. `member_of`: those that they were let into by name or by a team."""

    id: uuid.UUID
    status: str
    capacity: int
    skills: frozenset[str]
    languages: frozenset[str]
    seniority: int
    teams: frozenset[uuid.UUID]
    member_of: frozenset[uuid.UUID]
    inboxes: frozenset[uuid.UUID] | None


@dataclass(frozen=True, slots=True)
class Staff:
    """Everybody who may work, and the inboxes that have members at all."""

    workers: Sequence[Worker]
    listed: frozenset[uuid.UUID]

    def of(self, policy: DeskPolicy) -> list[Worker]:
        """Whom a policy gives work to: the team's members, the inbox's, or everybody where the inbox has none."""
        if policy.team_id is not None:
            return [w for w in self.workers if policy.team_id in w.teams]
        if policy.inbox_id in self.listed:
            return [w for w in self.workers if policy.inbox_id in w.member_of]
        return list(self.workers)


@dataclass(frozen=True, slots=True)
class Queued:
    """A waiting conversation under lock, with what a strategy looks at."""

    id: uuid.UUID
    inbox_id: uuid.UUID
    team_id: uuid.UUID | None
    priority: str
    vip: bool
    language: str | None
    labels: frozenset[str]
    declined_by: uuid.UUID | None


async def policies_at_work(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[DeskPolicy]:
    """Those that give out by themselves and have something waiting."""
    return [DeskPolicy(*r) for r in await connection.execute(POLICIES, {"tenant": tenant_id})]


async def staff_of(connection: AsyncConnection, tenant_id: uuid.UUID) -> Staff:
    inboxes = {r.id: r.listed for r in await connection.execute(INBOXES, {"tenant": tenant_id})}
    listed = frozenset(i for i, has_members in inboxes.items() if has_members)
    open_to_all = frozenset(inboxes) - listed
    workers = []
    for r in await connection.execute(WORKERS, {"tenant": tenant_id}):
        member_of = frozenset(r.inboxes)
        workers.append(
            Worker(
                r.id,
                r.status,
                int(r.capacity),
                frozenset(s.lower() for s in r.skills),
                frozenset(s.lower() for s in r.languages),
                int(r.seniority),
                frozenset(r.teams),
                member_of,
                None if r.role in ("owner", "admin") else member_of | open_to_all,
            )
        )
    return Staff(workers, listed)


async def turns_of(connection: AsyncConnection, tenant_id: uuid.UUID) -> dict[tuple[uuid.UUID, uuid.UUID], int]:
    """When somebody was chosen last under a policy, by the two ids."""
    rows = await connection.execute(TURNS, {"tenant": tenant_id})
    return {(r.policy_id, r.user_id): int(r.turn) for r in rows}


async def save_turns(
    connection: AsyncConnection, tenant_id: uuid.UUID, policy_id: uuid.UUID, turns: Mapping[uuid.UUID, int]
) -> None:
    if turns:
        bound = {"tenant": tenant_id, "policy": policy_id, "users": list(turns), "turns": list(turns.values())}
        await connection.execute(TAKE_TURN, bound)


async def waiting_for(
    connection: AsyncConnection, tenant_id: uuid.UUID, policy: DeskPolicy, *, behind: Queued | None = None, limit: int
) -> list[Queued]:
    """What waits under this policy, locked, first in line first; `behind` is the last that was given before."""
    statement = OF_INBOX if policy.team_id is None else OF_TEAM
    bound = {"tenant": tenant_id, "place": policy.team_id or policy.inbox_id, "limit": limit}
    bound |= {"rank": PRIORITIES.index(behind.priority) + 1, "after": behind.id} if behind else {"rank": 1, "after": START}
    return [
        Queued(
            r.id,
            r.inbox_id,
            r.team_id,
            r.priority,
            r.vip,
            r.language,
            frozenset(r.tags) | ({r.category} if r.category else frozenset()),
            r.declined_by,
        )
        for r in await connection.execute(statement, bound)
    ]


async def written_last(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, str]:
    """By conversation, the beginning of what its customer wrote last; those without a customer's mail are left out."""
    if not ids:
        return {}
    return {r.id: r.words for r in await connection.execute(WRITTEN, {"tenant": tenant_id, "ids": list(ids)})}


async def hand_back_left(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, now: dt.datetime
) -> int:
    """What people who are offline have, and by policy do not keep, goes back to its queue; how much it was."""
    rows = await connection.execute(LEFT, {"tenant": tenant_id, "now": now, "limit": MOST})
    moves = [
        Move(
            r.id,
            None,
            r.team_id,
            "auto",
            "Handed back: went offline." if r.hand_back == "at_once" else "Handed back: offline for too long.",
            was=r.assigned_to,
        )
        for r in rows
    ]
    await move_conversations(connection, tenant_id, moves)
    return len(moves)


async def tenants_with_left(connection: AsyncConnection) -> list[uuid.UUID]:
    """Tenants where somebody offline still has what a policy may take back. As the system."""
    return list((await connection.execute(DUE)).scalars())
