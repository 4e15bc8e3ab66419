"""What Gmail and Graph announced at our webhooks, so that each announcement counts once; and how much they announced of what came."""

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, own


class PushNotice(TenantRow, Base):
    """One announcement by its provider's id. `news` False: what it tells of had been announced or read before. `history_id`
    is Gmail's, `mail_id` Graph's. Rows are kept for two days; a redelivery comes within hours.
    """

    __tablename__ = "push_notices"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        UniqueConstraint("tenant_id", "inbox_id", "event_id"),
        Index("ix_push_notices_received", "tenant_id", "inbox_id", "received_at"),
        Index("ix_push_notices_history", "tenant_id", "inbox_id", "history_id"),
        Index(
            "ix_push_notices_mail", "tenant_id", "inbox_id", "mail_id", postgresql_where=text("mail_id is not null")
        ),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    event_id: Mapped[str]
    kind: Mapped[str]
    history_id: Mapped[int | None]
    mail_id: Mapped[str | None]
    news: Mapped[bool] = mapped_column()
    received_at: Mapped[CreatedAt]


class PushHour(TenantRow, Base):
    """Of the mails that came to an inbox while it was announced, how many were counted in that hour, and how many of them no
    announcement told of in time. Kept for a week.
    """

    __tablename__ = "push_hours"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        UniqueConstraint("tenant_id", "inbox_id", "hour"),
        Index("ix_push_hours_hour", "hour"),
        CheckConstraint("missed between 0 and found", name="missed"),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    hour: Mapped[dt.datetime]
    found: Mapped[int] = mapped_column(server_default="0")
    missed: Mapped[int] = mapped_column(server_default="0")
