"""How conversations change their shape: which people keep apart, what looks like a topic of its own, and changes to many at once."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, one_of, own
from models.bulk_states import BulkChangeState, BulkState


class ConversationsApart(ChildRow, Base):
    """Two conversations that a person has split or unmerged: a mail that names both never joins them again. `one_id` is the lesser."""

    __tablename__ = "conversations_apart"
    __table_args__ = (
        own("conversations", "one_id"),
        own("conversations", "other_id"),
        CheckConstraint("one_id < other_id", name="in_order"),
        Index(None, "tenant_id", "other_id"),
    )

    one_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    other_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    created_at: Mapped[CreatedAt]


class SplitSuggestion(ChildRow, Base):
    """A mail that answers into a conversation under another subject altogether, once for each such subject."""

    __tablename__ = "split_suggestions"
    __table_args__ = (
        own("conversations", "conversation_id"),
        own("messages", "message_id"),
        Index(None, "tenant_id", "message_id"),
    )

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    normalized_subject: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[uuid.UUID]
    created_at: Mapped[CreatedAt]
    dismissed_at: Mapped[dt.datetime | None]


class Bulk(TenantRow, Base):
    """One change to many conversations. `actor` is who asked, on whose behalf each change is made; counts grow with its slices.
    `undo_until` is set with the end: until then what nobody has changed since can be restored.
    """

    __tablename__ = "bulks"
    __table_args__ = (
        own("users", "asked_by", ondelete="SET NULL"),
        one_of("state", BulkState),
        CheckConstraint("done <= total", name="done"),
        Index("ix_bulks_under_way", "id", postgresql_where=text("state in ('running', 'undoing')")),
    )

    id: Mapped[Id]
    asked_by: Mapped[uuid.UUID | None]
    actor: Mapped[str]
    change: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="running")
    total: Mapped[int]
    done: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0")
    restored: Mapped[int] = mapped_column(server_default="0")
    left: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    ended_at: Mapped[dt.datetime | None]
    undo_until: Mapped[dt.datetime | None]


class BulkChange(ChildRow, Base):
    """What one bulk change does to one conversation. `before` holds the values that it replaced, `after` those that it set."""

    __tablename__ = "bulk_changes"
    __table_args__ = (
        own("bulks", "bulk_id"),
        own("conversations", "conversation_id"),
        one_of("state", BulkChangeState),
        Index("ix_bulk_changes_state", "tenant_id", "bulk_id", "state", "conversation_id"),
        Index(None, "tenant_id", "conversation_id"),
    )

    bulk_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default="waiting")
    before: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    after: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
