"""New mail from a real mailbox into conversations, with real rows, bucket and children."""

from collections.abc import Callable

import pytest

from tests.activities.mail_room import MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


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
    assert await room.blobs.get(file["storage_key"]) == b"smoke"
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
