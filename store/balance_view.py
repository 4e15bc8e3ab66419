"""The balance of all mailboxes as administrators read it: each inbox and synced folder with its last sheet and its gaps."""

import datetime as dt
import uuid
from dataclasses import dataclass, field

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from store.audits import COLUMNS as SHEET
from store.audits import AuditRow
from store.gaps import COLUMNS as GAP
from store.gaps import GapRow
from store.inboxes import list_inboxes
from store.visibility import Viewer

IDS = bindparam("ids", type_=ARRAY(UUID(as_uuid=True)))
PLANS = text(
    """
    select id, audit_due_at, audit_asked from inboxes where tenant_id = :tenant and id = any(:ids)
    """
).bindparams(IDS)
# Which gaps were closed lately is a range of their primary keys' own index, newest first.
FOLDERS = text(
    """
    select f.id, f.inbox_id, f.name, f.role, f.state, f.state_reason, f.backfill_state,
      (select count(*) from gaps g where g.tenant_id = f.tenant_id and g.inbox_id = f.inbox_id and g.folder_id = f.id
         and g.closed_at > now() - interval '30 days') as gaps_closed
    from folders f where f.tenant_id = :tenant and f.inbox_id = any(:ids) and f.synced
    order by case f.role when 'inbox' then 0 when 'sent' then 1 else 2 end, f.name
    """
).bindparams(IDS)
SHEETS = text(
    f"""
    select f.name as folder, a.* from folders f cross join lateral (
      select {SHEET} from audits a where a.tenant_id = f.tenant_id and a.folder_id = f.id order by a.id desc limit 1) a
    where f.tenant_id = :tenant and f.inbox_id = any(:ids) and f.synced
    """
).bindparams(IDS)
OPEN_GAPS = text(
    f"""
    select {GAP}, f.name as folder from gaps g
    left join folders f on f.tenant_id = g.tenant_id and f.id = g.folder_id
    where g.tenant_id = :tenant and g.inbox_id = any(:ids) and g.closed_at is null order by g.id
    """
).bindparams(IDS)


@dataclass(frozen=True, slots=True)
class FolderBalance:
    """`sheet` is the last one, None before the first. `gaps_closed` counts those of the last thirty days."""

    id: uuid.UUID
    name: str
    role: str
    state: str
    state_reason: str | None
    backfill_state: str
    gaps_closed: int
    sheet: AuditRow | None


@dataclass(frozen=True, slots=True)
class InboxBalance:
    """`audit_asked`: a person waits for new sheets; otherwise they come at `audit_due_at`."""

    id: uuid.UUID
    name: str
    email_address: str
    health: str
    connected: bool
    paused: bool
    audit_due_at: dt.datetime | None
    audit_asked: bool
    folders: list[FolderBalance] = field(default_factory=list)
    open_gaps: list[GapRow] = field(default_factory=list)


async def read_balance(connection: AsyncConnection, viewer: Viewer) -> list[InboxBalance]:
    """Every inbox that the viewer may see, by name."""
    inboxes = await list_inboxes(connection, viewer)
    bound = {"tenant": viewer.tenant_id, "ids": [i.id for i in inboxes]}
    plans = {r.id: r for r in await connection.execute(PLANS, bound)}
    made = {
        i.id: InboxBalance(
            id=i.id,
            name=i.name,
            email_address=i.email_address,
            health=i.health,
            connected=i.connected_at is not None,
            paused=i.paused_at is not None,
            audit_due_at=plans[i.id].audit_due_at,
            audit_asked=plans[i.id].audit_asked,
        )
        for i in inboxes
    }
    sheets = {r["folder_id"]: AuditRow(**r) for r in (await connection.execute(SHEETS, bound)).mappings()}
    for row in (await connection.execute(FOLDERS, bound)).mappings():
        values = {name: row[name] for name in row if name != "inbox_id"}
        made[row["inbox_id"]].folders.append(FolderBalance(**values, sheet=sheets.get(row["id"])))
    for gap in (await connection.execute(OPEN_GAPS, bound)).mappings():
        made[gap["inbox_id"]].open_gaps.append(GapRow(**gap))
    return list(made.values())
