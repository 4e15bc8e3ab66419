"""What people granted us at Google and Microsoft: one row for each mailbox, with its sealed tokens; and consents under way."""

import datetime as dt
import uuid

from sqlalchemy import Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, own


class OAuthGrant(TenantRow, Base):
    """`tokens_sealed` holds the refresh and the access token. `generation` grows with each saved pair: who renewed from an older
    one saves nothing. `renewing_until` keeps others from renewing; it runs out, so that a renewer that died stops nobody.
    `ended_reason` is set when the provider said that the grant is over.
    """

    __tablename__ = "oauth_grants"
    __table_args__ = (own("inboxes", "inbox_id"), UniqueConstraint("tenant_id", "inbox_id"))

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
    granted_at: Mapped[CreatedAt]
    renewed_at: Mapped[CreatedAt]


class OAuthStart(TenantRow, Base):
    """A consent that was begun and has not come back. The row goes when it does, so each `state` is good once; only its hash is
    kept. `inbox_id` is the inbox that is connected again, null for a new one.
    """

    __tablename__ = "oauth_starts"
    __table_args__ = (own("inboxes", "inbox_id"), UniqueConstraint("tenant_id", "state_hash"))

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID | None]
    state_hash: Mapped[bytes]
    provider: Mapped[str]
    name: Mapped[str]
    email_address: Mapped[str]
    expires_at: Mapped[dt.datetime]
