"""Connecting: what is tried, what is started, and what people hear when it fails."""

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

from contracts import ids, queues
from contracts.backfill import BackfillProgress
from contracts.connect import ConnectInput, ConnectReport, DiscoverReport
from contracts.inbound import InboxPlan
from tests.workflows.inbound_parts import CONNECTED, TENANT, Desk, Doors, History, workers
from workflows.connect_inbox import ConnectInbox

DONE = BackfillProgress("done", 0, 0)


async def start(
    client: Client, *, check_only: bool = False, inbox: str | None = None
) -> WorkflowHandle[ConnectInbox, ConnectReport]:
    order = ConnectInput(TENANT, inbox or str(uuid.uuid4()), check_only)
    return await client.start_workflow(
        ConnectInbox.run, order, id=ids.connect_inbox(order.inbox_id), task_queue=queues.FLOW
    )


async def test_it_starts_the_sync_and_the_history(time_skipping_env: WorkflowEnvironment) -> None:
    client, inbox = time_skipping_env.client, str(uuid.uuid4())
    async with workers(client, history=History([DONE])):
        report = await (await start(client, inbox=inbox)).result()
        assert report.ok
        for folder in (7, 8):
            backfill = client.get_workflow_handle(ids.backfill(inbox, str(uuid.UUID(int=folder))))
            assert (await backfill.result())["state"] == "done"
        sync = client.get_workflow_handle(ids.inbox_sync(inbox))
        assert (await sync.describe()).status is not None
        await sync.terminate()


async def test_connecting_again_wakes_the_sync_that_waited(time_skipping_env: WorkflowEnvironment) -> None:
    client, inbox = time_skipping_env.client, str(uuid.uuid4())
    off = InboxPlan(connected=False, paused=False, provider="imap", poll_seconds=300, max_syncs_per_hour=60)
    desk = Desk(plans=[CONNECTED, off, CONNECTED])
    async with workers(client, desk, history=History([DONE])):
        await (await start(client, inbox=inbox)).result()
        await desk.reached("watch")
        await (await start(client, inbox=inbox)).result()
        await desk.reached("open", 2)
        await client.get_workflow_handle(ids.inbox_sync(inbox)).terminate()


async def test_a_sync_that_ends_before_it_is_told_is_started_after_all(
    time_skipping_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, inbox = time_skipping_env.client, str(uuid.uuid4())
    real, starts = ConnectInbox._start, []

    async def just_ended(self: ConnectInbox, name: str, *given: Any) -> bool:
        if name == "Desk":
            return await real(self, name, *given)
        starts.append(name)
        return False if len(starts) == 1 else await real(self, name, *given)  # the first time it seems to run

    monkeypatch.setattr(ConnectInbox, "_start", just_ended)
    doors = Doors(discoveries=[DiscoverReport(6, (), backfill=False)])
    desk = Desk()
    async with workers(client, desk, doors=doors, runner=UnsandboxedWorkflowRunner()):
        assert (await (await start(client, inbox=inbox)).result()).ok
        await desk.reached("watch")
        await client.get_workflow_handle(ids.inbox_sync(inbox)).terminate()
    assert starts == ["InboxSync", "InboxSync"]


async def test_connecting_again_wakes_the_history_that_waited(time_skipping_env: WorkflowEnvironment) -> None:
    client, inbox = time_skipping_env.client, str(uuid.uuid4())
    apart = BackfillProgress("running", 5, 10, failure="NotConnected")
    history = History([apart, DONE])
    doors = Doors(discoveries=[DiscoverReport(6, (str(uuid.UUID(int=7)),), backfill=True)])
    async with workers(client, history=history, doors=doors):
        await (await start(client, inbox=inbox)).result()
        waiting = client.get_workflow_handle(ids.backfill(inbox, str(uuid.UUID(int=7))))
        async with asyncio.timeout(20):
            while not history.calls:  # noqa: ASYNC110 – a worker moves it
                await asyncio.sleep(0.01)
        await (await start(client, inbox=inbox)).result()
        assert (await waiting.result())["state"] == "done"
        await client.get_workflow_handle(ids.inbox_sync(inbox)).terminate()


async def test_a_refusal_is_written_to_the_inbox(time_skipping_env: WorkflowEnvironment) -> None:
    doors = Doors(smtp="AuthFailed")
    async with workers(time_skipping_env.client, doors=doors):
        report = await (await start(time_skipping_env.client)).result()
    assert [c.failure for c in report.checks] == [None, "AuthFailed"]
    assert doors.failed == ["AuthFailed"]


async def test_a_check_changes_nothing(time_skipping_env: WorkflowEnvironment) -> None:
    doors = Doors(imap="TlsFailed")
    async with workers(time_skipping_env.client, doors=doors):
        report = await (await start(time_skipping_env.client, check_only=True)).result()
    assert not report.ok
    assert doors.failed == []


async def test_a_discovery_that_is_refused_is_told(time_skipping_env: WorkflowEnvironment) -> None:
    doors = Doors(discoveries=[ApplicationError("no", type="Refused", non_retryable=True)])
    async with workers(time_skipping_env.client, doors=doors):
        handle = await start(time_skipping_env.client)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert doors.failed == ["Refused"]
