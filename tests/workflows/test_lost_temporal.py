"""A Temporal database is dropped while mails wait, run and are in doubt: the rows start everything again, nothing is sent twice."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.sweep import Sweeping
from contracts import ids, queues, timing
from contracts.outbound import CopyReport, OutboundSteps, VerifyOutcome, VerifyReport
from contracts.refs import MessageRef
from store.unit_of_work import Database
from tests.activities.send_room import SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import Close, Reply, ScriptedSmtp, Silence
from tests.servers.time_skipping import time_skipping
from tests.store.desk import open_desk
from workflows.send_message import SendMessage
from workflows.sweep import Sweep


class NoMailbox(OutboundSteps):
    """Sent cannot be looked at, so that only the rows decide."""

    @activity.defn(name="outbound.verify")
    async def verify(self, ref: MessageRef) -> VerifyReport:
        return VerifyReport(VerifyOutcome.CANNOT_LOOK)

    @activity.defn(name="outbound.file_copy")
    async def file_copy(self, ref: MessageRef) -> CopyReport:
        return CopyReport(filed=False)


@asynccontextmanager
async def temporal(room: SendRoom) -> AsyncIterator[WorkflowEnvironment]:
    """A new, empty Temporal with workers that do the real steps."""
    sweeping = Sweeping(room.desk.database, clock=room.clock)
    steps: dict[str, list[Callable[..., Any]]] = {
        queues.FLOW: [room.recording.plan, room.recording.settle, sweeping.find, sweeping.tidy],
        queues.SEND: [room.composing.compose, room.delivering.deliver],
        queues.IMAP: [NoMailbox().verify, NoMailbox().file_copy],
    }
    async with time_skipping() as environment, AsyncExitStack() as stack:
        for queue, activities in steps.items():
            flows = [SendMessage, Sweep] if queue == queues.FLOW else []
            worker = Worker(
                environment.client,
                task_queue=queue,
                workflows=flows,
                activities=activities,
                graceful_shutdown_timeout=dt.timedelta(seconds=0),
            )
            await stack.enter_async_context(worker)
        yield environment


@pytest_asyncio.fixture
async def room(database: ServerDatabase, scripted_smtp: ScriptedSmtp) -> AsyncIterator[SendRoom]:
    opened = Database(database.url)
    made = SendRoom(await open_desk(opened), dot_timeout=30.0)
    await made.connect(scripted_smtp.port)
    # Its sync is another flow, which these workers do not run.
    await made.run_sql("update inboxes set paused_at = now()")
    yield made
    await opened.close()


async def until(room: SendRoom, ref: MessageRef, *wanted: object) -> None:
    async with asyncio.timeout(20):
        while (await room.status(ref)) not in wanted:  # noqa: ASYNC110 – workers move it
            await asyncio.sleep(0.05)


async def test_everything_goes_on_from_the_rows_and_nothing_is_sent_twice(
    room: SendRoom, scripted_smtp: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time is not skipped here: started children hold the test server's clock.
    monkeypatch.setattr(timing, "VERIFY_AFTER", (0, 0.5, 1))
    done, put_off, doubtful, never_started = [await room.reply() for _ in range(4)]
    async with temporal(room) as first:
        client = first.client

        async def start(ref: MessageRef) -> None:
            await client.start_workflow(
                SendMessage.run, ref, id=ids.send_message(ref.message_id), task_queue=queues.FLOW
            )

        await start(done)
        await until(room, done, ("sent", "dot"))
        scripted_smtp.on("rcpt", Reply("451 4.7.1 later"), times=1)
        await start(put_off)
        async with asyncio.timeout(20):
            while "deferred" not in await room.desk.steps(uuid.UUID(put_off.message_id)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        scripted_smtp.on("dot", Silence(), times=1, stored=True)
        await start(doubtful)
        await until(room, doubtful, ("sending", "dot"))
        async with asyncio.timeout(20):
            while len(scripted_smtp.accepted) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    # The server and its histories are gone, the worker died with its submission under way.
    assert await room.status(doubtful) == ("sending", "dot")
    async with temporal(room) as second:
        client = second.client
        swept = await client.execute_workflow(Sweep.run, id="sweep", task_queue=queues.FLOW)
        assert swept.started == 4  # the desk, too
        for ref, status in ((put_off, "sent"), (doubtful, "unknown"), (never_started, "sent")):
            await until(room, ref, (status, "dot"))
        again = await client.execute_workflow(Sweep.run, id="sweep-again", task_queue=queues.FLOW)
        assert again.started == 0
    assert [(await room.status(r))[0] for r in (done, put_off, doubtful, never_started)] == [
        "sent",
        "sent",
        "unknown",
        "sent",
    ]
    hashes = [m.sha256 for m in scripted_smtp.accepted]
    expected = [(await room.message(r))["raw_sha256"] for r in (done, doubtful, put_off, never_started)]
    assert sorted(hashes) == sorted(str(h) for h in expected)


async def test_a_lost_reply_is_put_to_a_person_within_five_minutes(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    scripted_smtp.on("dot", Close(), stored=True)
    ref = await room.reply()
    async with temporal(room) as environment:
        client = environment.client
        await client.execute_workflow(
            SendMessage.run, ref, id=ids.send_message(ref.message_id), task_queue=queues.FLOW
        )
        handle = client.get_workflow_handle(ids.send_message(ref.message_id))
        described = await handle.describe()
    assert (await room.status(ref))[0] == "unknown"
    assert described.close_time is not None
    assert (described.close_time - described.start_time).total_seconds() < 300
    assert len(scripted_smtp.accepted) == 1


async def test_what_is_due_while_nobody_works_leaves_once_when_somebody_comes(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    refs = [await room.reply() for _ in range(12)]
    async with temporal(room) as second:
        client = second.client
        swept = await client.execute_workflow(Sweep.run, id="sweep", task_queue=queues.FLOW)
        assert swept.started == 13  # the desk, too
        for ref in refs:
            await until(room, ref, ("sent", "dot"))
    assert len(scripted_smtp.accepted) == len({m.message_id for m in scripted_smtp.accepted}) == 12
