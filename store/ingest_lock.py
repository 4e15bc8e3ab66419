"""One writer of threads per inbox at a time: live mail, backfill and "not spam" take turns, so none splits a thread."""

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Two 32-bit keys: the first sets these locks apart from any other use of advisory locks.
PURPOSE = 1_767_900_001
LOCK = text("select pg_advisory_xact_lock(:purpose, hashtext(:inbox))")


async def lock_ingest(connection: AsyncConnection, inbox_id: uuid.UUID) -> None:
    """Wait for the other writers of this inbox; held until the transaction ends, also when its process dies."""
    await connection.execute(LOCK, {"purpose": PURPOSE, "inbox": str(inbox_id)})
