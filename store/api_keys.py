"""API keys: shown once, kept as sha256, found by their prefix before any tenant is known (integrity X-32)."""

import datetime as dt
import hashlib
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import ApiKey, Tenant, User

SHAPE = re.compile(r"mr_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")  # 60 random bits to find it, 256 to prove it
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
TOUCH_AFTER = dt.timedelta(minutes=5)
SCOPES = ("read", "write", "admin")


class MakerGone(Exception):
    """Whoever makes this key was removed a moment ago."""


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whose key it is. `to_note`: this use of it is one that `note_use` has to write down."""

    key_id: uuid.UUID
    tenant_id: uuid.UUID
    tenant_name: str
    name: str
    scopes: tuple[str, ...]
    to_note: bool


@dataclass(frozen=True, slots=True)
class KeyRow:
    id: uuid.UUID
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: dt.datetime
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None


async def make_key(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    *,
    name: str,
    scopes: tuple[str, ...],
    created_by: uuid.UUID | None,
) -> tuple[KeyRow, str]:
    """The row and, this once, the key itself. Raises MakerGone.

    Under a lock that a removal waits for: the key is there before the removal revokes, or its maker is gone first.
    """
    if created_by is not None:
        mine = (User.tenant_id == tenant_id, User.id == created_by, User.deleted_at.is_(None))
        if (await connection.execute(select(User.id).where(*mine).with_for_update(read=True))).first() is None:
            raise MakerGone
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(12))
    key = f"mr_{prefix}_{secrets.token_urlsafe(32)}"
    row = (
        await connection.execute(
            insert(ApiKey)
            .values(
                tenant_id=tenant_id,
                name=name,
                prefix=prefix,
                key_sha256=hashlib.sha256(key.encode()).digest(),
                scopes=list(scopes),
                created_by=created_by,
            )
            .returning(ApiKey.id, ApiKey.created_at)
        )
    ).one()
    return KeyRow(row.id, name, prefix, scopes, row.created_at, None, None), key


async def find_key(connection: AsyncConnection, key: str) -> KeyHolder | None:
    """Whose key this is: None when it is malformed, unknown, wrong or revoked. As the system; reads only."""
    shape = SHAPE.fullmatch(key)
    if shape is None:
        return None
    row = (
        await connection.execute(
            select(
                ApiKey.id,
                ApiKey.tenant_id,
                ApiKey.name,
                ApiKey.key_sha256,
                ApiKey.scopes,
                ApiKey.last_used_at,
                Tenant.name.label("tenant_name"),
                func.now().label("now"),
            )
            .join(Tenant, Tenant.id == ApiKey.tenant_id)
            .where(ApiKey.prefix == shape[1], ApiKey.revoked_at.is_(None))
        )
    ).first()
    if row is None or not hmac.compare_digest(row.key_sha256, hashlib.sha256(key.encode()).digest()):
        return None
    late = row.last_used_at is None or row.now - row.last_used_at > TOUCH_AFTER
    return KeyHolder(row.id, row.tenant_id, row.tenant_name, row.name, tuple(row.scopes), to_note=late)


async def note_use(connection: AsyncConnection, found: KeyHolder) -> None:
    """The key was used just now. As the system; twice is once."""
    await connection.execute(
        update(ApiKey)
        .where(ApiKey.tenant_id == found.tenant_id, ApiKey.id == found.key_id)
        .values(last_used_at=func.now())
    )


async def list_keys(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[KeyRow]:
    """Keys in use, newest first."""
    rows = await connection.execute(
        select(
            ApiKey.id,
            ApiKey.name,
            ApiKey.prefix,
            ApiKey.scopes,
            ApiKey.created_at,
            ApiKey.last_used_at,
            ApiKey.revoked_at,
        )
        .where(ApiKey.tenant_id == tenant_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.id.desc())
        .limit(500)
    )
    return [
        KeyRow(r.id, r.name, r.prefix, tuple(r.scopes), r.created_at, r.last_used_at, r.revoked_at)
        for r in rows
    ]


async def revoke_key(connection: AsyncConnection, tenant_id: uuid.UUID, key_id: uuid.UUID) -> bool:
    """True when there was one to revoke. Its next call answers 401, its stream ends within a minute."""
    done = await connection.execute(
        update(ApiKey)
        .where(ApiKey.tenant_id == tenant_id, ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )
    return done.rowcount > 0
