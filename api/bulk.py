"""Changing many conversations: a few at once in the call's own transaction, many by a workflow that tells how far it is.

The run is a row first; dying before the workflow's start only delays it until the sweep.
"""

import datetime as dt
import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.conversation_lists import conversations_page
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.bulks import BulkRun, NewBulk
from store.bulk_merge import choose_survivor
from store.bulk_steps import step_bulk
from store.bulks import MOST, CannotUndo, cancel_bulk, create_bulk, order_undo, read_bulk
from store.bulks import BulkRun as Run
from store.pages import MOST as PAGE
from store.shape_rows import CannotReshape

AT_ONCE = 100


async def begin(call: Call[Empty, NewBulk]) -> BulkRun:
    viewer = call.who.viewer
    change = call.body.change.model_dump(mode="json", exclude_unset=True)
    merge, field = call.body.change.merge, "ids" if call.body.ids is not None else "filter"
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        ids = await _chosen(connection, call)
        if merge is not None:
            try:
                change = {"merge": await choose_survivor(connection, viewer, ids, merge.into)}
            except CannotReshape as wrong:
                raise _refused(wrong, field) from None
        run = await create_bulk(connection, viewer, change, ids)
        if run is None:
            raise not_valid(FieldError(field, "names no conversation that you can see; look again"))
        inboxes: frozenset[uuid.UUID] = frozenset()
        if run.total <= AT_ONCE:
            run, inboxes = await _at_once(connection, call, run)
    return await _shown(call, run, inboxes)


async def one(call: Call[Empty, None]) -> BulkRun:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return _rendered(await _mine(connection, call), call.now())


async def cancel(call: Call[Empty, None]) -> BulkRun:
    viewer = call.who.viewer
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        run = await _mine(connection, call)
        known = await cancel_bulk(connection, viewer.tenant_id, run.id, actor=viewer.actor, now=call.now())
        if not known and run.state != "cancelled":
            raise Problem(409, "It has ended. What it changed can be undone.", name="not-running")
        return _rendered(await _mine(connection, call), call.now())


async def undo(call: Call[Empty, None]) -> BulkRun:
    viewer = call.who.viewer
    try:
        async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
            run = await _mine(connection, call)
            if run.state in ("undoing", "undone"):
                return _rendered(run, call.now())
            await order_undo(connection, viewer.tenant_id, run.id, actor=viewer.actor)
            inboxes: frozenset[uuid.UUID] = frozenset()
            if run.changed <= AT_ONCE:
                run, inboxes = await _at_once(connection, call, run)
            else:
                run = await _mine(connection, call)
    except CannotUndo:
        raise Problem(
            409, "It is under way, or older than a day. Cancel it first, or change the conversations back.", name="cannot-undo"
        ) from None
    return await _shown(call, run, inboxes)


def _refused(wrong: CannotReshape, field: str) -> Problem:
    if wrong.name == "other-inbox":
        return Problem(409, wrong.remedy, name=wrong.name)
    return not_valid(FieldError("change.merge.into" if wrong.name == "no-target" else field, wrong.remedy))


async def _chosen(connection: AsyncConnection, call: Call[Empty, NewBulk]) -> list[uuid.UUID]:
    if call.body.ids is not None:
        return list(dict.fromkeys(call.body.ids))
    query = call.body.filter
    if query is None:
        return []
    if query.search.strip():
        call.deps.limits.search(call.who.caller)
    ids: list[uuid.UUID] = []
    after: str | None = None
    while len(ids) <= MOST:
        page = await conversations_page(connection, call.who, query.model_copy(update={"after": after, "limit": PAGE}))
        ids += [row.id for row in page.items]
        after = page.next
        if after is None:
            return ids
    raise not_valid(FieldError("filter", f"shows more than {MOST:,} conversations; narrow it down"))


async def _at_once(
    connection: AsyncConnection, call: Call[Empty, NewBulk] | Call[Empty, None], run: Run
) -> tuple[Run, frozenset[uuid.UUID]]:
    """In this transaction: all of it or nothing."""
    stepped = await step_bulk(connection, call.who.tenant_id, run.id, now=call.now(), limit=AT_ONCE + 1)
    if stepped is None:
        raise not_found()
    return stepped.run, stepped.inboxes


async def _shown(
    call: Call[Empty, NewBulk] | Call[Empty, None], run: Run, inboxes: frozenset[uuid.UUID]
) -> BulkRun:
    if run.under_way:
        await call.deps.gateway.start_bulk(str(call.who.tenant_id), str(run.id))
    for inbox_id in sorted(inboxes):
        # Dying here, or Temporal being away, leaves what the mailbox is to be told to the next look at the inbox.
        await call.deps.gateway.signal_sync(str(inbox_id), "poke")
    return _rendered(run, call.now())


async def _mine(connection: AsyncConnection, call: Call[Empty, NewBulk] | Call[Empty, None]) -> Run:
    """One's own, or any for administrators and keys."""
    run = await read_bulk(connection, call.who.tenant_id, call.id("bulk_id"))
    if run is None or (not call.who.viewer.sees_all and run.asked_by != call.who.user_id):
        raise not_found()
    return run


def _rendered(run: Run, now: dt.datetime) -> BulkRun:
    return BulkRun.model_validate(
        {
            "id": str(run.id),
            "state": run.state,
            "total": run.total,
            "done": run.done,
            "changed": run.changed,
            "restored": run.restored,
            "left": run.left,
            "created_at": run.created_at,
            "ended_at": run.ended_at,
            "undo_until": run.undo_until,
            "can_undo": run.changed > 0 and run.undo_until is not None and run.undo_until > now,
            "merged_into": run.change["merge"]["into"] if "merge" in run.change else None,
        }
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/bulk",
        begin,
        Access.AGENT,
        "Change many conversations",
        response=BulkRun,
        status=201,
        body=NewBulk,
        conflicts=("other-inbox",),
    ),
    Endpoint("GET", "/v1/bulk/{bulk_id}", one, Access.AGENT, "How far a bulk change is", response=BulkRun),
    Endpoint(
        "POST",
        "/v1/bulk/{bulk_id}/cancel",
        cancel,
        Access.AGENT,
        "Stop a bulk change",
        response=BulkRun,
        conflicts=("not-running",),
    ),
    Endpoint(
        "POST",
        "/v1/bulk/{bulk_id}/undo",
        undo,
        Access.AGENT,
        "Take a bulk change back where nobody has changed it since",
        response=BulkRun,
        conflicts=("cannot-undo",),
    ),
)
