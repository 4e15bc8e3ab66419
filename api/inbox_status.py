"""How an inbox's sync stands, its history, and the orders to look again."""

import datetime as dt

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.inboxes import found, shown
from api.problems import FieldError, Problem, not_valid
from api.schemas.inboxes import (
    Backfill,
    BackfillAction,
    ChangedBackfills,
    Folder,
    InboxStatus,
    LedgerCounts,
    Pause,
    Push,
    Resync,
    StartedWorkflow,
)
from contracts import ids
from contracts.inbound import ResyncOrder, ResyncScope
from store.backfill import order_backfill
from store.inboxes import FolderRow, folders_of, has_folder, tally_ledger
from store.loop_breaches import Breach, current_breaches
from store.push_meter import PushView, read_push

ANNOUNCED = ("gmail", "graph")
LEAST_SECONDS = 2.0  # a rate over less time than this says nothing


async def status(call: Call[Empty, None]) -> InboxStatus:
    inbox_id = call.id("inbox_id")
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await found(connection, call)
        tally = await tally_ledger(connection, call.who.tenant_id, inbox_id)
        folders = await folders_of(connection, call.who.tenant_id, inbox_id, tally)
        now = call.now()
        admin = call.who.access >= Access.ADMIN
        push = await read_push(connection, call.who.tenant_id, inbox_id, now=now) if row.provider in ANNOUNCED else None
        breaches = await current_breaches(connection, call.who.tenant_id, inbox_id, now) if admin else []
    base = shown(row, call.deps.config)
    lag = (now - row.last_sync_at).total_seconds() if row.last_sync_at and row.paused_at is None else None
    return InboxStatus(
        **{name: getattr(base, name) for name in type(base).model_fields},
        folders=[_folder(f) for f in folders],
        backfills=[_backfill(f, now) for f in folders if f.backfill_state != "none"],
        ledger=LedgerCounts.model_validate(tally.in_state),
        lag_seconds=max(0.0, round(lag, 1)) if lag is not None else None,
        pauses=[_pause(b) for b in breaches],
        push=_push(push, now) if push is not None else None,
    )


async def resync(call: Call[Empty, Resync]) -> StartedWorkflow:
    """Looking again changes nothing that stands, so asking twice only looks twice."""
    who, inbox_id, body = call.who, call.id("inbox_id"), call.body
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        row = await found(connection, call)
        if row.paused_at is not None or row.connected_at is None:
            remedy = (
                "Resume it first."
                if row.paused_at
                else "Wait until it is connected, or correct its settings."
            )
            raise Problem(409, f"This inbox does not sync now. {remedy}", name="not-connected")
        if body.folder_id and not await has_folder(connection, who.tenant_id, inbox_id, body.folder_id):
            raise not_valid(FieldError("folder_id", "is no folder of this inbox"))
    order = ResyncOrder(ResyncScope(body.scope), str(body.folder_id) if body.folder_id else None)
    await call.deps.gateway.resync(str(who.tenant_id), str(inbox_id), row.provider, order)
    return StartedWorkflow(workflow_id=ids.inbox_sync(str(inbox_id)))


async def backfill(call: Call[Empty, BackfillAction]) -> ChangedBackfills:
    """The row says what is wanted; the workflow reads it before each stretch. One that is to run is started."""
    who, inbox_id, body = call.who, call.id("inbox_id"), call.body
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        await found(connection, call)
        if body.folder_id and not await has_folder(connection, who.tenant_id, inbox_id, body.folder_id):
            raise not_valid(FieldError("folder_id", "is no folder of this inbox"))
        changed = await order_backfill(connection, who.tenant_id, inbox_id, body.action, body.folder_id)
    for folder_id in changed:
        if body.action in ("start", "resume"):
            await call.deps.gateway.start_backfill(str(who.tenant_id), str(inbox_id), str(folder_id))
        else:
            await call.deps.gateway.signal_backfill(str(inbox_id), str(folder_id), body.action)
    return ChangedBackfills(folder_ids=[str(f) for f in changed])


def _folder(row: FolderRow) -> Folder:
    return Folder(
        id=str(row.id),
        name=row.name,
        role=row.role,
        synced=row.synced,
        messages=row.messages,
        last_uid=row.last_uid,
        state=row.state if row.state_reason is None else f"{row.state}: {row.state_reason}",
    )


def _push(view: PushView, now: dt.datetime) -> Push:
    told = {name: getattr(view, name) for name in Push.model_fields if name != "state"}
    return Push.model_validate({**told, "state": view.state(now)})


def _pause(breach: Breach) -> Pause:
    return Pause.model_validate(
        {
            "budget": breach.budget,
            "correspondent": breach.correspondent_key or None,
            "opened_at": breach.opened_at,
            "until": breach.paused_until,
            "held_back": breach.held_back,
        }
    )


def _backfill(row: FolderRow, now: dt.datetime) -> Backfill:
    counted = row.backfill_started_at is not None
    eta: int | None = None
    if row.backfill_state == "running" and row.backfill_started_at and row.backfill_done:
        passed = (now - row.backfill_started_at).total_seconds()
        if passed >= LEAST_SECONDS:
            eta = round(max(0, row.backfill_total - row.backfill_done) * passed / row.backfill_done)
    return Backfill.model_validate(
        {
            "folder_id": str(row.id),
            "folder": row.name,
            "state": row.backfill_state,
            "done": row.backfill_done,
            "total": row.backfill_total if counted else None,
            "eta_seconds": eta,
        }
    )


AT = "/v1/inboxes/{inbox_id}"
ENDPOINTS = (
    Endpoint("GET", f"{AT}/status", status, Access.VIEWER, "How its sync stands", response=InboxStatus),
    Endpoint(
        "POST",
        f"{AT}/resync",
        resync,
        Access.ADMIN,
        "Look again",
        response=StartedWorkflow,
        status=202,
        body=Resync,
        conflicts=("not-connected",),
    ),
    Endpoint(
        "POST",
        f"{AT}/backfill",
        backfill,
        Access.ADMIN,
        "Start, pause, resume or cancel its history",
        response=ChangedBackfills,
        status=202,
        body=BackfillAction,
    ),
)
