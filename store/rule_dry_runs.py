"""Dry runs of rules over stored mail: begun once, carried on in bounded steps, each adding to the counts in its transaction.

Whoever carries a run on holds its row: two at once take turns, and the second goes on where the first came to.
"""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

KEPT_DAYS = 7
SAMPLE = 20
COLUMNS = """
    id, rule, rule_id, days, state, since, behind, newest, looked_at, matched, unknown, counts, sample, created_at
"""
# Old runs go when a new one is begun: they are of no use once rules and mail have moved on.
FORGET = text("delete from rule_dry_runs where tenant_id = :tenant and created_at < :before")
BEGIN = text(
    f"""
    insert into rule_dry_runs (tenant_id, rule, rule_id, days, since, newest, state, actor)
    values (:tenant, cast(:rule as jsonb), :rule_id, :days, :since, :newest, :state, :actor) returning {COLUMNS}
    """
)
READ = text(f"select {COLUMNS} from rule_dry_runs where tenant_id = :tenant and id = :id")
HOLD = text(f"select {COLUMNS} from rule_dry_runs where tenant_id = :tenant and id = :id for no key update")
MOVE = text(
    f"""
    update rule_dry_runs set behind = :behind, state = :state, looked_at = looked_at + :looked_at, matched = matched + :matched,
      unknown = unknown + :unknown, counts = cast(:counts as jsonb), sample = cast(:sample as jsonb), updated_at = now()
    where tenant_id = :tenant and id = :id returning {COLUMNS}
    """
)
SAMPLED = text(
    """
    select m.id as message_id, m.conversation_id, c.number, m.subject, m.from_address, m.from_name, m.received_at
    from messages m join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
    where m.tenant_id = :tenant and m.id = any(cast(:ids as uuid[])) order by m.id desc
    """
)


@dataclass(frozen=True, slots=True)
class DryRunRow:
    """`counts` as `rules.routing_trial` adds them up; `sample` are ids of messages, the latest that matched."""

    id: uuid.UUID
    rule: dict[str, Any]
    rule_id: uuid.UUID | None
    days: int
    state: str
    since: dt.datetime
    behind: uuid.UUID | None
    newest: uuid.UUID
    looked_at: int
    matched: int
    unknown: int
    counts: dict[str, Any]
    sample: list[str]
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class SampledMail:
    message_id: uuid.UUID
    conversation_id: uuid.UUID
    number: int
    subject: str
    from_address: str
    from_name: str
    received_at: dt.datetime


async def begin_dry_run(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    *,
    rule: Mapping[str, Any],
    rule_id: uuid.UUID | None,
    days: int,
    newest: uuid.UUID | None,
    now: dt.datetime,
    actor: str,
) -> DryRunRow:
    """`newest` is where it ends, so that mail which comes meanwhile does not keep it going; None: there is no mail."""
    await connection.execute(FORGET, {"tenant": tenant_id, "before": now - dt.timedelta(days=KEPT_DAYS)})
    bound = {
        "tenant": tenant_id,
        "rule": json.dumps(dict(rule)),
        "rule_id": rule_id,
        "days": days,
        "since": now - dt.timedelta(days=days),
        "newest": newest or uuid.UUID(int=0),
        "state": "done" if newest is None else "running",
        "actor": actor,
    }
    return DryRunRow(**(await connection.execute(BEGIN, bound)).mappings().one())


async def read_dry_run(connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID) -> DryRunRow | None:
    row = (await connection.execute(READ, {"tenant": tenant_id, "id": run_id})).mappings().first()
    return None if row is None else DryRunRow(**row)


async def hold_dry_run(connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID) -> DryRunRow | None:
    """The run under lock, for the transaction that carries it on."""
    row = (await connection.execute(HOLD, {"tenant": tenant_id, "id": run_id})).mappings().first()
    return None if row is None else DryRunRow(**row)


async def move_dry_run(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    run: DryRunRow,
    *,
    behind: uuid.UUID | None,
    done: bool,
    looked_at: int,
    matched: int,
    unknown: int,
    counts: Mapping[str, Any],
    found: Sequence[uuid.UUID],
) -> DryRunRow:
    """The counts of one step, with the place where the next one begins. The caller holds the run."""
    bound = {
        "tenant": tenant_id,
        "id": run.id,
        "behind": behind or run.behind,
        "state": "done" if done else "running",
        "looked_at": looked_at,
        "matched": matched,
        "unknown": unknown,
        "counts": json.dumps(dict(counts)),
        # The latest that matched, since a person knows those best.
        "sample": json.dumps([*run.sample, *map(str, found)][-SAMPLE:]),
    }
    return DryRunRow(**(await connection.execute(MOVE, bound)).mappings().one())


async def sampled_mails(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[str]
) -> list[SampledMail]:
    """Those of them that still stand, the newest first."""
    rows = await connection.execute(SAMPLED, {"tenant": tenant_id, "ids": list(ids)})
    return [SampledMail(**r) for r in rows.mappings()]
