"""Moves sealed values from older keys to the one that seals now, a batch at a time, while everybody works on.

A row is read, opened, sealed anew and written under its own lock, so nobody ever sees half of it. Each batch is a
transaction: dying in the middle leaves whole rows, some under the old key and some under the new, and all of them open as
long as both are in the ring. Running twice, also at once, finds only what is left.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.sealed_columns import SEALED, SealedColumn
from store.sealing import CredentialsUnreadable, Sealer

SAMPLES = 3  # rows that are opened to see whether a key is the right one


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How many values of a column one key sealed."""

    column: str
    key_id: str
    rows: int


@dataclass(frozen=True, slots=True)
class RowPlace:
    """One row, in the order in which rotation walks."""

    tenant_id: uuid.UUID
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Rotated:
    """What one batch did: rows sealed anew, rows that no key opened, and where it ended (None: at the end)."""

    rows: int
    unreadable: tuple[RowPlace, ...]
    last: RowPlace | None


@dataclass(frozen=True, slots=True)
class KeyTrouble:
    """A key that rows name and that cannot open them: `missing` in the ring, or `wrong`: another key has its id."""

    key_id: str
    rows: int
    what: Literal["missing", "wrong"]


async def count_by_key(connection: AsyncConnection) -> list[KeyCount]:
    """Over all tenants, by column and key."""
    found: list[KeyCount] = []
    for place in SEALED:
        key_id = place.column(place.key_id)
        rows = await connection.execute(
            select(key_id, func.count())
            .where(place.column(place.sealed).is_not(None))
            .group_by(key_id)
            .order_by(key_id)
        )
        found += [KeyCount(place.name, str(key or ""), int(count)) for key, count in rows]
    return found


async def rotate_batch(
    connection: AsyncConnection, sealer: Sealer, place: SealedColumn, after: RowPlace | None, limit: int
) -> Rotated:
    """Seal the next rows of a column anew. A row that somebody else is writing is left for the next round: rotation makes
    nobody wait for more than its own few milliseconds.
    """
    tenant, row_id = place.column("tenant_id"), place.column("id")
    sealed, key_id = place.column(place.sealed), place.column(place.key_id)
    wanted = (
        select(tenant, row_id, place.column(place.place).label("place"), sealed, key_id)
        .where(sealed.is_not(None), key_id.is_distinct_from(sealer.key_id))
        .order_by(tenant, row_id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    if after is not None:
        wanted = wanted.where(tuple_(tenant, row_id) > tuple_(after.tenant_id, after.id))
    done, unreadable, last = 0, [], None
    for tenant_id, own_id, inbox_id, value, key in (await connection.execute(wanted)).all():
        last = RowPlace(tenant_id, own_id)
        try:
            anew, active = sealer.reseal(
                value, str(key), tenant_id=str(tenant_id), inbox_id=str(inbox_id), column=place.sealed
            )
        except CredentialsUnreadable:
            unreadable.append(last)
            continue
        await connection.execute(
            update(place.rows)
            .where(tenant == tenant_id, row_id == own_id)
            .values({place.sealed: anew, place.key_id: active})
        )
        done += 1
    return Rotated(done, tuple(unreadable), last)


async def check_ring(connection: AsyncConnection, sealer: Sealer, lost: Iterable[str] = ()) -> list[KeyTrouble]:
    """Keys that rows name and that this ring cannot open them with, but for those that are known to be `lost`.

    A few rows of each key are opened: one that opens proves the key, so a single spoilt row accuses nobody.
    """
    troubles: list[KeyTrouble] = []
    for place in SEALED:
        for count in await count_by_key(connection):
            if count.column != place.name or count.key_id in lost:
                continue
            if count.key_id not in sealer.key_ids:
                troubles.append(KeyTrouble(count.key_id, count.rows, "missing"))
            elif not await _opens_one(connection, sealer, place, count.key_id):
                troubles.append(KeyTrouble(count.key_id, count.rows, "wrong"))
    return troubles


async def _opens_one(connection: AsyncConnection, sealer: Sealer, place: SealedColumn, key_id: str) -> bool:
    rows = await connection.execute(
        select(place.column("tenant_id"), place.column(place.place), place.column(place.sealed))
        .where(place.column(place.key_id) == key_id, place.column(place.sealed).is_not(None))
        .limit(SAMPLES)
    )
    found = rows.all()
    for tenant_id, inbox_id, value in found:
        try:
            sealer.open(value, key_id, tenant_id=str(tenant_id), inbox_id=str(inbox_id), column=place.sealed)
        except CredentialsUnreadable:
            continue
        return True
    return not found  # rotated away since they were counted
