"""Re-ingest: count what would be read again, ask for a dry run, look at what differs, take it over, or stop."""

import uuid

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import Named, PageOf, PageQuery
from api.schemas.reingests import (
    AskedSelection,
    ChangeQuery,
    Preview,
    PreviewQuery,
    Reingest,
    ReingestChange,
    said,
)
from api.timeline import workflow_link
from contracts import ids
from store.incoming import PARSER_VERSION
from store.reingest_selection import Selection, count_selected
from store.reingests import AnotherRuns, create_run, order_run
from store.reingests_view import ChangeRow, Run, get_change, get_run, list_changes, list_runs


async def preview(call: Call[PreviewQuery, None]) -> Preview:
    """Counts only. Without conditions it tells how much an older parser has read."""
    who, selection = call.who, call.query.selection
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        older = await count_selected(connection, who.tenant_id, Selection(older_parser=True))
        selected = await count_selected(connection, who.tenant_id, selection)
    return Preview(
        parser_version=PARSER_VERSION,
        older=older.messages,
        messages=selected.messages,
        size_bytes=selected.size_bytes,
        quarantined=selected.quarantined,
        bounded=selection.bounded,
    )


async def ask(call: Call[Empty, AskedSelection]) -> Reingest:
    """The run is a row first; dying before the start only delays it until the sweep."""
    who, selection = call.who, call.body.selection
    if not selection.bounded and not selection.everything:
        raise not_valid(
            FieldError(
                "everything",
                "nothing narrows the selection down; give a condition, or say `true` to read all mail again",
            )
        )
    if selection.bounded and selection.everything:
        raise not_valid(FieldError("everything", "contradicts the conditions beside it; give one or the other"))
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            selected = await count_selected(connection, who.tenant_id, selection)
            if not selected.messages:
                raise Problem(
                    409, "The selection meets no mail. Widen it, and look at its count first.", name="nothing-selected"
                )
            run = await create_run(
                connection,
                who.tenant_id,
                selection,
                selected,
                asked_by=who.viewer.user_id,
                actor=who.viewer.actor,
            )
    except AnotherRuns as other:
        raise _busy(other) from None
    await call.deps.gateway.start_reingest(str(who.tenant_id), str(run.id))
    return await _shown(call, run.id)


async def list_all(call: Call[PageQuery, None]) -> PageOf[Reingest]:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        page = await list_runs(connection, call.who.tenant_id, after=call.query.after, limit=call.query.limit)
    return PageOf[Reingest](items=[_run(call, r) for r in page.items], next=page.next)


async def one(call: Call[Empty, None]) -> Reingest:
    return await _shown(call, call.id("reingest_id"))


async def changes(call: Call[ChangeQuery, None]) -> PageOf[ReingestChange]:
    query, run_id = call.query, call.id("reingest_id")
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        if await get_run(connection, call.who.tenant_id, run_id) is None:
            raise not_found()
        page = await list_changes(
            connection,
            call.who.tenant_id,
            run_id,
            kind=query.kind,
            state=query.state,
            after=query.after,
            limit=query.limit,
        )
    return PageOf[ReingestChange](items=[_change(r) for r in page.items], next=page.next)


async def change(call: Call[Empty, None]) -> ReingestChange:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await get_change(
            connection, call.who.tenant_id, call.id("reingest_id"), call.id("ledger_id")
        )
    if row is None:
        raise not_found()
    return _change(row)


async def apply(call: Call[Empty, None]) -> Reingest:
    return await _order(call, "apply", "Only a finished dry run that has something to take over can be applied.")


async def pause(call: Call[Empty, None]) -> Reingest:
    return await _order(call, "pause", "Only a run that is under way can be paused.")


async def resume(call: Call[Empty, None]) -> Reingest:
    return await _order(call, "resume", "Only a paused run can be resumed.")


async def cancel(call: Call[Empty, None]) -> Reingest:
    """What was taken over stays so; the rest of the plan is never written."""
    return await _order(call, "cancel", "This run has ended already.")


async def _order(call: Call[Empty, None], action: str, refusal: str) -> Reingest:
    """The row first, then the word to the workflow; the sweep starts what a crash between them leaves behind."""
    who, run_id = call.who, call.id("reingest_id")
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            if await get_run(connection, who.tenant_id, run_id) is None:
                raise not_found()
            changed = await order_run(connection, who.tenant_id, run_id, action, actor=who.viewer.actor)
    except AnotherRuns as other:
        raise _busy(other) from None
    if changed is None:
        raise Problem(409, refusal, name="not-now")
    if action in ("apply", "resume"):
        await call.deps.gateway.start_reingest(str(who.tenant_id), str(run_id))
    else:
        await call.deps.gateway.signal_reingest(str(run_id))
    return await _shown(call, run_id)


def _busy(other: AnotherRuns) -> Problem:
    return Problem(
        409,
        "Another re-ingest is under way. Wait for it, or cancel it.",
        name="reingest-running",
        extra={"reingest_id": str(other.id)},
    )


async def _shown(call: Call[Empty, AskedSelection] | Call[Empty, None], run_id: uuid.UUID) -> Reingest:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        run = await get_run(connection, call.who.tenant_id, run_id)
    if run is None:
        raise not_found()
    return _run(call, run)


def _run(
    call: Call[Empty, AskedSelection] | Call[Empty, None] | Call[PageQuery, None], run: Run
) -> Reingest:
    row = run.row
    return Reingest.model_validate(
        {
            "id": str(row.id),
            "state": row.state,
            "paused": row.paused_at is not None,
            "selection": said(row.selection),
            "asked_by": Named(id=str(row.asked_by), name=run.asked_by_name or "") if row.asked_by else None,
            "parser_version": row.parser_version,
            "total": row.total,
            "done": row.done,
            "changed": row.changed,
            "outdated": row.outdated,
            "to_apply": row.to_apply,
            "applied": row.applied,
            "failed": row.failed,
            "failures": row.failures,
            "error": row.error,
            "created_at": row.created_at,
            "planned_at": row.planned_at,
            "apply_asked_at": row.apply_asked_at,
            "ended_at": row.ended_at,
            "links": {"temporal": workflow_link(call.deps.config, ids.reingest(str(row.id)))},
        }
    )


def _change(row: ChangeRow) -> ReingestChange:
    writer = f"{row.from_name} <{row.from_address}>" if row.from_name else row.from_address
    return ReingestChange.model_validate(
        {
            "ledger_id": str(row.ledger_id),
            "message_id": str(row.message_id),
            "conversation_id": str(row.conversation_id) if row.conversation_id else None,
            "inbox": {"id": str(row.inbox_id), "name": row.inbox_name},
            "subject": row.subject,
            "from": writer or None,
            "received_at": row.received_at,
            "kinds": row.kinds,
            "state": row.state,
            "reason": row.reason,
            "settled_at": row.settled_at,
            "detail": dict(row.detail),
        }
    )


AT = "/v1/reingests/{reingest_id}"
ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/reingests/preview",
        preview,
        Access.ADMIN,
        "How much a selection meets, and how much an older parser has read",
        response=Preview,
        query=PreviewQuery,
    ),
    Endpoint(
        "POST",
        "/v1/reingests",
        ask,
        Access.ADMIN,
        "Read mails again and compare: a dry run",
        response=Reingest,
        status=201,
        body=AskedSelection,
        conflicts=("nothing-selected", "reingest-running"),
    ),
    Endpoint(
        "GET", "/v1/reingests", list_all, Access.ADMIN, "The runs", response=PageOf[Reingest], query=PageQuery
    ),
    Endpoint("GET", AT, one, Access.ADMIN, "One run", response=Reingest),
    Endpoint(
        "GET",
        f"{AT}/changes",
        changes,
        Access.ADMIN,
        "What a run would change, or has changed",
        response=PageOf[ReingestChange],
        query=ChangeQuery,
    ),
    Endpoint(
        "GET",
        f"{AT}/changes/{{ledger_id}}",
        change,
        Access.ADMIN,
        "One change with the diffs of its bodies",
        response=ReingestChange,
    ),
    Endpoint(
        "POST",
        f"{AT}/apply",
        apply,
        Access.ADMIN,
        "Take over what the dry run found",
        response=Reingest,
        status=202,
        conflicts=("not-now", "reingest-running"),
    ),
    Endpoint(
        "POST", f"{AT}/pause", pause, Access.ADMIN, "Pause a run", response=Reingest, conflicts=("not-now",)
    ),
    Endpoint(
        "POST",
        f"{AT}/resume",
        resume,
        Access.ADMIN,
        "Go on with a paused run",
        response=Reingest,
        status=202,
        conflicts=("not-now",),
    ),
    Endpoint(
        "POST", f"{AT}/cancel", cancel, Access.ADMIN, "End a run", response=Reingest, conflicts=("not-now",)
    ),
)
