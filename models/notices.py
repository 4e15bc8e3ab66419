"""What people are told: one notice for each event and person, how each person wants to hear, and the mails that carried them."""

import datetime as dt
import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, one_of, own


class NoticeKind(StrEnum):
    """Why somebody is told."""

    ASSIGNED = "assigned"
    MENTIONED = "mentioned"
    REPLY = "reply"
    SLA_WARNED = "sla_warned"
    SLA_BREACHED = "sla_breached"
    SEND_UNKNOWN = "send_unknown"
    SEND_FAILED = "send_failed"
    RULE = "rule"


class NoticeMail(StrEnum):
    """Whether a notice is mailed too: never, with the next digest, or as soon as it is there."""

    OFF = "off"
    DIGEST = "digest"
    AT_ONCE = "at_once"


class DigestPace(StrEnum):
    """How often the mail of notices is sent: never, every so many minutes, or once a day."""

    OFF = "off"
    INTERVAL = "interval"
    DAILY = "daily"


class Notice(ChildRow, Base):
    """One person is told of one event. `live` False: it is for the mail alone and shows in no list. `mail` says whether it waits for
    one; it goes into at most one digest, and into none once it was read.
    """

    __tablename__ = "notices"
    __table_args__ = (
        own("users", "user_id"),
        own("conversations", "conversation_id"),
        UniqueConstraint("tenant_id", "user_id", "event_id"),
        one_of("kind", NoticeKind),
        one_of("mail", NoticeMail),
        Index("ix_notices_list", "tenant_id", "user_id", text("id desc"), postgresql_where=text("live")),
        Index("ix_notices_unread", "tenant_id", "user_id", postgresql_where=text("live and read_at is null")),
        Index(
            "ix_notices_to_mail",
            "tenant_id",
            "user_id",
            postgresql_where=text("mail <> 'off' and mailed_at is null and read_at is null"),
        ),
        Index(None, "tenant_id", "conversation_id"),
    )

    id: Mapped[Id]
    user_id: Mapped[uuid.UUID]
    event_id: Mapped[int]
    kind: Mapped[str]
    conversation_id: Mapped[uuid.UUID | None]
    message_id: Mapped[uuid.UUID | None]
    actor: Mapped[str] = mapped_column(server_default="system")
    live: Mapped[bool] = mapped_column(server_default=text("true"))
    mail: Mapped[str] = mapped_column(server_default="off")
    created_at: Mapped[CreatedAt]
    read_at: Mapped[dt.datetime | None]
    mailed_at: Mapped[dt.datetime | None]


class NoticeSettings(ChildRow, Base):
    """How one person wants to hear. `kinds` holds what differs from the usual; `digest_due_at` is when the next mail is due, null while
    nothing waits for one.
    """

    __tablename__ = "notice_settings"
    __table_args__ = (
        own("users", "user_id"),
        one_of("pace", DigestPace),
        CheckConstraint("every_minutes between 5 and 1440", name="every_minutes"),
        CheckConstraint("daily_hour between 0 and 23", name="daily_hour"),
        Index("ix_notice_settings_due", "digest_due_at", postgresql_where=text("digest_due_at is not null")),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kinds: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    pace: Mapped[str] = mapped_column(server_default="interval")
    every_minutes: Mapped[int] = mapped_column(server_default="30")
    daily_hour: Mapped[int] = mapped_column(server_default="8")
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    snippets: Mapped[bool] = mapped_column(server_default=text("false"))
    digest_due_at: Mapped[dt.datetime | None]
    updated_at: Mapped[CreatedAt]


class Digest(ChildRow, Base):
    """One mail of notices to one person, for one window: the row is written before the mail is made, so that a window has one at
    most (integrity S-5).
    """

    __tablename__ = "digests"
    __table_args__ = (own("users", "user_id"), UniqueConstraint("tenant_id", "user_id", "due_at"), Index(None, "created_at"))

    id: Mapped[Id]
    user_id: Mapped[uuid.UUID]
    due_at: Mapped[dt.datetime]
    message_id: Mapped[uuid.UUID | None]
    notices: Mapped[int]
    created_at: Mapped[CreatedAt]
