"""A desk with people on it: agents of given capacity, waiting conversations, members, teams and policies, made in a few rows."""

import json
import uuid
from typing import Any

from sqlalchemy import text

from store.bulk import new_id
from store.visibility import Viewer
from tests.store.desk import Desk


def viewer_of(desk: Desk, user_id: uuid.UUID | None, *, sees_all: bool = False) -> Viewer:
    return Viewer(desk.tenant_id, user_id, sees_all)


async def add_people(desk: Desk, count: int, **given: Any) -> list[uuid.UUID]:
    """Agents who are online, unless said otherwise."""
    values = {"role": "agent", "status": "online", "status_chosen": "online", "capacity": 20, **given}
    ids = [new_id() for _ in range(count)]
    names = ", ".join(values)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        for n, one in enumerate(ids):
            mail = f"{one.hex}@example.org"
            bound = {"t": desk.tenant_id, "id": one, "mail": mail, "name": f"Agent {n}", **values}
            await connection.execute(
                text(
                    f"insert into users (tenant_id, id, email, email_key, name, {names})"
                    f" values (:t, :id, :mail, :mail, :name, {', '.join(f':{v}' for v in values)})"
                ),
                bound,
            )
    return ids


async def add_waiting(desk: Desk, count: int, **given: Any) -> list[uuid.UUID]:
    """Open conversations that nobody has, the oldest first."""
    values = {"inbox_id": desk.inbox_id, **given}
    ids = [new_id() for _ in range(count)]
    names = ", ".join(values)
    holders = ", ".join(f"cast(:{v} as jsonb)" if isinstance(x, dict) else f":{v}" for v, x in values.items())
    bound = {v: json.dumps(x) if isinstance(x, dict) else x for v, x in values.items()}
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        for one in ids:
            desk.number += 1
            await connection.execute(
                text(f"insert into conversations (tenant_id, id, number, {names}) values (:t, :id, :number, {holders})"),
                {"t": desk.tenant_id, "id": one, "number": desk.number, **bound},
            )
    return ids


async def add_team(desk: Desk, members: list[uuid.UUID]) -> uuid.UUID:
    team_id = new_id()
    await desk.rows("insert into teams (tenant_id, id, name) values (:tenant, :id, :name)", id=team_id, name=team_id.hex)
    for one in members:
        await desk.rows("insert into team_members (tenant_id, team_id, user_id) values (:tenant, :t, :u)", t=team_id, u=one)
    return team_id


async def set_policy(desk: Desk, strategy: str, **given: Any) -> uuid.UUID:
    """Of the desk's inbox, or of `team_id`."""
    values = {"strategy": strategy, **({} if "team_id" in given else {"inbox_id": desk.inbox_id}), **given}
    policy_id = new_id()
    await desk.rows(
        f"insert into assignment_policies (tenant_id, id, {', '.join(values)}) values (:tenant, :id, {', '.join(f':{v}' for v in values)})",
        id=policy_id,
        **values,
    )
    return policy_id


async def owners(desk: Desk) -> dict[uuid.UUID, uuid.UUID | None]:
    rows = await desk.rows("select id, assigned_to from conversations")
    return {r["id"]: r["assigned_to"] for r in rows}


async def stays(desk: Desk, conversation_id: uuid.UUID) -> list[tuple[uuid.UUID | None, str, str, bool]]:
    """Agent, method, reason and whether it is over, oldest first."""
    rows = await desk.rows(
        "select agent_id, method, reason, unassigned_at from conversation_assignments where conversation_id = :c order by id",
        c=conversation_id,
    )
    return [(r["agent_id"], r["method"], r["reason"], r["unassigned_at"] is not None) for r in rows]


async def close_first(desk: Desk) -> None:
    """The conversation that every desk begins with is out of the way."""
    await desk.rows("update conversations set status = 'closed' where id = :c", c=desk.conversation_id)
