"""The steps of a message's way out, one row each, in the order in which they happened: the timeline's source.

A step is written in the transaction of the change it tells of. Details are our own sentences or a server's reply with
addresses removed.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LONGEST_DETAIL = 500

APPEND = text(
    """
    insert into send_steps (tenant_id, message_id, attempt, step, detail, code, workflow_run, next_at)
    values (:tenant, :message, :attempt, :step, :detail, :code, :run, :next_at)
    """
)
READ = text(
    """
    select at, attempt, step, detail, code, workflow_run, next_at from send_steps
    where tenant_id = :tenant and message_id = :message order by at, id limit :limit
    """
)


@dataclass(frozen=True, slots=True)
class SendStep:
    """`code` is an SMTP reply code where there was one; `workflow_run` the Temporal run that did the step; `next_at` when
    what was put off is tried again.
    """

    at: dt.datetime
    attempt: int
    step: str
    detail: str
    code: int | None
    workflow_run: str | None
    next_at: dt.datetime | None = None


async def append_step(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    step: str,
    attempt: int = 0,
    detail: str = "",
    code: int | None = None,
    workflow_run: str | None = None,
    next_at: dt.datetime | None = None,
) -> None:
    """Write one step. Repeating the caller's transaction repeats the step only if the transaction commits twice."""
    await connection.execute(
        APPEND,
        {
            "tenant": tenant_id,
            "message": message_id,
            "attempt": attempt,
            "step": step,
            "detail": detail[:LONGEST_DETAIL],
            "code": code,
            "run": workflow_run,
            "next_at": next_at,
        },
    )


async def read_steps(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID, limit: int = 500
) -> list[SendStep]:
    """The steps of one message, oldest first."""
    rows = await connection.execute(READ, {"tenant": tenant_id, "message": message_id, "limit": limit})
    return [SendStep(**row) for row in rows.mappings()]
