"""The workflows of a team on Amazon SES, run by the worker as it is composed: nothing of ours is played, SES, SNS and the clock are.

Row by row: mail that nobody told of is found by the sweep's listing and comes with the next poll; mail that a notice tells of comes at
once; a reply is taken once and its delivery shown; the customer's answer to the id that SES wrote over ours joins. Then, in virtual
time, two replies whose answers are lost: an event settles the one, a person is asked about the other, and neither is sent again.
"""

import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from contracts import ids
from contracts.outbound import SendEnd, SendState
from contracts.payload_guard import data_converter
from tests.activities.mail_room import letter
from tests.conftest import S3Server
from tests.journeys.driver import until
from tests.journeys.ses_mailroom import SesMailroom, ses_mailroom
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.ses_payloads import event
from tests.servers.ses_server import ses_endpoint
from workflows.send_message import SendMessage

CARLA, DORA = "carla@customer.example.com", "dora@customer.example.com"
POLL = 2  # seconds between two looks
QUIET = dt.timedelta(minutes=2)  # after so long no notice is waited for any more
LOOKS = [0, 5, 15, 45, 120, 300, 600]  # seconds after a lost answer


@pytest_asyncio.fixture
async def operator(database: ServerDatabase, s3_server: S3Server, certificates: Certificates) -> AsyncIterator[SesMailroom]:
    async with ses_mailroom(database, s3_server, certificates) as made:
        yield made


@pytest_asyncio.fixture
async def client(time_skipping_env: WorkflowEnvironment) -> Client:
    """Waiting for a result over this one skips no time."""
    return await time_skipping_env.connect_client(data_converter=data_converter())


async def test_mail_comes_by_listing_and_by_notice_and_is_answered_once(operator: SesMailroom, client: Client) -> None:
    domain = await operator.held_domain()
    desk = f"desk@{domain['name']}"
    operator.call_on(client)
    moto = str(operator.ses.endpoint)
    async with operator.working(client, ses=moto, poll_seconds=POLL):
        inbox = await operator.add_desk(domain)
        room, sync = operator.desk(inbox, domain["name"]), ids.inbox_sync(inbox["id"])
        await next_poll(client, sync)

        # A lost notice: the bucket is listed when no notice is to be waited for any more, and the next poll brings the mail.
        await operator.receive(room, letter(1, subject="Nobody told you", sender=DORA, to=desk), desk, told=False)
        assert (await operator.sweep(client)).started == 0, "what should run runs already"
        assert await room.receipts() == {}
        operator.ahead = QUIET
        await operator.sweep(client)
        assert [r["state"] for r in (await room.receipts()).values()] == ["routed"]
        await until("mail that nobody told of", lambda: operator.about("Nobody told you"), 15)
        assert await waking(client, sync) == [], "it was a poll"

        # A notice, right after a poll: nothing waits for the next one.
        await next_poll(client, sync)
        await operator.receive(room, letter(2, subject="Printer on fire", sender=CARLA, to=desk), desk)
        asked = await until("mail that was told of", lambda: operator.about("Printer on fire"), 15)
        assert operator.poked == [inbox["id"]]
        assert await waking(client, sync) == [1]

        # The reply: one mail at SES, and its delivery is shown.
        sent = await operator.reply(asked, "We are coming.")
        assert await ended(client, sent) == SendEnd(SendState.SENT, 1)
        (taken,) = operator.accepted(domain["name"])
        assert taken.destinations[0] == CARLA
        assert (await operator.message(sent))["send"]["recipients"][0]["status"] == "sent"
        await operator.publish_notice(event("Delivery", taken.id, CARLA, send_id=sent))
        assert (await operator.message(sent))["send"]["recipients"][0]["status"] == "delivered"
        assert "copy_in_sent" not in await operator.timeline(sent), "SES keeps no Sent"

        # The answer names the id that SES wrote over ours.
        again = letter(3, subject="thanks", sender=CARLA, to=desk, in_reply_to=f"<{taken.id}@email.amazonses.com>")
        await next_poll(client, sync)
        await operator.receive(room, again, desk)
        words = await until("the answer joins", joined(operator, asked, 3), 15)
        assert [m["direction"] for m in words] == ["inbound", "outbound", "inbound"]
        assert await operator.about("thanks") is None
        assert await waking(client, sync) == [1, 1]

    assert len(operator.accepted(domain["name"])) == 1
    assert [row["state"] for row in (await room.ledger()).values()] == ["ingested"] * 3
    await room.close()


async def test_a_lost_answer_is_settled_by_the_event_or_by_a_person_and_never_sent_again(
    operator: SesMailroom, client: Client, time_skipping_env: WorkflowEnvironment
) -> None:
    domain = await operator.held_domain()
    desk = f"desk@{domain['name']}"
    # Connected by the steps alone: a child of ConnectInbox that outlives it would stop that server's clock for good.
    room = await operator.room(await operator.add_desk(domain), domain["name"])
    operator.call_on(client)
    async with ses_endpoint() as ses, operator.working(client, ses=ses.url):
        ses.faults = ["reset_after_accept", "half_answer"]
        for number, (sender, subject) in enumerate([(CARLA, "Printer on fire"), (DORA, "Ink is out")]):
            await operator.receive(room, letter(number, subject=subject, sender=sender, to=desk), desk)
        printer = await until("the first question", lambda: operator.about("Printer on fire"), 15)
        ink = await until("the second question", lambda: operator.about("Ink is out"), 15)

        # The event comes after the looks of the first two minutes.
        first = await operator.reply(printer, "We are coming.")
        await until("the doubt is looked into", looked(client, first, 1), 15)
        await time_skipping_env.sleep(200)
        await until("it is looked into again and again", looked(client, first, 5), 15)
        assert await fate(operator, first) == ("sending", [])
        (taken,) = ses.taken
        await operator.publish_notice(event("Delivery", taken.id, CARLA, send_id=first))
        assert await fate(operator, first) == ("sent", [])
        await time_skipping_env.sleep(200)
        assert await ended(client, first) == SendEnd(SendState.SENT, 1)
        assert await looks(client, first) == near(LOOKS[:6])

        # No event: ten minutes later a person is asked.
        second = await operator.reply(ink, "It is on its way.")
        await until("the doubt is looked into", looked(client, second, 1), 15)
        await time_skipping_env.sleep(LOOKS[-1] - 30)
        await until("it is looked into again and again", looked(client, second, 6), 15)
        assert await fate(operator, second) == ("sending", [])
        await time_skipping_env.sleep(60)
        assert await ended(client, second) == SendEnd(SendState.UNKNOWN, 1)
        assert await looks(client, second) == near(LOOKS)
        assert await fate(operator, second) == ("unknown", ["resolve"])
        shown = await operator.about("Ink is out")
        assert shown is not None
        assert shown["has_unknown_send"]
        assert "Amazon SES" in (await operator.message(second))["send"]["error"]

        # Whatever comes later sends nothing: a sweep of all rows, and an event after all.
        operator.ahead = QUIET
        await operator.sweep(client)
        assert await fate(operator, second) == ("unknown", ["resolve"])
        await operator.publish_notice(event("Send", ses.taken[1].id, DORA, send_id=second))
        assert await fate(operator, second) == ("sent", [])
        shown = await operator.about("Ink is out")
        assert shown is not None
        assert not shown["has_unknown_send"]
    assert (ses.requests, len(ses.taken)) == (2, 2), "one mail each"
    assert [mail.request["Destination"]["ToAddresses"] for mail in ses.taken] == [[CARLA], [DORA]]
    assert operator.accepted(domain["name"]) == []
    await room.close()


async def events(client: Client, workflow_id: str) -> list[HistoryEvent]:
    """The run's history; nothing where there is no run yet."""
    try:
        return [e async for e in client.get_workflow_handle(workflow_id).fetch_history_events()]
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return []


async def next_poll(client: Client, sync: str) -> None:
    """Until the inbox's sync has looked once more and waits for its next time."""

    async def polls() -> int:
        return sum(e.HasField("timer_started_event_attributes") for e in await events(client, sync))

    async def another() -> bool:
        return await polls() > before

    before = await polls()
    await until("another poll", another, 15, every=0.05)


async def waking(client: Client, sync: str) -> list[int]:
    """For each time that the sync was woken: how many mails the next fetch brought, where no poll's time came before it."""
    found, woken, fetching = [], False, -1
    for e in await events(client, sync):
        if e.HasField("workflow_execution_signaled_event_attributes"):
            woken = True
        elif e.HasField("timer_fired_event_attributes"):
            woken = False
        elif woken and e.activity_task_scheduled_event_attributes.activity_type.name == "inbound.fetch":
            woken, fetching = False, e.event_id
        elif fetching == e.activity_task_completed_event_attributes.scheduled_event_id:
            found.append(json.loads(e.activity_task_completed_event_attributes.result.payloads[0].data)["stored"])
    return found


async def looks(client: Client, message_id: str) -> list[float]:
    """Seconds between the first look after a lost answer and each of them."""
    told = await events(client, ids.send_message(message_id))
    at = [e.event_time.ToDatetime() for e in told if e.activity_task_scheduled_event_attributes.activity_type.name == "outbound.verify"]
    return [(when - at[0]).total_seconds() for when in at]


def looked(client: Client, message_id: str, times: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return len(await looks(client, message_id)) >= times

    return look


def near(seconds: list[int]) -> Any:
    return pytest.approx(seconds, abs=4)


async def ended(client: Client, message_id: str) -> SendEnd:
    handle = client.get_workflow_handle_for(SendMessage.run, ids.send_message(message_id))
    return await handle.result()


async def fate(operator: SesMailroom, message_id: str) -> tuple[str, list[str]]:
    """What an agent sees of a reply, and what may be decided."""
    send = (await operator.message(message_id))["send"]
    return send["status"], send["can"]


def joined(operator: SesMailroom, conversation: dict[str, Any], count: int) -> Callable[[], Awaitable[list[dict[str, Any]]]]:
    async def look() -> list[dict[str, Any]]:
        messages = await operator.messages(conversation)
        return messages if len(messages) == count else []

    return look
