"""Retention: the policy and what it would meet now, and holds on single conversations. For administrators."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import not_found
from api.schemas.forgetting import (
    AskedHold,
    AskedPolicy,
    Hold,
    RetentionPolicy,
    RetentionPreview,
    RetentionRun,
)
from store.retention import Policy, hold, list_runs, preview, read_policy, save_policy

RUNS = 10


async def policy(call: Call[Empty, None]) -> RetentionPolicy:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        found = await read_policy(connection, tenant_id)
        runs = await list_runs(connection, tenant_id, after=None, limit=RUNS)
    return RetentionPolicy(
        archive_idle_days=found.archive_idle_days,
        spam_days=found.spam_days,
        trash_days=found.trash_days,
        closed_days=found.closed_days,
        notice_days=found.notice_days,
        changed_at=found.changed_at,
        changed_by=found.changed_by,
        runs=[
            RetentionRun(id=str(r.id), started_at=r.started_at, ended_at=r.ended_at, counts=dict(r.counts))
            for r in runs.items
        ],
    )


async def change(call: Call[Empty, AskedPolicy]) -> RetentionPolicy:
    """From the next night on. What is already gone does not come back."""
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        await save_policy(connection, who.tenant_id, Policy(**call.body.model_dump()), user_id=who.user_id)
    return await policy(Call(call.request, call.deps, call.principal, Empty(), None))


async def look(call: Call[AskedPolicy, None]) -> RetentionPreview:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        found = await preview(connection, tenant_id, Policy(**call.query.model_dump()), now=call.now())
    return RetentionPreview.model_validate(found, from_attributes=True)


async def set_hold(call: Call[Empty, AskedHold]) -> Hold:
    who, conversation_id = call.who, call.id("conversation_id")
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        if not await hold(connection, who.tenant_id, conversation_id, call.body.held, actor=who.viewer.actor):
            raise not_found()
    return Hold(held=call.body.held)


ENDPOINTS = (
    Endpoint("GET", "/v1/retention", policy, Access.ADMIN, "The retention policy", response=RetentionPolicy),
    Endpoint(
        "PUT", "/v1/retention", change, Access.ADMIN, "Set the retention policy", response=RetentionPolicy, body=AskedPolicy
    ),
    Endpoint(
        "GET",
        "/v1/retention/preview",
        look,
        Access.ADMIN,
        "What a policy would meet now",
        response=RetentionPreview,
        query=AskedPolicy,
    ),
    Endpoint(
        "PUT",
        "/v1/conversations/{conversation_id}/hold",
        set_hold,
        Access.ADMIN,
        "Keep a conversation from every policy and erasure, or no longer",
        response=Hold,
        body=AskedHold,
    ),
)
