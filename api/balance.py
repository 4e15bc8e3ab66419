"""The mailbox balance for administrators: what lies at the provider and in the ledger, gaps, and the order to look now."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.inboxes import found
from api.problems import Problem
from api.schemas.balance import Audit, Balance, FolderBalance, Gap, InboxBalance
from api.schemas.base import Named, PageOf, PageQuery
from api.schemas.inboxes import StartedWorkflow
from contracts import ids
from store.audits import FIGURES, AuditRow, ask_audit, list_audits
from store.balance_view import FolderBalance as FolderRow
from store.balance_view import InboxBalance as InboxRow
from store.balance_view import read_balance
from store.gaps import GapRow, list_gaps


async def balance(call: Call[Empty, None]) -> Balance:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        rows = await read_balance(connection, call.who.viewer)
    return Balance(items=[_inbox(r) for r in rows])


async def audits(call: Call[PageQuery, None]) -> PageOf[Audit]:
    query = call.query
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        inbox = await found(connection, call)
        page = await list_audits(
            connection, call.who.viewer, inbox.id, after=query.after, limit=query.limit
        )
    return PageOf[Audit](items=[_audit(r) for r in page.items], next=page.next)


async def gaps(call: Call[PageQuery, None]) -> PageOf[Gap]:
    query = call.query
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        inbox = await found(connection, call)
        page = await list_gaps(connection, call.who.viewer, inbox.id, after=query.after, limit=query.limit)
    return PageOf[Gap](items=[_gap(r) for r in page.items], next=page.next)


async def audit_now(call: Call[Empty, None]) -> StartedWorkflow:
    """The order stands in the row, so it is carried out even when Temporal is away now; asking twice is asking once."""
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        inbox = await found(connection, call)
        if inbox.paused_at is not None or inbox.connected_at is None:
            remedy = (
                "Resume it first."
                if inbox.paused_at
                else "Wait until it is connected, or correct its settings."
            )
            raise Problem(409, f"This inbox does not sync now. {remedy}", name="not-connected")
        await ask_audit(connection, who.tenant_id, inbox.id)
    if await call.deps.gateway.start_sync(str(who.tenant_id), str(inbox.id), inbox.provider):
        await call.deps.gateway.signal_sync(str(inbox.id), "poke")
    return StartedWorkflow(workflow_id=ids.inbox_sync(str(inbox.id)))


def _inbox(row: InboxRow) -> InboxBalance:
    sheets = [f.sheet for f in row.folders if f.sheet is not None]
    return InboxBalance.model_validate(
        {
            "inbox": Named(id=str(row.id), name=row.name),
            "email_address": row.email_address,
            "health": "paused" if row.paused else row.health,
            "connected": row.connected,
            "audit_due_at": row.audit_due_at,
            "audit_asked": row.audit_asked,
            "missing": sum(s.missing for s in sheets),
            "extra": sum(s.extra for s in sheets),
            "folders": [_folder(f) for f in row.folders],
            "open_gaps": [_gap(g) for g in row.open_gaps],
        }
    )


def _folder(row: FolderRow) -> FolderBalance:
    return FolderBalance.model_validate(
        {
            "id": str(row.id),
            "name": row.name,
            "role": row.role,
            "state": row.state if row.state_reason is None else f"{row.state}: {row.state_reason}",
            "history": row.backfill_state,
            "gaps_closed": row.gaps_closed,
            "audit": None if row.sheet is None else _audit(row.sheet),
        }
    )


def _audit(row: AuditRow) -> Audit:
    return Audit.model_validate(
        {
            "id": str(row.id),
            "folder_id": str(row.folder_id),
            "folder": row.folder or "",
            "at": row.at,
            "reason": row.reason,
            "uidvalidity": row.uidvalidity,
            **{name: getattr(row, name) for name in FIGURES},
        }
    )


def _gap(row: GapRow) -> Gap:
    return Gap.model_validate(
        {
            "id": str(row.id),
            "cause": row.cause,
            "folder_id": None if row.folder_id is None else str(row.folder_id),
            "folder": row.folder,
            "since": row.since,
            "opened_at": row.opened_at,
            "closed_at": row.closed_at,
            "listed": row.listed,
            "missing": row.missing,
            "refilled": row.refilled,
            "quarantined": row.quarantined,
        }
    )


AT = "/v1/inboxes/{inbox_id}"
ENDPOINTS = (
    Endpoint("GET", "/v1/balance", balance, Access.ADMIN, "Mailbox balance of all inboxes", response=Balance),
    Endpoint(
        "GET",
        f"{AT}/audits",
        audits,
        Access.ADMIN,
        "Its balance sheets",
        response=PageOf[Audit],
        query=PageQuery,
    ),
    Endpoint("GET", f"{AT}/gaps", gaps, Access.ADMIN, "Its gaps", response=PageOf[Gap], query=PageQuery),
    Endpoint(
        "POST",
        f"{AT}/audit",
        audit_now,
        Access.ADMIN,
        "Draw up its balance sheets now",
        response=StartedWorkflow,
        status=202,
        conflicts=("not-connected",),
    ),
)
