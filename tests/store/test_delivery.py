"""Reports about our mail: counted once, believed only for what we sent and to whom we sent it."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from mail.values import BounceClass, MailKind, RecipientReport, Verdict
from store.delivery import AppliedReports, apply_reports
from store.outbound import NewReply, Recipient, queue_reply
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk

ANN, BOB = "ann@customer.example.com", "bob@customer.example.com"
AT = NOW + dt.timedelta(hours=1)


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url)
    yield await open_desk(database)
    await database.close()


async def sent(desk: Desk, *, to: tuple[str, ...] = (ANN, BOB), status: str = "sent") -> uuid.UUID:
    """A message of ours as it stands after sending."""
    reply = NewReply(
        desk.conversation_id, desk.agent_id, recipients=tuple(Recipient("to", a) for a in to), text="Hello."
    )
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        queued = await queue_reply(connection, tenant_id=desk.tenant_id, reply=reply, now=NOW)
    await desk.rows(
        "update messages set send_status = :status, raw_key = 'out/x', message_id_header = :header where id = :id",
        id=queued.message_id,
        status=status,
        header=header(queued.message_id),
    )
    if status == "unknown":
        await desk.rows("update conversations set unknown_sends = 1 where id = :id", id=desk.conversation_id)
    else:
        await desk.rows(
            "update message_recipients set delivery_status = 'sent' where message_id = :id",
            id=queued.message_id,
        )
    return queued.message_id


def header(message_id: uuid.UUID) -> str:
    return f"<{message_id.hex}.42.token@example.org>"


def failed(
    address: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    kind: BounceClass | None = BounceClass.HARD,
) -> RecipientReport:
    return RecipientReport(address, action, status, kind, "550 no such user")


async def report(desk: Desk, verdict: Verdict, ledger_id: uuid.UUID | None = None) -> AppliedReports:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await apply_reports(
            connection,
            tenant_id=desk.tenant_id,
            inbox_id=desk.inbox_id,
            ledger_id=ledger_id or uuid.uuid4(),
            verdict=verdict,
            received_at=AT,
        )


def bounce(*reports: RecipientReport, ids: tuple[str, ...] = (), send_id: str | None = None) -> Verdict:
    return Verdict(
        MailKind.BOUNCE,
        "multipart/report",
        may_answer=False,
        reports=reports,
        original_message_ids=ids,
        original_send_id=send_id,
    )


async def suppressed(desk: Desk) -> dict[str, str]:
    return {
        r["address"]: r["reason"] for r in await desk.rows("select address, reason from suppressed_addresses")
    }


async def test_a_hard_bounce_marks_message_recipient_and_address_once(desk: Desk) -> None:
    message_id = await sent(desk)
    verdict, ledger_id = bounce(failed(ANN.upper()), ids=(header(message_id),)), uuid.uuid4()
    for _ in range(2):
        assert (await report(desk, verdict, ledger_id)).matched_message_ids == (message_id,)
    assert (await desk.message(message_id))["bounce_received_at"] == AT
    assert [r[2] for r in await desk.recipients(message_id)] == ["bounced", "sent"]
    assert await suppressed(desk) == {ANN: "bounce"}
    (event,) = await desk.rows("select * from delivery_events where message_id = :id", id=message_id)
    assert (event["status"], event["bounce_class"], event["enhanced_code"]) == ("bounced", "hard", "5.1.1")
    assert (await desk.events()).count("message.bounced") == 1


async def test_the_send_id_alone_is_enough(desk: Desk) -> None:
    message_id = await sent(desk)
    found = await report(desk, bounce(failed(BOB), send_id=str(message_id)))
    assert found.matched_message_ids == (message_id,)


@pytest.mark.parametrize(
    "claims",
    [
        {"ids": ("<somebody-elses@example.net>",)},
        {"ids": ("<customer-1@customer.example.com>",)},
        {"send_id": str(uuid.uuid4())},
        {"send_id": "' or 1=1 --"},
        {},
    ],
)
async def test_a_forged_report_disables_nobody(desk: Desk, claims: dict[str, Any]) -> None:
    message_id = await sent(desk)
    assert (await report(desk, bounce(failed(ANN), **claims))).matched_message_ids == ()
    assert (await desk.message(message_id))["bounce_received_at"] is None
    assert await suppressed(desk) == {}


async def test_a_report_about_an_address_that_we_did_not_write_to_is_ignored(desk: Desk) -> None:
    message_id = await sent(desk)
    found = await report(desk, bounce(failed("victim@example.net"), ids=(header(message_id),)))
    assert found.matched_message_ids == ()
    assert await suppressed(desk) == {}
    assert (await desk.message(message_id))["bounce_received_at"] is None


async def test_another_tenants_message_is_not_ours(desk: Desk) -> None:
    stranger = await open_desk(desk.database, address="other@example.org")
    message_id = await sent(desk)
    assert (await report(stranger, bounce(failed(ANN), send_id=str(message_id)))).matched_message_ids == ()


async def test_soft_and_policy_bounces_and_delays_disable_no_address(desk: Desk) -> None:
    message_id = await sent(desk)
    verdict = bounce(
        failed(ANN, status="5.2.2", kind=BounceClass.SOFT),
        failed(BOB, action="delayed", status="4.4.1", kind=BounceClass.SOFT),
        ids=(header(message_id),),
    )
    await report(desk, verdict)
    # A delayed mail was handed over: calling the recipient open would send it again.
    assert [r[2] for r in await desk.recipients(message_id)] == ["bounced", "sent"]
    assert await suppressed(desk) == {}
    details = await desk.rows(
        "select delivery_detail from message_recipients where message_id = :id order by position",
        id=message_id,
    )
    assert details[1]["delivery_detail"] == "delayed 4.4.1"


async def test_delivered_is_said_only_by_a_report_and_does_not_undo_a_bounce(desk: Desk) -> None:
    message_id = await sent(desk)
    await report(desk, bounce(failed(ANN), ids=(header(message_id),)))
    good = tuple(RecipientReport(a, "delivered", "2.1.5", None) for a in (ANN, BOB))
    await report(desk, bounce(*good, ids=(header(message_id),)))
    assert [r[2] for r in await desk.recipients(message_id)] == ["bounced", "delivered"]
    assert (await desk.events()).count("message.bounced") == 1


async def test_a_complaint_suppresses_for_good_and_a_hidden_address_is_the_only_recipient(desk: Desk) -> None:
    message_id = await sent(desk, to=(ANN,))
    await report(desk, bounce(failed(ANN), ids=(header(message_id),)))
    verdict = Verdict(
        MailKind.COMPLAINT, "feedback-report", may_answer=False, original_message_ids=(header(message_id),)
    )
    assert (await report(desk, verdict)).matched_message_ids == (message_id,)
    assert await suppressed(desk) == {ANN: "complaint"}
    (row,) = await desk.rows("select expires_at from suppressed_addresses")
    assert row["expires_at"] is None
    await report(desk, bounce(failed(ANN), ids=(header(message_id),)))
    assert await suppressed(desk) == {ANN: "complaint"}


async def test_a_bounce_that_names_nobody_marks_the_message_and_no_address(desk: Desk) -> None:
    message_id = await sent(desk)
    await report(desk, bounce(ids=(header(message_id),)))
    assert (await desk.message(message_id))["bounce_received_at"] == AT
    assert [r[2] for r in await desk.recipients(message_id)] == ["sent", "sent"]
    assert await suppressed(desk) == {}


async def test_a_report_proves_that_an_unknown_message_was_sent(desk: Desk) -> None:
    message_id = await sent(desk, status="unknown")
    await report(desk, bounce(failed(ANN), ids=(header(message_id),)))
    assert (await desk.message(message_id))["send_status"] == "sent"
    assert [r[2] for r in await desk.recipients(message_id)] == ["bounced", "sent"]
    assert (await desk.conversation())["unknown_sends"] == 0


async def test_an_id_under_which_a_relay_passed_it_on_is_ours_too(desk: Desk) -> None:
    message_id = await sent(desk)
    await desk.rows(
        "insert into thread_keys (tenant_id, inbox_id, key, kind, conversation_id)"
        " values (:tenant, :inbox, '<relay-made@relay.example.net>', 'message_id', :conversation)",
        inbox=desk.inbox_id,
        conversation=desk.conversation_id,
    )
    found = await report(desk, bounce(failed(ANN), ids=("<relay-made@relay.example.net>",)))
    assert found.matched_message_ids == (message_id,)
