"""Saved views, which conversations are in them, and the counters of every box; all kept up beside the rows, never counted."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Identity, Index, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, one_of, own
from models.enums import ListOrder


class View(TenantRow, Base):
    """A list with a name: conditions, an order, a place in the navigation. `revision` grows with the conditions; the members are
    those of `filled_revision`, as far as the conversation's number `filled_to` until `ready`. `moved_at`: up to when time has
    moved conversations in and out, for conditions that time changes.
    """

    __tablename__ = "views"
    __table_args__ = (
        own("users", "owner_id"),
        CheckConstraint("shared or owner_id is not null", name="somebodys"),
        one_of("sort", ListOrder),
        Index(None, "tenant_id", "position"),
    )

    id: Mapped[Id]
    owner_id: Mapped[uuid.UUID | None]
    shared: Mapped[bool] = mapped_column(server_default=text("false"))
    name: Mapped[str]
    icon: Mapped[str] = mapped_column(server_default="list")
    color: Mapped[str] = mapped_column(server_default="#64748b")
    position: Mapped[int] = mapped_column(server_default="0")
    conditions: Mapped[dict[str, Any]] = mapped_column(JSONB)
    sort: Mapped[str] = mapped_column(server_default="newest")
    revision: Mapped[int] = mapped_column(server_default="1")
    ready: Mapped[bool] = mapped_column(server_default=text("false"))
    filled_revision: Mapped[int] = mapped_column(server_default="0")
    filled_to: Mapped[int] = mapped_column(server_default="0")
    to_fill: Mapped[int] = mapped_column(server_default="0")
    moved_at: Mapped[dt.datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class ViewMember(ChildRow, Base):
    """A conversation in a view, as of the last look at it. `who` is the person that `me` stands for, nobody (all zeros) without
    one. `at` is the conversation's last message, in whose order a view is read.
    """

    __tablename__ = "view_members"
    __table_args__ = (
        own("views", "view_id"),
        own("conversations", "conversation_id"),
        Index("ix_view_members_list", "tenant_id", "view_id", "who", text("at desc"), text("conversation_id desc")),
        Index(None, "tenant_id", "conversation_id"),
    )

    view_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    who: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    inbox_id: Mapped[uuid.UUID]
    at: Mapped[dt.datetime]


class BoxCount(ChildRow, Base):
    """How many an inbox has in a box: a status, `unread`, `unassigned`, `mine`, `spam_mail`, or a view by its id."""

    __tablename__ = "box_counts"
    __table_args__ = (own("inboxes", "inbox_id"), Index(None, "tenant_id", "who"))

    box: Mapped[str] = mapped_column(primary_key=True)
    who: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    inbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    n: Mapped[int]


class BoxDelta(ChildRow, Base):
    """What a transaction changed in a box. Triggers append it, the desk's turn adds it to `box_counts`; the truth is the sum."""

    __tablename__ = "box_deltas"
    __table_args__ = (own("inboxes", "inbox_id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    box: Mapped[str]
    who: Mapped[uuid.UUID]
    inbox_id: Mapped[uuid.UUID]
    n: Mapped[int]


class TouchedConversations(TenantRow, Base):
    """Conversations that a statement changed and that views have not looked at since."""

    __tablename__ = "touched_conversations"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    conversation_ids: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(Uuid))
