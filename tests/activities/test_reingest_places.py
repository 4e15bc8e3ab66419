"""Re-ingest puts a mail where live ingest would have put it: out of its conversation, into one, or elsewhere; and nobody
is told, answered or made to read it again. What people have answered or decided stands.
"""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from activities.parser_pool import ParserPool
from providers.s3.blobs import BlobStore
from store.spam_release import bring_in
from store.unit_of_work import Database
from tests.activities.mail_room import SECRET, MailRoom, letter
from tests.activities.poison import poisoned
from tests.activities.reingest_office import Deliver, Office, filled, lies
from tests.servers.dovecot import Dovecot, DovecotAccount

pytestmark = pytest.mark.dovecot
M1, M2 = "<m1@customer.example.com>", "<m2@customer.example.com>"
QUIET = {"message.updated", "conversation.updated", "conversation.merged", "reingest.progress"}


async def by_id(room: MailRoom, header: str) -> dict[str, Any]:
    (row,) = await room.rows("select * from messages where message_id_header = :m", m=header)
    return row


async def conversation(room: MailRoom, id_: uuid.UUID) -> dict[str, Any]:
    (row,) = await room.rows("select * from conversations where id = :id", id=id_)
    return row


async def once(office: Office, **conditions: Any) -> dict[str, Any]:
    """Plan, apply, and see that nobody was told: the one change as it stands then."""
    room = office.room
    told = len(await room.events())
    ref = await office.ask(**(conditions or {"everything": True}))
    planned = await office.plan(ref)
    assert planned.changed == 1, await office.changes(ref)
    applied = await office.apply(ref)
    assert (applied.state, applied.failed) == ("applied", 0), await office.changes(ref)
    assert set((await room.events())[told:]) <= QUIET
    assert await lies(room) == []
    (change,) = [c for c in await office.changes(ref) if c["kinds"]]
    again = await office.ask(everything=True)
    assert (await office.plan(again)).changed == 0  # what was mended stays as it is
    return change


async def taken_for_a_message(room: MailRoom, header: str) -> uuid.UUID:
    """As a parser that sees no spam would have placed it: in a conversation, unread."""
    mail = await by_id(room, header)
    await room.rows("update messages set classification = 'spam', is_read = false where id = :id", id=mail["id"])
    async with room.database.unit_of_work(room.tenant_id) as connection:
        place = await bring_in(connection, room.tenant_id, mail["id"])
    await room.rows("update ledger set classification_reason = 'ordinary', threaded_by = 'new' where message_id = :id", id=mail["id"])
    await room.rows("update messages set may_answer = true where id = :id", id=mail["id"])
    assert place
    return place


async def answer_of_a_person(room: MailRoom, place: uuid.UUID) -> None:
    await room.rows(
        """
        insert into messages (tenant_id, conversation_id, inbox_id, direction, sender_type, sent_at, send_status, body_text)
        values (:tenant, :c, :i, 'outbound', 'agent', now(), 'sent', 'We come.')
        """,
        c=place,
        i=room.inbox_id,
    )
    await room.rows("update conversations set message_count = message_count + 1, agent_message_count = agent_message_count + 1 where id = :c", c=place)


SPAM = letter(1, X_Spam_Flag="YES")


async def test_spam_leaves_its_conversation_which_is_closed(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, SPAM)
    place = await taken_for_a_message(room, M1)
    assert (await conversation(room, place))["unread_count"] == 1
    change = await once(office)
    assert change["detail"]["classification"] == {
        "old": "message", "new": "spam", "old_rule": "ordinary", "new_rule": "x-spam-flag", "reports": False, "kept": None,
    }
    assert change["detail"]["thread"] == {"old": str(place), "new": None, "by": "outside", "kept": None}
    mail, left = await by_id(room, M1), await conversation(room, place)
    assert (mail["conversation_id"], mail["classification"], mail["may_answer"], mail["spam_verdict"]) == (None, "spam", False, "x-spam-flag")
    assert (left["status"], left["message_count"], left["unread_count"], left["snippet"]) == ("closed", 0, 0, "")
    assert await room.rows("select 1 from thread_keys") == []


async def test_what_was_answered_stays_with_its_answer(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, SPAM)
    place = await taken_for_a_message(room, M1)
    await answer_of_a_person(room, place)
    change = await once_kept(office)
    assert change["detail"]["classification"]["kept"] == "answered"
    mail = await by_id(room, M1)
    assert (mail["conversation_id"], mail["classification"]) == (place, "message")


async def once_kept(office: Office) -> dict[str, Any]:
    """A change that a person should know of, and that changes nothing."""
    ref = await office.ask(everything=True)
    await office.plan(ref)
    assert (await office.apply(ref)).failed == 0
    assert await lies(office.room) == []
    (change,) = [c for c in await office.changes(ref) if c["kinds"]]
    return change


async def test_what_a_person_called_no_spam_is_none(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, SPAM)
    mail = await by_id(room, M1)
    async with room.database.unit_of_work(room.tenant_id) as connection:
        place = await bring_in(connection, room.tenant_id, mail["id"])
    change = await once_kept(office)
    assert change["detail"]["classification"]["kept"] == "decided_by_person"
    assert (await by_id(room, M1))["conversation_id"] == place


async def test_a_message_that_was_taken_for_spam_comes_in_silently(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1), letter(2, parents=(M1,)))
    await room.rows("delete from thread_keys")
    await room.rows("update messages set conversation_id = null, classification = 'spam', is_read = false, may_answer = false")
    await room.rows("update ledger set classification = 'spam', classification_reason = 'x-spam-flag'")
    await room.rows("delete from conversations")
    told = len(await room.events())
    ref = await office.ask(classifications=("spam",))
    assert (await office.plan(ref)).changed == 2
    assert (await office.apply(ref)).applied == 2
    assert set((await room.events())[told:]) <= QUIET
    assert await room.threads() == {frozenset({M1, M2})}  # the second finds the place of the first
    (place,) = await room.rows("select * from conversations")
    assert (place["message_count"], place["unread_count"], place["snippet"]) == (2, 0, "Please help.")
    assert await room.one("select count(*) from messages where may_answer or not is_read") == 0
    assert await lies(room) == []


BOUNCE = b"""From: Mail Delivery <MAILER-DAEMON@mx.example.org>\r
To: desk@example.org\r
Subject: Undelivered mail\r
Message-ID: <b1@mx.example.org>\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
It failed.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example.org\r
\r
Final-Recipient: rfc822; gone@customer.example.com\r
Action: failed\r
Status: 5.1.1\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Message-ID: <ours@example.org>\r
--b--\r
"""


async def test_a_report_that_was_not_seen_as_one_counts_now_and_once(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1))
    home = (await by_id(room, M1))["conversation_id"]
    await room.rows(
        """
        insert into messages (tenant_id, conversation_id, inbox_id, direction, sender_type, sent_at, send_status,
          message_id_header, raw_key, body_text) values (:tenant, :c, :i, 'outbound', 'agent', now(), 'sent', '<ours@example.org>', 'x', 'We come.')
        """,
        c=home,
        i=room.inbox_id,
    )
    await room.rows("update conversations set message_count = 2, agent_message_count = 1 where id = :c", c=home)
    ours = await by_id(room, "<ours@example.org>")
    await room.rows(
        "insert into message_recipients (tenant_id, message_id, recipient_type, position, address, address_key) values (:tenant, :m, 'to', 0, :a, :a)",
        m=ours["id"],
        a="gone@customer.example.com",
    )
    # Before the report is known as one it was a message like any other.
    await room.rows("update messages set bounce_received_at = null")
    deliver(BOUNCE)
    await room.sync()
    await room.rows("delete from delivery_events")
    await room.rows("delete from suppressed_addresses")
    await room.rows("update messages set bounce_received_at = null")
    place = await taken_for_a_message(room, "<b1@mx.example.org>")
    await room.rows("update ledger set reports = null")
    ref = await office.ask(everything=True)
    assert (await office.plan(ref)).changed == 1
    assert (await office.apply(ref)).failed == 0
    assert (await by_id(room, "<b1@mx.example.org>"))["conversation_id"] is None
    assert (await conversation(room, place))["status"] == "closed"
    assert (await by_id(room, "<ours@example.org>"))["bounce_received_at"] is not None
    assert await room.one("select count(*) from delivery_events") == 1
    assert await room.one("select count(*) from suppressed_addresses") == 1
    again = await office.ask(everything=True)
    assert (await office.plan(again)).changed == 0


async def split_off(room: MailRoom, header: str) -> tuple[uuid.UUID, uuid.UUID]:
    """As a parser that reads no References would have placed it: alone. Its old home, and the new one."""
    mail = await by_id(room, header)
    new = uuid.uuid4()
    await room.rows("update conversations set message_count = 1, unread_count = 1, customer_message_count = 1 where id = :c", c=mail["conversation_id"])
    await room.rows(
        """
        insert into conversations (tenant_id, id, number, inbox_id, subject, message_count, unread_count, customer_message_count)
        values (:tenant, :c, 99, :i, 'Printer on fire', 1, 1, 1)
        """,
        c=new,
        i=room.inbox_id,
    )
    await room.rows("update messages set conversation_id = :c, in_reply_to = null where id = :m", c=new, m=mail["id"])
    await room.rows("update search_documents set conversation_id = :c where message_id = :m", c=new, m=mail["id"])
    await room.rows("delete from message_references where message_id = :m", m=mail["id"])
    await room.rows("update thread_keys set conversation_id = :c where key = :k", c=new, k=header)
    return mail["conversation_id"], new


async def test_a_mail_finds_its_thread_and_its_old_place_becomes_an_alias(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1), letter(2, parents=(M1,), body="Still burning."))
    home, alone = await split_off(room, M2)
    change = await once(office)
    assert change["kinds"] == ["headers", "thread"]
    assert change["detail"]["thread"] == {"old": str(alone), "new": str(home), "by": "references", "kept": None}
    assert await room.threads() == {frozenset({M1, M2})}
    there, gone = await conversation(room, home), await conversation(room, alone)
    assert (there["message_count"], there["unread_count"], there["snippet"]) == (2, 2, "Still burning.")
    assert (gone["merged_into"], gone["message_count"]) == (home, 0)
    assert await room.one("select threaded_by from ledger l join messages m on m.id = l.message_id where message_id_header = :m", m=M2) == "references"


async def test_a_conversation_with_an_answer_is_not_taken_apart(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1), letter(2, parents=(M1,)))
    home, alone = await split_off(room, M2)
    await answer_of_a_person(room, alone)
    change = await once(office)
    assert change["detail"]["thread"] == {"old": str(alone), "new": str(home), "by": "references", "kept": "answered"}
    assert (await by_id(room, M2))["conversation_id"] == alone
    assert await room.rows("select conversation_id, other_id, why from thread_suggestions") == [
        {"conversation_id": alone, "other_id": home, "why": "references"}
    ]


async def test_conversations_that_a_mail_ties_now_are_suggested_not_joined(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1), letter(2, parents=(M1,)), letter(3, parents=(M2,)))
    home, alone = await split_off(room, M2)
    await room.rows("update messages set conversation_id = :c where message_id_header = '<m3@customer.example.com>'", c=alone)
    await room.rows("update search_documents set conversation_id = :c where message_id in (select id from messages where conversation_id = :c)", c=alone)
    await room.rows("update thread_keys set conversation_id = :c where key = '<m3@customer.example.com>'", c=alone)
    await room.rows("update conversations set message_count = 2, unread_count = 2, customer_message_count = 2 where id = :c", c=alone)
    change = await once(office)
    assert change["detail"]["thread"]["kept"] == "would_join"
    assert len(await room.threads()) == 2
    assert await room.one("select other_id from thread_suggestions where conversation_id = :c", c=alone) == home


async def test_a_stranger_leaves_a_conversation_that_it_never_named(room: MailRoom, deliver: Deliver) -> None:
    office = await filled(room, deliver, letter(1), letter(2, sender="Otto <otto@other.example.com>", subject="A bill"))
    home, stranger = (await by_id(room, M1))["conversation_id"], await by_id(room, M2)
    old = stranger["conversation_id"]
    await room.rows("update messages set conversation_id = :c, in_reply_to = :k where id = :m", c=home, k=M1, m=stranger["id"])
    await room.rows("update search_documents set conversation_id = :c where message_id = :m", c=home, m=stranger["id"])
    await room.rows("update thread_keys set conversation_id = :c", c=home)
    await room.rows("delete from conversations where id = :c", c=old)
    await room.rows("update conversations set message_count = 2, unread_count = 2, customer_message_count = 2, snippet = 'x'")
    change = await once(office)
    assert change["detail"]["thread"] == {"old": str(home), "new": None, "by": "new", "kept": None}
    assert await room.threads() == {frozenset({M1}), frozenset({M2})}
    assert [c["unread_count"] for c in await room.rows("select unread_count from conversations")] == [1, 1]
    assert (await conversation(room, home))["snippet"] == "Please help."


@pytest.fixture(scope="module")
def sick_parsers() -> Iterator[ParserPool]:
    pool = ParserPool(workers=1, secret=SECRET, wall_seconds=3.0, begin=poisoned)
    yield pool
    pool.close()


@pytest_asyncio.fixture
async def sick_room(
    mail_database: Database, blobs: BlobStore, sick_parsers: ParserPool, dovecot: Dovecot, account: DovecotAccount
) -> AsyncIterator[MailRoom]:
    made = await MailRoom(
        mail_database, blobs, sick_parsers, port=dovecot.port, user=account.user, password=account.password
    ).open()
    yield made
    await made.close()


async def test_a_card_becomes_the_mail_under_the_same_id(sick_room: MailRoom, deliver: Deliver, parsers: ParserPool) -> None:
    room = sick_room
    office = await filled(room, deliver, letter(1), letter(2, subject="complex", body="At last.", parents=(M1,)))
    card = await by_id(room, M2)
    assert await room.states() == {"ingested": 1, "quarantined": 1}
    still_sick = await office.plan(await office.ask(quarantine_reasons=("too_complex",)))
    assert (still_sick.total, still_sick.failed, still_sick.state) == (1, 1, "applied")
    assert await room.one("select reason from reingest_changes") == "too_complex"

    told = len(await room.events())
    room.parsers = parsers
    office = Office(room)
    ref = await office.ask(quarantine_reasons=("too_complex",))
    assert (await office.plan(ref)).changed == 1
    assert (await office.apply(ref)).applied == 1
    mail = await by_id(room, M2)
    assert (mail["id"], mail["body_visible"], mail["defects"], mail["is_read"]) == (card["id"], "At last.", [], False)
    assert (mail["may_answer"], mail["conversation_id"]) == (False, card["conversation_id"])
    assert await room.states() == {"ingested": 2}
    assert await room.one("select resolution from quarantine") == "ingested"
    assert set((await room.events())[told:]) <= QUIET | {"quarantine.resolved"}
    assert await lies(room) == []


async def test_a_card_of_a_mail_that_is_here_goes_back_to_ingest(sick_room: MailRoom, deliver: Deliver, parsers: ParserPool) -> None:
    room = sick_room
    # The same mail by two ways: other trace headers, so the cards differ; read, they are one.
    raw = letter(1, subject="complex")
    office = await filled(room, deliver, b"Received: from one\r\n" + raw, b"Received: from two\r\n" + raw)
    assert await room.one("select count(*) from messages") == 2
    room.parsers = room.ingestion._parsers = parsers
    office = Office(room)
    ref = await office.ask(everything=True)
    await office.plan(ref)
    assert (await office.apply(ref)).applied == 2
    assert [c["reason"] for c in await office.changes(ref)] == [None, "handed_to_ingest"]
    await room.ingest()
    assert await room.states() == {"ingested": 1, "skipped": 1}
    assert await room.one("select count(*) from messages") == 1
    assert await lies(room) == []
