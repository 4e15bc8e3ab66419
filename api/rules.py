"""Routing rules for administrators: write, order, switch off, look at older versions. Trying one is in `api/rule_trials.py`."""

import datetime as dt
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageOf
from api.schemas.rules import ChangeRule, NewRule, Rule, RuleOrder, RuleVersion
from rules.routing import Rule as ReadRule
from rules.routing import read_rule
from rules.routing_conditions import RuleProblem, parse_condition, reads_headers
from store.bulk import id_floor
from store.routing_rules import (
    OtherRules,
    RuleRow,
    RuleText,
    TooManyRules,
    change_rule,
    create_rule,
    get_rule,
    list_rules,
    order_rules,
    remove_rule,
    rule_versions,
)
from store.rule_hits import hits_lately

LATELY = dt.timedelta(days=7)
MOST_HITS = 1000


async def list_all(call: Call[Empty, None]) -> PageOf[Rule]:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        rows = await list_rules(connection, tenant_id)
        hits = await hits_lately(connection, tenant_id, floor=id_floor(LATELY.total_seconds()), most=MOST_HITS)
    return PageOf[Rule](items=[_shown(row, hits.get(row.id, 0)) for row in rows])


async def read_one(call: Call[Empty, None]) -> Rule:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return await _whole(connection, call)


async def add(call: Call[Empty, NewRule]) -> Rule:
    """Dying after the commit leaves the rule as it was asked for; it is looked at from the next mail on."""
    who, said = call.who, said_of(call.body)
    read_said(said)
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        try:
            rule_id = await create_rule(connection, who.tenant_id, said, actor=who.viewer.actor)
        except TooManyRules:
            raise Problem(409, "There are as many rules as are looked at for one mail. Remove one first.") from None
        row = await get_rule(connection, who.tenant_id, rule_id)
    if row is None:
        raise not_found()
    return _shown(row, 0)


async def change(call: Call[Empty, ChangeRule]) -> Rule:
    """What is left out stays. The same again makes no version."""
    who, rule_id = call.who, call.id("rule_id")
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        row = await get_rule(connection, who.tenant_id, rule_id)
        if row is None:
            raise not_found()
        given = {name: value for name in ChangeRule.model_fields if (value := getattr(call.body, name)) is not None}
        standing = {name: getattr(row.said, name) for name in NewRule.model_fields}
        said = RuleText(**{**standing, **given})
        read_said(said)
        if not await change_rule(connection, who.tenant_id, rule_id, said, actor=who.viewer.actor):
            raise not_found()
        return await _whole(connection, call)


async def remove(call: Call[Empty, None]) -> None:
    """What it has done stays done, and its hits stay explained."""
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        if not await remove_rule(connection, who.tenant_id, call.id("rule_id"), actor=who.viewer.actor):
            raise not_found()


async def order(call: Call[Empty, RuleOrder]) -> PageOf[Rule]:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        try:
            await order_rules(connection, who.tenant_id, call.body.ids, actor=who.viewer.actor)
        except OtherRules:
            raise not_valid(
                FieldError("ids", "has to name every rule exactly once; load the list again, then order it")
            ) from None
        rows = await list_rules(connection, who.tenant_id)
        hits = await hits_lately(connection, who.tenant_id, floor=id_floor(LATELY.total_seconds()), most=MOST_HITS)
    return PageOf[Rule](items=[_shown(row, hits.get(row.id, 0)) for row in rows])


async def versions(call: Call[Empty, None]) -> PageOf[RuleVersion]:
    tenant_id = call.who.tenant_id
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        rows = await rule_versions(connection, tenant_id, call.id("rule_id"))
    if not rows:
        raise not_found()
    return PageOf[RuleVersion](items=[RuleVersion.model_validate(_version(row)) for row in rows])


def said_of(body: NewRule) -> RuleText:
    return RuleText(**body.model_dump())


def read_said(said: RuleText, *, rule_id: str = "", prefix: str = "") -> ReadRule:
    """What is said, read as it will be; 422 naming the place where it cannot be."""
    try:
        return read_rule(rule_id, 0, said.name, said.condition, said.actions, stop=said.stop, shadow=said.shadow)
    except RuleProblem as wrong:
        raise not_valid(FieldError(f"{prefix}{wrong.field}", wrong.remedy)) from None


async def _whole(connection: AsyncConnection, call: Call[Any, Any]) -> Rule:
    tenant_id, rule_id = call.who.tenant_id, call.id("rule_id")
    row = await get_rule(connection, tenant_id, rule_id)
    if row is None:
        raise not_found()
    hits = await hits_lately(connection, tenant_id, floor=id_floor(LATELY.total_seconds()), most=MOST_HITS)
    return _shown(row, hits.get(row.id, 0))


def _shown(row: RuleRow, hits: int) -> Rule:
    return Rule.model_validate(
        {**_version(row), "position": row.position, "hits": hits, "created_at": row.created_at}
    )


def _version(row: RuleRow) -> dict[str, Any]:
    said = row.said
    return {
        "id": str(row.id),
        "version": row.version,
        "name": said.name,
        "enabled": said.enabled,
        "shadow": said.shadow,
        "stop": said.stop,
        "trigger": said.trigger,
        "condition": said.condition,
        "actions": said.actions,
        "reads_headers": _reads_headers(said),
        "changed_at": row.changed_at,
        "changed_by": row.actor,
    }


def _reads_headers(said: RuleText) -> bool:
    try:
        return reads_headers(parse_condition(said.condition))
    except RuleProblem:  # written by a version of this program that knew more
        return False


AT = "/v1/rules/{rule_id}"
ENDPOINTS = (
    Endpoint("GET", "/v1/rules", list_all, Access.ADMIN, "Routing rules in their order", response=PageOf[Rule]),
    Endpoint("POST", "/v1/rules", add, Access.ADMIN, "Add a rule", response=Rule, status=201, body=NewRule),
    Endpoint("PUT", "/v1/rules/order", order, Access.ADMIN, "Order the rules", response=PageOf[Rule], body=RuleOrder),
    Endpoint("GET", AT, read_one, Access.ADMIN, "One rule", response=Rule),
    Endpoint("PATCH", AT, change, Access.ADMIN, "Change a rule", response=Rule, body=ChangeRule),
    Endpoint("DELETE", AT, remove, Access.ADMIN, "Remove a rule", status=204),
    Endpoint("GET", f"{AT}/versions", versions, Access.ADMIN, "What a rule said before", response=PageOf[RuleVersion]),
)
