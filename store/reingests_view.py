"""Runs of re-ingest and what they planned, as people read them: lists by keyset, and one change with its diffs."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.pages import Page, id_cursor, read_id_cursor
from store.reingests import COLUMNS, RunRow

RUNS = text(
    f"""
    select {COLUMNS}, (select u.name from users u where u.tenant_id = r.tenant_id and u.id = r.asked_by) as asked_by_name
    from reingests r
    where tenant_id = :tenant and (cast(:after as uuid) is null or id < :after)
      and (cast(:one as uuid) is null or id = :one)
    order by id desc limit :limit
    """
)
# Bodies' diffs are left to the view of one change: a page of them would be megabytes.
CHANGES = """
    select c.ledger_id, c.message_id, m.conversation_id, c.inbox_id, i.name as inbox_name, m.subject, m.from_address,
      m.from_name, m.received_at, c.kinds, c.state, c.reason, c.settled_at, {detail} as detail
    from reingest_changes c
    join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
    left join messages m on m.tenant_id = c.tenant_id and m.id = c.message_id
    where c.tenant_id = :tenant and c.reingest_id = :run
"""
SHORT = """
    case when c.detail ? 'body' then jsonb_set(c.detail, '{body}', (
      select jsonb_object_agg(b.key, b.value - 'diff') from jsonb_each(c.detail -> 'body') b)) else c.detail end
"""
KIND = {
    "any": "(cardinality(c.kinds) > 0 or c.state = 'unread')",
    "version": "cardinality(c.kinds) = 0 and c.state <> 'unread'",
}


@dataclass(frozen=True, slots=True)
class Run:
    """A run with the name of who asked for it; None for an API key, or somebody who is gone."""

    row: RunRow
    asked_by_name: str | None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    ledger_id: uuid.UUID
    message_id: uuid.UUID
    conversation_id: uuid.UUID | None
    inbox_id: uuid.UUID
    inbox_name: str
    subject: str | None
    from_address: str | None
    from_name: str | None
    received_at: Any
    kinds: list[str]
    state: str
    reason: str | None
    settled_at: Any
    detail: Mapping[str, Any]


async def list_runs(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, after: str | None, limit: int
) -> Page[Run]:
    """Newest first. Raises BadCursor."""
    bound = {"tenant": tenant_id, "after": read_id_cursor(after) if after else None, "one": None, "limit": limit + 1}
    runs = [_run(row) for row in (await connection.execute(RUNS, bound)).mappings()]
    return Page(runs[:limit], id_cursor(runs[limit - 1].row.id) if len(runs) > limit else None)


async def get_run(connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID) -> Run | None:
    bound = {"tenant": tenant_id, "after": None, "one": run_id, "limit": 1}
    row = (await connection.execute(RUNS, bound)).mappings().first()
    return _run(row) if row else None


async def list_changes(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    run_id: uuid.UUID,
    *,
    kind: str,
    state: str | None,
    after: str | None,
    limit: int,
) -> Page[ChangeRow]:
    """In the order in which the mails came. `kind` is a word of `store.reingest_diff.KINDS`, `any` or `version`."""
    condition = KIND.get(kind, "c.kinds @> array[cast(:kind as text)]")
    statement = text(
        CHANGES.format(detail=SHORT)
        + f""" and {condition} and (cast(:state as text) is null or c.state = :state)
        and (cast(:after as uuid) is null or c.ledger_id > :after) order by c.ledger_id limit :limit"""
    )
    bound: dict[str, Any] = {
        "tenant": tenant_id,
        "run": run_id,
        "state": state,
        "after": read_id_cursor(after) if after else None,
        "limit": limit + 1,
    }
    if kind not in KIND:
        bound["kind"] = kind
    rows = [ChangeRow(**row) for row in (await connection.execute(statement, bound)).mappings()]
    return Page(rows[:limit], id_cursor(rows[limit - 1].ledger_id) if len(rows) > limit else None)


async def get_change(
    connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID, ledger_id: uuid.UUID
) -> ChangeRow | None:
    """One change with the diffs of its bodies."""
    statement = text(CHANGES.format(detail="c.detail") + " and c.ledger_id = :ledger")
    bound = {"tenant": tenant_id, "run": run_id, "ledger": ledger_id}
    row = (await connection.execute(statement, bound)).mappings().first()
    return ChangeRow(**row) if row else None


def _run(row: Mapping[Any, Any]) -> Run:
    given = dict(row)
    name = given.pop("asked_by_name")
    return Run(RunRow(**given), name)
