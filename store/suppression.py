"""Addresses that get no automatic mail: those that bounced for good or complained. Agents may still write to them."""

import datetime as dt
import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import SuppressionReason
from store.addresses import address_key

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
