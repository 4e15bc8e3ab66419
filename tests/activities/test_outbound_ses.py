"""Sending through SES, step by step: one mail each or a doubt that an event settles; never two, and never as a domain of others."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities.outbound_deliver import OutboundDeliver
from contracts.failpoints import Failpoint
from contracts.outbound import DeliverOutcome, SendState, VerifyOutcome
from store.sns_notices import ProvenNotice, apply_notice, write_notice
from store.unit_of_work import Database
from tests.activities.dying import Died
from tests.activities.ses_room import CARLA, SesRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.ses_payloads import event
from tests.servers.ses_server import ses_endpoint
from tests.store.desk import open_desk


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase) -> AsyncIterator[SesRoom]:
    database = Database(module_database.url, pool_size=3)
    async with ses_endpoint() as endpoint:
        yield await SesRoom(await open_desk(database), endpoint).open()
    await database.close()


async def report(room: SesRoom, kind: str, ses_id: str, send_id: str | None) -> None:
    async with room.desk.database.system_unit_of_work() as connection:
        body = json.dumps(event(kind, ses_id, CARLA, send_id=send_id))
        new = await write_notice(connection, ProvenNotice(f"n-{kind}-{ses_id}", "t", "Notification", body), now=room.clock())
        assert new is not None
        await apply_notice(connection, new, now=room.clock())


async def test_a_reply_goes_out_once_as_frozen_with_tag_and_configuration_set(room: SesRoom) -> None:
    ref = await room.composed()
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    (mail,) = room.endpoint.taken
    row = await room.message(ref)
    assert mail.raw == room.blobs.objects[row["raw_key"]]
    assert mail.request["EmailTags"] == [{"Name": "send_id", "Value": ref.message_id}]
    assert mail.request["ConfigurationSetName"] == "mailroom"
    assert mail.request["Destination"] == {"ToAddresses": [CARLA]}
    assert row["provider_message_id"] == mail.id
    await report(room, "Delivery", mail.id, None)
    assert await room.desk.recipients(row["id"]) == [("to", CARLA, "delivered")]


@pytest.mark.parametrize("fault", ["reset_after_accept", (500, "InternalFailure", True), (503, "ServiceUnavailable", False)])
async def test_a_doubt_waits_for_the_event_and_is_settled_by_it(room: SesRoom, fault: object) -> None:
    room.endpoint.faults = [fault]  # type: ignore[list-item]
    ref = await room.composed()
    assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
    assert (await room.plan(ref)).state is SendState.DOUBT
    assert (await room.verify(ref)).outcome is VerifyOutcome.AWAITED
    assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
    assert room.endpoint.requests == 1, "a doubtful mail is not sent again"
    await report(room, "Send", f"0100017e11111111-{ref.message_id}-000000", ref.message_id)
    assert (await room.verify(ref)).outcome is VerifyOutcome.FOUND
    await room.settle(ref, DeliverOutcome.SENT)
    assert (await room.status(ref))[0] == "sent"


async def test_without_an_event_a_person_is_asked_and_a_late_one_still_settles_it(room: SesRoom) -> None:
    room.endpoint.faults = ["reset_after_accept"]
    ref = await room.composed()
    await room.deliver(ref)
    await room.settle(ref, DeliverOutcome.UNKNOWN)
    assert (await room.status(ref))[0] == "unknown"
    told = (await room.message(ref))["send_error"]
    assert ("SES reported nothing" in told, "Sent" in told) == (True, False), "SES has no Sent to look into"
    await report(room, "Delivery", room.endpoint.taken[0].id, ref.message_id)
    assert (await room.status(ref))[0] == "sent"


async def test_throttling_puts_it_off_and_the_same_bytes_go_later(room: SesRoom) -> None:
    room.endpoint.faults = [(429, "TooManyRequestsException", False)]
    ref = await room.composed()
    report_ = await room.deliver(ref)
    assert (report_.outcome, (report_.retry_after_seconds or 0) >= 30) == (DeliverOutcome.DEFERRED, True)
    room.clock.pass_(minutes=5)
    assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert len(room.endpoint.taken) == 1


async def test_what_ses_refuses_fails_with_its_reason(room: SesRoom) -> None:
    room.endpoint.faults = [(400, "MessageRejected", False)]
    ref = await room.composed()
    assert (await room.deliver(ref)).outcome is DeliverOutcome.FAILED
    assert "sandbox" in (await room.message(ref))["send_error"]


@pytest.mark.parametrize(
    "change",
    ["update domains set verified_at = null", "update domains set ses_verified = false",
     "update inboxes set domain_id = null, local_part = null, is_catchall = false"],
)  # fmt: skip
async def test_nothing_is_sent_as_a_domain_that_is_not_held(room: SesRoom, change: str) -> None:
    ref = await room.composed()
    await room.desk.rows(f"{change} where tenant_id = :tenant")
    assert (await room.deliver(ref)).outcome is DeliverOutcome.FAILED
    assert "Domains" in (await room.message(ref))["send_error"]
    assert room.endpoint.requests == 0


@pytest.mark.parametrize(
    ("place", "taken"),
    [(Failpoint.DELIVER_CLAIMED, 0), (Failpoint.DELIVER_BEFORE_DOT, 0), (Failpoint.DELIVER_STAGE_DOT, 0), (Failpoint.DELIVER_REPLIED, 1)],
)
async def test_dying_anywhere_sends_at_most_once(room: SesRoom, monkeypatch: pytest.MonkeyPatch, place: Failpoint, taken: int) -> None:
    ref = await room.composed()

    def die(name: Failpoint) -> None:
        if name is place:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr("activities.outbound_deliver.reached", die)
        with pytest.raises(Died):
            await room.deliver(ref)
    assert len(room.endpoint.taken) == taken
    room.clock.pass_(minutes=20)
    again = (await room.deliver(ref)).outcome
    sure = place in (Failpoint.DELIVER_CLAIMED, Failpoint.DELIVER_BEFORE_DOT)
    assert again is (DeliverOutcome.SENT if sure else DeliverOutcome.UNKNOWN)
    assert len(room.endpoint.taken) == (1 if sure else taken)


async def test_without_an_ses_the_operator_is_asked(room: SesRoom) -> None:
    room.delivering = OutboundDeliver(room.desk.database, room.accounts, room.blobs, room.sender, clock=room.clock)
    ref = await room.composed()
    with pytest.raises(ApplicationError) as refused:
        await room.deliver(ref)
    assert refused.value.type == "NotConnected"
