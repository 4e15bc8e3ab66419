"""The order and the times of syncing one inbox, with steps that only play their parts."""

import asyncio
import itertools
import uuid

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

from contracts import ids, queues
from contracts.inbound import (
    FetchReport,
    InboxPlan,
    InboxSyncInput,
    IngestReport,
    ReactReport,
    ResyncOrder,
    ResyncScope,
    WakeReason,
)
from contracts.refs import ConversationRef
from tests.workflows.inbound_parts import CONNECTED, QUIET, TENANT, Desk, workers
from workflows import inbox_sync
from workflows.inbox_sync import InboxSync

STORED = FetchReport(1, 0, 0, 0, 2, 1, "ok")


async def start(client: Client, **given: object) -> WorkflowHandle[InboxSync, None]:
    inbox = str(uuid.uuid4())
    return await client.start_workflow(
        "InboxSync",
        InboxSyncInput(TENANT, inbox, **given),  # type: ignore[arg-type]
        id=ids.inbox_sync(inbox),
        task_queue=queues.FLOW,
    )


async def test_new_mail_is_fetched_and_read_then_watched_again(time_skipping_env: WorkflowEnvironment) -> None:
    desk = Desk(fetches=[QUIET, STORED, QUIET], wakes=[WakeReason.NEW])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await desk.reached("watch", 2)
        assert desk.names() == ["open", "fetch", "watch", "fetch", "ingest", "watch"]
        await handle.terminate()


async def test_flags_are_asked_for_when_they_woke_us(time_skipping_env: WorkflowEnvironment) -> None:
    desk = Desk(wakes=[WakeReason.FLAGS])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await desk.reached("watch", 2)
        assert [order.flags for order in desk.orders] == [False, True]
        await handle.terminate()


async def test_pokes_are_one_look_and_the_watch_goes_on(time_skipping_env: WorkflowEnvironment) -> None:
    desk = Desk()
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await desk.reached("watch")
        for _ in range(5):
            await handle.signal(InboxSync.poke)
        await desk.reached("fetch", 2)
        assert desk.names().count("watch") == 1
        assert desk.names().count("fetch") <= 6
        await handle.terminate()


async def test_answerable_mail_starts_one_answer_each(time_skipping_env: WorkflowEnvironment) -> None:
    client = time_skipping_env.client
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    desk = Desk(
        fetches=[STORED, QUIET],
        ingests=[IngestReport(1, 0, 0, 5, 1), IngestReport(5, 0, 0, 0, 1)],
        reacts=[
            ReactReport((ConversationRef(TENANT, first),), more=True),
            ReactReport((ConversationRef(TENANT, first), ConversationRef(TENANT, second)), more=False),
        ],
    )
    async with workers(client, desk):
        handle = await start(client)
        await desk.reached("watch")
        assert desk.names() == ["open", "fetch", "ingest", "ingest", "react", "react", "watch"]
        for conversation in (first, second):
            assert await client.get_workflow_handle(ids.auto_response(conversation)).result() == conversation
        await handle.terminate()


async def test_mail_that_was_ingested_with_its_fetch_is_answered_too(time_skipping_env: WorkflowEnvironment) -> None:
    client, first = time_skipping_env.client, str(uuid.uuid4())
    desk = Desk(
        fetches=[FetchReport(1, 0, 0, 0, 2, 0, "ok", answerable=1), QUIET],
        reacts=[ReactReport((ConversationRef(TENANT, first),), more=False)],
    )
    async with workers(client, desk):
        handle = await start(client)
        await desk.reached("watch")
        assert desk.names() == ["open", "fetch", "react", "watch"]
        assert await client.get_workflow_handle(ids.auto_response(first)).result() == first
        await handle.terminate()


async def test_pause_lets_go_of_the_server_until_resumed(time_skipping_env: WorkflowEnvironment) -> None:
    paused = InboxPlan(connected=True, paused=True, provider="imap", poll_seconds=300, max_syncs_per_hour=60)
    desk = Desk(plans=[CONNECTED, paused, CONNECTED])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await desk.reached("watch")
        await handle.signal(InboxSync.pause)
        await handle.signal(InboxSync.poke)
        await desk.reached("watch", 1)
        await time_skipping_env.sleep(1)
        assert desk.names().count("fetch") == 1
        await handle.signal(InboxSync.resume)
        await desk.reached("open", 2)
        await handle.signal(InboxSync.resume)
        await desk.reached("watch", 2)
        assert desk.let_go == 1
        assert desk.names().count("fetch") == 2
        await handle.terminate()


async def test_an_inbox_that_is_not_connected_waits(time_skipping_env: WorkflowEnvironment) -> None:
    off = InboxPlan(connected=False, paused=False, provider="imap", poll_seconds=300, max_syncs_per_hour=60)
    desk = Desk(plans=[off, CONNECTED])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await desk.reached("open")
        await time_skipping_env.sleep(3600)
        assert desk.names() == ["open"]
        await handle.signal(InboxSync.resume)
        await desk.reached("watch")
        await handle.terminate()


async def test_an_inbox_that_was_removed_ends_it(time_skipping_env: WorkflowEnvironment) -> None:
    desk = Desk(plans=[ApplicationError("gone", type="NotFound", non_retryable=True)])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await handle.result()
    assert desk.names() == ["open"]


async def test_a_server_that_is_away_is_asked_ever_less_often(time_skipping_env: WorkflowEnvironment) -> None:
    away = FetchReport(0, 0, 0, 0, 0, 0, "degraded", failure="Unreachable")
    desk = Desk(fetches=[*[away] * 9, QUIET])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await _until(time_skipping_env, desk, "watch", 1)
        times = desk.times("fetch")
        pauses = [round(later - earlier) for earlier, later in itertools.pairwise(times)]
        assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600]
        await handle.terminate()


async def test_refused_credentials_are_tried_six_times_an_hour_at_most(time_skipping_env: WorkflowEnvironment) -> None:
    refused = FetchReport(0, 0, 0, 0, 0, 0, "auth_failed", failure="AuthFailed")
    desk = Desk(fetches=[refused, refused, QUIET])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await _until(time_skipping_env, desk, "watch", 1)
        assert [round(t) for t in desk.times("fetch")] == [0, 600, 1200]
        await handle.terminate()


async def test_three_days_of_refusals_end_in_rest(time_skipping_env: WorkflowEnvironment) -> None:
    """Six logins an hour while the row says refused; once it says paused, none until a person resumes (integrity I-13)."""
    refused = FetchReport(0, 0, 0, 0, 0, 0, "auth_failed", failure="AuthFailed")
    given_up = FetchReport(0, 0, 0, 0, 0, 0, "paused", failure="AuthFailed")
    paused = InboxPlan(connected=False, paused=True, provider="imap", poll_seconds=300, max_syncs_per_hour=60)
    desk = Desk(plans=[CONNECTED, paused], fetches=[*[refused] * 7, given_up, QUIET])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        for _ in range(60):
            await handle.signal(InboxSync.poke)  # whatever comes in meanwhile
            await time_skipping_env.sleep(120)
        assert desk.names().count("fetch") == 8
        times = desk.times("fetch")
        assert all(len([t for t in times if begin <= t < begin + 3600]) <= 6 for begin in times)
        await time_skipping_env.sleep(5 * 3600)
        assert desk.names().count("fetch") == 8
        desk.plans[:] = [CONNECTED]
        await handle.signal(InboxSync.resume)
        await desk.reached("watch")
        assert desk.names().count("fetch") == 9
        await handle.terminate()


async def test_a_gap_is_filled_without_a_pause_and_new_mail_is_read_between(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    """Each pass begins with new mail; passes that go on with a gap are one look to the hourly allowance."""
    going_on = FetchReport(200, 0, 0, 0, 2, 200, "ok", more=True)
    plan = InboxPlan(connected=True, paused=False, provider="imap", poll_seconds=300, max_syncs_per_hour=1)
    desk = Desk(plans=[plan], fetches=[going_on, going_on, going_on, QUIET])
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await desk.reached("watch")
        assert desk.names() == ["open", *["fetch", "ingest"] * 3, "fetch", "watch"]
        assert desk.times("fetch")[-1] < 60
        await handle.terminate()


async def test_a_server_that_hangs_up_is_not_watched_again_at_once(time_skipping_env: WorkflowEnvironment) -> None:
    desk = Desk(wakes=[WakeReason.CLOSED] * 4)
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await _until(time_skipping_env, desk, "watch", 5)
        times = desk.times("watch")
        pauses = [round(later - earlier) for earlier, later in itertools.pairwise(times)]
        assert pauses == [15, 30, 60, 120]
        await handle.terminate()


async def test_an_hour_sees_no_more_syncs_than_allowed(time_skipping_env: WorkflowEnvironment) -> None:
    plan = InboxPlan(connected=True, paused=False, provider="imap", poll_seconds=300, max_syncs_per_hour=6)
    desk = Desk(plans=[plan], wakes=[WakeReason.NEW] * 9)
    async with workers(time_skipping_env.client, desk):
        handle = await start(time_skipping_env.client)
        await _until(time_skipping_env, desk, "fetch", 10)
        times = desk.times("fetch")
        assert times[5] < 60  # a burst is served at once
        assert [round(t / 600) for t in times[6:]] == [1, 2, 3, 4]
        await handle.terminate()


async def test_a_person_who_orders_a_resync_does_not_wait_for_the_allowance(temporal_client: Client) -> None:
    plan = InboxPlan(connected=True, paused=False, provider="imap", poll_seconds=300, max_syncs_per_hour=1)
    desk = Desk(plans=[plan])
    async with workers(temporal_client, desk):
        handle = await start(temporal_client)
        await desk.reached("watch")
        assert desk.names().count("fetch") == 1
        await handle.execute_update(InboxSync.resync, ResyncOrder(ResyncScope.ALL))
        await desk.reached("fetch", 2)
        await handle.terminate()


async def test_resync_is_checked_and_done_once(temporal_client: Client) -> None:
    desk = Desk()
    async with workers(temporal_client, desk):
        handle = await start(temporal_client)
        await desk.reached("watch")
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(InboxSync.resync, ResyncOrder(ResyncScope.FOLDER))
        await handle.execute_update(InboxSync.resync, ResyncOrder(ResyncScope.ALL))
        await desk.reached("watch", 2)
        assert [order.scope for order in desk.orders] == [ResyncScope.NEW, ResyncScope.ALL]
        await handle.terminate()


async def test_an_idle_inbox_costs_next_to_no_history(temporal_client: Client) -> None:
    """One look and one watch: what six hours of silence cost, four times a day (the target is 100 events a day)."""
    desk = Desk()
    async with workers(temporal_client, desk):
        handle = await start(temporal_client)
        await desk.reached("watch")
        await asyncio.sleep(0.5)
        assert len((await handle.fetch_history()).events) <= 20
        await handle.terminate()


async def test_a_worn_run_begins_anew_with_its_state(
    time_skipping_env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_sync, "MOST_TURNS", 6)
    desk = Desk(wakes=[WakeReason.NEW] * 4)
    async with workers(time_skipping_env.client, desk, runner=UnsandboxedWorkflowRunner()):
        handle = await start(time_skipping_env.client)
        first = (await handle.describe()).run_id
        await desk.reached("watch", 5)
        assert (await time_skipping_env.client.get_workflow_handle(handle.id).describe()).run_id != first
        assert desk.names().count("open") == 2
        await time_skipping_env.client.get_workflow_handle(handle.id).terminate()


async def _until(env: WorkflowEnvironment, desk: Desk, name: str, times: int) -> None:
    """Let the time pass until a step was asked for so often."""
    for _ in range(2_000):
        if desk.names().count(name) >= times:
            return
        await env.sleep(2)
    raise AssertionError(desk.names())
