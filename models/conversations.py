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

# What waits for somebody: history that a backfill brought is nobody's work.
WAITING = "status = 'open' and assigned_to is null and not historical and merged_into is null and deleted_at is null"


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
        own("teams", "team_id", ondelete="SET NULL"),
        own("sla_policies", "sla_policy_id", ondelete="SET NULL"),
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
        Index(
            "ix_conversations_merged", "tenant_id", "merged_into", postgresql_where=text("merged_into is not null")
        ),
        # The queues: each priority's oldest first.
        Index("ix_conversations_queue", "tenant_id", "inbox_id", "priority", "id", postgresql_where=text(f"{WAITING} and team_id is null")),
        Index("ix_conversations_team_queue", "tenant_id", "team_id", "priority", "id", postgresql_where=text(f"{WAITING} and team_id is not null")),
        # Those who wait for an answer, the longest first; what was closed without one waits for nobody.
        Index(
            "ix_conversations_waiting",
            "tenant_id",
            "waiting_since",
            "id",
            postgresql_where=text(
                "waiting_since is not null and status in ('open', 'pending', 'snoozed') and merged_into is null and deleted_at is null"
            ),
        ),
        Index("ix_conversations_snoozed", "snoozed_until", postgresql_where=text("status = 'snoozed'")),
        Index(
            "ix_conversations_sla_due",
            "tenant_id",
            "sla_due_at",
            "id",
            postgresql_where=text("sla_due_at is not null and merged_into is null and deleted_at is null"),
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
    team_id: Mapped[uuid.UUID | None]
    snoozed_until: Mapped[dt.datetime | None]
    unread_count: Mapped[int] = mapped_column(server_default="0")
    message_count: Mapped[int] = mapped_column(server_default="0")
    agent_message_count: Mapped[int] = mapped_column(server_default="0")
    customer_message_count: Mapped[int] = mapped_column(server_default="0")
    last_message_at: Mapped[CreatedAt]
    last_message_direction: Mapped[str | None]
    waiting_since: Mapped[dt.datetime | None]  # the customer's first mail after our last one, to the grain of a batch
    first_response_at: Mapped[dt.datetime | None]
    first_response_seconds: Mapped[int | None]
    avg_response_seconds: Mapped[int | None]
    responses: Mapped[int] = mapped_column(server_default="0")
    first_response_business_seconds: Mapped[int | None]
    avg_response_business_seconds: Mapped[int | None]
    sla_policy_id: Mapped[uuid.UUID | None]
    sla_warn_at: Mapped[dt.datetime | None]  # of the clock that is due next
    sla_due_at: Mapped[dt.datetime | None]
    sla_paused: Mapped[bool] = mapped_column(server_default=text("false"))
    sla_breached: Mapped[bool] = mapped_column(server_default=text("false"))
    failed_sends: Mapped[int] = mapped_column(server_default="0")
    unknown_sends: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="1")
    merged_into: Mapped[uuid.UUID | None]
    merged_under: Mapped[uuid.UUID | None]  # what it was merged into itself; `merged_into` is where that has come to since
    merged_at: Mapped[dt.datetime | None]
    historical: Mapped[bool] = mapped_column(server_default=text("false"))
    held: Mapped[bool] = mapped_column(server_default=text("false"))  # a legal hold: no policy touches it
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
    home_id: Mapped[uuid.UUID | None]  # the conversation that it led to before a merge


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
    """The history of who had a conversation, from when to when, and why. Without an agent it waited, in a team's queue or in
    its inbox's.
    """

    __tablename__ = "conversation_assignments"
    __table_args__ = (
        own("conversations", "conversation_id"),
        own("users", "agent_id", ondelete="SET NULL"),
        own("teams", "team_id", ondelete="SET NULL"),
        one_of("method", AssignedBy),
        Index(None, "tenant_id", "conversation_id"),
    )

    id: Mapped[Id]
    conversation_id: Mapped[uuid.UUID]
    agent_id: Mapped[uuid.UUID | None]
    team_id: Mapped[uuid.UUID | None]
    assigned_by_id: Mapped[uuid.UUID | None]
    method: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    assigned_at: Mapped[CreatedAt]
    unassigned_at: Mapped[dt.datetime | None]
