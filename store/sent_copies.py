"""The copy in Sent: where to look and file, that it was filed, and when to try again. At most one is ever appended
(integrity S-11).

`copy_due_at` is the promise that the copy is not forgotten: it is set with the acceptance, moved on by each round of
tries, and cleared when the copy stands in Sent or after the last round. The sweep starts what is due.
"""

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
    update messages set sent_copy_at = :now, copy_due_at = null
    where tenant_id = :tenant and id = :id and direction = 'outbound' and sent_copy_at is null
    """
)
SEEN = text("select sent_copy_at is not null from messages where tenant_id = :tenant and id = :id")
# Rounds of eight tries each: the first right after the sending, then after 10 minutes, 1, 4, 16 and 64 hours.
FIRST_ROUND_AFTER = dt.timedelta(minutes=10)
ROUNDS_AFTER = tuple(dt.timedelta(hours=h) for h in (1, 4, 16, 64))
AWAIT = text(
    """
    update messages set copy_due_at = :due, copy_tries = 0
    where tenant_id = :tenant and id = :id and sent_copy_at is null and raw_key is not null
    """
)
NEXT_ROUND = text(
    """
    update messages set copy_tries = copy_tries + 1,
      copy_due_at = cast(:now as timestamptz) + (cast(:waits as interval[]))[copy_tries + 1]
    where tenant_id = :tenant and id = :id and copy_due_at <= :now
    """
)
NOT_FILED = text("select copy_due_at, copy_tries from messages where tenant_id = :tenant and id = :id")
NO_MORE = text("update messages set copy_due_at = null where tenant_id = :tenant and id = :id")


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


async def await_copy(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID, now: dt.datetime
) -> None:
    """A server took the mail: its copy is looked after until it stands in Sent, for a little less than four days."""
    await connection.execute(AWAIT, {"tenant": tenant_id, "id": message_id, "due": now + FIRST_ROUND_AFTER})


async def begin_round(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID, now: dt.datetime
) -> None:
    """Move the due time on before a round of tries, so that dying in it is no endless loop. Early: nothing changes."""
    bound = {"tenant": tenant_id, "id": message_id, "now": now, "waits": list(ROUNDS_AFTER)}
    await connection.execute(NEXT_ROUND, bound)


async def note_not_filed(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    why: str,
    workflow_run: str | None = None,
) -> None:
    """A round of tries is over without a copy: a step that says when the next one is, or that there is none."""
    row = (await connection.execute(NOT_FILED, {"tenant": tenant_id, "id": message_id})).one()
    await append_step(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        step="copy_put_off" if row.copy_due_at else "copy_given_up",
        detail=why,
        workflow_run=workflow_run,
        next_at=row.copy_due_at,
    )


async def no_copy(connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID) -> None:
    """This mailbox has no Sent folder: nothing is to be tried again."""
    await connection.execute(NO_MORE, {"tenant": tenant_id, "id": message_id})


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


async def copy_seen(connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID) -> bool:
    """Whether the sync has seen this mail in Sent: proof also for a row that a backup knows from before it was frozen."""
    return bool((await connection.execute(SEEN, {"tenant": tenant_id, "id": message_id})).scalar())
