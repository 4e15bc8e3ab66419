"""Which conversations people keep apart: those that they split or unmerged. A mail that names both joins them no more."""

import uuid
from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PAIRS = text(
    """
    select one_id, other_id from conversations_apart
    where tenant_id = :tenant and one_id = any(cast(:ids as uuid[])) and other_id = any(cast(:ids as uuid[]))
    """
)
KEEP = text(
    """
    insert into conversations_apart (tenant_id, one_id, other_id) values (:tenant, :one, :other) on conflict do nothing
    """
)


async def keep_apart(
    connection: AsyncConnection, tenant_id: uuid.UUID, one: uuid.UUID, other: uuid.UUID
) -> None:
    """Twice is once. A person's merge of the two takes it back."""
    lesser, greater = sorted((one, other))
    await connection.execute(KEEP, {"tenant": tenant_id, "one": lesser, "other": greater})


async def pairs_apart(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> frozenset[frozenset[uuid.UUID]]:
    """The pairs among these conversations that are kept apart."""
    if len(ids) < 2:
        return frozenset()
    rows = await connection.execute(PAIRS, {"tenant": tenant_id, "ids": list(ids)})
    return frozenset(frozenset((row.one_id, row.other_id)) for row in rows)
