"""Sending through Gmail and Graph: one accepted mail each, or unknown and shown; never two, whatever is lost on the way."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.accounts import Accounts
from activities.outbound_deliver import OutboundDeliver
from contracts.failpoints import Failpoint
from contracts.outbound import DeliverOutcome, VerifyOutcome
from providers.mail_api import MailApiSender
from store.outbound import Recipient
from store.sealing import Sealer
from tests.activities.api_send_room import SEND, ApiSendRoom, Provider
from tests.activities.dying import Died


@pytest.fixture
def room(api_send_room: ApiSendRoom) -> ApiSendRoom:
    return api_send_room


async def test_a_reply_leaves_once_and_the_row_knows_what_was_sent(
    room: ApiSendRoom, provider: Provider
) -> None:
    ref = await room.composed()
    report = await room.deliver(ref)
    assert (report.outcome, report.attempt, report.stage) == (DeliverOutcome.SENT, 1, "dot")
    (mail,) = provider.accepted
    row = await room.message(ref)
    assert row["message_id_header"].encode() in mail.raw
    assert row["provider_message_id"] == mail.id
    keys = await room.desk.rows("select kind, key from thread_keys where inbox_id = :i", i=room.desk.inbox_id)
    assert {"message_id", "provider_thread"} <= {key["kind"] for key in keys}
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert len(provider.accepted) == 1
    assert provider.drafts() == []


async def test_hidden_recipients_get_the_mail_and_the_frozen_bytes_do_not_name_them(
    room: ApiSendRoom, provider: Provider
) -> None:
    people = (
        Recipient("to", "carla@customer.example.com", ""),
        Recipient("bcc", "boss@example.com", ""),
        Recipient("bcc", "audit@example.com", ""),
    )
    ref = await room.composed(recipients=people)
    assert await room.flow(ref) == "sent"
    (mail,) = provider.accepted
    assert set(mail.recipients) == {"carla@customer.example.com", "boss@example.com", "audit@example.com"}
    frozen = room.blobs.objects[str((await room.message(ref))["raw_key"])]
    assert b"boss@example.com" not in frozen


@pytest.mark.parametrize("after_accept", [True, False])
@pytest.mark.parametrize("how", [{"status": 500}, {"reset": True}], ids=["500", "reset"])
async def test_a_lost_answer_is_one_mail_in_the_end(
    room: ApiSendRoom, provider: Provider, how: dict[str, Any], after_accept: bool
) -> None:
    provider.fail(SEND, after_accept=after_accept, **how)
    ref = await room.composed()
    assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
    assert (await room.status(ref)) == ("sending", "dot")
    assert await room.flow(ref) == "sent"
    assert len(provider.accepted) == 1
    assert provider.drafts() == []
    assert (await room.message(ref))["provider_message_id"] == provider.accepted[0].id


async def test_a_draft_that_lies_there_is_not_sent_again_at_once(
    room: ApiSendRoom, provider: Provider
) -> None:
    provider.fail(SEND, status=500)
    ref = await room.composed()
    await room.deliver(ref)
    draft = (await room.message(ref))["api_draft_id"]
    assert (await room.verify(ref)).outcome is VerifyOutcome.NOT_FOUND
    room.clock.pass_(seconds=29)
    assert (await room.verify(ref)).outcome is VerifyOutcome.NOT_FOUND
    room.clock.pass_(seconds=2)
    report = await room.verify(ref)
    assert report.outcome is VerifyOutcome.UNSENT
    assert (report.retry_after_seconds or 0) >= 60
    row = await room.message(ref)
    assert (row["send_status"], row["send_stage"], row["api_draft_id"]) == ("queued", None, draft)
    assert "proven_unsent" in await room.desk.steps(uuid.UUID(ref.message_id))


@pytest.mark.parametrize("fault", [{"status": 429}, {"status": 400}], ids=["throttled", "refused"])
async def test_an_answer_that_proves_non_acceptance_is_no_doubt(
    room: ApiSendRoom, provider: Provider, fault: dict[str, Any]
) -> None:
    provider.fail(SEND, times=9, **fault)
    ref = await room.composed()
    outcome = (await room.deliver(ref)).outcome
    assert outcome is (DeliverOutcome.DEFERRED if fault["status"] == 429 else DeliverOutcome.FAILED)
    assert provider.accepted == []
    provider.server.faults.clear()
    room.clock.pass_(hours=1)
    assert await room.flow(ref) == ("sent" if fault["status"] == 429 else "failed")
    assert len(provider.accepted) == (1 if fault["status"] == 429 else 0)


async def test_a_draft_that_vanished_is_unknown_and_never_made_anew(
    room: ApiSendRoom, provider: Provider
) -> None:
    provider.fail(SEND, status=500)
    ref = await room.composed()
    await room.deliver(ref)
    provider.lose_drafts()
    assert await room.flow(ref) == "unknown"
    assert (await room.message(ref))["send_error"]
    assert (provider.accepted, provider.drafts()) == ([], [])
    # A person says so: now another draft may be made.
    assert await room.send_again(ref)
    assert await room.flow(ref) == "sent"
    assert len(provider.accepted) == 1


async def test_sending_again_looks_first_and_finds_what_went_out_meanwhile(
    room: ApiSendRoom, provider: Provider
) -> None:
    provider.fail(SEND, status=500, after_accept=True)
    ref = await room.composed()
    await room.deliver(ref)
    await room.settle(ref, DeliverOutcome.UNKNOWN)
    assert await room.send_again(ref)
    assert await room.flow(ref) == "sent"
    assert len(provider.accepted) == 1


async def test_an_automatic_mail_is_never_sent_again_out_of_doubt(
    room: ApiSendRoom, provider: Provider
) -> None:
    provider.fail(SEND, status=500)
    ref = await room.composed()
    await room.run_sql(
        "update messages set kind = 'auto_response' where id = :id", id=uuid.UUID(ref.message_id)
    )
    assert await room.flow(ref) == "unknown"
    assert provider.accepted == []


async def test_an_id_that_was_rewritten_leads_to_the_conversation(
    room: ApiSendRoom, provider: Provider
) -> None:
    if provider.name == "gmail":
        provider.box.rewrite_message_id = True
    else:
        provider.box.quirks.rewrite_message_id = True
    provider.fail(SEND, status=500, after_accept=True)
    ref = await room.composed()
    assert await room.flow(ref) == "sent"
    assert len(provider.accepted) == 1
    ours = (await room.message(ref))["message_id_header"]
    keys = await room.desk.rows(
        "select key from thread_keys where inbox_id = :i and conversation_id = :c and kind = 'message_id'",
        i=room.desk.inbox_id, c=room.desk.conversation_id,
    )  # fmt: skip
    assert {key["key"] for key in keys} - {ours}


async def test_a_search_that_lags_does_not_send_again(room: ApiSendRoom, provider: Provider) -> None:
    if provider.name == "gmail":
        provider.box.search_lag = 45.0
    else:
        provider.box.quirks.sent_looks, provider.box.quirks.sent_absent = 3, True
    provider.fail(SEND, reset=True, after_accept=True)
    ref = await room.composed()
    assert await room.flow(ref) == "sent"
    assert len(provider.accepted) == 1


PLACES = [
    Failpoint.DELIVER_DRAFT_PREPARED,
    Failpoint.DELIVER_DRAFT_KEPT,
    Failpoint.DELIVER_STAGE_DOT,
    Failpoint.DELIVER_REPLIED,
]


@pytest.mark.parametrize("place", PLACES)
async def test_dying_while_delivering_is_one_mail_in_the_end(
    room: ApiSendRoom, provider: Provider, die_at: Callable[[Failpoint], None], place: Failpoint
) -> None:
    ref = await room.composed()
    die_at(place)
    with pytest.raises(Died):
        await room.deliver(ref)
    room.clock.pass_(seconds=35)  # until Temporal has noticed
    assert await room.flow(ref) == "sent"
    assert len(provider.accepted) == 1


@pytest.mark.parametrize(
    "place", [Failpoint.VERIFY_TRACED, Failpoint.VERIFY_UNSENT, Failpoint.DELIVER_DRAFT_TRACED]
)
async def test_dying_while_looking_is_one_mail_in_the_end(
    room: ApiSendRoom, provider: Provider, die_at: Callable[[Failpoint], None], place: Failpoint
) -> None:
    provider.fail(SEND, status=500)
    ref = await room.composed()
    await room.deliver(ref)
    room.clock.pass_(seconds=45)
    die_at(place)
    with pytest.raises(Died):
        await room.flow(ref)
    assert await room.flow(ref) == "sent"
    assert len(provider.accepted) == 1


async def test_many_at_once_send_one_mail(room: ApiSendRoom, provider: Provider) -> None:
    ref = await room.composed()
    await asyncio.gather(*(room.deliver(ref) for _ in range(6)))
    room.clock.pass_(seconds=200)
    assert await room.flow(ref) == "sent"
    assert len(provider.accepted) == 1


async def test_one_who_runs_late_sends_nothing(room: ApiSendRoom, provider: Provider) -> None:
    """An attempt that stood still after its draft wakes up when another has sent the mail."""
    ref = await room.composed()
    held, go = asyncio.Event(), asyncio.Event()
    made = provider.make

    class Slow:
        def __init__(self, sender: MailApiSender) -> None:
            self._sender = sender

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sender, name)

        async def prepare(self, raw: bytes, *, thread_id: str | None = None) -> str:
            draft = await self._sender.prepare(raw, thread_id=thread_id)
            held.set()
            await go.wait()
            return draft

    provider.make = lambda token: Slow(made(token))
    late = asyncio.create_task(room.deliver(ref))
    await held.wait()
    provider.make = made
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    go.set()
    assert (await late).outcome is not DeliverOutcome.FAILED
    assert (await room.status(ref))[0] == "sent"
    assert len(provider.accepted) == 1
    assert provider.drafts() == []


async def test_a_mailbox_whose_tokens_nobody_keeps_is_not_connected(room: ApiSendRoom) -> None:
    ref = await room.composed()
    accounts = Accounts(room.desk.database, Sealer({"k1": b"k" * 32}))
    step = OutboundDeliver(room.desk.database, accounts, room.blobs, room.sender, clock=room.clock)
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(step.deliver, ref)
    assert caught.value.type == "NotConnected"
    assert (await room.status(ref))[0] == "queued"
