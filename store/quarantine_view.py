"""Quarantined mails as people read them: why, since when, in which inbox, and where their bytes lie."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Inbox, LedgerEntry, Quarantine
from store.event_log import NewEvent, append_events
from store.messages_view import RawPlace
from store.pages import Page, id_cursor, read_id_cursor
from store.visibility import Viewer, may_see


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    id: uuid.UUID
    ledger_id: uuid.UUID
    inbox_id: uuid.UUID
    inbox_name: str
    provider: str
    reason: str
    detail: str
    attempts: int
    first_at: dt.datetime
    last_at: dt.datetime
    resolved_at: dt.datetime | None
    resolution: str | None
    raw_key: str | None
    raw_offset: int
    raw_length: int

    @property
    def raw(self) -> RawPlace | None:
        """None for a mail that could not even be fetched."""
        return RawPlace(self.raw_key, self.raw_offset, self.raw_length) if self.raw_key else None


async def list_quarantine(
    connection: AsyncConnection, viewer: Viewer, *, resolved: bool, after: str | None, limit: int
) -> Page[QuarantineRow]:
    """A page, newest first. Raises BadCursor."""
    condition = Quarantine.resolved_at.is_not(None) if resolved else Quarantine.resolved_at.is_(None)
    statement = _rows(viewer).where(condition)
    if after is not None:
        statement = statement.where(Quarantine.id < read_id_cursor(after))
    rows = (await connection.execute(statement.order_by(Quarantine.id.desc()).limit(limit + 1))).all()
    items = [QuarantineRow(**r._asdict()) for r in rows[:limit]]
    return Page(items, id_cursor(items[-1].id) if len(rows) > limit else None)


async def get_quarantined(
    connection: AsyncConnection, viewer: Viewer, quarantine_id: uuid.UUID
) -> QuarantineRow | None:
    row = (await connection.execute(_rows(viewer).where(Quarantine.id == quarantine_id))).first()
    return QuarantineRow(**row._asdict()) if row else None


async def dismiss(connection: AsyncConnection, viewer: Viewer, row: QuarantineRow) -> bool:
    """Put a mail aside for good: it stays in the ledger with its bytes and becomes no message. False when it is resolved."""
    done = await connection.execute(
        update(Quarantine)
        .where(
            Quarantine.tenant_id == viewer.tenant_id,
            Quarantine.id == row.id,
            Quarantine.resolved_at.is_(None),
        )
        .values(resolved_at=func.now(), resolution="dismissed")
    )
    if done.rowcount == 0:
        return False
    await append_events(
        connection,
        [
            NewEvent(
                "quarantine.resolved",
                viewer.tenant_id,
                inbox_id=row.inbox_id,
                actor=viewer.actor,
                payload={"quarantine_id": str(row.id), "resolution": "dismissed"},
            )
        ],
    )
    return True


def _rows(viewer: Viewer) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Quarantine.id,
            Quarantine.ledger_id,
            LedgerEntry.inbox_id,
            Inbox.name.label("inbox_name"),
            Inbox.provider,
            Quarantine.reason,
            Quarantine.detail,
            LedgerEntry.attempts,
            Quarantine.first_at,
            Quarantine.last_at,
            Quarantine.resolved_at,
            Quarantine.resolution,
            LedgerEntry.raw_key,
            LedgerEntry.raw_offset,
            LedgerEntry.raw_length,
        )
        .join(
            LedgerEntry,
            and_(LedgerEntry.tenant_id == Quarantine.tenant_id, LedgerEntry.id == Quarantine.ledger_id),
        )
        .join(Inbox, and_(Inbox.tenant_id == LedgerEntry.tenant_id, Inbox.id == LedgerEntry.inbox_id))
        .where(Quarantine.tenant_id == viewer.tenant_id, may_see(viewer, LedgerEntry.inbox_id))
    )
