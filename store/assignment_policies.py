"""How each inbox and each team gives its conversations out: read and set by administrators."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import AssignmentPolicy
from store.event_log import NewEvent, append_events
from store.visibility import Viewer

FIELDS = ("strategy", "include_away", "must_match", "senior_from", "hand_back", "hand_back_minutes", "keep_answered")


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """The defaults are what holds where nothing was set: everybody takes for themselves, nobody hands back."""

    strategy: str = "manual"
    include_away: bool = False
    must_match: bool = False
    senior_from: int = 1
    hand_back: str = "never"
    hand_back_minutes: int = 30
    keep_answered: bool = True


@dataclass(frozen=True, slots=True)
class Owner:
    """What a policy is of: an inbox or a team, one of the two."""

    inbox_id: uuid.UUID | None = None
    team_id: uuid.UUID | None = None


async def policy_of(connection: AsyncConnection, tenant_id: uuid.UUID, owner: Owner) -> PolicyRow:
    columns = [getattr(AssignmentPolicy, name) for name in FIELDS]
    row = (await connection.execute(select(*columns).where(*_of(tenant_id, owner)))).first()
    return PolicyRow(*row) if row is not None else PolicyRow()


async def set_policy(
    connection: AsyncConnection, viewer: Viewer, owner: Owner, changes: Mapping[str, Any]
) -> PolicyRow:
    """What is left out stays. The caller has found the inbox or the team. What stands already tells nobody."""
    before = await policy_of(connection, viewer.tenant_id, owner)
    new = {name: value for name, value in changes.items() if getattr(before, name) != value}
    if not new:
        return before
    key = "inbox_id" if owner.inbox_id is not None else "team_id"
    placed = {"tenant_id": viewer.tenant_id, key: owner.inbox_id or owner.team_id}
    statement = upsert(AssignmentPolicy).values(**placed, **new)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", key], set_=new)
    )
    payload: dict[str, Any] = {"changed": sorted(new), **new}
    if owner.team_id is not None:
        payload["team_id"] = str(owner.team_id)
    event = NewEvent(
        "assignment_policy.updated", viewer.tenant_id, inbox_id=owner.inbox_id, actor=viewer.actor, payload=payload
    )
    await append_events(connection, [event])
    return await policy_of(connection, viewer.tenant_id, owner)


def _of(tenant_id: uuid.UUID, owner: Owner) -> tuple[Any, ...]:
    one = (
        AssignmentPolicy.inbox_id == owner.inbox_id
        if owner.inbox_id is not None
        else AssignmentPolicy.team_id == owner.team_id
    )
    return AssignmentPolicy.tenant_id == tenant_id, one
