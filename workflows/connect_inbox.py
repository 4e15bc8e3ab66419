"""Connects an inbox: log in, learn its folders, set the first cursors, then start its sync and its history.

With `check_only` it logs in and reports. Run twice, it finds folders and cursors set and both workflows running.
"""

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    WorkflowAlreadyStartedError,
)

with workflow.unsafe.imports_passed_through():
    from contracts import ids, queues, timing
    from contracts.connect import (
        ConnectFailure,
        ConnectInput,
        ConnectReport,
        ConnectSteps,
        DiscoverReport,
    )
    from contracts.desk import DeskRef
    from contracts.inbound import InboxSyncInput
    from contracts.refs import FolderRef, InboxRef
    from contracts.search_attributes import INBOX_ID, TENANT_ID

AWAKENINGS = 3


@workflow.defn(name="ConnectInbox")
class ConnectInbox:
    """Returns what was tried. A report with a failure has already been written to the inbox."""

    @workflow.run
    async def run(self, order: ConnectInput) -> ConnectReport:
        ref = InboxRef(order.tenant_id, order.inbox_id)
        workflow.upsert_search_attributes(
            [TENANT_ID.value_set(order.tenant_id), INBOX_ID.value_set(order.inbox_id)]
        )
        workflow.set_current_details("**logging in**")
        report = await workflow.execute_activity_method(
            ConnectSteps.verify,
            ref,
            task_queue=queues.IMAP,
            start_to_close_timeout=timing.NETWORK,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.DATABASE_RETRY,
            summary="log in to both servers",
        )
        if order.check_only:
            return report
        failed = next((c.failure for c in report.checks if c.failure is not None), None)
        if failed is not None:
            await self._fail(order, failed)
            return report
        workflow.set_current_details("**learning the folders**")
        try:
            found = await workflow.execute_activity_method(
                ConnectSteps.discover,
                ref,
                task_queue=queues.IMAP,
                start_to_close_timeout=timing.NETWORK,
                heartbeat_timeout=timing.HEARTBEAT,
                retry_policy=timing.NETWORK_RETRY,
                summary="folders and first cursors",
            )
        except ActivityError as error:
            cause = error.cause
            name = (cause.type or "ProtocolBroken") if isinstance(cause, ApplicationError) else "Unreachable"
            await self._fail(order, name)
            raise
        await self._begin(order, found)
        workflow.set_current_details(
            f"**connected**: {len(found.synced)} of {found.folders} folders are synced"
        )
        return report

    async def _fail(self, order: ConnectInput, name: str) -> None:
        workflow.set_current_details(f"**not connected**: {name}")
        await workflow.execute_activity_method(
            ConnectSteps.fail,
            ConnectFailure(order.tenant_id, order.inbox_id, name),
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="tell the inbox why",
        )

    async def _begin(self, order: ConnectInput, found: DiscoverReport) -> None:
        about = [SearchAttributePair(TENANT_ID, order.tenant_id)]
        await self._start("Desk", DeskRef(order.tenant_id), ids.desk(order.tenant_id), about, "React to events")
        inbox = InboxSyncInput(order.tenant_id, order.inbox_id)
        await self._awaken(
            "InboxSync", inbox, ids.inbox_sync(order.inbox_id), order, "Keep an inbox in step"
        )
        if found.backfill:
            for folder_id in found.synced:
                folder = FolderRef(order.tenant_id, order.inbox_id, folder_id)
                workflow_id = ids.backfill(order.inbox_id, folder_id)
                await self._awaken(
                    "Backfill", folder, workflow_id, order, "Fetch the history of one folder"
                )

    async def _awaken(
        self, name: str, argument: object, workflow_id: str, order: ConnectInput, summary: str
    ) -> None:
        """Start it, or tell the one that waited for the inbox to be connected. That one may end between the two: then it
        is started after all. What comes of neither, the sweep finds.
        """
        for _ in range(AWAKENINGS):
            if await self._start(name, argument, workflow_id, _about(order), summary):
                return
            try:
                await workflow.get_external_workflow_handle(workflow_id).signal("resume")
            except FailureError:
                continue  # it has ended meanwhile
            return

    async def _start(
        self,
        name: str,
        argument: object,
        workflow_id: str,
        about: list[SearchAttributePair[str]],
        summary: str,
    ) -> bool:
        """False when it runs already."""
        try:
            await workflow.start_child_workflow(
                name,
                argument,
                id=workflow_id,
                task_queue=queues.FLOW,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=TypedSearchAttributes(about),
                static_summary=summary,
            )
        except WorkflowAlreadyStartedError:
            return False
        return True


def _about(order: ConnectInput) -> list[SearchAttributePair[str]]:
    return [SearchAttributePair(TENANT_ID, order.tenant_id), SearchAttributePair(INBOX_ID, order.inbox_id)]
