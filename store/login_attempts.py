"""Counts sign-ins by account and by network address (integrity X-36), both only as keyed hashes. All of it as the system."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models import LoginAttempt

WINDOW = dt.timedelta(minutes=15)
LOCK = text("select pg_advisory_xact_lock(:key)")


@dataclass(frozen=True, slots=True)
class Bound:
    """At most `most` attempts of this key in the window."""

    key: bytes
    most: int


async def claim_attempt(connection: AsyncConnection, bounds: Sequence[Bound]) -> float:
    """Zero when the attempt may go on, else the seconds until one may. It is counted *before* the password is checked and
    under a lock for each key, so that guesses sent at once cannot slip past the count together. Dying after it costs one
    attempt. Refused ones are not counted: they would let anybody lock an account for good.
    """
    for bound in sorted(bounds, key=lambda b: b.key):
        await connection.execute(LOCK, {"key": int.from_bytes(bound.key[:8], signed=True)})
    for bound in bounds:
        row = (
            await connection.execute(
                select(
                    func.count().label("tried"),
                    func.min(LoginAttempt.at).label("first"),
                    func.clock_timestamp().label("now"),
                ).where(
                    LoginAttempt.key_sha256 == bound.key, LoginAttempt.at > func.clock_timestamp() - WINDOW
                )
            )
        ).one()
        if row.tried >= bound.most:
            return float(max(1.0, (row.first + WINDOW - row.now).total_seconds()))
    await connection.execute(insert(LoginAttempt), [{"key_sha256": b.key} for b in bounds])
    return 0.0


async def forgive(connection: AsyncConnection, key: bytes) -> None:
    """The right password was given: the account's attempts no longer count."""
    await connection.execute(delete(LoginAttempt).where(LoginAttempt.key_sha256 == key))
