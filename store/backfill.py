"""How far a folder's history is read: the state that people steer, the cursor that moves down, and its progress.

The row is the record; the workflow only follows it. A step holds the folder's own lease (`backfill_epoch`), so backfill
and live sync never fence each other out.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import BackfillState
from store.event_log import NewEvent, append_events
from store.inbox_state import LeaseLost

__all__ = [
    "UNDER_WAY",
    "BackfillLease",
    "BackfillRow",
    "BackfillState",
    "advance_backfill",
    "begin_backfill",
    "finish_backfill",
    "folders_under_way",
    "hold_backfill",
    "order_backfill",
    "read_backfill",
    "take_backfill_lease",
    "tell_progress",
]

UNDER_WAY = (BackfillState.WAITING, BackfillState.RUNNING)
# What each order may change; anything else is refused by changing nothing.
ORDERS: dict[str, tuple[tuple[BackfillState, ...], BackfillState]] = {
    "start": ((BackfillState.NONE, BackfillState.DONE, BackfillState.CANCELLED), BackfillState.WAITING),
    "pause": (UNDER_WAY, BackfillState.PAUSED),
    "resume": ((BackfillState.PAUSED,), BackfillState.WAITING),
    "cancel": ((*UNDER_WAY, BackfillState.PAUSED), BackfillState.CANCELLED),
}

WAITING = text(
    """
    select id from folders where tenant_id = :tenant and inbox_id = :inbox and synced and uidvalidity is not null
      and backfill_state in ('waiting', 'running') order by id
    """
)
READ = text(
    """
    select f.id, f.inbox_id, f.path, f.role, f.uidvalidity, f.first_uid, f.backfill_state, f.backfill_uid,
           f.backfill_total, f.backfill_done, f.backfill_started_at, f.backfill_horizon, f.backfill_epoch, i.created_at,
           i.backfill_days, i.connected_at, i.paused_at
    from folders f join inboxes i on i.tenant_id = f.tenant_id and i.id = f.inbox_id
    where f.tenant_id = :tenant and f.id = :folder and i.deleted_at is null
    """
)
# Starting again after an end goes over the whole range once more; what is in the ledger is not fetched twice.
ORDER = text(
    """
    update folders f set backfill_state = :state, backfill_epoch = f.backfill_epoch + 1,
      backfill_uid = case when :again then null else f.backfill_uid end,
      backfill_done = case when :again then 0 else f.backfill_done end,
      backfill_horizon = case when :again or f.backfill_horizon is null
        then i.created_at - make_interval(days => i.backfill_days::int) else f.backfill_horizon end
    from inboxes i
    where f.tenant_id = :tenant and f.inbox_id = :inbox and i.tenant_id = f.tenant_id and i.id = f.inbox_id
      and (cast(:folder as uuid) is null or f.id = :folder) and f.synced and f.uidvalidity is not null
      and f.backfill_state = any(cast(:from as text[]))
    returning f.id
    """
)
TAKE = text(
    """
    update folders set backfill_epoch = backfill_epoch + 1 where tenant_id = :tenant and id = :folder
    returning backfill_epoch
    """
)
BEGIN = text(
    """
    update folders set backfill_state = 'running', backfill_total = :total, backfill_horizon = :horizon,
      backfill_uid = coalesce(backfill_uid, first_uid), backfill_started_at = coalesce(backfill_started_at, now())
    where tenant_id = :tenant and id = :folder and backfill_state in ('waiting', 'running')
    """
)
HELD = """
    select backfill_state from folders
    where tenant_id = :tenant and id = :folder and backfill_epoch = :epoch and uidvalidity = :uidvalidity
"""
HOLD = text(f"{HELD} for no key update")
HOLD_SHARED = text(f"{HELD} for key share")
ADVANCE = text(
    """
    update folders set backfill_uid = :uid, backfill_done = backfill_done + :done,
      backfill_total = greatest(backfill_total, backfill_done + :done)
    where tenant_id = :tenant and id = :folder
    """
)
FINISH = text(
    """
    update folders set backfill_state = 'done', backfill_total = backfill_done
    where tenant_id = :tenant and id = :folder and backfill_state = 'running'
    """
)


@dataclass(frozen=True, slots=True)
class BackfillRow:
    """A folder's history. Everything from `uid` (None: `first_uid`) upwards is done; `horizon` is the oldest date."""

    id: uuid.UUID
    inbox_id: uuid.UUID
    path: str
    role: str
    uidvalidity: int | None
    first_uid: int
    backfill_state: str
    backfill_uid: int | None
    backfill_total: int
    backfill_done: int
    backfill_started_at: dt.datetime | None
    backfill_horizon: dt.datetime | None
    backfill_epoch: int
    created_at: dt.datetime
    backfill_days: int
    connected_at: dt.datetime | None
    paused_at: dt.datetime | None

    @property
    def state(self) -> BackfillState:
        return BackfillState(self.backfill_state)

    @property
    def below(self) -> int:
        """The next UIDs to be read are smaller than this."""
        return self.backfill_uid if self.backfill_uid is not None else self.first_uid

    @property
    def horizon(self) -> dt.datetime:
        return self.backfill_horizon or self.created_at - dt.timedelta(days=self.backfill_days)


@dataclass(frozen=True, slots=True)
class BackfillLease:
    tenant_id: uuid.UUID
    folder_id: uuid.UUID
    uidvalidity: int
    epoch: int


async def read_backfill(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID
) -> BackfillRow | None:
    row = (await connection.execute(READ, {"tenant": tenant_id, "folder": folder_id})).mappings().first()
    return None if row is None else BackfillRow(**row)


async def folders_under_way(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID
) -> list[uuid.UUID]:
    """Folders whose history is to be read; while their inbox is away, that waits."""
    return list((await connection.execute(WAITING, {"tenant": tenant_id, "inbox": inbox_id})).scalars())


async def order_backfill(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    action: str,
    folder_id: uuid.UUID | None = None,
) -> list[uuid.UUID]:
    """`start`, `pause`, `resume` or `cancel` the backfill of one folder or of all synced ones; the folders that changed.

    The new epoch stops a step that is under way at its next write. Raises KeyError for another action.
    """
    states, target = ORDERS[action]
    answer = await connection.execute(
        ORDER,
        {
            "tenant": tenant_id,
            "inbox": inbox_id,
            "folder": folder_id,
            "from": [s.value for s in states],
            "state": target.value,
            "again": action == "start",
        },
    )
    changed = list(answer.scalars())
    for folder in changed:
        await tell_progress(connection, tenant_id, folder)
    return changed


async def take_backfill_lease(
    connection: AsyncConnection, tenant_id: uuid.UUID, row: BackfillRow
) -> BackfillLease:
    """A new epoch: an older step of this folder writes nothing any more. Raises LeaseLost without a UIDVALIDITY."""
    if row.uidvalidity is None:
        raise LeaseLost
    epoch = (await connection.execute(TAKE, {"tenant": tenant_id, "folder": row.id})).scalar_one()
    return BackfillLease(tenant_id, row.id, row.uidvalidity, epoch)


async def begin_backfill(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    folder_id: uuid.UUID,
    *,
    total: int,
    horizon: dt.datetime,
) -> None:
    """The history was counted: it runs. Repeating it keeps the cursor and the start."""
    await connection.execute(
        BEGIN, {"tenant": tenant_id, "folder": folder_id, "total": total, "horizon": horizon}
    )


async def hold_backfill(
    connection: AsyncConnection, lease: BackfillLease, *, shared: bool = False
) -> BackfillState:
    """First statement of every write transaction of a step. Raises LeaseLost; returns what people want by now. `shared`:
    other transactions of the step may go on meanwhile; for those that do not change the folder itself.
    """
    row = (
        await connection.execute(
            HOLD_SHARED if shared else HOLD,
            {
                "tenant": lease.tenant_id,
                "folder": lease.folder_id,
                "epoch": lease.epoch,
                "uidvalidity": lease.uidvalidity,
            },
        )
    ).first()
    if row is None:
        raise LeaseLost
    return BackfillState(row.backfill_state)


async def advance_backfill(connection: AsyncConnection, lease: BackfillLease, *, uid: int, done: int) -> None:
    """Everything from `uid` upwards is in the ledger: in the transaction that wrote it there."""
    await connection.execute(
        ADVANCE, {"tenant": lease.tenant_id, "folder": lease.folder_id, "uid": uid, "done": done}
    )


async def finish_backfill(connection: AsyncConnection, lease: BackfillLease) -> None:
    await connection.execute(FINISH, {"tenant": lease.tenant_id, "folder": lease.folder_id})


async def tell_progress(connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID) -> None:
    """The one event by which the history's arrival is told, coalesced by the caller."""
    row = await read_backfill(connection, tenant_id, folder_id)
    if row is None:
        return
    event = NewEvent(
        "backfill.progress",
        tenant_id,
        inbox_id=row.inbox_id,
        payload={
            "folder_id": str(folder_id),
            "state": row.backfill_state,
            "done": row.backfill_done,
            "total": row.backfill_total,
        },
    )
    await append_events(connection, [event])
