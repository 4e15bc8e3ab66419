"""Attempts that overlap: of many at once one submits, an old one that wakes up sends no dot, a late answer is heard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
import pytest_asyncio

from contracts.outbound import DeliverOutcome, SendState
from contracts.refs import MessageRef
from providers.smtp.outcome import Stage, SubmitOutcome
from providers.smtp.sender import SmtpSender
from store.unit_of_work import Database
from tests.activities.send_room import SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import ScriptedSmtp
from tests.store.desk import open_desk

OnStage = Callable[[Stage], Awaitable[None]]


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase, scripted_smtp: ScriptedSmtp) -> AsyncIterator[SendRoom]:
    database = Database(module_database.url, pool_size=25)
    made = SendRoom(await open_desk(database))
    await made.connect(scripted_smtp.port)
    yield made
    await database.close()


async def composed(room: SendRoom) -> MessageRef:
    ref = await room.reply()
    assert (await room.compose(ref)).state is SendState.DUE
    return ref


async def test_twenty_at_once_submit_once(room: SendRoom, scripted_smtp: ScriptedSmtp) -> None:
    ref = await composed(room)
    reports = await asyncio.gather(*(room.deliver(ref) for _ in range(20)))
    assert len(scripted_smtp.accepted) == 1
    assert {r.outcome for r in reports} <= {DeliverOutcome.SENT, DeliverOutcome.STALE, DeliverOutcome.UNKNOWN}
    assert (await room.status(ref))[0] == "sent"


async def made(frozen: "list[Frozen]") -> "Frozen":
    """The sender, once the step has asked for it."""
    async with asyncio.timeout(10):
        while not frozen:  # noqa: ASYNC110 – the list is filled by a plain call
            await asyncio.sleep(0.01)
    await frozen[0].reached.wait()
    return frozen[0]


class Frozen:
    """A sender that stands still before it enters a stage, as a stopped process would, until it is let go."""

    def __init__(self, sender: SmtpSender, before: Stage) -> None:
        self._sender, self._before = sender, before
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def submit(
        self, raw: bytes, mail_from: str, recipients: Sequence[str], on_stage: OnStage, smtputf8: bool = False
    ) -> SubmitOutcome:
        async def slowly(stage: Stage) -> None:
            if stage is self._before:
                self.reached.set()
                await self.go.wait()
            await on_stage(stage)

        return await self._sender.submit(raw, mail_from, recipients, slowly, smtputf8)


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.RCPT, Stage.BODY, Stage.DOT])
async def test_an_old_attempt_that_wakes_up_sends_no_dot(
    room: SendRoom, scripted_smtp: ScriptedSmtp, stage: Stage
) -> None:
    ref = await composed(room)
    frozen: list[Frozen] = []

    def freeze(sender: SmtpSender) -> Frozen:
        frozen.append(Frozen(sender, stage))
        return frozen[-1]

    room.wrap = freeze
    zombie = asyncio.create_task(room.deliver(ref))
    await made(frozen)
    room.wrap = None
    # The server of time has given the old one up: the row stands before its dot, so the next attempt may send.
    assert (await room.plan(ref)).state is SendState.DUE
    second = await room.deliver(ref)
    assert (second.outcome, second.attempt) == (DeliverOutcome.SENT, 2)
    frozen[0].go.set()
    assert (await zombie).outcome is DeliverOutcome.STALE
    assert len(scripted_smtp.accepted) == 1
    assert (await room.status(ref))[0] == "sent"


async def test_a_late_answer_after_the_doubt_still_tells_the_truth(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    ref = await composed(room)

    class LateAnswer:
        def __init__(self, sender: SmtpSender) -> None:
            self.sender = sender

        async def submit(
            self, raw: bytes, mail_from: str, to: Sequence[str], on_stage: OnStage, smtputf8: bool = False
        ) -> SubmitOutcome:
            outcome = await self.sender.submit(raw, mail_from, to, on_stage, smtputf8)
            await room.settle(ref, DeliverOutcome.UNKNOWN)  # meanwhile everybody else has given up hope
            return outcome

    room.wrap = LateAnswer
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert (await room.status(ref))[0] == "sent"
    assert (await room.desk.conversation())["unknown_sends"] == 0


async def test_a_worker_that_dies_mid_body_leaves_a_row_that_is_sent_by_the_next(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    ref = await composed(room)
    frozen: list[Frozen] = []

    def freeze(sender: SmtpSender) -> Frozen:
        frozen.append(Frozen(sender, Stage.DOT))
        return frozen[-1]

    room.wrap = freeze
    dying = asyncio.create_task(room.deliver(ref))
    await made(frozen)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert (await room.status(ref)) == ("sending", "body")
    room.wrap = None
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert len(scripted_smtp.accepted) == 1
