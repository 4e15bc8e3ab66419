"""What people are shown of the permission for a mailbox, and the earliest ends of all of them. No token is read here."""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

VIEW = text(
    """
    select g.provider, g.account, g.permission, g.scopes, g.granted_at, g.renewed_at, g.refresh_expires_at, g.ended_reason
    from oauth_grants g join inboxes i on i.tenant_id = g.tenant_id and i.id = g.inbox_id
    where g.tenant_id = :tenant and g.inbox_id = :inbox and i.deleted_at is null
    """
)
# Of all tenants: instants only. An inbox that a person paused still loses its permission, so it counts.
EARLIEST = text(
    """
    select g.provider, min(g.granted_at) filter (where g.refresh_expires_at is null) as granted_at,
      min(g.refresh_expires_at) as refresh_expires_at, min(g.renewed_at) as renewed_at
    from oauth_grants g join inboxes i on i.tenant_id = g.tenant_id and i.id = g.inbox_id
    where g.ended_reason is null and i.deleted_at is null and g.permission = 'delegated' group by g.provider
    """
)
SLUG = text("select slug from tenants where id = :id")


@dataclass(frozen=True, slots=True)
class GrantView:
    """`account` is who signed in, or the mailbox itself with application permission."""

    provider: str
    account: str
    permission: str
    scopes: tuple[str, ...]
    granted_at: dt.datetime
    renewed_at: dt.datetime
    refresh_expires_at: dt.datetime | None
    ended_reason: str | None

    def __repr__(self) -> str:
        return f"GrantView({self.provider})"


@dataclass(frozen=True, slots=True)
class EarliestEnds:
    """The earliest instants among one provider's living grants of people; None where there is none."""

    provider: str
    granted_at: dt.datetime | None
    refresh_expires_at: dt.datetime | None
    renewed_at: dt.datetime | None


async def view_grant(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> GrantView | None:
    """None when nobody granted anything, or the inbox is unknown, foreign or deleted."""
    row = (await connection.execute(VIEW, {"tenant": tenant_id, "inbox": inbox_id})).mappings().first()
    return None if row is None else GrantView(**{**row, "scopes": tuple(row["scopes"])})


async def earliest_ends(connection: AsyncConnection) -> list[EarliestEnds]:
    """By provider. As the system."""
    return [EarliestEnds(**row) for row in (await connection.execute(EARLIEST)).mappings()]


async def tenant_slug(connection: AsyncConnection, tenant_id: uuid.UUID) -> str | None:
    """The short name by which the operator's settings call a tenant."""
    slug: str | None = (await connection.execute(SLUG, {"id": tenant_id})).scalar_one_or_none()
    return slug
