"""Gaps: stretches in which mail may have been missed, as rows that are opened with a cause, filled, and closed with counts.

A folder with an open gap is compared with the server at every pass until a balance sheet proves that nothing is missing,
so a gap survives whatever dies in between. There is one open gap for each folder and cause.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import GapCause
from store.event_log import NewEvent, append_events
from store.pages import Page, id_cursor, read_id_cursor
from store.visibility import Viewer

__all__ = [
    "GapCause",
    "GapRow",
    "OpenGaps",
    "any_open_gap",
    "close_gap",
    "credit_gaps",
    "found_missing",
    "gaps_of_folder",
    "list_gaps",
    "open_gap",
    "open_gap_of_each_folder",
    "open_gap_of_every_inbox",
    "open_gaps",
]

COLUMNS = """
    g.id, g.tenant_id, g.inbox_id, g.folder_id, g.cause, g.since, g.opened_at, g.closed_at, g.listed, g.missing, g.refilled,
    g.quarantined
"""
# Of an open gap only the counts grow: its cause, its scope and its beginning stay what they were.
OPEN = text(
    """
    insert into gaps as g (tenant_id, inbox_id, folder_id, cause, since, listed, missing)
    values (:tenant, :inbox, :folder, :cause, :since, :listed, :missing)
    on conflict (tenant_id, inbox_id, folder_id, cause) where closed_at is null do update set
      listed = greatest(g.listed, excluded.listed),
      missing = greatest(g.missing, g.refilled + g.quarantined + excluded.missing)
    returning id, xmax = 0 as new
    """
)
# One that is read over a web API has no UIDVALIDITY; its first listing has begun.
FOLDERS = text(
    """
    select id from folders where tenant_id = :tenant and inbox_id = :inbox and synced
      and (uidvalidity is not null or backfill_started_at is not null)
    order by id
    """
)
INBOXES = text(
    """
    select tenant_id, id, last_sync_at from inboxes
    where deleted_at is null and last_sync_at is not null order by tenant_id, id
    """
)
OF_FOLDER = text(
    f"select {COLUMNS} from gaps g where tenant_id = :tenant and folder_id = :folder and closed_at is null order by id"
)
ANY_OPEN = text(
    """
    select exists (select from gaps g join folders f on f.tenant_id = g.tenant_id and f.id = g.folder_id
      where g.tenant_id = :tenant and g.inbox_id = :inbox and g.closed_at is null and f.synced and f.state <> 'parked')
    """
)
CREDIT = text(
    """
    update gaps set refilled = refilled + :refilled, quarantined = quarantined + :quarantined,
      missing = greatest(missing, refilled + quarantined + :refilled + :quarantined)
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and closed_at is null
    """
)
FOUND = text(
    """
    update gaps set listed = greatest(listed, :listed), missing = greatest(missing, refilled + quarantined + :missing)
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and closed_at is null
    """
)
CLOSE = text(
    f"""
    update gaps g set closed_at = now(), listed = greatest(listed, :listed)
    where tenant_id = :tenant and id = :id and closed_at is null returning {COLUMNS}
    """
)
PAGE = f"""
    select {COLUMNS}, f.name as folder from gaps g
    left join folders f on f.tenant_id = g.tenant_id and f.id = g.folder_id
    where g.tenant_id = :tenant and g.inbox_id = :inbox %s order by g.id desc limit :limit
"""
FIRST_PAGE = text(PAGE % "")
NEXT_PAGE = text(PAGE % "and g.id < :after")
ALL_OPEN = text(
    """
    select g.tenant_id, g.inbox_id, g.cause, count(*) as gaps, min(g.opened_at) as oldest_at,
      sum(greatest(g.missing - g.refilled - g.quarantined, 0)) as missing
    from gaps g where g.closed_at is null group by g.tenant_id, g.inbox_id, g.cause
    """
)


@dataclass(frozen=True, slots=True)
class GapRow:
    """One gap. `since` is the last moment of which we know that nothing was missing, where there is one."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    folder_id: uuid.UUID | None
    cause: str
    since: dt.datetime | None
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    listed: int
    missing: int
    refilled: int
    quarantined: int
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class OpenGaps:
    """The open gaps of one inbox and cause: how many, since when, and how many mails are still to be had."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    cause: str
    gaps: int
    oldest_at: dt.datetime
    missing: int


async def open_gap(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    folder_id: uuid.UUID | None,
    cause: GapCause,
    *,
    listed: int = 0,
    missing: int = 0,
    since: dt.datetime | None = None,
) -> uuid.UUID:
    """Open a gap, or add to the one that is open; its id. Tells the event log only of a new one."""
    row = (
        await connection.execute(
            OPEN,
            {
                "tenant": tenant_id,
                "inbox": inbox_id,
                "folder": folder_id,
                "cause": cause.value,
                "since": since,
                "listed": listed,
                "missing": missing,
            },
        )
    ).one()
    gap_id: uuid.UUID = row.id
    if row.new:
        payload = {"gap_id": str(gap_id), "cause": cause.value, "missing": missing}
        if folder_id is not None:
            payload["folder_id"] = str(folder_id)
        await append_events(
            connection, [NewEvent("gap.opened", tenant_id, inbox_id=inbox_id, payload=payload)]
        )
    return gap_id


async def open_gap_of_each_folder(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    cause: GapCause,
    *,
    since: dt.datetime | None = None,
) -> int:
    """A gap for each synced folder that has a cursor: what befell the whole inbox. How many folders there are."""
    folders = (await connection.execute(FOLDERS, {"tenant": tenant_id, "inbox": inbox_id})).scalars().all()
    for folder_id in folders:
        await open_gap(connection, tenant_id, inbox_id, folder_id, cause, since=since)
    return len(folders)


async def open_gap_of_every_inbox(connection: AsyncConnection, cause: GapCause) -> int:
    """As above for every inbox that was ever synced, since its last sync: the database came back from a backup. As the
    system. How many gaps are open now by it.
    """
    opened = 0
    for row in (await connection.execute(INBOXES)).all():
        opened += await open_gap_of_each_folder(
            connection, row.tenant_id, row.id, cause, since=row.last_sync_at
        )
    return opened


async def gaps_of_folder(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID
) -> list[GapRow]:
    """The open gaps of a folder, oldest first."""
    rows = await connection.execute(OF_FOLDER, {"tenant": tenant_id, "folder": folder_id})
    return [GapRow(**row) for row in rows.mappings()]


async def any_open_gap(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> bool:
    """Whether something of this inbox can be compared and filled now. A folder that is parked keeps its gap until it is
    back.
    """
    return bool((await connection.execute(ANY_OPEN, {"tenant": tenant_id, "inbox": inbox_id})).scalar_one())


async def credit_gaps(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    gap_ids: Sequence[uuid.UUID],
    *,
    refilled: int,
    quarantined: int,
) -> None:
    """These mails came in while the gaps were open: in the transaction that gave them their rows."""
    if gap_ids and (refilled or quarantined):
        bound = {"tenant": tenant_id, "ids": list(gap_ids), "refilled": refilled, "quarantined": quarantined}
        await connection.execute(CREDIT, bound)


async def found_missing(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    gap_ids: Sequence[uuid.UUID],
    *,
    listed: int,
    missing: int,
) -> None:
    """A listing for these gaps: so many mails are there, and so many are still to be had. Twice is once."""
    if gap_ids:
        bound = {"tenant": tenant_id, "ids": list(gap_ids), "listed": listed, "missing": missing}
        await connection.execute(FOUND, bound)


async def close_gap(
    connection: AsyncConnection, tenant_id: uuid.UUID, gap_id: uuid.UUID, *, listed: int = 0
) -> None:
    """Close it and tell what it held. One that is closed already stays as it is."""
    bound = {"tenant": tenant_id, "id": gap_id, "listed": listed}
    row = (await connection.execute(CLOSE, bound)).first()
    if row is None:
        return
    payload = {
        "gap_id": str(gap_id),
        "cause": row.cause,
        "listed": row.listed,
        "missing": row.missing,
        "refilled": row.refilled,
        "quarantined": row.quarantined,
    }
    if row.folder_id is not None:
        payload["folder_id"] = str(row.folder_id)
    await append_events(
        connection, [NewEvent("gap.closed", tenant_id, inbox_id=row.inbox_id, payload=payload)]
    )


async def list_gaps(
    connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID, *, after: str | None, limit: int
) -> Page[GapRow]:
    """A page of an inbox's gaps, newest first. The caller has checked that the viewer may see it. Raises BadCursor."""
    bound = {"tenant": viewer.tenant_id, "inbox": inbox_id, "limit": limit + 1}
    if after is None:
        answer = await connection.execute(FIRST_PAGE, bound)
    else:
        answer = await connection.execute(NEXT_PAGE, {**bound, "after": read_id_cursor(after)})
    rows = [GapRow(**row) for row in answer.mappings()]
    return Page(rows[:limit], id_cursor(rows[limit - 1].id) if len(rows) > limit else None)


async def open_gaps(connection: AsyncConnection) -> list[OpenGaps]:
    """Open gaps by inbox and cause over all tenants, for the operators' figures. As the system."""
    return [OpenGaps(**row) for row in (await connection.execute(ALL_OPEN)).mappings()]
