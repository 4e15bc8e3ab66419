"""Inboxes as administrators keep them: list, add, change, pause, and the figures of how a sync stands.

Credentials come in sealed and are never read here. What a sync writes about itself is in `store.inbox_state`.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, func, insert, not_, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Folder, Inbox, LedgerEntry
from models.enums import LedgerState
from store.event_log import NewEvent, append_events
from store.visibility import Viewer, may_see


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One inbox without its credentials. `settings` holds hosts, ports and user names, no secret."""

    id: uuid.UUID
    name: str
    channel: str
    provider: str
    email_address: str
    display_name: str
    health: str
    connected_at: dt.datetime | None
    paused_at: dt.datetime | None
    last_sync_at: dt.datetime | None
    last_error: str | None
    last_error_at: dt.datetime | None
    settings: Mapping[str, Any]
    undo_send_seconds: int
    backfill_days: int
    auto_response_enabled: bool
    auto_response_subject: str
    auto_response_body: str
    signature_html: str | None


@dataclass(frozen=True, slots=True)
class SealedCredentials:
    sealed: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class FolderRow:
    id: uuid.UUID
    name: str
    role: str
    synced: bool
    last_uid: int
    state: str
    state_reason: str | None
    messages: int
    backfill_state: str
    backfill_total: int
    backfill_done: int
    backfill_started_at: dt.datetime | None


COLUMNS = (
    Inbox.id,
    Inbox.name,
    Inbox.channel,
    Inbox.provider,
    Inbox.email_address,
    Inbox.display_name,
    Inbox.health,
    Inbox.connected_at,
    Inbox.paused_at,
    Inbox.last_sync_at,
    Inbox.last_error,
    Inbox.last_error_at,
    Inbox.settings,
    Inbox.undo_send_seconds,
    Inbox.backfill_days,
    Inbox.auto_response_enabled,
    Inbox.auto_response_subject,
    Inbox.auto_response_body,
    Inbox.signature_html,
)


async def list_inboxes(connection: AsyncConnection, viewer: Viewer) -> list[InboxRow]:
    """Those the viewer may see, by name."""
    rows = await connection.execute(
        select(*COLUMNS)
        .where(Inbox.tenant_id == viewer.tenant_id, Inbox.deleted_at.is_(None), may_see(viewer, Inbox.id))
        .order_by(Inbox.name, Inbox.id)
        .limit(1000)
    )
    return [InboxRow(**r._asdict()) for r in rows]


async def get_inbox(connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID) -> InboxRow | None:
    row = (
        await connection.execute(
            select(*COLUMNS).where(
                Inbox.tenant_id == viewer.tenant_id,
                Inbox.id == inbox_id,
                Inbox.deleted_at.is_(None),
                may_see(viewer, Inbox.id),
            )
        )
    ).first()
    return InboxRow(**row._asdict()) if row else None


async def add_inbox(
    connection: AsyncConnection,
    viewer: Viewer,
    inbox_id: uuid.UUID,
    values: Mapping[str, Any],
    credentials: SealedCredentials | None,
) -> None:
    """A row with health `connecting`, and its event; without credentials where the operator's own serve. The caller then starts the connect workflow; if it dies first, the
    sweep does.
    """
    await connection.execute(
        insert(Inbox).values(
            tenant_id=viewer.tenant_id,
            id=inbox_id,
            credentials_sealed=credentials.sealed if credentials else None,
            credentials_key_id=credentials.key_id if credentials else None,
            **values,
        )
    )
    await _tell(connection, viewer, inbox_id, "inbox.updated", {"health": "connecting"})


async def sealed_of(
    connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID
) -> SealedCredentials | None:
    """The sealed credentials, locked, so that a change of one server keeps the other's secret."""
    row = (
        await connection.execute(
            select(Inbox.credentials_sealed, Inbox.credentials_key_id)
            .where(Inbox.tenant_id == viewer.tenant_id, Inbox.id == inbox_id)
            .with_for_update(key_share=True)
        )
    ).first()
    if row is None or row.credentials_sealed is None:
        return None
    return SealedCredentials(row.credentials_sealed, row.credentials_key_id)


async def change_inbox(
    connection: AsyncConnection,
    viewer: Viewer,
    inbox_id: uuid.UUID,
    values: Mapping[str, Any],
    *,
    credentials: SealedCredentials | None,
    reconnect: bool,
) -> None:
    """Write what changed. `reconnect` sets it to `connecting` again with no refusals counted; where it was read up to
    stays, since the mail is the same. An inbox that refusals had paused is not paused any more; one that a person paused is.
    """
    new: dict[str, Any] = {**values, "updated_at": func.now()}
    if credentials is not None:
        new |= {"credentials_sealed": credentials.sealed, "credentials_key_id": credentials.key_id}
    if reconnect:
        by_refusals = and_(Inbox.connected_at.is_(None), Inbox.auth_failures > 0)
        still = and_(Inbox.paused_at.is_not(None), not_(by_refusals))
        new |= {"auth_failures": 0, "refused_since": None, "last_error": None}
        new["paused_at"] = case((still, Inbox.paused_at), else_=null())
        new["health"] = case((still, "paused"), else_="connecting")
    await connection.execute(
        update(Inbox).where(Inbox.tenant_id == viewer.tenant_id, Inbox.id == inbox_id).values(**new)
    )
    await _tell(connection, viewer, inbox_id, "inbox.updated", {"changed": sorted(values)})


async def pause_inbox(
    connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID, *, paused: bool
) -> bool:
    """True when this changed something. A resumed inbox is `ok` until a sync says otherwise, or connects first."""
    condition = Inbox.paused_at.is_(None) if paused else Inbox.paused_at.is_not(None)
    health = "paused" if paused else case((Inbox.connected_at.is_(None), "connecting"), else_="ok")
    fresh = {} if paused else {"auth_failures": 0, "refused_since": None}
    done = await connection.execute(
        update(Inbox)
        .where(Inbox.tenant_id == viewer.tenant_id, Inbox.id == inbox_id, condition)
        .values(paused_at=func.now() if paused else None, health=health, updated_at=func.now(), **fresh)
        .returning(Inbox.health)
    )
    now = done.scalar_one_or_none()
    if now is None:
        return False
    await _tell(connection, viewer, inbox_id, "inbox.health", {"health": now})
    return True


@dataclass(frozen=True, slots=True)
class LedgerTally:
    """How many mails the ledger has: those that are in a folder now, by its id, and all by their state."""

    of_folder: Mapping[uuid.UUID, int]
    in_state: Mapping[str, int]


async def tally_ledger(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> LedgerTally:
    """Counted in one pass: the ledger of a large inbox has a million rows."""
    rows = await connection.execute(
        select(LedgerEntry.folder_id, LedgerEntry.state, LedgerEntry.gone_at.is_(None), func.count())
        .where(LedgerEntry.tenant_id == tenant_id, LedgerEntry.inbox_id == inbox_id)
        .group_by(LedgerEntry.folder_id, LedgerEntry.state, LedgerEntry.gone_at.is_(None))
    )
    of_folder: Counter[uuid.UUID] = Counter()
    in_state = {state.value: 0 for state in LedgerState}
    for folder_id, state, here, count in rows:
        in_state[state] += count
        if here and state != LedgerState.VANISHED and folder_id is not None:
            of_folder[folder_id] += count
    return LedgerTally(of_folder, in_state)


async def folders_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, tally: LedgerTally
) -> list[FolderRow]:
    """The folders with how many mails the ledger has of each, synced ones first."""
    rows = await connection.execute(
        select(
            Folder.id,
            Folder.name,
            Folder.role,
            Folder.synced,
            Folder.last_uid,
            Folder.state,
            Folder.state_reason,
            Folder.backfill_state,
            Folder.backfill_total,
            Folder.backfill_done,
            Folder.backfill_started_at,
        )
        .where(Folder.tenant_id == tenant_id, Folder.inbox_id == inbox_id)
        .order_by(Folder.synced.desc(), Folder.role != "inbox", Folder.name)
        .limit(500)
    )
    return [FolderRow(**r._asdict(), messages=tally.of_folder.get(r.id, 0)) for r in rows]


async def has_folder(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, folder_id: uuid.UUID
) -> bool:
    row = await connection.execute(
        select(Folder.id).where(
            Folder.tenant_id == tenant_id, Folder.inbox_id == inbox_id, Folder.id == folder_id
        )
    )
    return row.first() is not None


async def _tell(
    connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID, event: str, payload: Mapping[str, Any]
) -> None:
    await append_events(
        connection,
        [NewEvent(event, viewer.tenant_id, inbox_id=inbox_id, actor=viewer.actor, payload=payload)],
    )
