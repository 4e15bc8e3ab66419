"""An inbox's folders: which there are, which are synced, and each one's cursor.

The cursor `last_uid` is the end of the contiguous stored range; it moves only in a transaction that stores, and the
database refuses that it goes back (integrity I-3). Folders are parked, never deleted: their messages stay.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import FolderRole, FolderState, GapCause
from store.gaps import close_gap, credit_gaps, open_gap

__all__ = [
    "FolderRow",
    "FolderState",
    "ListedFolder",
    "begin_reset",
    "finish_reset",
    "flags_read",
    "list_folders",
    "lower_cursor",
    "move_cursor",
    "park",
    "read_folder",
    "revive",
    "save_listed",
    "set_first_cursor",
]

SYNCED_ROLES = (FolderRole.INBOX, FolderRole.SENT)
# Isync: some servers change UIDVALIDITY for ever. After so many in a day the folder rests until a day has passed.
RESETS_A_DAY = 5

COLUMNS = """
    id, name, path, role, synced, uidvalidity, first_uid, last_uid, highest_modseq, flags_at, backfill_state,
    backfill_uid, backfill_total, backfill_done, backfill_started_at, backfill_horizon, backfill_epoch, state, state_reason
"""
ALL = text(
    f"""
    select {COLUMNS} from folders where tenant_id = :tenant and inbox_id = :inbox
    order by case role when 'inbox' then 0 when 'sent' then 1 else 2 end, path
    """
)
ONE = text(f"select {COLUMNS} from folders where tenant_id = :tenant and id = :id")
# A folder that is listed again after it was gone is revived with its cursor; a person's choice of `synced` is kept.
SAVE = text(
    """
    insert into folders (tenant_id, inbox_id, path, name, role, synced)
    select :tenant, :inbox, v.* from unnest(
      cast(:paths as text[]), cast(:names as text[]), cast(:roles as text[]), cast(:synced as boolean[])) as v
    on conflict (tenant_id, inbox_id, path) do update set name = excluded.name, role = excluded.role,
      state = case when folders.state = 'parked' and folders.state_reason = 'gone' then 'active' else folders.state end,
      state_reason = case when folders.state_reason = 'gone' then null else folders.state_reason end
    where folders.name <> excluded.name or folders.role <> excluded.role or folders.state_reason = 'gone'
    """
)
BACK_AGAIN = text(
    """
    select id from folders where tenant_id = :tenant and inbox_id = :inbox and path = any(cast(:paths as text[]))
      and state = 'parked' and state_reason = 'gone' and synced
      and (uidvalidity is not null or graph_delta_link is not null) for no key update
    """
)
PARK_MISSING = text(
    """
    update folders set state = 'parked', state_reason = 'gone'
    where tenant_id = :tenant and inbox_id = :inbox and not (path = any(cast(:paths as text[]))) and state <> 'parked'
    """
)
PARK = text(
    "update folders set state = 'parked', state_reason = :reason where tenant_id = :tenant and id = :id"
)
REVIVE = text(
    "update folders set state = 'active', state_reason = null where tenant_id = :tenant and id = :id and state = 'parked'"
)
BEGIN = text(
    """
    update folders set uidvalidity = :uidvalidity, first_uid = :first, last_uid = :last, highest_modseq = null,
      backfill_state = :backfill, backfill_uid = null, backfill_horizon = :horizon
    where tenant_id = :tenant and id = :id and uidvalidity is null
    """
)
MOVE = text(
    """
    update folders set last_uid = :last
    where tenant_id = :tenant and id = :id and uidvalidity = :uidvalidity and last_uid < :last
    """
)
FLAGS_READ = text(
    """
    update folders set highest_modseq = :modseq, flags_at = now()
    where tenant_id = :tenant and id = :id and uidvalidity = :uidvalidity
    """
)
RESETS = text(
    """
    select count(*) from gaps where tenant_id = :tenant and folder_id = :id and cause = 'uidvalidity'
      and opened_at > now() - interval '1 day'
    """
)
# The live sync lists the folder anew down to the horizon, so a backfill under way has nothing left to do.
RESET = text(
    """
    update folders set uidvalidity = :uidvalidity, first_uid = :first, last_uid = :last, highest_modseq = null,
      flags_at = null, state = 'resetting', state_reason = 'uidvalidity', resets = resets + 1,
      backfill_epoch = backfill_epoch + 1, backfill_uid = null,
      backfill_state = case when backfill_state in ('waiting', 'running', 'paused') then 'done' else backfill_state end
    where tenant_id = :tenant and id = :id
    """
)
RESET_DONE = text(
    """
    update folders set state = 'active', state_reason = null
    where tenant_id = :tenant and id = :id and state = 'resetting'
    """
)
FRESH = text(
    """
    select count(*) filter (where reason is distinct from 'rematched') as fresh,
      count(*) filter (where reason is distinct from 'rematched' and state = 'quarantined') as broken
    from ledger
    where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder and uidvalidity = :uidvalidity
    """
)
OPEN_RESET = text(
    """
    select id from gaps where tenant_id = :tenant and folder_id = :id and cause = 'uidvalidity' and closed_at is null
    """
)
# Two steps, because the database refuses that a cursor goes back within one UIDVALIDITY: these numbers begin anew.
FORGET_CURSOR = text(
    "update folders set uidvalidity = null, last_uid = 0 where tenant_id = :tenant and id = :id"
)
LOWER_CURSOR = text(
    """
    update folders set uidvalidity = :uidvalidity, last_uid = cast(:next as bigint) - 1, first_uid = least(first_uid, :next),
      backfill_uid = least(backfill_uid, :next), backfill_epoch = backfill_epoch + 1, highest_modseq = null,
      flags_at = null, resets = resets + 1
    where tenant_id = :tenant and id = :id
    """
)


@dataclass(frozen=True, slots=True)
class ListedFolder:
    """A folder as the server lists it. `path` is its wire name, `role` a word of `models.enums.FolderRole`."""

    path: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A folder with its cursors. `uidvalidity` is None until its first cursor was set."""

    id: uuid.UUID
    name: str
    path: str
    role: str
    synced: bool
    uidvalidity: int | None
    first_uid: int
    last_uid: int
    highest_modseq: int | None
    flags_at: dt.datetime | None
    backfill_state: str
    backfill_uid: int | None
    backfill_total: int
    backfill_done: int
    backfill_started_at: dt.datetime | None
    backfill_horizon: dt.datetime | None
    backfill_epoch: int
    state: str
    state_reason: str | None


async def list_folders(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID
) -> list[FolderRow]:
    """All folders of an inbox: INBOX first, then Sent, then by path."""
    rows = await connection.execute(ALL, {"tenant": tenant_id, "inbox": inbox_id})
    return [FolderRow(**row) for row in rows.mappings()]


async def read_folder(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID
) -> FolderRow | None:
    row = (await connection.execute(ONE, {"tenant": tenant_id, "id": folder_id})).mappings().first()
    return None if row is None else FolderRow(**row)


async def save_listed(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    listed: Sequence[ListedFolder],
    *,
    synced: Sequence[str] = SYNCED_ROLES,
) -> None:
    """Folders that are new are added (those of the roles `synced` to be synced), those that are gone parked, those that are
    back revived.

    An empty list is never read as "all gone": nothing is changed then. Running it twice changes nothing. A synced folder
    that is back was out of sight for a while, which is a gap.
    """
    if not listed:
        return
    place = {"tenant": tenant_id, "inbox": inbox_id}
    paths = [f.path for f in listed]
    for folder_id in (await connection.execute(BACK_AGAIN, {**place, "paths": paths})).scalars().all():
        await open_gap(connection, tenant_id, inbox_id, folder_id, GapCause.LOST_STATE)
    await connection.execute(
        SAVE,
        {
            **place,
            "paths": paths,
            "names": [f.name for f in listed],
            "roles": [f.role for f in listed],
            "synced": [f.role in synced for f in listed],
        },
    )
    await connection.execute(PARK_MISSING, {**place, "paths": paths})


async def park(connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID, reason: str) -> None:
    """Leave a folder alone. `gone` is revived when it is listed again, other reasons by a resync that a person asks for."""
    await connection.execute(PARK, {"tenant": tenant_id, "id": folder_id, "reason": reason})


async def revive(connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID) -> None:
    await connection.execute(REVIVE, {"tenant": tenant_id, "id": folder_id})


async def set_first_cursor(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    folder_id: uuid.UUID,
    *,
    uidvalidity: int,
    last_uid: int,
    backfill_from: dt.datetime | None,
) -> None:
    """What lies up to `last_uid` is history, what comes after is live. A folder that has a cursor keeps it."""
    await connection.execute(
        BEGIN,
        {
            "tenant": tenant_id,
            "id": folder_id,
            "uidvalidity": uidvalidity,
            "first": last_uid + 1,
            "last": last_uid,
            "backfill": "waiting" if backfill_from is not None and last_uid > 0 else "none",
            "horizon": backfill_from,
        },
    )


async def move_cursor(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder: FolderRow, last_uid: int
) -> None:
    """Advance to `last_uid`, in the transaction that gave every UID up to it a ledger row. Never back."""
    bound = {"tenant": tenant_id, "id": folder.id, "uidvalidity": folder.uidvalidity, "last": last_uid}
    await connection.execute(MOVE, bound)


async def flags_read(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder: FolderRow, modseq: int | None
) -> None:
    """Flags are known up to `modseq`, which was taken before they were read."""
    bound = {"tenant": tenant_id, "id": folder.id, "uidvalidity": folder.uidvalidity, "modseq": modseq}
    await connection.execute(FLAGS_READ, bound)


async def begin_reset(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    folder: FolderRow,
    *,
    uidvalidity: int,
    first_uid: int,
    listed: int,
) -> bool:
    """UIDVALIDITY is another one (integrity I-7): open a gap and begin again before `first_uid`.

    False when this happened too often today: the folder is parked instead.
    """
    key = {"tenant": tenant_id, "id": folder.id}
    if int((await connection.execute(RESETS, key)).scalar_one()) >= RESETS_A_DAY:
        await park(connection, tenant_id, folder.id, "uidvalidity_unstable")
        return False
    # One that is still open was overtaken by this change; it counts for the day's limit all the same.
    for gap in (await connection.execute(OPEN_RESET, key)).scalars().all():
        await close_gap(connection, tenant_id, gap)
    await open_gap(connection, tenant_id, inbox_id, folder.id, GapCause.UIDVALIDITY, listed=listed)
    await connection.execute(
        RESET, {**key, "uidvalidity": uidvalidity, "first": first_uid, "last": max(first_uid - 1, 0)}
    )
    return True


async def finish_reset(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, folder: FolderRow
) -> None:
    """Every mail of the folder has its new identity: the gap is closed with what it had missed."""
    await connection.execute(RESET_DONE, {"tenant": tenant_id, "id": folder.id})
    place = {"tenant": tenant_id, "inbox": inbox_id, "folder": folder.id, "uidvalidity": folder.uidvalidity}
    new = (await connection.execute(FRESH, place)).one()
    for gap in (await connection.execute(OPEN_RESET, {"tenant": tenant_id, "id": folder.id})).scalars().all():
        await credit_gaps(
            connection, tenant_id, [gap], refilled=new.fresh - new.broken, quarantined=new.broken
        )
        await close_gap(connection, tenant_id, gap)


async def lower_cursor(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder: FolderRow, *, next_uid: int
) -> None:
    """The server counts on from `next_uid`, below what was read (the caller has opened a gap for it): what comes from
    there on is live. A backfill under way stops at its next write and is started again by the sweep.
    """
    key = {"tenant": tenant_id, "id": folder.id}
    await connection.execute(FORGET_CURSOR, key)
    await connection.execute(LOWER_CURSOR, {**key, "uidvalidity": folder.uidvalidity, "next": next_uid})
