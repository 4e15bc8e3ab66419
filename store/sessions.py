"""Browser sign-ins: found by the sha256 of their token before any tenant is known, so these run as the system."""

import datetime as dt
import hashlib
import secrets
import uuid
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Session, Tenant, User
from store.addresses import address_key
from store.agent_status import notice_returned

TOKEN_BYTES = 32
TOUCH_AFTER = dt.timedelta(minutes=1)  # `last_used_at` is not worth a write for each call; it says who is there
# Asked with every request: built once.
HOLDER = (
    select(
        Session.id,
        Session.last_used_at,
        User.tenant_id,
        User.id.label("user_id"),
        User.email,
        User.name,
        User.role,
        User.status,
        User.status_chosen,
        ((User.status == "offline") & (User.status_chosen != "offline")).label("was_absent"),
        Tenant.name.label("tenant_name"),
        func.now().label("now"),
    )
    .join(User, (User.tenant_id == Session.tenant_id) & (User.id == Session.user_id))
    .join(Tenant, Tenant.id == Session.tenant_id)
    .where(
        Session.token_sha256 == bindparam("token_sha256"),
        Session.expires_at > func.now(),
        User.deleted_at.is_(None),
    )
)


@dataclass(frozen=True, slots=True)
class Account:
    """What a sign-in is checked against."""

    user_id: uuid.UUID
    tenant_id: uuid.UUID
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who a session belongs to. `to_note`: this use of it is one that `note_use` has to write down."""

    session_id: uuid.UUID
    tenant_id: uuid.UUID
    tenant_name: str
    user_id: uuid.UUID
    email: str
    name: str
    role: str
    status: str
    to_note: bool


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def find_account(connection: AsyncConnection, email: str) -> Account | None:
    """The account of an address, or None. As the system."""
    row = (
        await connection.execute(
            select(User.id, User.tenant_id, User.password_hash).where(
                User.email_key == address_key(email), User.deleted_at.is_(None)
            )
        )
    ).first()
    return Account(row.id, row.tenant_id, row.password_hash) if row else None


async def open_session(
    connection: AsyncConnection, account: Account, *, days: int, replaces: str | None = None
) -> str:
    """A new token, kept only as its hash. The token that the browser sent before ends (integrity X-33: fixation)."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    if replaces:
        await close_session(connection, replaces)
    await connection.execute(
        insert(Session).values(
            tenant_id=account.tenant_id,
            user_id=account.user_id,
            token_sha256=token_hash(token),
            expires_at=func.now() + dt.timedelta(days=days),
        )
    )
    return token


async def close_session(connection: AsyncConnection, token: str) -> None:
    await connection.execute(delete(Session).where(Session.token_sha256 == token_hash(token)))


async def find_session(connection: AsyncConnection, token: str) -> SignedIn | None:
    """Who holds this token now: None when it is unknown, expired, or its person has left. As the system; reads only."""
    row = (await connection.execute(HOLDER, {"token_sha256": token_hash(token)})).first()
    if row is None:
        return None
    return SignedIn(
        row.id,
        row.tenant_id,
        row.tenant_name,
        row.user_id,
        row.email,
        row.name,
        row.role,
        row.status_chosen if row.was_absent else row.status,
        to_note=row.was_absent or row.now - row.last_used_at > TOUCH_AFTER,
    )


async def note_use(connection: AsyncConnection, found: SignedIn) -> None:
    """The session was used just now: that says who is there, and brings back who was set offline for being away. As the system.
    Twice is once; if it dies here, the next request does it.
    """
    await connection.execute(
        update(Session)
        .where(Session.tenant_id == found.tenant_id, Session.id == found.session_id)
        .values(last_used_at=func.now())
    )
    await notice_returned(connection, found.tenant_id, found.user_id)
