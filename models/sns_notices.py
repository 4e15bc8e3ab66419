"""What SNS posted to our webhook and was proven, kept until it is applied."""

import datetime as dt

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, one_of
from models.enums import NoticeState


class SnsNotice(Base):
    """One message of SNS, by its own id. It belongs to no tenant until the mail is found that it tells of; then `body` is
    emptied, since the mail's own rows say the rest.
    """

    __tablename__ = "sns_notices"
    __table_args__ = (
        UniqueConstraint("message_id"),
        one_of("state", NoticeState),
        Index("ix_sns_notices_waiting", "attempts", "id", postgresql_where=text("state = 'waiting'")),
        Index(None, "received_at"),
    )

    id: Mapped[Id]
    message_id: Mapped[str]
    topic: Mapped[str]
    kind: Mapped[str]
    body: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="waiting")
    reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    received_at: Mapped[CreatedAt]
    settled_at: Mapped[dt.datetime | None]
