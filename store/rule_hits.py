"""What rules have looked at and hit: written once for each mail or change, and read again to explain."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import insert_rows, insertion, new_id
from store.event_log import NewEvent, append_events
from store.rule_actions import OnBehalf

LOOK = text(
    """
    insert into rule_looks (tenant_id, message_id, rules, facts)
    values (:tenant, :message, cast(:rules as jsonb), cast(:facts as jsonb)) on conflict do nothing returning message_id
    """
)
HIT_COLUMNS = {
    "id": "uuid",
    "rule_id": "uuid",
    "version": "bigint",
    "message_id": "uuid",
    "cause": "text",
    "shadow": "boolean",
    "stopped": "boolean",
    "outcomes": "jsonb",
}
INSERT = insertion("rule_hits", HIT_COLUMNS, "on conflict (tenant_id, message_id, rule_id, cause) do nothing")
KNOWN = text(
    """
    select rule_id, message_id, cause from rule_hits where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))
    """
)
OF_CONVERSATION = text(
    """
    select h.rule_id, h.version, h.message_id, h.cause, h.shadow, h.stopped, h.outcomes, h.created_at, v.name
    from messages m join rule_hits h on h.tenant_id = m.tenant_id and h.message_id = m.id
    join routing_rule_versions v on v.tenant_id = h.tenant_id and v.rule_id = h.rule_id and v.version = h.version
    where m.tenant_id = :tenant and m.conversation_id = :conversation order by h.id limit 500
    """
)
OF_MESSAGE = text(
    """
    select h.rule_id, h.version, h.message_id, h.cause, h.shadow, h.stopped, h.outcomes, h.created_at, v.name
    from rule_hits h
    join routing_rule_versions v on v.tenant_id = h.tenant_id and v.rule_id = h.rule_id and v.version = h.version
    where h.tenant_id = :tenant and h.message_id = :message order by h.id limit 500
    """
)
LOOKS = text(
    """
    select message_id, rules, facts, created_at from rule_looks
    where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))
    """
)
# How often each rule of the page hit lately; an index walk that ends early.
LATELY = text(
    """
    select r.id, (select count(*) from (select from rule_hits h where h.tenant_id = r.tenant_id and h.rule_id = r.id
      and h.id > :floor order by h.id desc limit :most) c) as hits
    from routing_rules r where r.tenant_id = :tenant and r.deleted_at is null
    """
)
ENDED_BEFORE = text(
    "select 1 from rule_hits where tenant_id = :tenant and message_id = :message and cause = :cause limit 1"
)


@dataclass(frozen=True, slots=True)
class Hit:
    rule_id: uuid.UUID
    version: int
    message_id: uuid.UUID
    cause: str
    shadow: bool
    stopped: bool
    outcomes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class HitRow(Hit):
    """`name` is the rule's in that version."""

    at: dt.datetime
    name: str


@dataclass(frozen=True, slots=True)
class Look:
    """Which rules, in which versions and order, looked at a mail, and what they saw that changes later."""

    rules: tuple[tuple[uuid.UUID, int], ...]
    facts: Mapping[str, Any]
    at: dt.datetime


async def begin_look(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    *,
    rules: Sequence[tuple[uuid.UUID, int]],
    facts: Mapping[str, Any],
) -> bool:
    """True for whoever is the first to look at this mail, who then has to do what follows in this transaction."""
    bound = {
        "tenant": tenant_id,
        "message": message_id,
        "rules": json.dumps([[str(i), v] for i, v in rules]),
        "facts": json.dumps(dict(facts)),
    }
    return (await connection.execute(LOOK, bound)).first() is not None


async def record_hits(connection: AsyncConnection, tenant_id: uuid.UUID, hits: Sequence[Hit]) -> None:
    """Twice is once: a rule has one hit for a cause."""
    rows = [
        {
            "id": new_id(),
            "rule_id": h.rule_id,
            "version": h.version,
            "message_id": h.message_id,
            "cause": h.cause,
            "shadow": h.shadow,
            "stopped": h.stopped,
            "outcomes": list(h.outcomes),
        }
        for h in hits
    ]
    await insert_rows(connection, INSERT, tenant_id, rows)


async def known_causes(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_ids: Sequence[uuid.UUID]
) -> frozenset[tuple[uuid.UUID, uuid.UUID, str]]:
    """(rule, message, cause) of the hits that these messages have already."""
    rows = await connection.execute(KNOWN, {"tenant": tenant_id, "ids": list(message_ids)})
    return frozenset((r.rule_id, r.message_id, r.cause) for r in rows)


async def hits_of_conversation(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID
) -> list[HitRow]:
    """The oldest first, at most 500. The caller has made sure that the viewer may see the conversation."""
    rows = await connection.execute(OF_CONVERSATION, {"tenant": tenant_id, "conversation": conversation_id})
    return [_hit(r) for r in rows]


async def hits_of_message(connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID) -> list[HitRow]:
    rows = await connection.execute(OF_MESSAGE, {"tenant": tenant_id, "message": message_id})
    return [_hit(r) for r in rows]


async def looks_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, Look]:
    rows = await connection.execute(LOOKS, {"tenant": tenant_id, "ids": list(message_ids)})
    return {
        r.message_id: Look(tuple((uuid.UUID(i), int(v)) for i, v in r.rules), r.facts, r.created_at) for r in rows
    }


async def hits_lately(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, floor: uuid.UUID, most: int
) -> dict[uuid.UUID, int]:
    """Hits of each rule since the id `floor`, counted up to `most`."""
    rows = await connection.execute(LATELY, {"tenant": tenant_id, "floor": floor, "most": most})
    return {r.id: int(r.hits) for r in rows}


async def end_chain(
    connection: AsyncConnection,
    behalf: OnBehalf,
    *,
    message_id: uuid.UUID,
    conversation_id: uuid.UUID,
    inbox_id: uuid.UUID,
) -> None:
    """Rules have set each other off, and `behalf` is the one that is stopped (integrity L-10): one notice for a chain, however
    it branched. The desk alone calls it, so that looking before writing is enough.
    """
    cause = f"stopped {behalf.root}"
    asked = {"tenant": behalf.tenant_id, "message": message_id, "cause": cause}
    if (await connection.execute(ENDED_BEFORE, asked)).first() is not None:
        return
    outcome = {"type": "chain", "done": False, "why": f"stopped after {behalf.depth - 1} reactions"}
    hit = Hit(behalf.rule_id, behalf.version, message_id, cause, shadow=False, stopped=True, outcomes=[outcome])
    await record_hits(connection, behalf.tenant_id, [hit])
    event = NewEvent(
        "rule.stopped",
        behalf.tenant_id,
        inbox_id=inbox_id,
        conversation_id=conversation_id,
        payload={"rule_id": str(behalf.rule_id), "depth": behalf.depth - 1},
        causality=behalf.causality,
    )
    await append_events(connection, [event])


def _hit(r: Any) -> HitRow:
    return HitRow(r.rule_id, r.version, r.message_id, r.cause, r.shadow, r.stopped, r.outcomes, r.created_at, r.name)
