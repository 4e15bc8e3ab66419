"""Octets in the bucket that wait to be dropped, key by key, and whether somebody still names them."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Apart from `store/ingest_lock.py`: who works on one object of the bucket.
PURPOSE = 1_767_900_002
LOCK = text("select pg_advisory_xact_lock(:purpose, hashtext(:key))")
NEXT_KEYS = text(
    """
    select distinct storage_key from dropped_objects
    where tenant_id = :tenant and refusal is null and dropped_at <= cast(:before as timestamptz)
      and (cast(:erasure as uuid) is null or erasure_id = :erasure)
    order by storage_key limit :limit
    """
)
OF_KEY = text(
    """
    select id, raw_offset, raw_length, raw_sha256, erasure_id from dropped_objects
    where tenant_id = :tenant and storage_key = :key and refusal is null order by raw_offset for update
    """
)
# The same mail may lie in two inboxes under one key, because a pack is named by its contents; each keeps it for itself. The
# condition names every inbox so that the index over their hashes serves.
STILL_NAMED = text(
    """
    select exists (
      select from inboxes i join ledger l on l.tenant_id = i.tenant_id and l.inbox_id = i.id and l.raw_sha256 = :sha256
      where i.tenant_id = :tenant and l.raw_key = :key and l.raw_offset = :offset)
    """
)
FILE_NAMED = text(
    """
    select exists (select from attachments where tenant_id = :tenant and storage_key = :key
        and (encoded_offset is null or stored_at is not null))
      or exists (select from uploads where tenant_id = :tenant and (storage_key = :key or upload_key = :key))
      or exists (select from templates where tenant_id = :tenant and deleted_at is null
        and files @> jsonb_build_array(jsonb_build_object('storage_key', cast(:key as text))))
      or exists (select from messages where tenant_id = :tenant and raw_key = :key and :key like 'out/%')
    """
)
DONE = text("delete from dropped_objects where tenant_id = :tenant and id = any(cast(:ids as uuid[]))")
LATER = text(
    "update dropped_objects set dropped_at = :until where tenant_id = :tenant and id = any(cast(:ids as uuid[]))"
)
REFUSED = text(
    "update dropped_objects set refusal = :why where tenant_id = :tenant and id = any(cast(:ids as uuid[]))"
)
LEFT = text(
    """
    select count(*) filter (where refusal is null) as waiting, count(*) filter (where refusal is not null) as refused
    from dropped_objects where tenant_id = :tenant and erasure_id = :erasure
    """
)


@dataclass(frozen=True, slots=True)
class DroppedStretch:
    """A stretch of a pack, or with `length` None a whole object. `sha256` is what lay there."""

    id: uuid.UUID
    offset: int
    length: int | None
    sha256: str | None
    erasure_id: uuid.UUID | None


async def next_keys(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    *,
    before: dt.datetime,
    erasure_id: uuid.UUID | None = None,
    limit: int = 50,
) -> list[str]:
    """Objects of which something was dropped at `before` or earlier, in the order of their keys."""
    given = {"tenant": tenant_id, "before": before, "erasure": erasure_id, "limit": limit}
    return list((await connection.execute(NEXT_KEYS, given)).scalars())


async def hold_key(connection: AsyncConnection, tenant_id: uuid.UUID, key: str) -> list[DroppedStretch]:
    """What is to be dropped of one object; nobody else works on it until the transaction ends."""
    await connection.execute(LOCK, {"purpose": PURPOSE, "key": key})
    rows = await connection.execute(OF_KEY, {"tenant": tenant_id, "key": key})
    return [DroppedStretch(r.id, r.raw_offset, r.raw_length, r.raw_sha256, r.erasure_id) for r in rows]


async def still_named(connection: AsyncConnection, tenant_id: uuid.UUID, key: str, stretch: DroppedStretch) -> bool:
    """Whether a row that was not removed names these octets."""
    given = {"tenant": tenant_id, "key": key, "offset": stretch.offset, "sha256": stretch.sha256}
    if stretch.length is None:
        statement = FILE_NAMED
        given = {"tenant": tenant_id, "key": key}
    else:
        statement = STILL_NAMED
    return bool((await connection.execute(statement, given)).scalar_one())


async def dropped(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> None:
    """These are gone, or are somebody else's."""
    await connection.execute(DONE, {"tenant": tenant_id, "ids": [str(i) for i in ids]})


async def put_off(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], until: dt.datetime
) -> None:
    """These are looked at again then."""
    await connection.execute(LATER, {"tenant": tenant_id, "ids": [str(i) for i in ids], "until": until})


async def refused(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], why: str) -> None:
    """These are left as they are until a person has looked."""
    await connection.execute(REFUSED, {"tenant": tenant_id, "ids": [str(i) for i in ids], "why": why})


async def left_of(connection: AsyncConnection, tenant_id: uuid.UUID, erasure_id: uuid.UUID) -> tuple[int, int]:
    """How much of an erasure waits, and how much was refused."""
    row = (await connection.execute(LEFT, {"tenant": tenant_id, "erasure": erasure_id})).one()
    return row.waiting, row.refused
