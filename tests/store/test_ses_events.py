"""Events of SES: each counted once for each recipient, believed for what the mail went to, and never going back."""

import datetime as dt
import itertools
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from mail.ses_events import read_ses_event
from models.enums import NoticeState
from store.outbound import NewReply, Recipient, queue_reply
from store.ses_events import MOST_LOOKS, aliases, apply_ses_event, find_message
from store.sns_notices import (
    MOST_ATTEMPTS,
    ProvenNotice,
    apply_notice,
    forget_notices,
    note_failure,
    waiting_notices,
    write_notice,
)
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.servers.ses_payloads import SENT, event, ses_id
from tests.store.desk import NOW, Desk, open_desk

ANN, BOB = "ann@customer.example.com", "bob@customer.example.com"
AT = NOW + dt.timedelta(hours=1)


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url)
    yield await open_desk(database)
    await database.close()


async def sent(desk: Desk, *, to: tuple[str, ...] = (ANN, BOB), status: str = "sent", stage: str = "dot") -> uuid.UUID:
    """A message of ours as it stands after handing it to SES."""
    reply = NewReply(desk.conversation_id, desk.agent_id, recipients=tuple(Recipient("to", a) for a in to), text="Hello.")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        queued = await queue_reply(connection, tenant_id=desk.tenant_id, reply=reply, now=NOW)
    await desk.rows(
        "update messages set send_status = :status, send_stage = :stage, raw_key = 'out/x', send_attempts = 1 where id = :id",
        id=queued.message_id, status=status, stage=stage,
    )  # fmt: skip
    if status == "sent":
        await desk.rows("update message_recipients set delivery_status = 'sent' where message_id = :id", id=queued.message_id)
    return queued.message_id


async def told(desk: Desk, payload: dict[str, Any], message_id: uuid.UUID) -> int:
    found = read_ses_event(json.dumps(payload))
    assert found is not None
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await apply_ses_event(connection, tenant_id=desk.tenant_id, message_id=message_id, event=found, now=AT)


async def states(desk: Desk, message_id: uuid.UUID) -> list[str | None]:
    return [r[2] for r in await desk.recipients(message_id)]


async def test_an_event_counts_once_for_each_recipient(desk: Desk) -> None:
    message_id = await sent(desk)
    payload = event("Delivery", ses_id(), ANN, BOB, named=(ANN,))
    assert [await told(desk, payload, message_id) for _ in range(3)] == [1, 0, 0]
    assert await states(desk, message_id) == ["delivered", "sent"]
    assert await told(desk, payload | {"delivery": payload["delivery"] | {"recipients": [ANN, BOB.upper()]}}, message_id) == 1
    assert await states(desk, message_id) == ["delivered", "delivered"]
    (one, _) = await desk.rows("select status, recipient, created_at from delivery_events where message_id = :id order by id", id=message_id)
    assert (one["status"], one["recipient"], one["created_at"]) == ("delivered", ANN, SENT)
    assert (await desk.events()).count("message.updated") == 2
    assert (await desk.steps(message_id)).count("reported") == 2


@pytest.mark.parametrize("order", list(itertools.permutations(["Send", "DeliveryDelay", "Delivery", "Open", "Click"]))[::11])
async def test_any_order_ends_at_the_same_place(desk: Desk, order: tuple[str, ...]) -> None:
    message_id, mail = await sent(desk, to=(ANN,)), ses_id()
    for kind in order:
        assert await told(desk, event(kind, mail, ANN), message_id) == 1
    assert await states(desk, message_id) == ["clicked"]


@pytest.mark.parametrize("order", list(itertools.permutations(["Delivery", "Open", "Bounce", "Complaint"]))[::5])
async def test_nothing_stands_above_a_bounce_or_a_complaint(desk: Desk, order: tuple[str, ...]) -> None:
    message_id, mail = await sent(desk, to=(ANN,)), ses_id()
    for kind in order:
        await told(desk, event(kind, mail, ANN), message_id)
    first = next(k for k in order if k in {"Bounce", "Complaint"})
    assert await states(desk, message_id) == [{"Bounce": "bounced", "Complaint": "complained"}[first]]
    (row,) = await desk.rows("select reason from suppressed_addresses where address = :a", a=ANN)
    assert row["reason"] == "complaint"


async def test_a_hard_bounce_suppresses_for_sixty_days_and_a_soft_one_does_not(desk: Desk) -> None:
    message_id, mail = await sent(desk), ses_id()
    await told(desk, event("Bounce", mail, ANN, BOB, named=(ANN,)), message_id)
    await told(desk, event("Bounce", mail, ANN, BOB, named=(BOB,), bounceType="Transient", status="4.4.7"), message_id)
    assert await states(desk, message_id) == ["bounced", "bounced"]
    (row,) = await desk.rows("select address, reason, expires_at, message_id from suppressed_addresses")
    assert (row["address"], row["reason"], row["message_id"]) == (ANN, "bounce", message_id)
    assert row["expires_at"] == SENT + dt.timedelta(days=60)
    assert (await desk.message(message_id))["bounce_received_at"] == SENT
    assert (await desk.events()).count("message.bounced") == 2


async def test_an_absence_note_after_delivery_is_no_bounce_of_it(desk: Desk) -> None:
    """SES tells automatic answers as transient bounces."""
    message_id, mail = await sent(desk, to=(ANN,)), ses_id()
    await told(desk, event("Delivery", mail, ANN), message_id)
    await told(desk, event("Bounce", mail, ANN, bounceType="Transient", status="4.0.0"), message_id)
    assert await states(desk, message_id) == ["delivered"]


async def test_strangers_are_ignored(desk: Desk) -> None:
    message_id = await sent(desk, to=(ANN,))
    assert await told(desk, event("Bounce", ses_id(), "stranger@customer.example.com"), message_id) == 0
    assert await desk.rows("select 1 from suppressed_addresses") == []
    assert await desk.rows("select 1 from delivery_events") == []


async def test_a_complaint_of_one_among_several_blames_nobody(desk: Desk) -> None:
    message_id = await sent(desk)
    assert await told(desk, event("Complaint", ses_id(), ANN, BOB), message_id) == 1
    assert await states(desk, message_id) == ["sent", "sent"]
    assert await desk.rows("select 1 from suppressed_addresses") == []
    assert "complained" in await desk.steps(message_id)


async def test_what_ses_refuses_after_taking_it_has_failed(desk: Desk) -> None:
    message_id, mail = await sent(desk), ses_id()
    assert await told(desk, event("Reject", mail, ANN, BOB), message_id) == 2
    row = await desk.message(message_id)
    assert (row["send_status"], row["send_error"]) == ("failed", "Amazon SES refused to send it on: Bad content.")
    assert await states(desk, message_id) == ["failed", "failed"]


@pytest.mark.parametrize("status", ["unknown", "sending"])
@pytest.mark.parametrize(("kind", "end"), [("Send", "sent"), ("Delivery", "sent"), ("Bounce", "sent"), ("Reject", "failed"), ("DeliveryDelay", "sent")])
async def test_an_event_settles_a_doubt(desk: Desk, status: str, kind: str, end: str) -> None:
    message_id = await sent(desk, to=(ANN,), status=status)
    await told(desk, event(kind, ses_id(), ANN), message_id)
    assert (await desk.message(message_id))["send_status"] == end
    assert "proven_sent" in await desk.steps(message_id)


async def test_the_id_that_ses_gave_leads_to_the_conversation(desk: Desk) -> None:
    message_id, mail = await sent(desk, to=(ANN,)), ses_id()
    for _ in range(2):
        await told(desk, event("Send", mail, ANN), message_id)
    assert (await desk.message(message_id))["provider_message_id"] == mail
    keys = await desk.rows("select key, conversation_id from thread_keys where key like '%amazonses%' order by key")
    assert {k["key"] for k in keys} == {f"<{mail}@email.amazonses.com>", f"<{mail}@us-east-1.amazonses.com>"}
    assert {k["conversation_id"] for k in keys} == {desk.conversation_id}
    assert aliases("x", None) == ("<x@email.amazonses.com>",)


async def test_opens_without_end_are_not_kept_without_end(desk: Desk) -> None:
    message_id, mail = await sent(desk, to=(ANN,)), ses_id()
    for number in range(MOST_LOOKS + 3):
        await told(desk, event("Open", mail, ANN, at=SENT + dt.timedelta(seconds=number)), message_id)
    (row,) = await desk.rows("select count(*) as n from delivery_events where message_id = :id", id=message_id)
    assert row["n"] == MOST_LOOKS


async def test_a_mail_is_found_by_our_tag_or_by_the_id_of_ses(desk: Desk) -> None:
    message_id, mail = await sent(desk), ses_id()
    by_tag = read_ses_event(json.dumps(event("Send", mail, ANN, send_id=str(message_id))))
    by_id = read_ses_event(json.dumps(event("Send", mail, ANN)))
    forged = read_ses_event(json.dumps(event("Send", mail, ANN, send_id="' or 1=1 --")))
    assert by_tag is not None
    assert by_id is not None
    assert forged is not None
    async with desk.database.system_unit_of_work() as connection:
        assert await find_message(connection, by_tag) == (desk.tenant_id, message_id)
        assert await find_message(connection, by_id) is None
    await desk.rows("update messages set provider_message_id = :mail where id = :id", mail=mail, id=message_id)
    async with desk.database.system_unit_of_work() as connection:
        assert await find_message(connection, by_id) is None, "no inbox here sends through SES"
    await desk.rows("update inboxes set provider = 'ses' where id = :id", id=desk.inbox_id)
    async with desk.database.system_unit_of_work() as connection:
        assert await find_message(connection, by_id) == (desk.tenant_id, message_id)
        assert await find_message(connection, forged) == (desk.tenant_id, message_id)


class Notices:
    """Notices as the webhook writes them, applied as the webhook and the sweep apply them."""

    def __init__(self, desk: Desk) -> None:
        self._database = desk.database

    async def write(self, body: Any, message_id: str | None = None, *, waits: bool = True) -> uuid.UUID | None:
        notice = ProvenNotice(message_id or uuid.uuid4().hex, "arn", "Notification", body if isinstance(body, str) else json.dumps(body), waits)
        async with self._database.system_unit_of_work() as connection:
            return await write_notice(connection, notice, now=AT)

    async def apply(self, notice: uuid.UUID | None, *, after: dt.timedelta = dt.timedelta()) -> NoticeState | None:
        assert notice is not None
        async with self._database.system_unit_of_work() as connection:
            return await apply_notice(connection, notice, now=AT + after)

    async def waiting(self) -> list[uuid.UUID]:
        async with self._database.system_unit_of_work() as connection:
            return await waiting_notices(connection, before=AT + dt.timedelta(seconds=1))


async def test_a_notice_is_written_once_and_applied_once(desk: Desk) -> None:
    message_id, notices = await sent(desk, to=(ANN,)), Notices(desk)
    payload = event("Delivery", ses_id(), ANN, send_id=str(message_id))
    first, again = await notices.write(payload, "m-1"), await notices.write(payload, "m-1")
    assert again is None
    assert first in await notices.waiting()
    assert [await notices.apply(first) for _ in range(2)] == [NoticeState.APPLIED, None]
    assert first not in await notices.waiting()
    assert await states(desk, message_id) == ["delivered"]


async def test_what_no_mail_is_known_for_waits_a_while_and_stays_visible(desk: Desk) -> None:
    notices = Notices(desk)
    notice = await notices.write(event("Delivery", ses_id(), ANN, send_id=str(uuid.uuid4())))
    assert await notices.apply(notice) is NoticeState.WAITING
    assert await notices.apply(notice, after=dt.timedelta(minutes=11)) is NoticeState.UNMATCHED
    text_only = await notices.write("Successfully validated SNS topic for Amazon SES event publishing.")
    assert await notices.apply(text_only) is NoticeState.IGNORED


async def test_a_notice_that_breaks_the_step_is_put_aside(desk: Desk) -> None:
    notices = Notices(desk)
    notice = await notices.write(event("Delivery", ses_id(), ANN))
    assert notice is not None
    for _ in range(MOST_ATTEMPTS):
        assert notice in await notices.waiting()
        async with desk.database.system_unit_of_work() as connection:
            await note_failure(connection, notice, kind="ValueError", now=AT)
    assert notice not in await notices.waiting()


async def test_settled_notices_are_forgotten_after_thirty_days(desk: Desk) -> None:
    notices = Notices(desk)
    await notices.write("x", waits=False)
    kept = await notices.write(event("Delivery", ses_id(), ANN))
    async with desk.database.system_unit_of_work() as connection:
        assert await forget_notices(connection, now=AT + dt.timedelta(days=29)) == 0
        assert await forget_notices(connection, now=AT + dt.timedelta(days=31)) >= 1
    assert kept in await notices.waiting()
