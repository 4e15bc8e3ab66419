"""Starts what a crash left between a commit and a workflow start, from the rows, once a minute by its schedule.

Starting what already runs is harmless, its id is taken. The first run of a new schedule (a lost Temporal database) looks
at every row, later ones only at rows that show no life, and at every row again each quarter of an hour.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from contracts import ids, queues, timing
    from contracts.bulk import BulkRef
    from contracts.connect import ConnectInput
    from contracts.desk import DeskRef
    from contracts.digest import DigestRef
    from contracts.domains import DomainRef
    from contracts.erasure import ErasureRef
    from contracts.inbound import InboxSyncInput
    from contracts.refs import ConversationRef, FolderRef, InboxRef, MessageRef
    from contracts.reingest import ReingestRef
    from contracts.search_attributes import INBOX_ID, TENANT_ID
    from contracts.sla import SlaRef
    from contracts.sweep import SweepFindings, SweepFound, SweepKind, SweepQuestion, SweepState, SweepSteps
    from contracts.webhooks import WebhookRef
    from workflows.children import start_once

FULL_EVERY = timedelta(minutes=15)
TIDY_LIMIT = timedelta(minutes=5)


@workflow.defn(name="Sweep")
class Sweep:
    @workflow.run
    async def run(self, state: SweepState | None = None) -> SweepState:
        """`state` comes only from continuing as new in the middle of a long sweep."""
        if state is None:
            state = self._begin()
        started = state.started
        kinds, after = list(state.kinds), state.after
        while kinds:
            findings = await self._find(SweepQuestion(kinds[0], after, state.full))
            for found in findings.found:
                started += await self._start(kinds[0], found)
            after = findings.next or ""
            if findings.next is None:
                kinds.pop(0)
            if kinds and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(SweepState(state.full_at, started, tuple(kinds), after, state.full))
        await self._tidy()
        workflow.set_current_details(f"started {started}{', looked at every row' if state.full else ''}")
        return SweepState(state.full_at, started)

    def _begin(self) -> SweepState:
        now = int(workflow.time())
        last = (
            workflow.get_last_completion_result(SweepState) if workflow.has_last_completion_result() else None
        )
        full = last is None or now - last.full_at >= FULL_EVERY.total_seconds()
        full_at = now if full or last is None else last.full_at
        return SweepState(full_at=full_at, kinds=tuple(SweepKind), full=full)

    async def _find(self, question: SweepQuestion) -> SweepFindings:
        return await workflow.execute_activity_method(
            SweepSteps.find,
            question,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary=f"{question.kind.value} without a workflow",
        )

    async def _tidy(self) -> None:
        try:
            await workflow.execute_activity_method(
                SweepSteps.tidy,
                task_queue=queues.FLOW,
                start_to_close_timeout=TIDY_LIMIT,
                heartbeat_timeout=timing.HEARTBEAT,
                retry_policy=timing.ONCE,
                summary="delete what has expired",
            )
        except ActivityError:
            workflow.logger.warning("tidying failed; the next sweep does it")

    async def _start(self, kind: SweepKind, found: SweepFound) -> int:
        """1 when a workflow was started, 0 when it ran already."""
        name, argument, workflow_id = _flow(kind, found)
        about = [SearchAttributePair(TENANT_ID, found.tenant_id)]
        if found.inbox_id:
            about.append(SearchAttributePair(INBOX_ID, found.inbox_id))
        return int(await start_once(name, argument, workflow_id, about, "started by the sweep"))


def _flow(kind: SweepKind, found: SweepFound) -> tuple[str, object, str]:
    """Which workflow a row belongs to, its input and its id."""
    match kind:
        case SweepKind.SENDS:
            return "SendMessage", MessageRef(found.tenant_id, found.id), ids.send_message(found.id)
        case SweepKind.INBOXES:
            return "InboxSync", InboxSyncInput(found.tenant_id, found.id), ids.inbox_sync(found.id)
        case SweepKind.CONNECTS:
            return "ConnectInbox", ConnectInput(found.tenant_id, found.id), ids.connect_inbox(found.id)
        case SweepKind.BACKFILLS:
            folder = FolderRef(found.tenant_id, found.inbox_id, found.id)
            return "Backfill", folder, ids.backfill(found.inbox_id, found.id)
        case SweepKind.AUTO_RESPONSES:
            conversation = ConversationRef(found.tenant_id, found.id)
            return "AutoResponse", conversation, ids.auto_response(found.id)
        case SweepKind.REINGESTS:
            return "Reingest", ReingestRef(found.tenant_id, found.id), ids.reingest(found.id)
        case SweepKind.SNOOZES:
            return "Snooze", ConversationRef(found.tenant_id, found.id), ids.snooze(found.id)
        case SweepKind.DOMAINS:
            return "CheckDomain", DomainRef(found.tenant_id, found.id), ids.check_domain(found.id)
        case SweepKind.WATCHES:
            return "WatchRenewal", InboxRef(found.tenant_id, found.id), ids.watch_renewal(found.id)
        case SweepKind.DESKS:
            return "Desk", DeskRef(found.tenant_id), ids.desk(found.tenant_id)
        case SweepKind.SLA_TIMERS:
            return "SlaTimer", SlaRef(found.tenant_id), ids.sla_timer(found.tenant_id)
        case SweepKind.ERASURES:
            return "Erase", ErasureRef(found.tenant_id, found.id), ids.erase(found.id)
        case SweepKind.DIGESTS:
            return "Digest", DigestRef(found.tenant_id, found.id), ids.digest(found.id)
        case SweepKind.BULKS:
            return "Bulk", BulkRef(found.tenant_id, found.id), ids.bulk(found.id)
        case SweepKind.WEBHOOKS:
            return "WebhookEndpoint", WebhookRef(found.tenant_id, found.id), ids.webhook(found.id)
