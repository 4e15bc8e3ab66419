"""Answers kept under their Idempotency-Key, in the transaction of the work itself (integrity S-8).

So there is no half-done state to find: either the work and its answer are both there, or neither is. A second request
with the same key waits for the first one's transaction for a moment; if that is not over by then, it is told to wait.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from psycopg.errors import LockNotAvailable
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from models import IdempotencyKey

WAIT = text("set local lock_timeout = '2s'")
WAIT_NO_MORE = text("set local lock_timeout = 0")


class KeyReused(Exception):
    """The key was used for another request."""


class KeyInFlight(Exception):
    """A request with this key is under way just now."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    status: int
    body: dict[str, Any]


async def claim_key(
    connection: AsyncConnection, tenant_id: uuid.UUID, key: str, *, route: str, request_hash: bytes
) -> KeptAnswer | None:
    """None when the key is now ours, else the answer that it got before. Raises KeyReused, KeyInFlight."""
    await connection.execute(WAIT)
    try:
        made = await connection.execute(
            upsert(IdempotencyKey)
            .values(tenant_id=tenant_id, key=key, route=route, request_hash=request_hash)
            .on_conflict_do_nothing()
            .returning(IdempotencyKey.key)
        )
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise KeyInFlight from None
        raise
    await connection.execute(WAIT_NO_MORE)
    if made.first() is not None:
        return None
    row = (
        await connection.execute(
            select(
                IdempotencyKey.route,
                IdempotencyKey.request_hash,
                IdempotencyKey.response_status,
                IdempotencyKey.response,
            ).where(IdempotencyKey.tenant_id == tenant_id, IdempotencyKey.key == key)
        )
    ).first()
    if row is None or row.response_status is None:
        raise KeyInFlight
    if row.route != route or bytes(row.request_hash) != request_hash:
        raise KeyReused
    return KeptAnswer(row.response_status, row.response)


async def keep_answer(
    connection: AsyncConnection, tenant_id: uuid.UUID, key: str, answer: KeptAnswer
) -> None:
    """Write the answer beside the claim, in the same transaction."""
    await connection.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.tenant_id == tenant_id, IdempotencyKey.key == key)
        .values(state="done", response_status=answer.status, response=answer.body)
    )
