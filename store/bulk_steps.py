"""The next slice of a bulk change, or of taking one back: one transaction, one conversation after the other in the order of their ids.

Dies in it: the slice is rolled back, the one before stands. Runs twice, also beside itself: the run's row is held, and a conversation
that is no longer `waiting` (or `changed`) is not met again. Late: the run's state says what is still wanted.
"""

import datetime as dt
import json
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk_merge import hold_merge, merge_one, part_one
from store.bulk_one import Made, change_one, restore_one
from store.bulks import UNDO_FOR, BulkRun, read_bulk, tell_bulk
from store.moving import lock_in_order
from store.visibility import Viewer

SLICE = 100

NEXT = text(
    """
    select conversation_id, before, after from bulk_changes
    where tenant_id = :tenant and bulk_id = :id and state = :state order by conversation_id limit :limit
    """
)
SETTLE = text(
    """
    update bulk_changes set state = :state, before = cast(:before as jsonb), after = cast(:after as jsonb)
    where tenant_id = :tenant and bulk_id = :id and conversation_id = :conversation
    """
)
COUNT = text(
    """
    update bulks set done = done + :done, changed = changed + :changed, restored = restored + :restored, "left" = "left" + :left,
      updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
END = text(
    """
    update bulks set state = case state when 'undoing' then 'undone' else 'done' end, ended_at = now(), updated_at = now(),
      undo_until = case state when 'undoing' then null else cast(:until as timestamptz) end
    where tenant_id = :tenant and id = :id
    """
)
PERSON = text("select role from users where tenant_id = :tenant and id = :id and deleted_at is null")


@dataclass(frozen=True, slots=True)
class Stepped:
    """The run after a slice, and the inboxes whose mailbox is to be told something."""

    run: BulkRun
    inboxes: frozenset[uuid.UUID] = frozenset()


async def step_bulk(
    connection: AsyncConnection, tenant_id: uuid.UUID, bulk_id: uuid.UUID, *, now: dt.datetime, limit: int = SLICE
) -> Stepped | None:
    """Carry out the next slice, if anything is wanted. None when there is no such run."""
    run = await read_bulk(connection, tenant_id, bulk_id, lock=True)
    if run is None or not run.under_way:
        return Stepped(run) if run is not None else None
    key = {"tenant": tenant_id, "id": bulk_id}
    undoing = run.state == "undoing"
    wanted = {**key, "state": "changed" if undoing else "waiting", "limit": limit}
    rows = (await connection.execute(NEXT, wanted)).all()
    merge, ids = run.change.get("merge"), [row.conversation_id for row in rows]
    if merge is not None:
        await hold_merge(connection, tenant_id, merge, ids)
    else:
        await lock_in_order(connection, tenant_id, ids)
    make, take_back = (change_one, restore_one) if merge is None else (merge_one, part_one)
    viewer = await _viewer(connection, tenant_id, run)
    inboxes: set[uuid.UUID] = set()
    states: list[str] = []
    for row in rows:
        if viewer is None:
            made = Made("left" if undoing else "skipped", row.before, row.after)
        elif undoing:
            made = await take_back(connection, viewer, row.conversation_id, row.before, row.after)
        else:
            made = await make(connection, viewer, row.conversation_id, run.change)
        inboxes |= {made.inbox_id} if made.inbox_id else set()
        states.append(made.state)
        await connection.execute(
            SETTLE,
            {
                **key,
                "conversation": row.conversation_id,
                "state": made.state,
                "before": json.dumps(dict(made.before)),
                "after": json.dumps(dict(made.after)),
            },
        )
    counts = {name: states.count(name) for name in ("changed", "restored", "left")}
    await connection.execute(COUNT, {**key, **counts, "done": 0 if undoing else len(rows)})
    if len(rows) < limit:
        await connection.execute(END, {**key, "until": now + UNDO_FOR})
    await tell_bulk(connection, tenant_id, bulk_id, run.actor)
    after = await read_bulk(connection, tenant_id, bulk_id)
    return Stepped(after, frozenset(inboxes)) if after is not None else None


async def _viewer(connection: AsyncConnection, tenant_id: uuid.UUID, run: BulkRun) -> Viewer | None:
    """On whose behalf, with the rights of now; None when that person is gone or only looks any more."""
    if run.actor == "api":
        return Viewer(tenant_id, None, True)
    role = (
        await connection.execute(PERSON, {"tenant": tenant_id, "id": run.asked_by})
    ).scalar_one_or_none()
    if role is None or role == "viewer":
        return None
    return Viewer(tenant_id, run.asked_by, role in ("owner", "admin"))
