"""Runs of re-ingest as rows: what is wanted of each, how far it is, and what it planned. The row is the record.

Every attempt of a step takes a new epoch and every write of it begins with `hold_run`: an older attempt, or one whose run
was paused or cancelled meanwhile, finds another epoch and writes nothing.
"""

import datetime as dt
import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import ReingestChangeState, ReingestState
from store.bulk import insert_rows, insertion, new_id, rows_of
from store.event_log import NewEvent, append_events
from store.inbox_state import LeaseLost
from store.incoming import PARSER_VERSION
from store.reingest_selection import Selected, Selection

__all__ = ["Change", "ReingestChangeState", "ReingestState", "RunRow"]

COLUMNS = """
    id, selection, state, paused_at, asked_by, actor, parser_version, epoch, newest, planned_to, total, done, changed,
    outdated, to_apply, applied, failures, error, created_at, planned_at, apply_asked_at, ended_at
"""
# One at a time for a tenant: two runs over one mail would plan from what the other is about to change.
TURN = text("select pg_advisory_xact_lock(:purpose, hashtext(:tenant))")
PURPOSE = 1_767_900_002
BUSY = text("select id from reingests where tenant_id = :tenant and state in ('planning', 'applying') limit 1")
CREATE = text(
    f"""
    insert into reingests (tenant_id, id, selection, asked_by, actor, parser_version, newest, total)
    values (:tenant, :id, cast(:selection as jsonb), :asked_by, :actor, :parser, :newest, :total)
    returning {COLUMNS}
    """
)
READ = text(f"select {COLUMNS} from reingests where tenant_id = :tenant and id = :id")
# What each order may change; the new epoch stops a step that is under way at its next write.
ORDERS = {
    "pause": "paused_at = now() where state in ('planning', 'applying') and paused_at is null",
    "resume": "paused_at = null where state in ('planning', 'applying') and paused_at is not null",
    "cancel": "state = 'cancelled', paused_at = null, ended_at = now() where state in ('planning', 'planned', 'applying')",
    "apply": "state = 'applying', apply_asked_at = now() where state = 'planned' and to_apply > 0",
}
TAKE = text(
    f"update reingests set epoch = epoch + 1 where tenant_id = :tenant and id = :id returning {COLUMNS}"
)
HOLD = text(
    """
    select id from reingests
    where tenant_id = :tenant and id = :id and epoch = :epoch and paused_at is null and state = :state for no key update
    """
)
CHANGE_COLUMNS = {
    "reingest_id": "uuid",
    "ledger_id": "uuid",
    "message_id": "uuid",
    "inbox_id": "uuid",
    "kinds": "text[]",
    "before": "text",
    "after": "text",
    "detail": "jsonb",
    "state": "text",
    "reason": "text",
}
RECORD = insertion("reingest_changes", CHANGE_COLUMNS)
ADVANCE = text(
    """
    update reingests set planned_to = :to, done = done + :done, changed = changed + :changed,
      outdated = outdated + :outdated, to_apply = to_apply + :to_apply, failures = cast(:failures as jsonb),
      updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
END_PLAN = text(
    """
    update reingests set state = case when to_apply > 0 then 'planned' else 'applied' end, done = total,
      planned_at = now(), ended_at = case when to_apply > 0 then null else now() end, updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
NEXT = text(
    """
    select ledger_id, message_id, inbox_id, kinds, before, after, detail from reingest_changes
    where tenant_id = :tenant and reingest_id = :id and state = 'planned' order by ledger_id limit :limit
    """
)
SETTLED_COLUMNS = {"ledger_id": "uuid", "state": "text", "reason": "text"}
SETTLE = text(
    f"""
    update reingest_changes c set state = v.state, reason = v.reason, settled_at = now()
    from ({rows_of(SETTLED_COLUMNS)}) as v
    where c.tenant_id = :tenant and c.reingest_id = :id and c.ledger_id = v.ledger_id and c.state = 'planned'
    """
)
APPLIED = text(
    """
    update reingests set applied = applied + :applied, failures = cast(:failures as jsonb), updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
END_APPLY = text(
    "update reingests set state = 'applied', ended_at = now(), updated_at = now() where tenant_id = :tenant and id = :id"
)
GIVE_UP = text(
    """
    update reingests set state = 'cancelled', error = :error, ended_at = now(), updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)


class AnotherRuns(Exception):
    """Another run of this tenant is under way; `id` is its id."""

    def __init__(self, run_id: uuid.UUID) -> None:
        super().__init__("another re-ingest is under way")
        self.id = run_id


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `outdated`: mails of which only the parser's version differs. `failures` counts by reason."""

    id: uuid.UUID
    selection: dict[str, Any]
    state: str
    paused_at: dt.datetime | None
    asked_by: uuid.UUID | None
    actor: str
    parser_version: int
    epoch: int
    newest: uuid.UUID
    planned_to: uuid.UUID | None
    total: int
    done: int
    changed: int
    outdated: int
    to_apply: int
    applied: int
    failures: dict[str, int]
    error: str | None
    created_at: dt.datetime
    planned_at: dt.datetime | None
    apply_asked_at: dt.datetime | None
    ended_at: dt.datetime | None

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    @property
    def another_parser(self) -> bool:
        """Whether it was asked of a parser that is no longer the one that runs."""
        return self.parser_version != PARSER_VERSION


@dataclass(frozen=True, slots=True)
class Change:
    """What is planned for one mail. `kinds` empty: only its parser's version. `unread` names why there is no reading."""

    ledger_id: uuid.UUID
    message_id: uuid.UUID
    inbox_id: uuid.UUID
    kinds: tuple[str, ...]
    before: str
    after: str
    detail: Mapping[str, Any]
    unread: str | None = None


async def create_run(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    selection: Selection,
    selected: Selected,
    *,
    asked_by: uuid.UUID | None,
    actor: str,
) -> RunRow:
    """A run over what was selected. Raises AnotherRuns, and ValueError when nothing was selected."""
    if selected.newest is None:
        raise ValueError("nothing is selected")
    await connection.execute(TURN, {"purpose": PURPOSE, "tenant": str(tenant_id)})
    busy = (await connection.execute(BUSY, {"tenant": tenant_id})).scalar_one_or_none()
    if busy is not None:
        raise AnotherRuns(busy)
    bound = {
        "tenant": tenant_id,
        "id": new_id(),
        "selection": json.dumps(selection.as_json()),
        "asked_by": asked_by,
        "actor": actor,
        "parser": PARSER_VERSION,
        "newest": selected.newest,
        "total": selected.messages,
    }
    run = RunRow(**(await connection.execute(CREATE, bound)).one()._asdict())
    await tell_run(connection, tenant_id, run)
    return run


async def read_run(connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID) -> RunRow | None:
    row = (await connection.execute(READ, {"tenant": tenant_id, "id": run_id})).first()
    return RunRow(**row._asdict()) if row else None


async def order_run(
    connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID, action: str, *, actor: str
) -> RunRow | None:
    """Give an order of `ORDERS`; None when the run is not in a state for it. Raises AnotherRuns, KeyError."""
    if action == "apply":
        await connection.execute(TURN, {"purpose": PURPOSE, "tenant": str(tenant_id)})
        busy = (await connection.execute(BUSY, {"tenant": tenant_id})).scalar_one_or_none()
        if busy not in (None, run_id):
            raise AnotherRuns(busy)
    values, condition = ORDERS[action].split(" where ")
    statement = text(
        f"update reingests set {values}, epoch = epoch + 1, updated_at = now() "
        f"where tenant_id = :tenant and id = :id and {condition} returning {COLUMNS}"
    )
    row = (await connection.execute(statement, {"tenant": tenant_id, "id": run_id})).first()
    if row is None:
        return None
    run = RunRow(**row._asdict())
    await tell_run(connection, tenant_id, run, actor=actor)
    return run


async def take_run(connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID) -> RunRow | None:
    """Begin an attempt: its epoch ends the right of every older one. None when the run is gone."""
    row = (await connection.execute(TAKE, {"tenant": tenant_id, "id": run_id})).first()
    return RunRow(**row._asdict()) if row else None


async def hold_run(connection: AsyncConnection, tenant_id: uuid.UUID, run: RunRow) -> RunRow:
    """First statement of every write of an attempt: the row as it stands now, kept until commit. Raises LeaseLost."""
    bound = {"tenant": tenant_id, "id": run.id, "epoch": run.epoch, "state": run.state}
    if (await connection.execute(HOLD, bound)).first() is None:
        raise LeaseLost
    current = await read_run(connection, tenant_id, run.id)
    if current is None:
        raise LeaseLost
    return current


async def record_changes(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    run: RunRow,
    changes: Sequence[Change],
    *,
    to: uuid.UUID,
    done: int,
) -> None:
    """What a page of `done` mails came to, in one transaction with the place where the next page begins."""
    rows = [
        {
            "reingest_id": run.id,
            "ledger_id": c.ledger_id,
            "message_id": c.message_id,
            "inbox_id": c.inbox_id,
            "kinds": list(c.kinds),
            "before": c.before,
            "after": c.after,
            "detail": dict(c.detail),
            "state": (ReingestChangeState.UNREAD if c.unread else ReingestChangeState.PLANNED).value,
            "reason": c.unread,
        }
        for c in changes
    ]
    await insert_rows(connection, RECORD, tenant_id, rows)
    read = [c for c in changes if c.unread is None]
    failures = Counter(run.failures) + Counter(c.unread for c in changes if c.unread)
    await connection.execute(
        ADVANCE,
        {
            "tenant": tenant_id,
            "id": run.id,
            "to": to,
            "done": done,
            "changed": sum(bool(c.kinds) for c in read),
            "outdated": sum(not c.kinds for c in read),
            "to_apply": len(read),
            "failures": json.dumps(failures),
        },
    )


async def end_plan(connection: AsyncConnection, tenant_id: uuid.UUID, run: RunRow) -> None:
    """Everything is compared. A run that found nothing to write has ended."""
    await connection.execute(END_PLAN, {"tenant": tenant_id, "id": run.id})


async def next_changes(
    connection: AsyncConnection, tenant_id: uuid.UUID, run: RunRow, *, limit: int
) -> list[Change]:
    """Planned changes that are not applied yet."""
    rows = await connection.execute(NEXT, {"tenant": tenant_id, "id": run.id, "limit": limit})
    return [
        Change(r.ledger_id, r.message_id, r.inbox_id, tuple(r.kinds), r.before, r.after, r.detail) for r in rows
    ]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one planned change."""

    ledger_id: uuid.UUID
    state: ReingestChangeState
    reason: str | None = None


async def settle_changes(
    connection: AsyncConnection, tenant_id: uuid.UUID, run: RunRow, settled: Sequence[Settled]
) -> None:
    """In the transaction that made it so. `run` is the row as `hold_run` gave it."""
    rows = [{"ledger_id": s.ledger_id, "state": s.state.value, "reason": s.reason} for s in settled]
    failures = Counter(run.failures)
    failures += Counter(
        s.reason or "unknown" for s in settled if s.state is not ReingestChangeState.APPLIED
    )
    await connection.execute(SETTLE, {"tenant": tenant_id, "id": run.id, "rows": json.dumps(rows, default=str)})
    applied = sum(s.state is ReingestChangeState.APPLIED for s in settled)
    await connection.execute(
        APPLIED, {"tenant": tenant_id, "id": run.id, "applied": applied, "failures": json.dumps(failures)}
    )


async def end_apply(connection: AsyncConnection, tenant_id: uuid.UUID, run: RunRow) -> None:
    await connection.execute(END_APPLY, {"tenant": tenant_id, "id": run.id})


async def give_up(connection: AsyncConnection, tenant_id: uuid.UUID, run: RunRow, error: str) -> None:
    """End a run that can go no further. `error` is our own sentence."""
    await connection.execute(GIVE_UP, {"tenant": tenant_id, "id": run.id, "error": error})


async def tell_run(
    connection: AsyncConnection, tenant_id: uuid.UUID, run: RunRow, *, actor: str = "system"
) -> None:
    """How far it is: the one event of a run, coalesced by the caller."""
    payload = {
        "reingest_id": str(run.id),
        "state": run.state,
        "paused": run.paused_at is not None,
        "done": run.done,
        "total": run.total,
        "changed": run.changed,
        "failed": run.failed,
        "to_apply": run.to_apply,
        "applied": run.applied,
    }
    await append_events(connection, [NewEvent("reingest.progress", tenant_id, actor=actor, payload=payload)])
