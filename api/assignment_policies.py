"""How an inbox or a team gives out what waits, when people are offline, and the page of who changed what."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.inboxes import found
from api.problems import not_found
from api.schemas.base import PageOf
from api.schemas.people import AskedPresencePolicy, AuditQuery, Change, PresencePolicy
from api.schemas.teams import AssignmentPolicy, ChangeAssignmentPolicy
from store import audit_log
from store.agent_status import patience_of, set_patience
from store.assignment_policies import FIELDS, Owner, PolicyRow, policy_of, set_policy
from store.teams import get_team


async def of_inbox(call: Call[Empty, None]) -> AssignmentPolicy:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return _shown(await policy_of(connection, call.who.tenant_id, await _inbox(call, connection)))


async def of_team(call: Call[Empty, None]) -> AssignmentPolicy:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return _shown(await policy_of(connection, call.who.tenant_id, await _team(call, connection)))


async def set_of_inbox(call: Call[Empty, ChangeAssignmentPolicy]) -> AssignmentPolicy:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return _shown(await set_policy(connection, call.who.viewer, await _inbox(call, connection), _changes(call)))


async def set_of_team(call: Call[Empty, ChangeAssignmentPolicy]) -> AssignmentPolicy:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return _shown(await set_policy(connection, call.who.viewer, await _team(call, connection), _changes(call)))


async def presence_policy(call: Call[Empty, None]) -> PresencePolicy:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return PresencePolicy(offline_after_minutes=await patience_of(connection, call.who.tenant_id))


async def set_presence_policy(call: Call[Empty, AskedPresencePolicy]) -> PresencePolicy:
    minutes = call.body.offline_after_minutes
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await set_patience(connection, call.who.viewer, minutes)
    return PresencePolicy(offline_after_minutes=minutes)


async def audit(call: Call[AuditQuery, None]) -> PageOf[Change]:
    query = call.query
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        page = await audit_log.list_changes(
            connection, call.who.tenant_id, by=query.by, kind=query.kind, after=query.after, limit=query.limit
        )
    items = [
        Change(
            id=r.id,
            at=r.at,
            type=r.type,
            actor=r.actor,
            actor_name=r.actor_name,
            about=r.user_name or r.team_name or r.inbox_name,
            payload=r.payload,
        )
        for r in page.items
    ]
    return PageOf[Change](items=items, next=page.next)


async def _inbox(call: Call[Any, Any], connection: AsyncConnection) -> Owner:
    await found(connection, call)
    return Owner(inbox_id=call.id("inbox_id"))


async def _team(call: Call[Any, Any], connection: AsyncConnection) -> Owner:
    if await get_team(connection, call.who.tenant_id, call.id("team_id")) is None:
        raise not_found()
    return Owner(team_id=call.id("team_id"))


def _changes(call: Call[Empty, ChangeAssignmentPolicy]) -> dict[str, Any]:
    return {name: getattr(call.body, name) for name in call.body.model_fields_set}


def _shown(row: PolicyRow) -> AssignmentPolicy:
    return AssignmentPolicy.model_validate({name: getattr(row, name) for name in FIELDS})


OF_INBOX, OF_TEAM = "/v1/inboxes/{inbox_id}/assignment-policy", "/v1/teams/{team_id}/assignment-policy"
PRESENCE = "/v1/presence-policy"
ENDPOINTS = (
    Endpoint("GET", OF_INBOX, of_inbox, Access.ADMIN, "How an inbox gives out", response=AssignmentPolicy),
    Endpoint(
        "PUT",
        OF_INBOX,
        set_of_inbox,
        Access.ADMIN,
        "Say how an inbox gives out",
        response=AssignmentPolicy,
        body=ChangeAssignmentPolicy,
    ),
    Endpoint("GET", OF_TEAM, of_team, Access.ADMIN, "How a team gives out", response=AssignmentPolicy),
    Endpoint(
        "PUT",
        OF_TEAM,
        set_of_team,
        Access.ADMIN,
        "Say how a team gives out",
        response=AssignmentPolicy,
        body=ChangeAssignmentPolicy,
    ),
    Endpoint("GET", PRESENCE, presence_policy, Access.ADMIN, "When people are offline", response=PresencePolicy),
    Endpoint(
        "PUT",
        PRESENCE,
        set_presence_policy,
        Access.ADMIN,
        "Say when people are offline",
        response=PresencePolicy,
        body=AskedPresencePolicy,
    ),
    Endpoint(
        "GET", "/v1/audit", audit, Access.ADMIN, "Who changed what in the settings", response=PageOf[Change], query=AuditQuery
    ),
)
