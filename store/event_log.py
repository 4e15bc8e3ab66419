"""The event log: appended in the transaction that makes the change, read without ever skipping a late commit.

Readers order by `(xid, id)` and read only below `pg_snapshot_xmin(pg_current_snapshot())`: every transaction below that
line has ended, so nothing can still appear behind a cursor.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Event

READ_AFTER = text(
    """
    select id, xid::text as xid, tenant_id, inbox_id, conversation_id, message_id, type, actor, payload, causality, created_at
    from events
    where (xid, id) > (cast(:xid as xid8), :id) and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by xid, id limit :limit
    """
)
READ_AFTER_OF_TENANT = text(
    """
    select id, xid::text as xid, tenant_id, inbox_id, conversation_id, message_id, type, actor, payload, causality, created_at
    from events
    where tenant_id = :tenant and (xid, id) > (cast(:xid as xid8), :id)
      and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by xid, id limit :limit
    """
)
# The line below which everything has ended: a reader that starts here misses nothing and repeats nothing.
HEAD = text("select pg_snapshot_xmin(pg_current_snapshot())::text")
OLDEST = text("select xid::text as xid, id from events order by xid, id limit 1")


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the log. As text `xid.id`; both numbers only ever grow."""

    xid: int
    id: int

    def __str__(self) -> str:
        return f"{self.xid}.{self.id}"

    @classmethod
    def parse(cls, value: str) -> "Cursor":
        """Read `xid.id`. Raises ValueError for anything else."""
        xid, dot, number = value.partition(".")
        if not dot or not xid.isascii() or not xid.isdigit() or not number.isascii() or not number.isdigit():
            raise ValueError("an event cursor looks like `12345.678`")
        if len(xid) > 19 or len(number) > 18:
            raise ValueError("an event cursor holds two 64-bit numbers")
        return cls(int(xid), int(number))


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. `payload` holds ids, statuses and counts only: it reaches every client that may see the row.
    `causality` says which reactions led here: `depth` counts them, and is 0 for what people and mail do.
    """

    type: str
    tenant_id: uuid.UUID
    inbox_id: uuid.UUID | None = None
    conversation_id: uuid.UUID | None = None
    message_id: uuid.UUID | None = None
    actor: str = "system"
    payload: Mapping[str, Any] = field(default_factory=dict)
    causality: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    cursor: Cursor
    type: str
    tenant_id: uuid.UUID
    inbox_id: uuid.UUID | None
    conversation_id: uuid.UUID | None
    message_id: uuid.UUID | None
    actor: str
    payload: dict[str, Any]
    at: dt.datetime
    causality: dict[str, Any] = field(default_factory=dict)


async def append_events(connection: AsyncConnection, events: Sequence[NewEvent]) -> None:
    """Write events in the caller's transaction: they exist exactly when its change does."""
    if events:
        await connection.execute(
            insert(Event),
            [
                {
                    "type": e.type,
                    "tenant_id": e.tenant_id,
                    "inbox_id": e.inbox_id,
                    "conversation_id": e.conversation_id,
                    "message_id": e.message_id,
                    "actor": e.actor,
                    "payload": dict(e.payload),
                    "causality": dict(e.causality),
                }
                for e in events
            ],
        )


async def head(connection: AsyncConnection) -> Cursor:
    """The cursor of a reader that wants only what comes from now on."""
    return Cursor(int((await connection.execute(HEAD)).scalar_one()), 0)


async def read_after(
    connection: AsyncConnection, cursor: Cursor, *, limit: int = 500, tenant_id: uuid.UUID | None = None
) -> list[LoggedEvent]:
    """The next events behind `cursor`, oldest first; all tenants' when read as the system."""
    bound: dict[str, Any] = {"xid": str(cursor.xid), "id": cursor.id, "limit": limit}
    statement = READ_AFTER
    if tenant_id is not None:
        statement, bound["tenant"] = READ_AFTER_OF_TENANT, tenant_id
    rows = (await connection.execute(statement, bound)).all()
    return [
        LoggedEvent(
            cursor=Cursor(int(r.xid), r.id),
            type=r.type,
            tenant_id=r.tenant_id,
            inbox_id=r.inbox_id,
            conversation_id=r.conversation_id,
            message_id=r.message_id,
            actor=r.actor,
            payload=r.payload,
            at=r.created_at,
            causality=r.causality,
        )
        for r in rows
    ]


async def oldest(connection: AsyncConnection) -> Cursor | None:
    """The oldest event still kept; a cursor before it may have lost events to retention."""
    row = (await connection.execute(OLDEST)).first()
    return Cursor(int(row.xid), row.id) if row else None
