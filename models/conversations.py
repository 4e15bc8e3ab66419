"""Conversations: what agents work on, the keys by which mails find them, and who has them."""

import datetime as dt
import decimal
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, Numeric, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, one_of, own
from models.enums import AssignedBy, Channel, ConversationStatus, Direction, Priority, ThreadKeyKind


def _newest_first(name: str, *columns: str, also: str = "") -> Index:
    """An index of a list: equal columns first, then the list's order, so that a page is read without sorting."""
    live = "merged_into is null and deleted_at is null" + (f" and {also}" if also else "")
    return Index(name, *columns, text("last_message_at desc"), text("id desc"), postgresql_where=text(live))


class Conversation(ChildRow, Base):
    """A ticket. Counters are maintained, never counted; `version` grows with each change, and a reply carries the one
    that its author saw. `merged_into` makes an alias: lookups follow it to the survivor.
    """

    __tablename__ = "conversations"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        own("contacts", "contact_id", ondelete="SET NULL"),
        own("users", "assigned_to", ondelete="SET NULL"),
        own("conversations", "merged_into", ondelete="SET NULL"),
        UniqueConstraint("tenant_id", "number"),
        one_of("channel", Channel),
        one_of("status", ConversationStatus),
        one_of("priority", Priority),
        one_of("assigned_by", AssignedBy),
        one_of("last_message_direction", Direction),
        CheckConstraint("unread_count >= 0", name="unread_count"),
        _newest_first("ix_conversations_list", "tenant_id", "status"),
        _newest_first("ix_conversations_recent", "tenant_id"),
        _newest_first("ix_conversations_assigned", "tenant_id", "assigned_to", "status"),
        _newest_first("ix_conversations_of_inbox", "tenant_id", "inbox_id", "status"),
        _newest_first("ix_conversations_unassigned", "tenant_id", "status", also="assigned_to is null"),
        _newest_first("ix_conversations_unread", "tenant_id", "status", also="unread_count > 0"),
        _newest_first(
            "ix_conversations_category", "tenant_id", "category", "status", also="category is not null"
        ),
        Index("ix_conversations_contact", "tenant_id", "contact_id"),
        Index("ix_conversations_snoozed", "snoozed_until", postgresql_where=text("status = 'snoozed'")),
        Index(
            "ix_conversations_sla_due",
            "sla_due_at",
            postgresql_where=text("sla_due_at is not null and not sla_breached"),
        ),
    )

    id: Mapped[Id]
    number: Mapped[int]
    contact_id: Mapped[uuid.UUID | None]
    inbox_id: Mapped[uuid.UUID]
    channel: Mapped[str] = mapped_column(server_default="email")
    channel_conversation_id: Mapped[str | None]
    customer_identifier: Mapped[str] = mapped_column(server_default="")
    customer_name: Mapped[str] = mapped_column(server_default="")
    subject: Mapped[str] = mapped_column(server_default="")
    normalized_subject: Mapped[str] = mapped_column(server_default="")
    snippet: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="open")
    priority: Mapped[str] = mapped_column(server_default="normal")
    category: Mapped[str | None]
    ai_confidence: Mapped[decimal.Decimal | None] = mapped_column(Numeric(3, 2))
    assigned_to: Mapped[uuid.UUID | None]
    assigned_at: Mapped[dt.datetime | None]
    assigned_by: Mapped[str | None]
    snoozed_until: Mapped[dt.datetime | None]
    unread_count: Mapped[int] = mapped_column(server_default="0")
    message_count: Mapped[int] = mapped_column(server_default="0")
    agent_message_count: Mapped[int] = mapped_column(server_default="0")
    customer_message_count: Mapped[int] = mapped_column(server_default="0")
    last_message_at: Mapped[CreatedAt]
    last_message_direction: Mapped[str | None]
    first_response_at: Mapped[dt.datetime | None]
    first_response_seconds: Mapped[int | None]
    avg_response_seconds: Mapped[int | None]
    responses: Mapped[int] = mapped_column(server_default="0")
    sla_due_at: Mapped[dt.datetime | None]
    sla_breached: Mapped[bool] = mapped_column(server_default=text("false"))
    failed_sends: Mapped[int] = mapped_column(server_default="0")
    unknown_sends: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="1")
    merged_into: Mapped[uuid.UUID | None]
    historical: Mapped[bool] = mapped_column(server_default=text("false"))
    # `metadata` is a reserved attribute name of the declarative base
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    closed_at: Mapped[dt.datetime | None]
    deleted_at: Mapped[dt.datetime | None]


class ThreadKey(ChildRow, Base):
    """An id that leads to a conversation. Unique in its inbox, so two mails that race cannot split a thread; an empty
    key is refused (libredesk #122: every mail with an empty Message-ID joined one conversation).
    """

    __tablename__ = "thread_keys"
    __table_args__ = (
        own("conversations", "conversation_id"),
        CheckConstraint("length(key) > 2", name="key_not_empty"),
        one_of("kind", ThreadKeyKind),
        Index(None, "tenant_id", "conversation_id"),
    )

    inbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    conversation_id: Mapped[uuid.UUID]


class ThreadSuggestion(TenantRow, Base):
    """A weak match that a person may follow: this conversation may belong to that one, and why."""

    __tablename__ = "thread_suggestions"
    __table_args__ = (own("conversations", "conversation_id"), own("conversations", "other_id"))

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    other_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    why: Mapped[str]
    created_at: Mapped[CreatedAt]


class Tag(TenantRow, Base):
    __tablename__ = "tags"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name"),
        CheckConstraint("length(name) between 1 and 50", name="name"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    color: Mapped[str] = mapped_column(server_default="#64748b")
    created_by: Mapped[uuid.UUID | None]


class ConversationTag(TenantRow, Base):
    __tablename__ = "conversation_tags"
    __table_args__ = (
        own("conversations", "conversation_id"),
        own("tags", "tag_id"),
        Index(None, "tenant_id", "tag_id"),
    )

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tag_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class ConversationAssignment(TenantRow, Base):
    """The history of who had a conversation, from when to when, and why."""

    __tablename__ = "conversation_assignments"
    __table_args__ = (
        own("conversations", "conversation_id"),
        own("users", "agent_id", ondelete="SET NULL"),
        one_of("method", AssignedBy),
        Index(None, "tenant_id", "conversation_id"),
    )

    id: Mapped[Id]
    conversation_id: Mapped[uuid.UUID]
    agent_id: Mapped[uuid.UUID | None]
    assigned_by_id: Mapped[uuid.UUID | None]
    method: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    assigned_at: Mapped[CreatedAt]
    unassigned_at: Mapped[dt.datetime | None]
