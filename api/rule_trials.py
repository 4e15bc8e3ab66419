"""Dry runs of rules: a rule tried on the mail of the last days, in bounded steps that the caller carries on.

Each step is a transaction that adds its counts and moves the run's place. Dying in one repeats it from nothing; two at once
take turns. Nothing is changed in any conversation.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.deps import Deps
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, not_found, not_valid
from api.rule_facts import facts_for
from api.rules import read_said, said_of
from api.schemas.rules import DryRun, NewDryRun
from rules.routing import Rule, read_rule
from rules.routing_conditions import RuleProblem
from rules.routing_trial import Standing, Tally, added, tried
from store.routing_rules import RuleRow, RuleText, get_rule, list_rules
from store.rule_dry_runs import (
    DryRunRow,
    begin_dry_run,
    hold_dry_run,
    move_dry_run,
    read_dry_run,
    sampled_mails,
)
from store.rule_facts import MailFacts, facts_of_history, newest_message

STEP = 200  # mails of one transaction
STRETCH_SECONDS = 3.0  # of one call; the run goes on with the next


async def begin(call: Call[Empty, NewDryRun]) -> DryRun:
    """Tries the rule on as much as fits into one call. What is left is carried on by `POST …/continue`."""
    who, body, now = call.who, call.body, call.now()
    said = said_of(body.rule)
    read_said(said, prefix="rule.")
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        if body.rule_id is not None and await get_rule(connection, who.tenant_id, body.rule_id) is None:
            raise not_valid(FieldError("rule_id", "is no rule that stands; leave it out to try a new one"))
        run = await begin_dry_run(
            connection,
            who.tenant_id,
            rule=body.rule.model_dump(),
            rule_id=body.rule_id,
            days=body.days,
            newest=await newest_message(connection, who.tenant_id),
            now=now,
            actor=who.viewer.actor,
        )
    return await _stretch(call.deps, who.tenant_id, run.id)


async def carry_on(call: Call[Empty, None]) -> DryRun:
    """A run that has ended stays as it is."""
    return await _stretch(call.deps, call.who.tenant_id, call.id("run_id"))


async def read_one(call: Call[Empty, None]) -> DryRun:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        run = await read_dry_run(connection, tenant_id, call.id("run_id"))
        if run is None:
            raise not_found()
        return await _shown(connection, tenant_id, run)


async def _stretch(deps: Deps, tenant_id: uuid.UUID, run_id: uuid.UUID) -> DryRun:
    ends = time.monotonic() + STRETCH_SECONDS
    while True:
        async with deps.database.unit_of_work(tenant_id) as connection:
            run = await hold_dry_run(connection, tenant_id, run_id)
            if run is None:
                raise not_found()
            if run.state == "running":
                run = await _step(connection, deps, tenant_id, run)
            if run.state == "done" or time.monotonic() >= ends:
                return await _shown(connection, tenant_id, run)


async def _step(connection: AsyncConnection, deps: Deps, tenant_id: uuid.UUID, run: DryRunRow) -> DryRunRow:
    rule = read_said(RuleText(**run.rule), rule_id=str(run.rule_id or run.id), prefix="rule.")
    before = _before(await list_rules(connection, tenant_id, active=True), run.rule_id)
    mails = await facts_of_history(
        connection, tenant_id, since=run.since, behind=run.behind, newest=run.newest, limit=STEP
    )
    facts = await facts_for(connection, deps, tenant_id, [rule, *before], mails)
    tally, found = Tally(), []
    for mail, known in zip(mails, facts, strict=True):
        if tried(rule, before, known, _standing(mail), tally):
            found.append(mail.id)
        await asyncio.sleep(0)  # long texts and many patterns: others are served in between
    return await move_dry_run(
        connection,
        tenant_id,
        run,
        behind=mails[-1].id if mails else None,
        done=len(mails) < STEP,
        looked_at=tally.looked_at,
        matched=tally.matched,
        unknown=tally.unknown,
        counts=added(run.counts, tally.as_json()),
        found=found,
    )


def _before(rows: Sequence[RuleRow], rule_id: uuid.UUID | None) -> list[Rule]:
    """The active rules that are asked before this one: all of them for a new rule."""
    before: list[Rule] = []
    for row in rows:
        if row.id == rule_id:
            break
        if row.said.trigger != "message":
            continue
        try:
            said = row.said
            before.append(
                read_rule(str(row.id), row.version, said.name, said.condition, said.actions, stop=said.stop, shadow=said.shadow)
            )
        except RuleProblem:  # written by a version of this program that knew more: it is not looked at either
            continue
    return before


def _standing(mail: MailFacts) -> Standing:
    return Standing(
        status=mail.status,
        priority=mail.priority,
        category=mail.category,
        assigned_to=str(mail.assigned_to) if mail.assigned_to else None,
        team=str(mail.team_id) if mail.team_id else None,
        tags=mail.tags,
        by_hand=mail.assigned_to is not None and mail.assigned_by == "manual",
    )


async def _shown(connection: AsyncConnection, tenant_id: uuid.UUID, run: DryRunRow) -> DryRun:
    counts = run.counts
    stopped: dict[str, int] = counts.get("stopped_by", {})
    names = {str(r.id): r.said.name for r in await list_rules(connection, tenant_id)} if stopped else {}
    sample = await sampled_mails(connection, tenant_id, run.sample)
    return DryRun.model_validate(
        {
            "id": str(run.id),
            "state": run.state,
            "days": run.days,
            "since": run.since,
            "looked_at": run.looked_at,
            "matched": run.matched,
            "unknown": run.unknown,
            "actions": [_counted(place, action, counts) for place, action in enumerate(run.rule["actions"])],
            "conflicts": {
                "stopped_before": sum(stopped.values()),
                "stopped_by": [
                    {"rule_id": rule_id, "name": names.get(rule_id, ""), "count": count}
                    for rule_id, count in sorted(stopped.items(), key=lambda item: -item[1])
                ],
                **{name: counts.get(name, 0) for name in ("by_hand", "overrides", "replaces")},
            },
            "sample": [
                {
                    "message_id": str(m.message_id),
                    "conversation_id": str(m.conversation_id),
                    "number": m.number,
                    "subject": m.subject,
                    "from": {"address": m.from_address, "name": m.from_name},
                    "received_at": m.received_at,
                }
                for m in sample
            ],
            "created_at": run.created_at,
        }
    )


def _counted(place: int, action: dict[str, Any], counts: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": action["type"],
        "would": counts.get("would", {}).get(str(place), 0),
        "stands": counts.get("stands", {}).get(str(place), 0),
    }


AT = "/v1/rules/dry-run/{run_id}"
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/rules/dry-run", begin, Access.ADMIN, "Try a rule on stored mail", response=DryRun, status=201, body=NewDryRun
    ),
    Endpoint("GET", AT, read_one, Access.ADMIN, "What a dry run found", response=DryRun),
    Endpoint("POST", f"{AT}/continue", carry_on, Access.ADMIN, "Carry a dry run on", response=DryRun),
)
