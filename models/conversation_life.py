"""What people put beside a conversation's mail: internal notes, who follows it, and replies that are not sent yet."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Index, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TsVector, one_of, own
from models.enums import FollowReason


class Note(ChildRow, Base):
    """Words of the team that no customer sees. `at_version` is the conversation's once the note stood in it. A deleted note keeps its
    row, so that what referred to it is not lost, and nothing of its text.
    """

    __tablename__ = "notes"
    __table_args__ = (
        own("conversations", "conversation_id"),
        own("users", "user_id", ondelete="SET NULL"),
        Index(None, "tenant_id", "conversation_id", "created_at", "id"),
        Index("ix_notes_document", "document", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        Index("ix_notes_unindexed", "tenant_id", "id", postgresql_where=text("document is null")),
    )

    id: Mapped[Id]
    conversation_id: Mapped[uuid.UUID]
    home_id: Mapped[uuid.UUID | None]  # as of a message
    user_id: Mapped[uuid.UUID | None]
    content: Mapped[str]
    mentions: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    at_version: Mapped[int]
    created_at: Mapped[CreatedAt]
    edited_at: Mapped[dt.datetime | None]
    deleted_at: Mapped[dt.datetime | None]
    document: Mapped[str | None] = mapped_column(TsVector)  # its words as a search asks for them


class Follower(ChildRow, Base):
    """Who is told of what happens in a conversation, and why they are. A trigger makes whoever is assigned follow it."""

    __tablename__ = "followers"
    __table_args__ = (
        own("conversations", "conversation_id"),
        own("users", "user_id"),
        one_of("reason", FollowReason),
        Index(None, "tenant_id", "user_id"),
    )

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(server_default="self")
    created_at: Mapped[CreatedAt]


class Draft(ChildRow, Base):
    """A reply that its author has not sent: one for each of them and conversation. Nobody else reads it."""

    __tablename__ = "drafts"
    __table_args__ = (own("conversations", "conversation_id"), own("users", "author_id"), Index(None, "tenant_id", "author_id"))

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    author_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    body_html: Mapped[str] = mapped_column(server_default="")
    subject: Mapped[str | None]
    recipients: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    attachments: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    updated_at: Mapped[CreatedAt]
