"""Figures kept as sums by the hour, so that no page of figures reads mail: how much came and went, how long it took, what waited."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, one_of, own
from models.enums import MailFlow

NOBODY = text("'00000000-0000-0000-0000-000000000000'")


class MailHour(ChildRow, Base):
    """Mails of an inbox in one hour (UTC). `agent_id` is who wrote them, nobody's for others."""

    __tablename__ = "mail_hours"
    __table_args__ = (own("inboxes", "inbox_id"), one_of("flow", MailFlow))

    hour: Mapped[dt.datetime] = mapped_column(primary_key=True)
    inbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    flow: Mapped[str] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NOBODY)
    n: Mapped[int]


class DurationHour(ChildRow, Base):
    """Durations that ended in one hour (UTC), counted in the buckets of `rules/durations.py`. `measure` names what was
    measured; of a service level the bucket is 1 where it was kept and 0 where it was not. `n` may sink again to zero: a
    conversation that is opened again is not resolved.
    """

    __tablename__ = "duration_hours"
    __table_args__ = (own("inboxes", "inbox_id"),)

    hour: Mapped[dt.datetime] = mapped_column(primary_key=True)
    inbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    team_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NOBODY)
    agent_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NOBODY)
    bucket: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]


class ConversationFigures(ChildRow, Base):
    """What a conversation has added to `duration_hours`: a list of `[hour, inbox, measure, team, agent, bucket]`. The next look at
    it adds and takes away only the difference.
    """

    __tablename__ = "conversation_figures"
    __table_args__ = (own("conversations", "conversation_id"),)

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    figures: Mapped[list[Any]] = mapped_column(JSONB)


class BacklogHour(ChildRow, Base):
    """What lay in an inbox when the desk last looked in that hour (UTC). An hour without a row had the figures of the one before."""

    __tablename__ = "backlog_hours"
    __table_args__ = (own("inboxes", "inbox_id"),)

    hour: Mapped[dt.datetime] = mapped_column(primary_key=True)
    inbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    open: Mapped[int]
    pending: Mapped[int]
    snoozed: Mapped[int]
    unassigned: Mapped[int]
