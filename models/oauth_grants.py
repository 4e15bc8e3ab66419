"""What people granted us at Google and Microsoft: one row for each mailbox, with its sealed tokens; and consents under way."""

import datetime as dt
import uuid

from sqlalchemy import Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, one_of, own
from models.enums import GrantPermission


class OAuthGrant(TenantRow, Base):
    """`tokens_sealed` holds the refresh and the access token. `generation` grows with each saved pair: who renewed from an older
    one saves nothing. `renewing_until` keeps others from renewing; it runs out, so that a renewer that died stops nobody.
    `ended_reason` is set when the provider said that the grant is over. `refused_at` is when an access token was last refused
    before its time; `refresh_expires_at` is the end that the provider itself named, where it did. With `permission`
    `application` nobody signed in: there is no refresh token, `account` is the mailbox.
    """

    __tablename__ = "oauth_grants"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        UniqueConstraint("tenant_id", "inbox_id"),
        one_of("permission", GrantPermission),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    provider: Mapped[str]
    account: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    tokens_sealed: Mapped[bytes]
    tokens_key_id: Mapped[str]
    access_expires_at: Mapped[dt.datetime]
    generation: Mapped[int] = mapped_column(server_default="1")
    renewing_until: Mapped[dt.datetime | None]
    ended_reason: Mapped[str | None]
    refused_at: Mapped[dt.datetime | None]
    refresh_expires_at: Mapped[dt.datetime | None]
    permission: Mapped[str] = mapped_column(server_default="delegated")
    granted_at: Mapped[CreatedAt]
    renewed_at: Mapped[CreatedAt]


class OAuthStart(TenantRow, Base):
    """A consent that was begun and has not come back. The row goes when it does, so each `state` is good once; only its hash is
    kept. `inbox_id` is the inbox that is connected again, null for a new one; `shared` that another account opens the mailbox.
    """

    __tablename__ = "oauth_starts"
    __table_args__ = (own("inboxes", "inbox_id"), UniqueConstraint("tenant_id", "state_hash"))

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID | None]
    state_hash: Mapped[bytes]
    provider: Mapped[str]
    name: Mapped[str]
    email_address: Mapped[str]
    shared: Mapped[bool] = mapped_column(server_default=text("false"))
    expires_at: Mapped[dt.datetime]
