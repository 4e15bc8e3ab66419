"""The inbound flow of one inbox behind a web API, with nothing played: workflow, steps, rows, bucket; only the provider is a stand-in."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.inbound_fetch import InboundFetch
from activities.inbound_open import InboundOpen
from contracts import ids, queues
from contracts.inbound import InboxSyncInput
from tests.activities.api_room import ApiRoom
from workflows.auto_response import AutoResponse
from workflows.inbox_sync import InboxSync

POLL = 1


@asynccontextmanager
async def syncing(room: ApiRoom, client: Client) -> AsyncIterator[WorkflowHandle[InboxSync, None]]:
    """The inbox's workflow, looking every second, and workers for its queues."""
    fetching = InboundFetch(
        room.database,
        room.blobs,
        room.pool,
        room.accounts,
        packs=room.ingestion.packs,
        ingestion=room.ingestion,
    )
    opening = InboundOpen(room.accounts, poll_seconds=POLL)
    steps = {
        queues.FLOW: [opening.open, room.reacting.react],
        queues.IMAP: [fetching.fetch],
        queues.WATCH: [room.watching.watch],
        queues.INGEST: [room.ingesting.ingest],
    }
    async with AsyncExitStack() as stack:
        for queue, activities in steps.items():
            worker = Worker(
                client,
                task_queue=queue,
                workflows=[InboxSync, AutoResponse] if queue == queues.FLOW else [],
                activities=activities,
                workflow_runner=SandboxedWorkflowRunner(),
            )
            await stack.enter_async_context(worker)
        handle = await client.start_workflow(
            "InboxSync",
            InboxSyncInput(room.ref.tenant_id, room.ref.inbox_id, provider=room.provider),
            id=ids.inbox_sync(room.ref.inbox_id),
            task_queue=queues.FLOW,
        )
        try:
            yield handle
        finally:
            await handle.terminate()
