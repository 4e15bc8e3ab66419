"""One change to many conversations: who asked for what, what it met, and how far it is.

The rows are the record: `bulk_changes` has one for each conversation, so each is changed at most once, whoever dies and repeats.
`store/bulk_steps.py` carries it out slice by slice.
"""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Conversation
from store.bulk import new_id
from store.event_log import NewEvent, append_events
from store.visibility import Viewer, may_see

MOST = 10_000
UNDO_FOR = dt.timedelta(hours=24)

ADD = text(
    """
    insert into bulks (tenant_id, id, asked_by, actor, change, total)
    values (:tenant, :id, :person, :actor, cast(:change as jsonb), :total)
    """
)
ADD_CHANGES = text(
    """
    insert into bulk_changes (tenant_id, bulk_id, conversation_id) select :tenant, :id, c
    from unnest(cast(:conversations as uuid[])) as c
    """
)
READ = text(
    """
    select id, asked_by, actor, change, state, total, done, changed, restored, "left", created_at, ended_at, undo_until
    from bulks where tenant_id = :tenant and id = :id
    """
)
LOCK = text(f"{READ.text} for no key update")
CANCEL = text(
    """
    update bulks set state = 'cancelled', ended_at = now(), undo_until = :until, updated_at = now()
    where tenant_id = :tenant and id = :id and state = 'running'
    """
)
UNDO = text(
    """
    update bulks set state = 'undoing', updated_at = now()
    where tenant_id = :tenant and id = :id and state in ('done', 'cancelled') and undo_until > now()
    """
)


class CannotUndo(Exception):
    """It is under way, was undone, or its time to be undone is over."""


@dataclass(frozen=True, slots=True)
class BulkRun:
    """`done` of `total` were looked at; of them `changed` were changed. Of an undo: `restored`, and `left` as somebody made them since."""

    id: uuid.UUID
    asked_by: uuid.UUID | None
    actor: str
    change: Mapping[str, Any]
    state: str
    total: int
    done: int
    changed: int
    restored: int
    left: int
    created_at: dt.datetime
    ended_at: dt.datetime | None
    undo_until: dt.datetime | None

    @property
    def under_way(self) -> bool:
        return self.state in ("running", "undoing")


async def create_bulk(
    connection: AsyncConnection, viewer: Viewer, change: Mapping[str, Any], ids: Sequence[uuid.UUID]
) -> BulkRun | None:
    """Write down what is asked, `running`; None when the viewer may see none of these conversations. Others are left out.

    `change` holds `status`, `priority`, `category`, `assigned_to`, `add_tags`, `remove_tags`; what is missing stays as it is. Or it
    holds `merge` alone, as `store/bulk_merge.py` makes it.
    """
    found = await connection.execute(
        select(Conversation.id).where(
            Conversation.tenant_id == viewer.tenant_id,
            Conversation.id.in_(ids),
            Conversation.merged_into.is_(None),
            Conversation.deleted_at.is_(None),
            may_see(viewer, Conversation.inbox_id),
        )
    )
    seen = list(found.scalars())
    if not seen:
        return None
    key = {"tenant": viewer.tenant_id, "id": new_id()}
    await connection.execute(
        ADD,
        {
            **key,
            "person": viewer.user_id,
            "actor": viewer.actor,
            "change": json.dumps(dict(change)),
            "total": len(seen),
        },
    )
    await connection.execute(ADD_CHANGES, {**key, "conversations": seen})
    return await read_bulk(connection, viewer.tenant_id, key["id"])


async def read_bulk(
    connection: AsyncConnection, tenant_id: uuid.UUID, bulk_id: uuid.UUID, *, lock: bool = False
) -> BulkRun | None:
    """The run, held until the transaction ends with `lock`. Who may look is the caller's question."""
    row = (await connection.execute(LOCK if lock else READ, {"tenant": tenant_id, "id": bulk_id})).first()
    return BulkRun(*row) if row is not None else None


async def cancel_bulk(
    connection: AsyncConnection, tenant_id: uuid.UUID, bulk_id: uuid.UUID, *, actor: str, now: dt.datetime
) -> bool:
    """Stop behind the slice that runs now; what is done can be undone. False when nothing runs. Twice is once."""
    bound = {"tenant": tenant_id, "id": bulk_id, "until": now + UNDO_FOR}
    if (await connection.execute(CANCEL, bound)).rowcount == 0:
        return False
    await tell_bulk(connection, tenant_id, bulk_id, actor)
    return True


async def order_undo(connection: AsyncConnection, tenant_id: uuid.UUID, bulk_id: uuid.UUID, *, actor: str) -> None:
    """From now on the steps restore. Raises CannotUndo."""
    if (await connection.execute(UNDO, {"tenant": tenant_id, "id": bulk_id})).rowcount == 0:
        raise CannotUndo
    await tell_bulk(connection, tenant_id, bulk_id, actor)


async def tell_bulk(connection: AsyncConnection, tenant_id: uuid.UUID, bulk_id: uuid.UUID, actor: str) -> None:
    """One event with the counts."""
    run = await read_bulk(connection, tenant_id, bulk_id)
    if run is not None:
        payload = {
            "bulk_id": str(bulk_id),
            "state": run.state,
            "done": run.done,
            "total": run.total,
            "changed": run.changed,
            "restored": run.restored,
            "left": run.left,
        }
        await append_events(connection, [NewEvent("bulk.updated", tenant_id, actor=actor, payload=payload)])
