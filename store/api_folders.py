"""Folders of mailboxes behind a web API: which place of the mailbox each stands for, and how far its first listing is.

Gmail is read as a whole, by the one synced folder with the path `*`; its labels are folders that only say where a mail lies.
Graph is read folder by folder. The progress of the first listing uses the columns of a backfill, so people see it as one.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import BackfillState
from store.backfill import tell_progress

WHOLE = "*"  # no label's id and no folder's: the whole mailbox

LIST = text(
    """
    select id, path, name, role, synced, state, state_reason, backfill_state, backfill_total, backfill_done,
      backfill_horizon, listing_after
    from folders where tenant_id = :tenant and inbox_id = :inbox
    order by case role when 'inbox' then 0 when 'sent' then 1 else 2 end, path
    """
)
BEGIN = text(
    """
    update folders set backfill_state = 'running', backfill_started_at = now(),
      backfill_horizon = coalesce(backfill_horizon, :horizon), backfill_done = 0, listing_after = null
    where tenant_id = :tenant and id = :folder
    """
)
ADVANCE = text(
    """
    update folders set listing_after = :after, backfill_done = backfill_done + :done,
      backfill_total = greatest(coalesce(:total, backfill_total), backfill_done + :done)
    where tenant_id = :tenant and id = :folder and backfill_state = 'running'
    """
)
FINISH = text(
    """
    update folders set listing_after = null, backfill_state = 'done', backfill_done = backfill_done + :done,
      backfill_total = backfill_done + :done
    where tenant_id = :tenant and id = :folder and backfill_state = 'running'
    """
)


@dataclass(frozen=True, slots=True)
class ApiFolder:
    """`listing_after` asks for the next page of a first listing; None at its beginning and after its end."""

    id: uuid.UUID
    path: str
    name: str
    role: str
    synced: bool
    state: str
    state_reason: str | None
    backfill_state: str
    backfill_total: int
    backfill_done: int
    backfill_horizon: dt.datetime | None
    listing_after: str | None

    @property
    def begun(self) -> bool:
        return self.backfill_state != BackfillState.NONE

    @property
    def listing(self) -> bool:
        """Whether its first listing is under way."""
        return self.backfill_state == BackfillState.RUNNING


async def list_api_folders(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID
) -> list[ApiFolder]:
    """All folders of an inbox: the inbox first, then Sent, then by path."""
    rows = await connection.execute(LIST, {"tenant": tenant_id, "inbox": inbox_id})
    return [ApiFolder(**row) for row in rows.mappings()]


async def begin_listing(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID, *, horizon: dt.datetime
) -> None:
    """List from the newest mail on, down to `horizon` (the first one given stays). Mails that have a row are only looked at,
    so beginning again repeats no work but the listing.
    """
    await connection.execute(BEGIN, {"tenant": tenant_id, "folder": folder_id, "horizon": horizon})


async def advance_listing(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    folder_id: uuid.UUID,
    *,
    after: str,
    done: int,
    total: int | None,
) -> None:
    """A page of `done` mails has its rows, in this transaction; the next one is asked for by `after`."""
    bound = {"tenant": tenant_id, "folder": folder_id, "after": after, "done": done, "total": total}
    await connection.execute(ADVANCE, bound)
    await tell_progress(connection, tenant_id, folder_id)


async def finish_listing(
    connection: AsyncConnection, tenant_id: uuid.UUID, folder_id: uuid.UUID, *, done: int
) -> None:
    """Everything down to the horizon has its row."""
    await connection.execute(FINISH, {"tenant": tenant_id, "folder": folder_id, "done": done})
    await tell_progress(connection, tenant_id, folder_id)
