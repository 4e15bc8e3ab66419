"""One submission against a server that fails at every phase: before the dot once in the end, from the dot on never twice."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from contracts.outbound import DeliverOutcome, SendState
from contracts.refs import MessageRef
from store.outbound import Recipient, cancel_message, resolve_message, retry_message
from store.unit_of_work import Database
from tests.activities.send_room import SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import Action, Close, Garbage, Phase, Reply, Reset, ScriptedSmtp, Silence
from tests.store.desk import NOW, open_desk

# What each kind of fault leaves in the row; every phase × every fault goes through the whole flow in tests/faults.
BEFORE: list[tuple[Phase, Action]] = [
    ("connect", Reset()),
    ("mail", Garbage()),
    ("data", Reply("451 4.3.0 later")),
    ("body", Close()),
]


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase, scripted_smtp: ScriptedSmtp) -> AsyncIterator[SendRoom]:
    database = Database(module_database.url, pool_size=25)
    made = SendRoom(await open_desk(database))
    await made.connect(scripted_smtp.port)
    yield made
    await database.close()


async def composed(room: SendRoom, **given: Any) -> MessageRef:
    ref = await room.reply(**given)
    assert (await room.compose(ref)).state is SendState.DUE
    return ref


async def test_a_reply_is_handed_over_once_and_the_conversation_knows(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    ref = await composed(room)
    report = await room.deliver(ref)
    assert (report.outcome, report.attempt, report.stage) == (DeliverOutcome.SENT, 1, "dot")
    (mail,) = scripted_smtp.accepted
    row = await room.message(ref)
    assert mail.sha256 == row["raw_sha256"]
    assert mail.message_id == row["message_id_header"]
    assert (mail.mail_from, mail.rcpt_tos) == ("desk@example.org", ("carla@customer.example.com",))
    assert await room.desk.recipients(uuid.UUID(ref.message_id)) == [
        ("to", "carla@customer.example.com", "sent")
    ]
    conversation = await room.desk.conversation()
    assert conversation["responses"] == 1
    assert conversation["first_response_seconds"] == conversation["avg_response_seconds"] == 600
    assert "message.sent" in await room.desk.events()
    assert await room.desk.steps(uuid.UUID(ref.message_id)) == [
        "queued",
        "composed",
        "attempt",
        "dot",
        "accepted",
        "answered",
    ]
    again = await room.deliver(ref)
    assert again.outcome is DeliverOutcome.SENT
    assert len(scripted_smtp.accepted) == 1


@pytest.mark.parametrize(
    ("phase", "fault"), BEFORE, ids=lambda v: v if isinstance(v, str) else type(v).__name__
)
async def test_a_fault_before_the_dot_leads_to_one_mail_in_the_end(
    room: SendRoom, scripted_smtp: ScriptedSmtp, phase: Phase, fault: Action
) -> None:
    scripted_smtp.on(phase, fault, times=1)
    ref = await composed(room)
    first = await room.deliver(ref)
    assert first.outcome is DeliverOutcome.DEFERRED
    assert first.retry_after_seconds == pytest.approx(60, abs=1)
    assert scripted_smtp.accepted == []
    assert (await room.status(ref)) == ("queued", None)
    assert (await room.message(ref))["send_error"]
    room.clock.pass_(seconds=60)
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert [m.sha256 for m in scripted_smtp.accepted] == [(await room.message(ref))["raw_sha256"]]


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("fault", [Close(), Reset(), Garbage(), Silence(3)], ids=lambda v: type(v).__name__)
async def test_silence_after_the_dot_is_never_answered_by_a_second_submission(
    room: SendRoom, scripted_smtp: ScriptedSmtp, fault: Action, stored: bool
) -> None:
    scripted_smtp.on("dot", fault, stored=stored, times=1)
    ref = await composed(room)
    assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
    assert (await room.status(ref)) == ("sending", "dot")
    connections = scripted_smtp.connections
    assert (await room.plan(ref)).state is SendState.DOUBT
    assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
    await room.settle(ref, DeliverOutcome.UNKNOWN)
    assert (await room.status(ref))[0] == "unknown"
    assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
    assert scripted_smtp.connections == connections
    assert len(scripted_smtp.accepted) == int(stored)
    assert (await room.desk.conversation())["unknown_sends"] == 1
    assert "message.unknown" in await room.desk.events()


async def test_a_person_may_settle_an_unknown_message_either_way(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    scripted_smtp.on("dot", Close(), stored=True)
    sent, again = await composed(room), await composed(room)
    for ref in (sent, again):
        await room.deliver(ref)
        await room.settle(ref, DeliverOutcome.UNKNOWN)
    scripted_smtp.behave()
    before = await room.message(again)
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        key: dict[str, Any] = {"tenant_id": room.desk.tenant_id, "actor": "user:x", "now": room.clock()}
        assert await resolve_message(connection, message_id=uuid.UUID(sent.message_id), outcome="sent", **key)
        assert await resolve_message(
            connection, message_id=uuid.UUID(again.message_id), outcome="send_again", **key
        )
        assert not await resolve_message(
            connection, message_id=uuid.UUID(sent.message_id), outcome="send_again", **key
        )
    assert (await room.plan(sent)).state is SendState.SENT
    assert (await room.plan(sent)).copy_missing
    assert (await room.plan(again)).state is SendState.DUE
    assert (await room.deliver(again)).outcome is DeliverOutcome.SENT
    after = await room.message(again)
    assert (before["message_id_header"], before["raw_sha256"], before["sent_at"]) == (
        after["message_id_header"],
        after["raw_sha256"],
        after["sent_at"],
    )
    assert [m.sha256 for m in scripted_smtp.accepted].count(str(after["raw_sha256"])) == 2
    assert (await room.desk.conversation())["unknown_sends"] == 0


@pytest.mark.parametrize(
    ("phase", "reply"),
    [
        ("mail", "550 5.7.1 no"),
        ("rcpt", "550 5.1.1 unknown"),
        ("data", "554 5.7.1 no"),
        ("dot", "552 5.3.4 too big"),
    ],
)
async def test_a_5yz_reply_is_final_at_once_and_a_person_can_retry(
    room: SendRoom, scripted_smtp: ScriptedSmtp, phase: Phase, reply: str
) -> None:
    scripted_smtp.on(phase, Reply(reply), times=1)
    ref = await composed(room)
    assert (await room.deliver(ref)).outcome is DeliverOutcome.FAILED
    row = await room.message(ref)
    assert row["send_status"] == "failed"
    assert reply[:3] in str(row["send_error"])
    assert (await room.desk.conversation())["failed_sends"] == 1
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        key: dict[str, Any] = {
            "tenant_id": room.desk.tenant_id,
            "message_id": uuid.UUID(ref.message_id),
            "actor": "user:x",
        }
        assert await retry_message(connection, now=room.clock(), **key)
        assert not await retry_message(connection, now=room.clock(), **key)
    assert (await room.desk.conversation())["failed_sends"] == 0
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert len(scripted_smtp.accepted) == 1


async def test_a_4yz_reply_to_the_dot_is_proof_of_non_acceptance(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    scripted_smtp.on("dot", Reply("451 4.7.0 greylisted"), times=1)
    ref = await composed(room)
    report = await room.deliver(ref)
    assert (report.outcome, report.code, report.stage) == (DeliverOutcome.DEFERRED, 451, "dot")
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT


async def test_only_recipients_that_were_put_off_are_tried_again(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    scripted_smtp.on("rcpt", Reply("451 4.2.1 later"), nth=2, times=1)
    scripted_smtp.on("rcpt", Reply("550 5.1.1 nobody"), nth=3, times=1)
    named = tuple(Recipient("to", f"{name}@example.com") for name in ("ann", "bob", "cyd"))
    ref = await composed(room, recipients=named)
    assert (await room.deliver(ref)).outcome is DeliverOutcome.DEFERRED
    assert [r[2] for r in await room.desk.recipients(uuid.UUID(ref.message_id))] == [
        "sent",
        "deferred",
        "failed",
    ]
    assert (await room.deliver(ref)).outcome is DeliverOutcome.FAILED
    assert [m.rcpt_tos for m in scripted_smtp.accepted] == [("ann@example.com",), ("bob@example.com",)]
    row = await room.message(ref)
    assert "2 of 3" in str(row["send_error"])
    assert (await room.desk.conversation())["responses"] == 1
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        assert await retry_message(
            connection,
            tenant_id=room.desk.tenant_id,
            message_id=uuid.UUID(ref.message_id),
            actor="a",
            now=room.clock(),
        )
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert scripted_smtp.accepted[2].rcpt_tos == ("cyd@example.com",)
    assert (await room.desk.conversation())["responses"] == 1


async def test_after_two_days_of_putting_off_it_fails(room: SendRoom, scripted_smtp: ScriptedSmtp) -> None:
    scripted_smtp.on("rcpt", Reply("450 4.2.0 later"))
    ref = await composed(room)
    waits = []
    while (report := await room.deliver(ref)).outcome is DeliverOutcome.DEFERRED:
        waits.append(report.retry_after_seconds)
        room.clock.pass_(seconds=report.retry_after_seconds or 0)
    assert report.outcome is DeliverOutcome.FAILED
    assert "two days" in str((await room.message(ref))["send_error"])
    assert 48 <= len(waits) <= 70
    assert max(w for w in waits if w) <= 3600
    assert sum(w for w in waits if w) == pytest.approx(48 * 3600, abs=1)


async def test_changed_bytes_are_never_sent(room: SendRoom, scripted_smtp: ScriptedSmtp) -> None:
    ref = await composed(room)
    (key,) = room.blobs.objects
    room.blobs.objects[key] += b"\r\nmore"
    with pytest.raises(ApplicationError) as failed:
        await room.deliver(ref)
    assert failed.value.type == "BlobMissing"
    assert scripted_smtp.connections == 0
    assert (await room.status(ref))[0] == "queued"


async def test_a_cancelled_or_early_message_does_not_leave(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    cancelled, early = await composed(room), await composed(room)
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        key: dict[str, Any] = {
            "tenant_id": room.desk.tenant_id,
            "message_id": uuid.UUID(cancelled.message_id),
            "actor": "user:x",
        }
        assert await cancel_message(connection, now=room.clock(), **key)
        assert not await cancel_message(connection, now=room.clock(), **key)
    assert (await room.plan(cancelled)).state is SendState.CANCELLED
    assert (await room.deliver(cancelled)).outcome is DeliverOutcome.CANCELLED
    room.clock.now = NOW
    plan = await room.plan(early)
    assert (plan.state, plan.wait_seconds) == (SendState.WAITING, 5.0)
    assert (await room.deliver(early)).outcome is DeliverOutcome.STALE
    assert scripted_smtp.connections == 0
    conversation = await room.desk.conversation()
    assert (conversation["message_count"], conversation["agent_message_count"]) == (2, 1)


async def test_a_cancel_and_a_claim_that_race_have_one_winner(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    for _ in range(5):
        ref = await composed(room)

        async def cancel(ref: MessageRef = ref) -> bool:
            async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
                return await cancel_message(
                    connection,
                    tenant_id=room.desk.tenant_id,
                    message_id=uuid.UUID(ref.message_id),
                    actor="a",
                    now=NOW,
                )

        before = len(scripted_smtp.accepted)
        was_cancelled, report = await asyncio.gather(cancel(), room.deliver(ref))
        assert was_cancelled == (report.outcome is DeliverOutcome.CANCELLED)
        assert len(scripted_smtp.accepted) - before == int(not was_cancelled)


async def test_at_least_once_sends_again_after_looking_but_not_for_ever(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    await room.run_sql('update inboxes set settings = settings || \'{"send_policy": "at_least_once"}\'')
    scripted_smtp.on("dot", Close(), stored=True)
    ref = await composed(room)
    for again in (True, True, False):
        assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
        assert (await room.settle(ref, DeliverOutcome.UNKNOWN)).again is again
    assert (await room.status(ref))[0] == "unknown"
    assert len({m.sha256 for m in scripted_smtp.accepted}) == 1


async def test_proof_in_sent_settles_and_a_second_proof_changes_nothing(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    scripted_smtp.on("dot", Close(), stored=True)
    ref = await composed(room)
    await room.deliver(ref)
    assert (await room.settle(ref, DeliverOutcome.SENT)).outcome is DeliverOutcome.SENT
    assert (await room.settle(ref, DeliverOutcome.SENT)).outcome is DeliverOutcome.STALE
    assert (await room.settle(ref, DeliverOutcome.FAILED, "Unreachable")).outcome is DeliverOutcome.STALE
    assert (await room.desk.events()).count("message.sent") == 1


async def test_a_failure_on_our_side_is_settled_with_its_sentence(room: SendRoom) -> None:
    ref = await composed(room)
    await room.run_sql("update inboxes set settings = '{}'")
    with pytest.raises(ApplicationError) as failed:
        await ActivityEnvironment().run(room.delivering.deliver, ref)
    assert failed.value.type == "NotConnected"
    await room.settle(ref, DeliverOutcome.FAILED, "NotConnected")
    row = await room.message(ref)
    assert row["send_status"] == "failed"
    assert "not connected" in str(row["send_error"])


async def test_a_database_that_is_away_for_a_moment_does_not_lose_the_outcome(
    room: SendRoom, scripted_smtp: ScriptedSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await composed(room)
    real = room.delivering._database.unit_of_work
    failures: list[int] = []

    class Away:
        def __init__(self, inner: Database) -> None:
            self.inner = inner

        def unit_of_work(self, tenant_id: uuid.UUID) -> AbstractAsyncContextManager[AsyncConnection]:
            # Right after the mail was accepted the first two transactions fail.
            if scripted_smtp.accepted and len(failures) < 2:
                failures.append(1)
                raise OperationalError("select 1", {}, Exception("away"))
            return real(tenant_id)

    monkeypatch.setattr(room.delivering, "_database", Away(room.desk.database))
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert len(failures) == 2
    assert (
        hashlib.sha256(scripted_smtp.accepted[0].raw).hexdigest() == (await room.message(ref))["raw_sha256"]
    )
