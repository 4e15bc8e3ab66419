"""What a clock that warns or breaches does to its conversation: priority, tags, who has it. The caller holds the conversation's lock
and has marked the clock, so each of it happens once.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.assignment_moves import Move, move_conversations
from store.event_log import NewEvent, append_events

MEMBERS = text(
    """
    select distinct m.user_id from team_members m join users u on u.tenant_id = m.tenant_id and u.id = m.user_id
    where m.tenant_id = :tenant and m.team_id = any(cast(:teams as uuid[])) and u.deleted_at is null order by m.user_id
    """
)
BREACHED = text(
    """
    update conversations set sla_breached = true
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and not sla_breached returning id, version
    """
)
RAISE = text(
    """
    update conversations set priority = coalesce(:priority, priority) where tenant_id = :tenant and id = :id returning version
    """
)
TAG = text(
    """
    insert into conversation_tags (tenant_id, conversation_id, tag_id)
    select :tenant, :id, t.id from tags t where t.tenant_id = :tenant and t.id = any(cast(:tags as uuid[]))
    on conflict do nothing
    """
)
# Who was deleted since the policy was written gets nothing.
HERE = text("select id from users where tenant_id = :tenant and id = :user and deleted_at is null")
TEAM = text("select id from teams where tenant_id = :tenant and id = :team")


@dataclass(frozen=True, slots=True)
class Escalation:
    """What to change; None and () change nothing. `reason` is written where people look who got a conversation and why."""

    conversation_id: uuid.UUID
    inbox_id: uuid.UUID
    priority: str | None
    assign_user: str | None
    assign_team: str | None
    tags: Sequence[str]
    was: uuid.UUID | None
    was_team: uuid.UUID | None
    reason: str


async def members_of(connection: AsyncConnection, tenant_id: uuid.UUID, teams: Sequence[str]) -> list[str]:
    """Ids of the people of these teams."""
    if not teams:
        return []
    found = await connection.execute(MEMBERS, {"tenant": tenant_id, "teams": list(teams)})
    return [str(user) for user in found.scalars()]


async def set_breached(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, int]:
    """Mark the conversations; the versions of those that were not marked yet."""
    if not ids:
        return {}
    found = await connection.execute(BREACHED, {"tenant": tenant_id, "ids": sorted(set(ids))})
    return {r.id: int(r.version) for r in found}


async def escalate(
    connection: AsyncConnection, tenant_id: uuid.UUID, wanted: Escalation, causality: Mapping[str, Any]
) -> None:
    """Carry it out, with its events."""
    key = {"tenant": tenant_id, "id": wanted.conversation_id}
    changed = [name for name, given in (("priority", wanted.priority), ("tags", wanted.tags)) if given]
    if wanted.tags:
        await connection.execute(TAG, {**key, "tags": list(wanted.tags)})
    if changed:
        version = (await connection.execute(RAISE, {**key, "priority": wanted.priority})).scalar_one()
        payload = {"version": version, "changed": changed} | ({"priority": wanted.priority} if wanted.priority else {})
        event = NewEvent(
            type="conversation.updated",
            tenant_id=tenant_id,
            inbox_id=wanted.inbox_id,
            conversation_id=wanted.conversation_id,
            payload=payload,
            causality=causality,
        )
        await append_events(connection, [event])
    await _give(connection, tenant_id, wanted, causality)


async def _give(
    connection: AsyncConnection, tenant_id: uuid.UUID, wanted: Escalation, causality: Mapping[str, Any]
) -> None:
    user = team = None
    if wanted.assign_user is not None:
        user = (await connection.execute(HERE, {"tenant": tenant_id, "user": wanted.assign_user})).scalar_one_or_none()
    if wanted.assign_team is not None:
        team = (await connection.execute(TEAM, {"tenant": tenant_id, "team": wanted.assign_team})).scalar_one_or_none()
    if (user is None and team is None) or (user == wanted.was and (team or wanted.was_team) == wanted.was_team):
        return
    # To a team alone: its queue has it, and its strategy finds somebody.
    move = Move(
        wanted.conversation_id,
        agent_id=user,
        team_id=team or wanted.was_team,
        method="rule",
        reason=wanted.reason,
        was=wanted.was,
        causality=causality,
    )
    await move_conversations(connection, tenant_id, [move])
