"""Policies of service levels, and the clocks of a conversation with their arithmetic. Administrators keep the policies."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, not_found, not_valid
from api.schemas.base import PageQuery
from api.schemas.sla import (
    ChangePolicy,
    ConversationSla,
    NewPolicy,
    Policy,
    PolicyList,
    Preview,
    Recount,
    SlaClock,
)
from api.sla_preview import preview
from rules.sla_arithmetic import RUNNING, Segment, segments, sentence, sums
from rules.sla_course import Story
from rules.sla_reading import Settings, read_settings, stories
from rules.sla_recount import Clock, read_clock, unpack
from store.conversations import get_conversation
from store.sla_facts import clocks_of, database_now, mails_of, statuses_of
from store.sla_recounts import begin_recount, newest_recount
from store.sla_settings import list_hours, list_policies, remove_policy, save_policy, unknown_ids
from store.sla_view import responses_of

FIELDS = ("name", "enabled", "position", "conditions", "targets", "business_hours_id", "warn_percent", "pause_on", "actions")


async def list_sla_policies(call: Call[Empty, None]) -> PolicyList:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        rows = await list_policies(connection, tenant_id)
        recount = await newest_recount(connection, tenant_id)
    shown = None
    if recount is not None:
        names = Recount.model_fields.keys()
        shown = Recount.model_validate({n: getattr(recount, n) for n in names} | {"id": str(recount.id)})
    return PolicyList(items=[_shown(r) for r in rows], recount=shown)


async def add_policy(call: Call[Empty, NewPolicy]) -> Policy:
    return await _save(call, call.body.model_dump(mode="json"), None)


async def change_policy(call: Call[Empty, ChangePolicy]) -> Policy:
    """Conversations are worked out again behind it; twice is once more. Dying after the commit leaves that to the sweep."""
    return await _save(call, await _changed(call), call.id("policy_id"))


async def remove_sla_policy(call: Call[Empty, None]) -> None:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        if not await remove_policy(connection, who.tenant_id, call.id("policy_id"), actor=who.viewer.actor):
            raise not_found()
        await begin_recount(connection, who.tenant_id, why="a policy was removed", actor=who.viewer.actor)
    await call.deps.gateway.poke_sla(str(who.tenant_id))


async def preview_new(call: Call[PageQuery, NewPolicy]) -> Preview:
    """What a further policy would start. Nothing is written."""
    row = call.body.model_dump(mode="json") | {"id": uuid.UUID(int=0)}
    return await _previewed(call, row)


async def preview_policy(call: Call[PageQuery, ChangePolicy]) -> Preview:
    """What the change would move. Nothing is written."""
    return await _previewed(call, await _changed(call))


async def read_sla(call: Call[Empty, None]) -> ConversationSla:
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        if await get_conversation(connection, viewer, conversation_id) is None:
            raise not_found()
        ids = [conversation_id]
        told = stories(
            ids, await mails_of(connection, viewer.tenant_id, ids), await statuses_of(connection, viewer.tenant_id, ids)
        )
        rows = await clocks_of(connection, viewer.tenant_id, ids)
        settings = read_settings(
            await list_policies(connection, viewer.tenant_id), await list_hours(connection, viewer.tenant_id)
        )
        responses = dict(await responses_of(connection, viewer.tenant_id, conversation_id))
        now = await database_now(connection)
    policy = settings.by_id.get(str(responses.pop("sla_policy_id")))
    clocks = [_clock(row, told[conversation_id], settings, now) for row in reversed(rows)]
    return ConversationSla(at=now, policy=policy.name if policy else None, clocks=clocks, **responses)


async def _previewed(call: Call[PageQuery, Any], row: dict[str, Any]) -> Preview:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        await _check(connection, tenant_id, row)
        policies, hours = await list_policies(connection, tenant_id), await list_hours(connection, tenant_id)
    row = row | {"business_hours_id": _uuid(row["business_hours_id"])}
    last = max((p["position"] for p in policies), default=0) + 1
    placed = row | {"position": last if row["position"] is None else row["position"]}
    others = [p for p in policies if p["id"] != row["id"]]
    return await preview(call, sorted([*others, placed], key=lambda p: p["position"]), hours)


async def _save(call: Call[Any, Any], row: dict[str, Any], row_id: uuid.UUID | None) -> Policy:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        await _check(connection, who.tenant_id, row)
        saved = await save_policy(connection, who.tenant_id, row | {"id": row_id}, actor=who.viewer.actor)
        await begin_recount(connection, who.tenant_id, why=f"policy “{row['name']}”", actor=who.viewer.actor)
        made = next(r for r in await list_policies(connection, who.tenant_id) if r["id"] == saved)
    await call.deps.gateway.poke_sla(str(who.tenant_id))
    return _shown(made)


async def _changed(call: Call[Any, ChangePolicy]) -> dict[str, Any]:
    """The policy as it would be."""
    wanted = call.id("policy_id")
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        rows = await list_policies(connection, call.who.tenant_id)
    row = next((r for r in rows if r["id"] == wanted), None)
    if row is None:
        raise not_found()
    return row | call.body.model_dump(mode="json", include=call.body.model_fields_set)


async def _check(connection: AsyncConnection, tenant_id: uuid.UUID, row: dict[str, Any]) -> None:
    """Raises a problem for whatever it names and there is not: a stranger's row is as unknown as none."""
    wrong: list[FieldError] = []
    hours = _uuid(row["business_hours_id"])
    if hours is not None and hours not in {h["id"] for h in await list_hours(connection, tenant_id)}:
        wrong.append(FieldError("business_hours_id", "are no business hours of yours"))
    named: list[tuple[str, str, Sequence[Any]]] = [
        ("conditions.inbox", "inbox", row["conditions"].get("inbox") or ()),
        ("conditions.tag", "tag", row["conditions"].get("tag") or ()),
    ]
    for when in ("warn", "breach"):
        orders = row["actions"].get(when) or {}
        named += [
            (f"actions.{when}.notify_users", "user", orders.get("notify_users") or ()),
            (f"actions.{when}.notify_teams", "team", orders.get("notify_teams") or ()),
            (f"actions.{when}.assign_user", "user", [orders["assign_user"]] if orders.get("assign_user") else ()),
            (f"actions.{when}.assign_team", "team", [orders["assign_team"]] if orders.get("assign_team") else ()),
            (f"actions.{when}.tags", "tag", orders.get("tags") or ()),
        ]
    for place, kind, ids in named:
        if await unknown_ids(connection, tenant_id, kind, [uuid.UUID(str(i)) for i in ids]):
            wrong.append(FieldError(place, f"names a {kind} that there is not"))
    if wrong:
        raise not_valid(*wrong)


def _uuid(value: Any) -> uuid.UUID | None:
    return uuid.UUID(str(value)) if value else None


def _shown(row: dict[str, Any]) -> Policy:
    hours = row["business_hours_id"]
    return Policy.model_validate(
        {n: row[n] for n in (*FIELDS, "created_at", "updated_at")}
        | {"id": str(row["id"]), "business_hours_id": str(hours) if hours else None}
    )


def _clock(row: Mapping[str, Any], story: Story, settings: Settings, now: dt.datetime) -> SlaClock:
    clock = read_clock(row)
    policy = settings.by_id.get(clock.policy_id or "")
    found = _segments(clock, story, settings, now)
    return SlaClock.model_validate(
        {
            "id": str(row["id"]),
            "policy": policy.name if policy else None,
            "hours": policy.hours_name if policy and clock.business else None,
            "state": _state(clock),
            "running_seconds": int(sums(found).get(RUNNING, 0)),
            "segments": [
                {"kind": s.kind, "start": s.start, "end": s.end, "seconds": int(s.seconds), "why": s.why} for s in found
            ],
            "sentence": sentence(found),
        }
        | {
            n: getattr(clock, n)
            for n in (
                "target", "target_seconds", "business", "started_at", "warn_at", "due_at", "warned_at", "breached_at", "met_at",
                "ended_at", "ended_by", "excuse",
            )
        }
    )  # fmt: skip


def _segments(clock: Clock, story: Story, settings: Settings, now: dt.datetime) -> list[Segment]:
    """Those of an ended clock as they were stored; of a running one until now."""
    policy = settings.by_id.get(clock.policy_id or "")
    course = next((c for c in story.courses if (c.target, c.started_at) == clock.key), None)
    if clock.ended_at is not None or policy is None or course is None:
        return unpack(clock.segments)
    return segments(clock.started_at, now, course.pauses(policy.pause_on), policy.hours_of(business=clock.business))


def _state(clock: Clock) -> str:
    if clock.breached_at is not None:
        return "excused" if clock.excuse is not None else "late" if clock.met_at is not None else "breached"
    if clock.met_at is not None:
        return "met"
    if clock.ended_at is not None:
        return "ended"
    if clock.paused_at is not None:
        return "paused"
    return "warned" if clock.warned_at is not None else "running"


AT = "/v1/sla-policies/{policy_id}"
ENDPOINTS = (
    Endpoint("GET", "/v1/sla-policies", list_sla_policies, Access.VIEWER, "Policies of service levels", response=PolicyList),
    Endpoint(
        "POST", "/v1/sla-policies", add_policy, Access.ADMIN, "Add a policy", response=Policy, status=201, body=NewPolicy
    ),
    Endpoint(
        "POST",
        "/v1/sla-policies/preview",
        preview_new,
        Access.ADMIN,
        "What a new policy would start",
        response=Preview,
        query=PageQuery,
        body=NewPolicy,
    ),
    Endpoint("PATCH", AT, change_policy, Access.ADMIN, "Change a policy", response=Policy, body=ChangePolicy),
    Endpoint("DELETE", AT, remove_sla_policy, Access.ADMIN, "Remove a policy", status=204),
    Endpoint(
        "POST",
        f"{AT}/preview",
        preview_policy,
        Access.ADMIN,
        "What a change of a policy would move",
        response=Preview,
        query=PageQuery,
        body=ChangePolicy,
    ),
    Endpoint(
        "GET",
        "/v1/conversations/{conversation_id}/sla",
        read_sla,
        Access.VIEWER,
        "The clocks of a conversation",
        response=ConversationSla,
    ),
)
