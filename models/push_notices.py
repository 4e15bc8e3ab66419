"""What Gmail and Graph announced at our webhooks, so that each announcement counts once."""

import uuid

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, own


class PushNotice(TenantRow, Base):
    """One announcement by its provider's id. `news` False: what it tells of had been announced or read before. `history_id`
    is Gmail's. Rows are kept for two days; a redelivery comes within hours.
    """

    __tablename__ = "push_notices"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        UniqueConstraint("tenant_id", "inbox_id", "event_id"),
        Index("ix_push_notices_received", "tenant_id", "inbox_id", "received_at"),
        Index("ix_push_notices_history", "tenant_id", "inbox_id", "history_id"),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    event_id: Mapped[str]
    kind: Mapped[str]
    history_id: Mapped[int | None]
    news: Mapped[bool] = mapped_column()
    received_at: Mapped[CreatedAt]
