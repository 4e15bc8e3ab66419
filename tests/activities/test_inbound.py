"""New mail from a real mailbox into conversations, with real rows, bucket and children."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mail.transfer_encodings import decode_transfer
from store.inbound import bring_in
from tests.activities.mail_room import MailRoom, letter
from tests.servers.dovecot import Dovecot, DovecotAccount

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]

BOUNCE = b"""From: Mail Delivery System <mailer-daemon@mx.example.net>\r
To: desk@example.org\r
Subject: Undelivered Mail Returned to Sender\r
Message-ID: <b1@mx.example.net>\r
Return-Path: <>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
It could not be delivered.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example.net\r
\r
Final-Recipient: rfc822; gone@customer.example.com\r
Action: failed\r
Status: 5.1.1\r
\r
--b--\r
"""


async def test_a_new_mail_becomes_a_conversation(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1, body="Please help.\r\nIt burns.", files=(("log.txt", b"smoke"),)))
    report = await room.sync()
    assert (report.ingested, report.remaining, report.answerable) == (1, 0, 1)
    conversation = (await room.rows("select * from conversations"))[0]
    assert conversation["number"] == 1
    assert conversation["status"] == "open"
    assert conversation["subject"] == "Printer on fire"
    assert conversation["customer_identifier"] == "carla@customer.example.com"
    assert conversation["snippet"] == "Please help. It burns."
    assert (conversation["unread_count"], conversation["message_count"], conversation["customer_message_count"]) == (1, 1, 1)
    message = (await room.rows("select * from messages"))[0]
    assert message["classification"] == "message"
    assert message["may_answer"]
    assert message["at_version"] == conversation["version"] == 1
    assert message["sender_id"] == conversation["contact_id"] is not None
    file = (await room.rows("select * from attachments"))[0]
    assert (file["filename"], file["size_bytes"]) == ("log.txt", 5)
    assert not await room.blobs.exists(file["storage_key"])  # it lies in the mail until somebody asks for it
    begin = message["raw_offset"] + file["encoded_offset"]
    encoded = await room.blobs.get(message["raw_key"], begin, file["encoded_length"])
    assert decode_transfer(encoded, file["encoding"]) == (b"smoke", "")
    raw = await room.blobs.get(message["raw_key"], message["raw_offset"], message["raw_length"])
    assert raw.startswith(b"From: Carla")
    ledger = (await room.rows("select * from ledger"))[0]
    assert (ledger["state"], ledger["classification"], ledger["threaded_by"]) == ("ingested", "message", "new")
    assert ledger["message_id"] == message["id"]
    assert ledger["attempts"] == 1
    events = await room.events()
    assert events.count("conversation.created") == events.count("message.received") == 1
    assert await room.one("select count(*) from search_documents where document @@ to_tsquery('simple', 'burns')") == 1


async def test_nothing_new_is_nothing_done(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    before = await room.events()
    fetched = await room.fetch()
    assert (fetched.stored, fetched.pending, fetched.health) == (0, 0, "ok")
    assert await room.events() == before


async def test_answers_join_in_any_order(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    root, child, grandchild = "<m1@customer.example.com>", "<m2@customer.example.com>", "<m3@customer.example.com>"
    deliver(letter(3, parents=(root, child)))
    deliver(letter(9, subject="Something else"))
    await room.sync()
    deliver(letter(1))
    await room.sync()
    deliver(letter(2, parents=(root,)))
    await room.sync()
    assert await room.threads() == {frozenset({root, child, grandchild}), frozenset({"<m9@customer.example.com>"})}
    (thread,) = await room.rows("select * from conversations where message_count = 3")
    assert (thread["customer_message_count"], thread["unread_count"]) == (3, 3)
    versions = {r["message_id_header"]: r["at_version"] for r in await room.rows("select * from messages")}
    assert versions[child] == thread["version"]


async def test_two_conversations_become_one_when_the_missing_link_arrives(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    deliver(letter(3, parents=("<m2@customer.example.com>",)))
    await room.sync()
    assert len(await room.threads()) == 2
    deliver(letter(2, parents=("<m1@customer.example.com>",)))
    await room.sync()
    assert len(await room.threads()) == 1
    alive, alias = await room.rows("select * from conversations order by number")
    assert alias["merged_into"] == alive["id"]
    assert (alive["number"], alive["message_count"], alias["message_count"]) == (1, 3, 0)
    assert "conversation.merged" in await room.events()


async def test_strangers_are_not_merged_by_a_mail_that_names_both(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1, sender="ann@one.example.com"))
    deliver(letter(2, sender="bob@two.example.com"))
    await room.sync()
    both = ("<m1@customer.example.com>", "<m2@customer.example.com>")
    deliver(letter(3, sender="eve@evil.example.com", parents=both))
    await room.sync()
    assert len(await room.threads()) == 2
    (suggestion,) = await room.rows("select * from thread_suggestions")
    assert suggestion["why"] == "references"


async def test_a_ticket_number_needs_a_known_writer(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    deliver(letter(2, subject="Re: Printer on fire [#1]"))
    deliver(letter(3, subject="Re: Printer on fire [#1]", sender="eve@evil.example.com"))
    await room.sync()
    assert frozenset({"<m1@customer.example.com>", "<m2@customer.example.com>"}) in await room.threads()
    assert len(await room.threads()) == 2
    (suggestion,) = await room.rows("select * from thread_suggestions")
    assert suggestion["why"] == "ticket_number"


async def test_equal_mails_are_one_and_reused_ids_are_flagged(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    first = letter(1)
    deliver(first)
    deliver(first)
    deliver(letter(1, body="Another text under the same id."))
    report = await room.sync()
    assert (report.ingested, report.skipped) == (2, 1)
    deliver(first)
    assert (await room.sync()).skipped == 1
    flagged = {r["body_visible"]: r["duplicate_of_id"] for r in await room.rows("select * from messages")}
    assert flagged == {"Please help.": False, "Another text under the same id.": True}
    skipped = await room.rows("select reason, message_id from ledger where state = 'skipped'")
    assert [r["reason"] for r in skipped] == ["duplicate", "duplicate"]
    assert all(r["message_id"] is not None for r in skipped)


async def test_mails_without_an_id_stay_apart(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    for text in ("One.", "Two."):
        deliver(letter(1, body=text).replace(b"Message-ID: <m1@customer.example.com>\r\n", b"Message-ID: <>\r\n"))
    await room.sync()
    threads = await room.threads()
    assert len(threads) == 2
    assert all(next(iter(t)).endswith("@missing.invalid>") for t in threads)


async def test_spam_stays_outside_until_somebody_brings_it_in(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1, X_Spam_Flag="YES"))
    await room.sync()
    (message,) = await room.rows("select * from messages")
    assert (message["classification"], message["conversation_id"]) == ("spam", None)
    async with room.database.unit_of_work(room.tenant_id) as connection:
        conversation = await bring_in(connection, room.tenant_id, message["id"])
    async with room.database.unit_of_work(room.tenant_id) as connection:
        assert await bring_in(connection, room.tenant_id, message["id"]) is None
    (message,) = await room.rows("select * from messages")
    assert (message["classification"], message["conversation_id"]) == ("message", conversation)
    assert await room.one("select classification_reason from ledger") == "not_spam"
    deliver(letter(2, parents=("<m1@customer.example.com>",)))
    await room.sync()
    assert len(await room.threads()) == 1


async def test_an_absence_note_is_kept_but_neither_reopens_nor_is_answered(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    await room.rows("update conversations set status = 'closed', closed_at = now()")
    deliver(letter(2, parents=("<m1@customer.example.com>",), Auto_Submitted="auto-replied"))
    await room.sync()
    (note,) = await room.rows("select * from messages where is_auto is not null")
    assert (note["classification"], note["may_answer"]) == ("auto_reply", False)
    assert await room.one("select status from conversations") == "closed"
    deliver(letter(3, parents=("<m1@customer.example.com>",)))
    await room.sync()
    (conversation,) = await room.rows("select status, closed_at, message_count from conversations")
    assert conversation == {"status": "open", "closed_at": None, "message_count": 3}


async def test_answers_written_elsewhere_appear_as_ours(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    ours: dict[str, Any] = {"sender": "Desk <desk@example.org>", "to": "carla@customer.example.com"}
    root = "<m1@customer.example.com>"
    deliver(letter(2, parents=(root,), **ours), folder="Sent", seen=True)
    deliver(letter(3, subject="An offer", **ours), folder="Sent", seen=True)
    await room.sync()
    mine = await room.rows("select * from messages where direction = 'outbound' order by message_id_header")
    assert [(m["sender_type"], m["send_status"], m["is_read"]) for m in mine] == [("agent", "sent", True)] * 2
    first, second = await room.rows("select * from conversations order by number")
    assert (first["agent_message_count"], first["responses"], first["last_message_direction"]) == (1, 1, "outbound")
    assert first["first_response_seconds"] is not None
    assert second["customer_identifier"] == "carla@customer.example.com"
    assert (await room.events()).count("message.sent") == 2


async def test_the_copy_of_our_own_mail_is_attached_to_it(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    (conversation,) = await room.rows("select * from conversations")
    sent = uuid.uuid4()
    await room.rows(
        """
        insert into messages (tenant_id, id, conversation_id, inbox_id, direction, sender_type, sent_at, send_status,
          message_id_header, from_address)
        values (:tenant, :id, :conversation, :inbox, 'outbound', 'agent', now(), 'sent', '<ours@example.org>',
          'desk@example.org')
        """,
        id=sent,
        conversation=conversation["id"],
        inbox=room.inbox_id,
    )
    ours: dict[str, Any] = {"sender": "Desk <desk@example.org>", "to": "carla@customer.example.com", "X_Mailroom_Send_ID": str(sent)}
    deliver(letter(2, message_id="<ours@example.org>", **ours), folder="Sent", seen=True)
    deliver(letter(3, message_id="<rewritten@relay.example.net>", **ours))
    deliver(letter(4, message_id="<forged@evil.example.com>", X_Mailroom_Send_ID=str(sent)))
    report = await room.sync()
    assert (report.ingested, report.skipped) == (1, 2)
    copies = await room.rows("select reason, message_id from ledger where state = 'skipped'")
    assert copies == [{"reason": "own_copy", "message_id": sent}] * 2
    assert await room.one("select sent_copy_at is not null from messages where id = :id", id=sent)
    deliver(letter(5, parents=("<rewritten@relay.example.net>",)))
    await room.sync()
    assert await room.one("select conversation_id from messages where message_id_header = '<m5@customer.example.com>'") == (
        conversation["id"]
    )


async def test_a_bounce_makes_no_conversation(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(BOUNCE)
    await room.sync()
    (ledger,) = await room.rows("select * from ledger")
    assert (ledger["state"], ledger["classification"]) == ("ingested", "bounce")
    assert ledger["reports"] == [
        {"address": "gone@customer.example.com", "class": "hard", "status": "5.1.1", "action": "failed"}
    ]
    (message,) = await room.rows("select * from messages")
    assert (message["conversation_id"], message["sender_type"]) == (None, "system")
    assert await room.rows("select * from conversations") == []


async def test_two_inboxes_keep_their_own_conversations(
    room: MailRoom, deliver: Deliver, dovecot: Dovecot, mailboxes: Iterator[DovecotAccount]
) -> None:
    other_account = next(mailboxes)
    other = MailRoom(
        room.database, room.blobs, room.parsers, port=room.port, user=other_account.user, password=other_account.password
    )
    await other.open()
    await room.connect()
    await other.connect()
    deliver(letter(1))
    dovecot.deliver(other_account, letter(1))
    await room.sync()
    await other.sync()
    assert len(await room.threads()) == len(await other.threads()) == 1
    assert await room.one("select number from conversations") == await other.one("select number from conversations") == 1
    await other.close()
