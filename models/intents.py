"""What people chose in Mailroom and the mail server shall show too."""

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, one_of, own
from models.enums import IntentKind, IntentState


class Intent(TenantRow, Base):
    """The state that one message should have at the provider. One row for each message and kind: asked again, it opens again.

    It is written back by the sync that holds the inbox's lease, and closed by what the ledger then knows of the server: whoever
    brought that state about, `done` is done.
    """

    __tablename__ = "intents"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        own("messages", "message_id"),
        one_of("kind", IntentKind),
        one_of("state", IntentState),
        UniqueConstraint("tenant_id", "message_id", "kind"),
        CheckConstraint("(state = 'open') = (closed_at is null)", name="closed_at"),
        Index("ix_intents_open", "tenant_id", "inbox_id", "id", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    message_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    asked_at: Mapped[CreatedAt]
    asked_by: Mapped[str] = mapped_column(server_default="system")
    closed_at: Mapped[dt.datetime | None]
