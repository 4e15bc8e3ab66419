"""What people chose in Mailroom and the mail server shall show too."""

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, one_of, own
from models.enums import IntentKind, IntentState


class Intent(TenantRow, Base):
    """The state that one message should have at the provider. One row for each message, kind and detail: asked again, it opens again.

    It is written back by the sync that holds the inbox's lease, and closed by what the ledger then knows of the server: whoever
    brought that state about, `done` is done.

    A `place` is `wanted` in a folder's role (inbox, archive, junk, trash) and `expected` in another, where it lay when a person
    chose; `tried_at` is written before the server is told. Of a `label` the `detail` is the name, and `wanted` on or off.
    `reason` says why it was refused or where somebody else put the mail.
    """

    __tablename__ = "intents"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        own("messages", "message_id"),
        one_of("kind", IntentKind),
        one_of("state", IntentState),
        UniqueConstraint("tenant_id", "message_id", "kind", "detail"),
        CheckConstraint("(state = 'open') = (closed_at is null)", name="closed_at"),
        Index("ix_intents_open", "tenant_id", "inbox_id", "id", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    message_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default="")
    wanted: Mapped[str] = mapped_column(server_default="")
    expected: Mapped[str] = mapped_column(server_default="")
    reason: Mapped[str] = mapped_column(server_default="")
    tried_at: Mapped[dt.datetime | None]
    state: Mapped[str] = mapped_column(server_default="open")
    asked_at: Mapped[CreatedAt]
    asked_by: Mapped[str] = mapped_column(server_default="system")
    closed_at: Mapped[dt.datetime | None]
