"""Wakes readers of the event log: `NOTIFY` says that something was committed, never what; the log itself says that.

A wake-up may be missing (the connection broke) or too many; readers therefore also look by themselves now and then.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import Cursor

CHANNEL = "mailroom_events"
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
log = logging.getLogger("mailroom.events")

# Committed, but not yet below the line: some older transaction is still open. When that ends nobody will notify.
STILL_ABOVE = text("select exists (select 1 from events where (xid, id) > (cast(:xid as xid8), :id))")
KNOWN_FROM = text(
    """
    select exists (select 1 from events where (xid, id) <= (cast(:xid as xid8), :id)) as kept,
           coalesce((select id from events order by xid, id limit 1), 1) = 1 as whole,
           cast(:xid as xid8) > pg_snapshot_xmax(pg_current_snapshot()) as ahead
    """
)


async def anything_above(connection: AsyncConnection, cursor: Cursor) -> bool:
    """True while committed events wait behind an older open transaction: look again soon. As the system."""
    found = await connection.execute(STILL_ABOVE, {"xid": str(cursor.xid), "id": cursor.id})
    return bool(found.scalar_one())


async def can_resume(connection: AsyncConnection, cursor: Cursor) -> bool:
    """Whether everything behind this cursor is still kept. Retention deletes the oldest first, so an event at or before
    the cursor proves it, and so does a log that still has its first event. A cursor of the future is of another database;
    one at the next transaction is what `head` gives while none is open. As the system.
    """
    row = (await connection.execute(KNOWN_FROM, {"xid": str(cursor.xid), "id": cursor.id})).one()
    return bool((row.kept or row.whole) and not row.ahead)


async def listen(
    url: str,
    wake: Callable[[], None],
    connected: Callable[[bool], None],
    heard: Mapping[str, Callable[[str], None]] | None = None,
) -> None:
    """Call `wake` for every notification until cancelled; reconnect with growing waits. `url` is SQLAlchemy's form.

    `connected(False)` tells the reader to look by itself more often. `heard` takes the payloads of other channels on the same
    connection; what is said while it is broken is lost.
    """
    wait = FIRST_WAIT
    dsn = url.replace("postgresql+psycopg://", "postgresql://", 1)
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, connect_timeout=5, application_name="mailroom-events"
            )
            async with connection:
                for channel in (CHANNEL, *(heard or ())):
                    await connection.execute(SQL("listen {}").format(Identifier(channel)))
                connected(True)
                wake()
                wait = FIRST_WAIT
                async for said in connection.notifies():
                    if heard is not None and said.channel in heard:
                        heard[said.channel](said.payload)
                    else:
                        wake()
        except (psycopg.Error, OSError) as error:
            log.warning("the event log's wake-up line broke (%s); reading by the clock", type(error).__name__)
        connected(False)
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT)
