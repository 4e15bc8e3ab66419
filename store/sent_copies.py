"""The copy in Sent: where to look and file, and that it was filed. At most one is ever appended (integrity S-11)."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.send_steps import append_step

FOLDERS = text(
    """
    select path, role from folders
    where tenant_id = :tenant and inbox_id = :inbox and role in ('sent', 'all') and state <> 'parked'
    order by (role = 'sent') desc, path
    """
)
MARK = text(
    """
    update messages set sent_copy_at = :now
    where tenant_id = :tenant and id = :id and direction = 'outbound' and sent_copy_at is null
    """
)


@dataclass(frozen=True, slots=True)
class SentFolders:
    """`file_into` is the wire path of Sent, None where the server has none; `search` are the folders that may hold it."""

    file_into: str | None
    search: Sequence[str]


async def sent_folders(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, inbox_id: uuid.UUID
) -> SentFolders:
    """The folders of an inbox in which our sent mail can stand."""
    rows = (await connection.execute(FOLDERS, {"tenant": tenant_id, "inbox": inbox_id})).all()
    sent = next((row.path for row in rows if row.role == "sent"), None)
    return SentFolders(sent, tuple(row.path for row in rows))


async def mark_copied(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    how: str,
    now: dt.datetime,
    workflow_run: str | None = None,
) -> bool:
    """Note that the copy stands in Sent (`how`: filed, already there, not kept by this server). False the second time."""
    marked = await connection.execute(MARK, {"tenant": tenant_id, "id": message_id, "now": now})
    if marked.rowcount == 0:
        return False
    await append_step(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        step="copy_in_sent",
        detail=how,
        workflow_run=workflow_run,
    )
    return True
