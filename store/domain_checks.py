"""What a check of a domain reads and writes, and who holds the domain after it.

A tenant that shows its challenge holds the name unless another one does; the index of holders decides between two that
come at once. A holder whose challenge is surely gone keeps the name for three days, so that a slip costs nothing.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Domain
from store.domains import tell

GRACE = dt.timedelta(days=3)
RETRY = dt.timedelta(minutes=10)
OFTEN, SELDOM = dt.timedelta(hours=1), dt.timedelta(days=1)
NEW = dt.timedelta(days=3)  # this long a new domain's records are likely to be on their way
TAKEN = "Another organisation here holds this domain; it is yours once its record is gone from your DNS for three days."

BEGIN = text(
    """
    update domains set check_due_at = :retry where tenant_id = :tenant and id = :id and deleted_at is null
    returning name, challenge, dkim_tokens
    """
)
STANDING = text(
    """
    select verified_at, missing_since, checked_at, created_at, mx_verified, spf_verified, dkim_verified, dmarc_verified, records
    from domains where tenant_id = :tenant and id = :id and deleted_at is null for update
    """
)


@dataclass(frozen=True, slots=True)
class CheckSubject:
    name: str
    challenge: str
    dkim_tokens: tuple[str, ...]


async def begin_check(
    connection: AsyncConnection, tenant_id: uuid.UUID, domain_id: uuid.UUID, *, now: dt.datetime
) -> CheckSubject | None:
    """What is to be looked up. It is due again in ten minutes, should this check die; None when the domain is gone."""
    row = (
        await connection.execute(BEGIN, {"tenant": tenant_id, "id": domain_id, "retry": now + RETRY})
    ).first()
    return CheckSubject(row.name, row.challenge, tuple(row.dkim_tokens)) if row else None


async def write_check(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    domain_id: uuid.UUID,
    *,
    records: Sequence[Mapping[str, Any]],
    verdicts: Mapping[str, bool | None],
    now: dt.datetime,
) -> bool | None:
    """Write what was found at `now`; True when the tenant holds the domain, None when the row is gone.

    Written in one transaction. A check that comes late, behind a newer one, changes nothing. None as a verdict leaves
    what stood.
    """
    row = (await connection.execute(STANDING, {"tenant": tenant_id, "id": domain_id})).first()
    if row is None:
        return None
    if row.checked_at is not None and row.checked_at > now:
        return row.verified_at is not None
    flags = {
        f"{kind}_verified": verdicts[kind]
        for kind in ("mx", "spf", "dkim", "dmarc")
        if verdicts[kind] is not None
    }
    held = await _hold(connection, tenant_id, domain_id, row, verdicts["ownership"], now)
    shown = list(records)
    if verdicts["ownership"] and held["verified_at"] is None:
        shown = [
            {**r, "status": "wrong", "problem": TAKEN} if r["record"] == "ownership" else r for r in shown
        ]
    values = {**flags, **held, "records": shown}
    often = held["verified_at"] is None and now - row.created_at < NEW
    spread = (domain_id.int % 3600) / 3600  # domains that were added together are not looked up together
    due = now + (OFTEN if often else SELDOM) * (1 + spread / 4)
    await connection.execute(
        update(Domain)
        .where(Domain.tenant_id == tenant_id, Domain.id == domain_id)
        .values(**values, checked_at=now, check_due_at=due)
    )
    if any(getattr(row, name) != value for name, value in values.items()):
        await connection.execute(
            update(Domain)
            .where(Domain.tenant_id == tenant_id, Domain.id == domain_id)
            .values(updated_at=func.now())
        )
        await tell(connection, tenant_id, domain_id, "system")
    return held["verified_at"] is not None


async def _hold(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    domain_id: uuid.UUID,
    row: Any,
    shown: bool | None,
    now: dt.datetime,
) -> dict[str, dt.datetime | None]:
    """Since when the domain is held and since when its challenge is missing, after this check."""
    standing = {"verified_at": row.verified_at, "missing_since": row.missing_since}
    if shown is None:
        return standing
    if row.verified_at is None:
        if not shown:
            return standing
        return {"verified_at": await _claim(connection, tenant_id, domain_id, now), "missing_since": None}
    if shown:
        return {"verified_at": row.verified_at, "missing_since": None}
    since = row.missing_since or now
    if now - since < GRACE:
        return {"verified_at": row.verified_at, "missing_since": since}
    return {"verified_at": None, "missing_since": None}


async def _claim(
    connection: AsyncConnection, tenant_id: uuid.UUID, domain_id: uuid.UUID, now: dt.datetime
) -> dt.datetime | None:
    """Try to hold the name; None when another tenant does."""
    try:
        async with connection.begin_nested():
            await connection.execute(
                update(Domain)
                .where(Domain.tenant_id == tenant_id, Domain.id == domain_id)
                .values(verified_at=now)
            )
    except IntegrityError:
        return None
    return now
