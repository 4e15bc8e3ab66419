"""The event log that every change writes to, its readers' cursors, and the two tables that make repeats harmless."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Identity, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, Xid8, one_of, own
from models.enums import IdempotencyState, LoopBudgetKind


class Event(Base):
    """One thing that happened, written in the transaction that made it happen. Append only, partitioned by month.

    Readers order by `(xid, id)` and read only below `pg_snapshot_xmin(pg_current_snapshot())`: a transaction that began
    earlier but commits later can then never be skipped. `payload` holds ids, statuses and counts, never mail.
    """

    __tablename__ = "events"
    __table_args__ = (
        PrimaryKeyConstraint("id", "created_at"),
        Index("ix_events_log", "tenant_id", "xid", "id"),
        Index("ix_events_reader", "xid", "id"),
        Index(
            "ix_events_message", "tenant_id", "message_id", postgresql_where=text("message_id is not null")
        ),
        # What people changed in the settings, for the page that says who did.
        Index(
            "ix_events_audit",
            "tenant_id",
            "id",
            postgresql_where=text("actor <> 'system' and conversation_id is null"),
        ),
        # What people changed in a conversation, for whoever asks what is new since they looked.
        Index(
            "ix_events_changes",
            "tenant_id",
            "conversation_id",
            "id",
            postgresql_where=text("payload ? 'changed'"),
        ),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    id: Mapped[int] = mapped_column(Identity(always=True))
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    tenant_id: Mapped[uuid.UUID]
    inbox_id: Mapped[uuid.UUID | None]
    conversation_id: Mapped[uuid.UUID | None]
    message_id: Mapped[uuid.UUID | None]
    type: Mapped[str]
    actor: Mapped[str] = mapped_column(server_default="system")
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    causality: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]


class EventCursor(Base):
    """How far a named reader of the whole log has come."""

    __tablename__ = "event_cursors"

    consumer: Mapped[str] = mapped_column(primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8)
    id: Mapped[int]


class IdempotencyKey(TenantRow, Base):
    """The answer given to a POST under its Idempotency-Key; kept a week (integrity S-8)."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (one_of("state", IdempotencyState), Index(None, "created_at"))

    key: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str]
    request_hash: Mapped[bytes]
    state: Mapped[str] = mapped_column(server_default="started")
    response_status: Mapped[int | None]
    response: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]


class LoopBudget(TenantRow, Base):
    """Mails in one window of ten minutes: automatic ones to a correspondent of an inbox (integrity L-4; `*` for all), and
    incoming ones from a sender (L-9; `<` and the address, `<*` for all).
    """

    __tablename__ = "loop_budgets"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        UniqueConstraint("tenant_id", "inbox_id", "correspondent_key", "window_start"),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    correspondent_key: Mapped[str]
    window_start: Mapped[dt.datetime]
    count: Mapped[int] = mapped_column(server_default="0")


class LoopBreach(TenantRow, Base):
    """A budget that was used up: one row for each place, re-opened by the next breach. While `paused_until` lies ahead
    the rule keeps silent there; `held_back` counts what it did not do. `correspondent_key` is "" for whole inboxes.
    """

    __tablename__ = "loop_breaches"
    __table_args__ = (own("inboxes", "inbox_id"), one_of("budget", LoopBudgetKind))

    inbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    budget: Mapped[str] = mapped_column(primary_key=True)
    correspondent_key: Mapped[str] = mapped_column(primary_key=True)
    opened_at: Mapped[dt.datetime]
    last_at: Mapped[dt.datetime]
    paused_until: Mapped[dt.datetime]
    held_back: Mapped[int] = mapped_column(server_default="1")
