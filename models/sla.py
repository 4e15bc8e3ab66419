"""Service levels: business hours, policies, the clocks that run by them, and what their arithmetic is made from."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, one_of, own
from models.enums import ConversationStatus, SlaRecountState, SlaTarget


class BusinessHoursRow(TenantRow, Base):
    """A weekly plan. `week` holds seven lists of `["09:00", "17:00"]` from Monday, `dates` own days with their intervals. The
    default one measures response times where no policy applies.
    """

    __tablename__ = "business_hours"
    __table_args__ = (
        Index(
            "uq_business_hours_default",
            "tenant_id",
            unique=True,
            postgresql_where=text("is_default and deleted_at is null"),
        ),
    )

    id: Mapped[Id]
    name: Mapped[str]
    time_zone: Mapped[str]
    week: Mapped[list[Any]] = mapped_column(JSONB)
    country: Mapped[str] = mapped_column(server_default="")
    subdivision: Mapped[str] = mapped_column(server_default="")
    dates: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[dt.datetime | None]


class SlaPolicy(TenantRow, Base):
    """The first one, by `position`, whose conditions fit a conversation applies to it. `targets` maps a target to its minutes
    and whether they are business time; without `business_hours_id` all time is.
    """

    __tablename__ = "sla_policies"
    __table_args__ = (
        own("business_hours", "business_hours_id", ondelete="SET NULL"),
        CheckConstraint("warn_percent between 1 and 100", name="warn_percent"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    position: Mapped[int]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    conditions: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    targets: Mapped[dict[str, Any]] = mapped_column(JSONB)
    business_hours_id: Mapped[uuid.UUID | None]
    warn_percent: Mapped[int] = mapped_column(server_default="80")
    pause_on: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{pending,snoozed}'"))
    actions: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[dt.datetime | None]


class SlaClock(ChildRow, Base):
    """One target of one conversation, from the mail that started it. Its times are those of the mails and changes themselves,
    so whoever works them out again, however late, comes to the same row.

    `due_at` is null while it is paused; `next_at` is when there is something to do, and is what the timer walks.
    `warned_at` and `breached_at` are set once. `excuse` says why a breach is none by what is known now; it is never undone
    in silence.
    """

    __tablename__ = "sla_clocks"
    __table_args__ = (
        own("conversations", "conversation_id"),
        own("sla_policies", "policy_id", ondelete="SET NULL"),
        one_of("target", SlaTarget),
        UniqueConstraint("tenant_id", "conversation_id", "target", "started_at"),
        Index("ix_sla_clocks_next", "tenant_id", "next_at", "id", postgresql_where=text("next_at is not null")),
        Index("ix_sla_clocks_open", "tenant_id", "id", postgresql_where=text("ended_at is null")),
    )

    id: Mapped[Id]
    conversation_id: Mapped[uuid.UUID]
    target: Mapped[str]
    policy_id: Mapped[uuid.UUID | None]
    target_seconds: Mapped[int]
    business: Mapped[bool]
    started_at: Mapped[dt.datetime]
    warn_at: Mapped[dt.datetime | None]
    due_at: Mapped[dt.datetime | None]
    next_at: Mapped[dt.datetime | None]
    paused_at: Mapped[dt.datetime | None]
    warned_at: Mapped[dt.datetime | None]
    breached_at: Mapped[dt.datetime | None]
    met_at: Mapped[dt.datetime | None]
    met_by: Mapped[uuid.UUID | None]
    ended_at: Mapped[dt.datetime | None]
    ended_by: Mapped[str | None]
    excused_at: Mapped[dt.datetime | None]
    excuse: Mapped[str | None]
    segments: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    created_at: Mapped[CreatedAt]


class ConversationStatusChange(ChildRow, Base):
    """When a conversation took which status: what clocks pause and end by. Copied from the event log, which is not kept for ever."""

    __tablename__ = "conversation_statuses"
    __table_args__ = (own("conversations", "conversation_id"), one_of("status", ConversationStatus))

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    status: Mapped[str]


class SlaRecount(TenantRow, Base):
    """All conversations worked out again, because hours or policies changed. `after` is the last one that is done."""

    __tablename__ = "sla_recounts"
    __table_args__ = (
        one_of("state", SlaRecountState),
        Index("ix_sla_recounts_running", "tenant_id", "id", postgresql_where=text("state = 'running'")),
    )

    id: Mapped[Id]
    why: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="running")
    total: Mapped[int]
    done: Mapped[int] = mapped_column(server_default="0")
    moved: Mapped[int] = mapped_column(server_default="0")
    excused: Mapped[int] = mapped_column(server_default="0")
    after: Mapped[uuid.UUID | None]
    actor: Mapped[str]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[dt.datetime | None]
