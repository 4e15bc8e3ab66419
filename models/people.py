"""Tenants, the people who work in them, how they sign in, and the customers who write."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, one_of, own
from models.enums import Channel, Presence, Role


class Tenant(Base):
    """One organisation. `next_conversation_number` is taken under the row's lock, so numbers have no doubles."""

    __tablename__ = "tenants"

    id: Mapped[Id]
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    next_conversation_number: Mapped[int] = mapped_column(server_default="1")
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    counts_checked_at: Mapped[dt.datetime | None]
    counts_drift: Mapped[int] = mapped_column(server_default="0")  # what that check of the counters found wrong
    created_at: Mapped[CreatedAt]


class Workspace(TenantRow, Base):
    __tablename__ = "workspaces"

    id: Mapped[Id]
    name: Mapped[str]


class User(TenantRow, Base):
    """A person of the team. `email_key` is unique over the whole installation, because sign-in knows no tenant yet.

    `status` is what holds now, `status_chosen` what the person chose last: who was not seen for a while is offline, and is
    again as chosen on coming back.
    """

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email_key"),
        one_of("role", Role),
        one_of("status", Presence),
        one_of("status_chosen", Presence),
        CheckConstraint("capacity >= 0", name="capacity"),
    )

    id: Mapped[Id]
    email: Mapped[str]
    email_key: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default="agent")
    status: Mapped[str] = mapped_column(server_default="offline")
    status_chosen: Mapped[str] = mapped_column(server_default="offline")
    offline_since: Mapped[dt.datetime | None]
    capacity: Mapped[int] = mapped_column(server_default="20")
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    seniority: Mapped[int] = mapped_column(server_default="0")
    signature_html: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[dt.datetime | None]


class InboxMember(TenantRow, Base):
    """Who may see an inbox, beside its teams. Owners and admins see all; agents and viewers those they are members of."""

    __tablename__ = "inbox_members"
    __table_args__ = (own("inboxes", "inbox_id"), own("users", "user_id"))

    inbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class Session(TenantRow, Base):
    """A browser's sign-in. Only the sha256 of the cookie's token is kept."""

    __tablename__ = "sessions"
    __table_args__ = (own("users", "user_id"), UniqueConstraint("token_sha256"))

    id: Mapped[Id]
    user_id: Mapped[uuid.UUID]
    token_sha256: Mapped[bytes]
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[CreatedAt]
    expires_at: Mapped[dt.datetime]


class LoginAttempt(Base):
    """Failed sign-ins, counted by hashed account and hashed network address (integrity X-36); swept after a day."""

    __tablename__ = "login_attempts"
    __table_args__ = (Index(None, "key_sha256", "at"),)

    id: Mapped[Id]
    key_sha256: Mapped[bytes]
    at: Mapped[CreatedAt]


class ApiKey(TenantRow, Base):
    """A program's key: shown once, kept as sha256, found by its prefix."""

    __tablename__ = "api_keys"
    __table_args__ = (own("users", "created_by", ondelete="SET NULL"), UniqueConstraint("prefix"))

    id: Mapped[Id]
    name: Mapped[str]
    prefix: Mapped[str]
    key_sha256: Mapped[bytes]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    created_by: Mapped[uuid.UUID | None]
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class Contact(TenantRow, Base):
    """Somebody who writes to us. `custom` maps a field's key to its type and value. With `merged_into` the row is another name
    of that contact: its addresses and conversations stay its own and are shown there, so unmerging moves nothing.
    """

    __tablename__ = "contacts"
    __table_args__ = (
        own("contacts", "merged_into", ondelete="SET NULL"),
        Index("ix_contacts_list", "tenant_id", "id", postgresql_where=text("merged_into is null")),
        Index("ix_contacts_merged", "tenant_id", "merged_into", postgresql_where=text("merged_into is not null")),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(server_default="")
    company: Mapped[str] = mapped_column(server_default="")
    vip: Mapped[bool] = mapped_column(server_default=text("false"))
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    merged_into: Mapped[uuid.UUID | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class ContactIdentity(ChildRow, Base):
    """An address, number or handle of a contact. `identifier_key` is what is matched: casefolded, NFC, punycoded."""

    __tablename__ = "contact_identities"
    __table_args__ = (
        own("contacts", "contact_id"),
        UniqueConstraint("tenant_id", "channel", "identifier_key"),
        one_of("channel", Channel),
        Index(None, "tenant_id", "contact_id"),
    )

    id: Mapped[Id]
    contact_id: Mapped[uuid.UUID]
    channel: Mapped[str]
    identifier: Mapped[str]
    identifier_key: Mapped[str]
    created_at: Mapped[CreatedAt]
