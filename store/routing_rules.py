"""Routing rules as rows: their order, what they say now, and every version of it.

A change writes a new version and moves the rule to it in one transaction, under the tenant's lock for rules, so that versions
have no holes and the order no doubles. What a version says was checked by whoever wrote it.
"""

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events

MOST_RULES = 500
TURN = text("select pg_advisory_xact_lock(:purpose, hashtext(:tenant))")
PURPOSE = 1_767_900_051
COLUMNS = """
    r.id, r.position, v.version, v.name, v.enabled, v.shadow, v.stop, v.trigger, v.condition, v.actions, v.actor,
    v.created_at as changed_at, r.created_at
"""
CURRENT = f"""
    select {COLUMNS} from routing_rules r
    join routing_rule_versions v on v.tenant_id = r.tenant_id and v.rule_id = r.id and v.version = r.version
    where r.tenant_id = :tenant and r.deleted_at is null
"""
ALL = text(f"{CURRENT} order by r.position, r.id limit {MOST_RULES}")
ACTIVE = text(f"{CURRENT} and v.enabled order by r.position, r.id limit {MOST_RULES}")
ONE = text(f"{CURRENT} and r.id = :id")
# Of removed rules too: a hit names its version for as long as the message stands.
EXACT = text(
    f"""
    select {COLUMNS} from routing_rules r
    join routing_rule_versions v on v.tenant_id = r.tenant_id and v.rule_id = r.id
    where r.tenant_id = :tenant and (r.id, v.version) in (select * from unnest(cast(:ids as uuid[]), cast(:versions as bigint[])))
    """
)
VERSIONS = text(
    f"""
    select {COLUMNS} from routing_rules r
    join routing_rule_versions v on v.tenant_id = r.tenant_id and v.rule_id = r.id
    where r.tenant_id = :tenant and r.id = :id order by v.version desc limit 200
    """
)
INSERT = text(
    """
    insert into routing_rules (tenant_id, position)
    select :tenant, coalesce(max(position), 0) + 1 from routing_rules where tenant_id = :tenant returning id
    """
)
COUNT = text("select count(*) from (select from routing_rules where tenant_id = :tenant and deleted_at is null limit :most) r")
SAY = text(
    """
    insert into routing_rule_versions (tenant_id, rule_id, version, name, enabled, shadow, stop, trigger, condition, actions, actor)
    values (:tenant, :id, :version, :name, :enabled, :shadow, :stop, :trigger, cast(:condition as jsonb), cast(:actions as jsonb), :actor)
    """
)
MOVE_ON = text("update routing_rules set version = :version, updated_at = now() where tenant_id = :tenant and id = :id")
REMOVE = text("update routing_rules set deleted_at = now() where tenant_id = :tenant and id = :id and deleted_at is null")
ORDER = text(
    """
    update routing_rules r set position = v.position
    from (select * from unnest(cast(:ids as uuid[])) with ordinality as u(id, position)) v
    where r.tenant_id = :tenant and r.id = v.id and r.deleted_at is null and r.position <> v.position
    """
)


class TooManyRules(Exception):
    """The tenant has as many rules as are looked at for one mail."""


class OtherRules(Exception):
    """An order that does not name each rule of the tenant exactly once."""


@dataclass(frozen=True, slots=True)
class RuleText:
    """What a rule says. `condition` and `actions` are the JSON forms that `rules.routing_conditions` and `routing_actions` read."""

    name: str
    condition: dict[str, Any]
    actions: list[dict[str, Any]]
    enabled: bool = True
    shadow: bool = False
    stop: bool = False
    trigger: str = "message"


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One version of a rule; `changed_at` and `actor` say when and by whom it was written."""

    id: uuid.UUID
    position: int
    version: int
    said: RuleText
    actor: str
    changed_at: dt.datetime
    created_at: dt.datetime


async def list_rules(connection: AsyncConnection, tenant_id: uuid.UUID, *, active: bool = False) -> list[RuleRow]:
    """In their order; `active` leaves out those that are switched off."""
    rows = await connection.execute(ACTIVE if active else ALL, {"tenant": tenant_id})
    return [_row(r) for r in rows]


async def get_rule(connection: AsyncConnection, tenant_id: uuid.UUID, rule_id: uuid.UUID) -> RuleRow | None:
    row = (await connection.execute(ONE, {"tenant": tenant_id, "id": rule_id})).first()
    return None if row is None else _row(row)


async def rule_versions(connection: AsyncConnection, tenant_id: uuid.UUID, rule_id: uuid.UUID) -> list[RuleRow]:
    """The newest first, at most 200. Empty for a rule that never was."""
    return [_row(r) for r in await connection.execute(VERSIONS, {"tenant": tenant_id, "id": rule_id})]


async def exact_versions(
    connection: AsyncConnection, tenant_id: uuid.UUID, wanted: Sequence[tuple[uuid.UUID, int]]
) -> dict[tuple[uuid.UUID, int], RuleRow]:
    """These versions of these rules, removed ones too."""
    if not wanted:
        return {}
    bound = {"tenant": tenant_id, "ids": [i for i, _ in wanted], "versions": [v for _, v in wanted]}
    return {(r.id, r.version): _row(r) for r in await connection.execute(EXACT, bound)}


async def create_rule(connection: AsyncConnection, tenant_id: uuid.UUID, said: RuleText, *, actor: str) -> uuid.UUID:
    """At the end of the order. Raises TooManyRules."""
    await _lock(connection, tenant_id)
    count = (await connection.execute(COUNT, {"tenant": tenant_id, "most": MOST_RULES})).scalar_one()
    if count >= MOST_RULES:
        raise TooManyRules
    rule_id: uuid.UUID = (await connection.execute(INSERT, {"tenant": tenant_id})).scalar_one()
    await connection.execute(SAY, _said(tenant_id, rule_id, 1, said, actor))
    await _tell(connection, tenant_id, rule_id, "created", 1, actor)
    return rule_id


async def change_rule(
    connection: AsyncConnection, tenant_id: uuid.UUID, rule_id: uuid.UUID, said: RuleText, *, actor: str
) -> bool:
    """A new version. False when there is no such rule. Saying the same again is no change and makes none."""
    await _lock(connection, tenant_id)
    current = await get_rule(connection, tenant_id, rule_id)
    if current is None:
        return False
    if current.said == said:
        return True
    version = current.version + 1
    await connection.execute(SAY, _said(tenant_id, rule_id, version, said, actor))
    await connection.execute(MOVE_ON, {"tenant": tenant_id, "id": rule_id, "version": version})
    await _tell(connection, tenant_id, rule_id, "changed", version, actor)
    return True


async def remove_rule(connection: AsyncConnection, tenant_id: uuid.UUID, rule_id: uuid.UUID, *, actor: str) -> bool:
    """It is looked at no more; its versions stay for the hits that name them. Twice: False."""
    await _lock(connection, tenant_id)
    if (await connection.execute(REMOVE, {"tenant": tenant_id, "id": rule_id})).rowcount == 0:
        return False
    await _tell(connection, tenant_id, rule_id, "removed", 0, actor)
    return True


async def order_rules(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], *, actor: str) -> None:
    """The rules in exactly this order. Raises OtherRules where a rule is missing, unknown or named twice."""
    await _lock(connection, tenant_id)
    standing = {r.id for r in await list_rules(connection, tenant_id)}
    if len(ids) != len(set(ids)) or set(ids) != standing:
        raise OtherRules
    moved = await connection.execute(ORDER, {"tenant": tenant_id, "ids": list(ids)})
    if moved.rowcount:
        await append_events(connection, [NewEvent("rule.ordered", tenant_id, actor=actor)])


async def _lock(connection: AsyncConnection, tenant_id: uuid.UUID) -> None:
    await connection.execute(TURN, {"purpose": PURPOSE, "tenant": str(tenant_id)})


async def _tell(
    connection: AsyncConnection, tenant_id: uuid.UUID, rule_id: uuid.UUID, what: str, version: int, actor: str
) -> None:
    payload = {"rule_id": str(rule_id), "version": version}
    await append_events(connection, [NewEvent(f"rule.{what}", tenant_id, actor=actor, payload=payload)])


def _said(tenant_id: uuid.UUID, rule_id: uuid.UUID, version: int, said: RuleText, actor: str) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "id": rule_id,
        "version": version,
        "name": said.name,
        "enabled": said.enabled,
        "shadow": said.shadow,
        "stop": said.stop,
        "trigger": said.trigger,
        "condition": json.dumps(said.condition),
        "actions": json.dumps(said.actions),
        "actor": actor,
    }


def _row(r: Any) -> RuleRow:
    said = RuleText(r.name, r.condition, r.actions, r.enabled, r.shadow, r.stop, r.trigger)
    return RuleRow(r.id, r.position, r.version, said, r.actor, r.changed_at, r.created_at)
