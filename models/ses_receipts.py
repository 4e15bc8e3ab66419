"""Mails in the bucket where SES puts what it receives: which were heard of, and whose they are."""

import datetime as dt
import uuid

from sqlalchemy import Index, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, one_of
from models.enums import ReceiptState


class SesReceipt(Base):
    """One object, by `bucket/key`. `recipients` null: it was found in the bucket, and its header was not read yet; they are
    emptied once every one of them has its inbox. `inbox_ids` are the inboxes whose ledger has a row for it.
    """

    __tablename__ = "ses_receipts"
    __table_args__ = (
        UniqueConstraint("object_id"),
        one_of("state", ReceiptState),
        Index("ix_ses_receipts_waiting", "attempts", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_ses_receipts_unclaimed", "settled_at", postgresql_where=text("state = 'unclaimed'")),
        Index("ix_ses_receipts_inboxes", "inbox_ids", postgresql_using="gin"),
    )

    id: Mapped[Id]
    object_id: Mapped[str]
    recipients: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    inbox_ids: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(server_default="waiting")
    reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    received_at: Mapped[CreatedAt]
    created_at: Mapped[CreatedAt]
    settled_at: Mapped[dt.datetime | None]
