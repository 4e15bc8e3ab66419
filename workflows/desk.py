"""The desk of one tenant: reacts to its events for as long as the tenant exists, and starts what has to follow.

There is one for each tenant (`desk/{tenant}`), so that nothing is reacted to by two at once. It is started with the first
inbox; the sweep starts it again wherever it is missing.
"""

from temporalio import workflow
from temporalio.common import SearchAttributePair
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts import ids, queues, timing
    from contracts.desk import DeskOrder, DeskRef, DeskReport, DeskSteps, Followup, FollowupKind
    from contracts.refs import ConversationRef
    from contracts.search_attributes import INBOX_ID, TENANT_ID
    from contracts.sla import SlaRef
    from contracts.webhooks import WebhookRef
    from workflows.children import start_once

TURN_SECONDS = 20 * 60  # of one turn without follow-ups: some seventy turns on a silent day


@workflow.defn(name="Desk")
class Desk:
    @workflow.run
    async def run(self, ref: DeskRef) -> None:
        """Never ends by itself. What a turn reports is started before the next one; a start that exists is enough."""
        workflow.upsert_search_attributes([TENANT_ID.value_set(ref.tenant_id)])
        while not workflow.info().is_continue_as_new_suggested():
            report = await self._turn(ref)
            for followup in report.followups:
                await self._start(ref, followup)
            workflow.set_current_details(
                f"{report.events} events, {len(report.followups)} follow-ups, {report.failed} failed in the last turn"
            )
        workflow.continue_as_new(ref)

    async def _turn(self, ref: DeskRef) -> DeskReport:
        return await workflow.execute_activity_method(
            DeskSteps.turn,
            DeskOrder(ref.tenant_id, TURN_SECONDS),
            task_queue=queues.DESK,
            start_to_close_timeout=timing.WATCH,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.DATABASE_RETRY,
            summary="react to events",
        )

    async def _start(self, ref: DeskRef, followup: Followup) -> None:
        name, argument, workflow_id = _flow(ref, followup)
        about = [SearchAttributePair(TENANT_ID, ref.tenant_id)]
        if followup.inbox_id:
            about.append(SearchAttributePair(INBOX_ID, followup.inbox_id))
        started = await start_once(name, argument, workflow_id, about, "started by the desk")
        if not started and followup.kind in (FollowupKind.SLA, FollowupKind.WEBHOOK):
            await _poke(workflow_id)


async def _poke(workflow_id: str) -> None:
    """Tell it to look at its rows now. If it ended just then, it looks the next time that it is started."""
    try:
        await workflow.get_external_workflow_handle(workflow_id).signal("poke")
    except FailureError:
        workflow.logger.warning("it is gone; the sweep starts it")


def _flow(ref: DeskRef, followup: Followup) -> tuple[str, object, str]:
    """Which workflow a follow-up means, its input and its id."""
    match followup.kind:
        case FollowupKind.ANSWER:
            return "AutoResponse", ConversationRef(ref.tenant_id, followup.id), ids.auto_response(followup.id)
        case FollowupKind.SLA:
            return "SlaTimer", SlaRef(ref.tenant_id), ids.sla_timer(ref.tenant_id)
        case FollowupKind.WEBHOOK:
            return "WebhookEndpoint", WebhookRef(ref.tenant_id, followup.id), ids.webhook(followup.id)
