"""How far the desk of each tenant has read its event log, and the reactions that it had to give up."""

import datetime as dt

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, Xid8


class DeskCursor(TenantRow, Base):
    """One row for each tenant. Moved in the transaction of the reactions, so that each event is reacted to exactly once."""

    __tablename__ = "desk_cursors"

    xid: Mapped[int] = mapped_column(Xid8)
    id: Mapped[int]
    moved_at: Mapped[dt.datetime]


class DeskFailure(TenantRow, Base):
    """A reaction to one event that failed by itself, not for the weather: kept so that a mended version can make up for it."""

    __tablename__ = "desk_failures"

    id: Mapped[Id]
    event_id: Mapped[int]
    reactor: Mapped[str]
    error: Mapped[str]
    at: Mapped[CreatedAt]
