"""The ledger as people read it: every mail ever seen in an inbox, its state, its class, the reason, and where it went."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Folder, LedgerEntry, Message
from store.pages import Page, id_cursor, read_id_cursor
from store.visibility import Viewer


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """`subject` and `from_*` are those of the message, once there is one. `reports` are a report's recipients."""

    id: uuid.UUID
    folder: str | None
    uidvalidity: int | None
    uid: int | None
    provider_message_id: str | None
    state: str
    classification: str | None
    classification_reason: str | None
    reason: str | None
    conversation_id: uuid.UUID | None
    message_id: uuid.UUID | None
    subject: str | None
    from_address: str | None
    from_name: str | None
    reports: list[dict[str, Any]] | None
    attempts: int
    size_bytes: int
    internal_date: dt.datetime | None
    created_at: dt.datetime


async def list_ledger(
    connection: AsyncConnection,
    viewer: Viewer,
    inbox_id: uuid.UUID,
    *,
    classification: Sequence[str],
    state: Sequence[str],
    after: str | None,
    limit: int,
) -> Page[LedgerLine]:
    """A page, newest first. The caller has checked that the viewer may see the inbox. Raises BadCursor."""
    statement = (
        select(
            LedgerEntry.id,
            Folder.name.label("folder"),
            LedgerEntry.uidvalidity,
            LedgerEntry.uid,
            LedgerEntry.provider_message_id,
            LedgerEntry.state,
            LedgerEntry.classification,
            LedgerEntry.classification_reason,
            LedgerEntry.reason,
            Message.conversation_id,
            LedgerEntry.message_id,
            Message.subject,
            Message.from_address,
            Message.from_name,
            LedgerEntry.reports,
            LedgerEntry.attempts,
            LedgerEntry.raw_length.label("size_bytes"),
            LedgerEntry.internal_date,
            LedgerEntry.created_at,
        )
        .outerjoin(
            Folder, and_(Folder.tenant_id == LedgerEntry.tenant_id, Folder.id == LedgerEntry.folder_id)
        )
        .outerjoin(
            Message, and_(Message.tenant_id == LedgerEntry.tenant_id, Message.id == LedgerEntry.message_id)
        )
        .where(LedgerEntry.tenant_id == viewer.tenant_id, LedgerEntry.inbox_id == inbox_id)
    )
    if classification:
        statement = statement.where(LedgerEntry.classification.in_(classification))
    if state:
        statement = statement.where(LedgerEntry.state.in_(state))
    if after is not None:
        statement = statement.where(LedgerEntry.id < read_id_cursor(after))
    rows = (await connection.execute(statement.order_by(LedgerEntry.id.desc()).limit(limit + 1))).all()
    items = [LedgerLine(**r._asdict()) for r in rows[:limit]]
    return Page(items, id_cursor(items[-1].id) if len(rows) > limit else None)
