"""Addresses that bounced for good or complained. They get no automatic mail; agents may still write to them, except through
Amazon SES, whose own reputation such mail costs: there a reply is refused until an admin lifts the entry or it runs out.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import SuppressionReason
from store.addresses import address_key
from store.pages import Page, read_time_cursor, time_cursor

BOUNCE_LASTS = dt.timedelta(days=60)  # Zammad's span; mailboxes come back, and nobody tidies such a list

# What a person has entered stands above what we concluded; a complaint stands above a bounce.
SUPPRESS = text(
    """
    insert into suppressed_addresses (tenant_id, address_key, address, reason, message_id, created_at, expires_at)
    values (:tenant, :key, :address, :reason, :message, :at, :expires)
    on conflict (tenant_id, address_key) do update
      set reason = excluded.reason, message_id = excluded.message_id, expires_at = excluded.expires_at
      where suppressed_addresses.reason = 'bounce'
    """
)

IN_FORCE = "(expires_at is null or expires_at > :now)"
AMONG = text(
    f"""
    select address_key, reason, expires_at from suppressed_addresses
    where tenant_id = :tenant and address_key = any(cast(:keys as text[])) and {IN_FORCE}
    """
)
LIST = text(
    f"""
    select address, reason, message_id, created_at, expires_at, cast(md5(address_key) as uuid) as place
    from suppressed_addresses where tenant_id = :tenant and {IN_FORCE}
      and (cast(:at as timestamptz) is null or (created_at, cast(md5(address_key) as uuid)) < (:at, cast(:place as uuid)))
    order by created_at desc, place desc limit :limit
    """
)
LIFT = text("delete from suppressed_addresses where tenant_id = :tenant and address_key = :key returning address_key")


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An entry in force. `message_id` is the mail that bounced or was complained about, None where a person made the entry."""

    address: str
    reason: str
    message_id: uuid.UUID | None
    created_at: dt.datetime
    expires_at: dt.datetime | None


async def suppress(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    address: str,
    complaint: bool,
    message_id: uuid.UUID,
    at: dt.datetime,
) -> None:
    """Put an address on the list, because of a proven bounce or a complaint about `message_id`. Repeats harmlessly."""
    reason = SuppressionReason.COMPLAINT if complaint else SuppressionReason.BOUNCE
    await connection.execute(
        SUPPRESS,
        {
            "tenant": tenant_id,
            "key": address_key(address),
            "address": address,
            "reason": reason.value,
            "message": message_id,
            "at": at,
            "expires": None if complaint else at + BOUNCE_LASTS,
        },
    )


async def suppressed_among(
    connection: AsyncConnection, tenant_id: uuid.UUID, addresses: Sequence[str], *, now: dt.datetime
) -> dict[str, str]:
    """Those of `addresses` that are on the list now, as they were given, each with the reason."""
    bound = {"tenant": tenant_id, "keys": [address_key(a) for a in addresses], "now": now}
    reasons = {row.address_key: row.reason for row in await connection.execute(AMONG, bound)}
    return {a: reasons[key] for a in addresses if (key := address_key(a)) in reasons}


async def list_suppressed(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, now: dt.datetime, after: str | None, limit: int
) -> Page[Suppressed]:
    """Entries in force, newest first. Raises BadCursor."""
    at, place = read_time_cursor(after) if after is not None else (None, None)
    bound = {"tenant": tenant_id, "now": now, "at": at, "place": place, "limit": limit + 1}
    rows = (await connection.execute(LIST, bound)).all()
    items = [Suppressed(r.address, r.reason, r.message_id, r.created_at, r.expires_at) for r in rows[:limit]]
    return Page(items, time_cursor(rows[limit - 1].created_at, rows[limit - 1].place) if len(rows) > limit else None)


async def lift(connection: AsyncConnection, tenant_id: uuid.UUID, address: str) -> bool:
    """Take an address off the list; False when it is not on it. A report that was counted before does not put it back."""
    bound = {"tenant": tenant_id, "key": address_key(address)}
    return (await connection.execute(LIFT, bound)).first() is not None
