"""The whole loop against real servers: mail becomes conversations, an answer arrives threaded, odd mail behaves."""

import asyncio
import email.utils
import hashlib
import time
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from benchmarks.mailbox import mails
from stack.demo_letters import one_page_pdf, picture
from tests.journeys.driver import Mailbox, Mailroom, letter, until
from tests.servers.neomutt import index_rows, needs_neomutt


async def ledger(mailroom: Mailroom, inbox: dict) -> list[dict]:
    return await mailroom.items(f"/v1/inboxes/{inbox['id']}/ledger", limit=200)


async def settled(mailroom: Mailroom, inbox: dict, count: int) -> list[dict]:
    """The ledger once `count` mails of it have their fate."""

    async def look() -> list[dict] | None:
        rows = [r for r in await ledger(mailroom, inbox) if r["state"] in {"ingested", "skipped", "quarantined"}]
        return rows if len(rows) >= count else None

    return await until(f"{count} mails have their fate", look)


async def test_mail_comes_in_and_the_answer_goes_out(mailroom: Mailroom, box: Mailbox, customer: Mailbox, smtp) -> None:
    old = letter(customer.address, box.address, "An old question", "From last month.")
    box.put(old.as_bytes(), received=datetime.now(UTC) - timedelta(days=20), seen=True)
    inbox = await mailroom.connect_inbox(box, smtp())
    history = await mailroom.conversation_about("An old question", inbox)
    assert history["unread_count"] == 0

    async with mailroom.listening() as heard:
        question = letter(customer.address, box.address, "Where is my order?", "Order 77, please.\n\nAda")
        began = time.monotonic()
        box.put(question.as_bytes())
        conversation = await mailroom.conversation_about("Where is my order?", inbox)
        assert time.monotonic() - began < 30
        assert conversation["unread_count"] == 1
        assert conversation["customer"]["address"] == customer.address

        async def announced() -> bool:
            return any(e["conversation_id"] == conversation["id"] for e in heard.of("message.received"))

        await until("the stream tells of the mail", announced)
        assert [e for e in heard.events if e["conversation_id"] == history["id"] and e["type"] == "message.received"] == []

        queued = await mailroom.reply(conversation, "It left today.")
        assert queued["send"]["status"] in {"queued", "sending", "sent"}
        sent = await mailroom.sent(queued["id"])
        assert sent["send"]["can"] == []

        async def told() -> bool:
            return any(e["message_id"] == queued["id"] for e in heard.of("message.sent"))

        await until("the stream tells of the sending", told)

    async def arrived() -> list | None:
        return [m for m in customer.letters() if "It left today." in m.get_body(("plain",)).get_content()] or None

    (answer,) = await until("the answer lies in the customer's mailbox", arrived)
    assert answer["In-Reply-To"] == question["Message-ID"]
    assert question["Message-ID"] in answer["References"]
    assert f"#{conversation['number']}" in answer["Subject"]
    assert "Larkspur Cycles" in answer["From"]
    assert answer["Message-ID"] == sent["message_id_header"]

    # One copy in Sent, and it is our own message, not a new one.
    async def filed() -> list | None:
        return [m for m in box.letters("Sent") if m["Message-ID"] == answer["Message-ID"]] or None

    assert len(await until("a copy lies in Sent", filed)) == 1
    await settled(mailroom, inbox, 3)
    assert [m["id"] for m in await mailroom.messages(conversation["id"])][-1] == queued["id"]
    assert len(await mailroom.messages(conversation["id"])) == 2

    # The customer answers the answer; it joins by reference even under another subject.
    again = letter(customer.address, box.address, "Re: thanks", "Got it!", answers=answer["Message-ID"])
    box.put(again.as_bytes())

    async def joined() -> bool:
        return len(await mailroom.messages(conversation["id"])) == 3

    await until("the reply joins the conversation", joined)


async def test_an_answer_written_in_another_mail_program_appears(mailroom: Mailroom, box: Mailbox, customer: Mailbox, smtp) -> None:
    inbox = await mailroom.connect_inbox(box, smtp())
    question = letter(customer.address, box.address, "Which tyre fits?", "28 inch.")
    box.put(question.as_bytes())
    conversation = await mailroom.conversation_about("Which tyre fits?", inbox)
    elsewhere = letter(box.address, customer.address, "Re: Which tyre fits?", "The blue one.", answers=question["Message-ID"])
    box.put(elsewhere.as_bytes(), folder="Sent", seen=True)
    await mailroom.post(f"/v1/inboxes/{inbox['id']}/resync", {"scope": "new"}, status=202)

    async def appears() -> list | None:
        messages = await mailroom.messages(conversation["id"])
        return messages if len(messages) == 2 else None

    messages = await until("the answer from elsewhere appears", appears)
    assert messages[1]["direction"] == "outbound"
    assert "The blue one." in messages[1]["body_text"]
    assert not [m for m in customer.letters() if "The blue one." in str(m)], "what was sent elsewhere is not sent again"


async def test_files_travel_both_ways(mailroom: Mailroom, box: Mailbox, customer: Mailbox, smtp) -> None:
    inbox = await mailroom.connect_inbox(box, smtp())
    photo, bill = picture(48), one_page_pdf("a bill")
    mail = letter(customer.address, box.address, "Two files", "See both.")
    mail.add_attachment(photo, "image", "png", filename="photo.png")
    mail.add_attachment(bill, "application", "pdf", filename="größe ../bill.pdf")
    box.put(mail.as_bytes())
    conversation = await mailroom.conversation_about("Two files", inbox)
    (message,) = await mailroom.messages(conversation["id"])
    assert {a["content_type"] for a in message["attachments"]} == {"image/png", "application/pdf"}
    for attachment, content in zip(sorted(message["attachments"], key=lambda a: a["content_type"], reverse=True), (photo, bill), strict=True):
        assert "/" not in attachment["filename"]
        redirect = await mailroom.api.get(attachment["url"])
        assert redirect.status_code == 302
        async with httpx.AsyncClient(trust_env=False) as anybody:
            got = await anybody.get(redirect.headers["location"])
            bare = await anybody.get(redirect.headers["location"].partition("?")[0])
        assert got.content == content
        assert got.headers["content-disposition"].startswith("attachment")
        assert bare.status_code == 403, "the bucket is private"

    data = b"\x00\x01binary\r\n.\r\n" * 500
    made = await mailroom.post("/v1/uploads", {"filename": "offer.bin", "content_type": "application/octet-stream", "size_bytes": len(data)})
    async with httpx.AsyncClient(trust_env=False, headers=mailroom.api.headers if made["put_url"].startswith("/") else None) as browser:
        url = made["put_url"] if "://" in made["put_url"] else mailroom.stack["api_url"] + made["put_url"]
        put = await browser.put(url, content=data, headers=made["headers"])
        assert put.status_code in {200, 201, 204}, put.text
    await mailroom.post(f"/v1/uploads/{made['id']}/complete")
    queued = await mailroom.reply(conversation, "Here is the offer.", attachments=[made["id"]])
    await mailroom.sent(queued["id"])

    async def arrived() -> list | None:
        return [m for m in customer.letters() if [a for a in m.iter_attachments() if a.get_filename() == "offer.bin"]] or None

    (answer,) = await until("the offer arrives", arrived)
    (offer,) = answer.iter_attachments()
    assert hashlib.sha256(offer.get_content()).digest() == hashlib.sha256(data).digest()


async def test_odd_mail_ends_in_a_named_state(mailroom: Mailroom, box: Mailbox, customer: Mailbox, smtp) -> None:
    inbox = await mailroom.connect_inbox(box, smtp())
    question = letter(customer.address, box.address, "A normal question", "Hello.")
    box.put(question.as_bytes())
    conversation = await mailroom.conversation_about("A normal question", inbox)
    queued = await mailroom.reply(conversation, "An answer that will bounce.")
    sent = await mailroom.sent(queued["id"])

    away = letter(customer.address, box.address, "Out of office", "Back on Monday.", answers=sent["message_id_header"], Auto_Submitted="auto-replied")
    spam = letter("winner@lucky.example.net", box.address, "You have won", "Click.", X_Spam_Flag="YES")
    report = (
        f"Return-Path: <>\r\nFrom: mailer-daemon@customers.example.com\r\nTo: {box.address}\r\nDate: {email.utils.formatdate()}\r\n"
        f"Subject: Undelivered Mail\r\nMessage-ID: <{uuid.uuid4().hex}@customers.example.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nFailed.\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.customers.example.com\r\n\r\n"
        f"Final-Recipient: rfc822; {customer.address}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {sent['message_id_header']}\r\nTo: {customer.address}\r\n--b--\r\n"
    ).encode()
    twin = letter(customer.address, box.address, "Same id, other words", "One.", message_id=f"<{uuid.uuid4().hex}@customers.example.com>")
    other = letter(customer.address, box.address, "Same id, other words", "Two.", message_id=twin["Message-ID"])
    for raw in (away.as_bytes(), spam.as_bytes(), report, question.as_bytes(), twin.as_bytes(), other.as_bytes()):
        box.put(raw)
    rows = await settled(mailroom, inbox, 7)
    assert all(r["state"] in {"ingested", "skipped"} for r in rows), [(r["state"], r["reason"]) for r in rows]
    by_kind = {r["classification"] for r in rows}
    assert {"message", "bounce", "spam", "auto_reply"} <= by_kind

    (bounce,) = [r for r in rows if r["classification"] == "bounce"]
    assert bounce["conversation_id"] is None
    assert bounce["recipients"][0] | {"address": customer.address} == bounce["recipients"][0]
    assert (bounce["recipients"][0]["class"], bounce["recipients"][0]["status"]) == ("hard", "5.1.1")
    bounced = await mailroom.get(f"/v1/messages/{queued['id']}")
    assert bounced["bounce_received_at"]
    assert bounced["send"]["recipients"][0]["status"] == "bounced"

    messages = await mailroom.messages(conversation["id"])
    assert [m["is_auto"] is not None for m in messages] == [False, False, True], "the absence note stands in its conversation, marked"

    (junk,) = [r for r in rows if r["classification"] == "spam"]
    assert junk["conversation_id"] is None
    await mailroom.post(f"/v1/messages/{junk['message_id']}/not-spam")
    await mailroom.conversation_about("You have won", inbox)

    assert len([r for r in rows if r["state"] == "skipped" and r["reason"] == "duplicate"]) == 1
    pair = [c for c in await mailroom.conversations(limit=200) if c["subject"] == "Same id, other words" and c["inbox"]["id"] == inbox["id"]]
    texts = [m for c in pair for m in await mailroom.messages(c["id"])]
    assert sorted(m["body_text"].strip() for m in texts) == ["One.", "Two."]
    assert [m["duplicate_of_id"] for m in texts].count(True) == 1


async def test_children_that_arrive_before_their_parents_join(mailroom: Mailroom, box: Mailbox, customer: Mailbox, smtp) -> None:
    inbox = await mailroom.connect_inbox(box, smtp())
    one, two, three = (f"<{uuid.uuid4().hex}@customers.example.com>" for _ in range(3))
    first = letter(customer.address, box.address, "Chain", "1", message_id=one)
    second = letter(customer.address, box.address, "Re: Chain", "2", message_id=two, answers=one)
    third = letter(customer.address, box.address, "Re: Chain", "3", message_id=three, answers=two, references=two)
    for number, mail in enumerate((third, first, second), start=1):
        box.put(mail.as_bytes())
        await settled(mailroom, inbox, number)
    chain = [c for c in await mailroom.conversations(limit=200) if c["inbox"]["id"] == inbox["id"]]
    assert len(chain) == 1
    assert sorted(m["body_text"].strip() for m in await mailroom.messages(chain[0]["id"])) == ["1", "2", "3"]


async def test_a_failed_send_says_why_and_can_be_retried(mailroom: Mailroom, pymap_box: Mailbox, customer: Mailbox, smtp, demo_mail) -> None:
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    refused = f"gone-{uuid.uuid4().hex[:8]}@customers.example.com"
    pymap_box.put(letter(refused, pymap_box.address, "Write back?", "Please.").as_bytes())
    conversation = await mailroom.conversation_about("Write back?", inbox)
    queued = await mailroom.reply(conversation, "Hello there.")
    failed = await mailroom.sent(queued["id"], "failed")
    assert "550" in failed["send"]["error"] or "5.1.1" in failed["send"]["error"]
    assert failed["send"]["can"] == ["retry"]
    assert (await mailroom.get(f"/v1/conversations/{conversation['id']}"))["has_failed_send"]
    demo_mail.add_account(refused)
    await mailroom.post(f"/v1/messages/{queued['id']}/retry")
    await mailroom.sent(queued["id"])
    assert not (await mailroom.get(f"/v1/conversations/{conversation['id']}"))["has_failed_send"]
    assert len(list(demo_mail.accounts[refused].maildir.glob("new/*"))) == 1


async def test_the_undo_window_takes_an_answer_back(mailroom: Mailroom, pymap_box: Mailbox, customer: Mailbox, smtp) -> None:
    inbox = await mailroom.connect_inbox(pymap_box, smtp(), undo_send_seconds=20)
    pymap_box.put(letter(customer.address, pymap_box.address, "Undo me", "?").as_bytes())
    conversation = await mailroom.conversation_about("Undo me", inbox)
    queued = await mailroom.reply(conversation, "Too fast!")
    assert queued["send"]["can"] == ["cancel"]
    await mailroom.post(f"/v1/messages/{queued['id']}/cancel")
    assert (await mailroom.sent(queued["id"], "cancelled"))["send"]["can"] == []
    await asyncio.sleep(1)
    assert customer.letters() == []


async def test_a_stale_view_is_refused_with_what_is_newer(mailroom: Mailroom, pymap_box: Mailbox, customer: Mailbox, smtp) -> None:
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    pymap_box.put(letter(customer.address, pymap_box.address, "Stale", "first").as_bytes())
    conversation = await mailroom.conversation_about("Stale", inbox)
    seen = (await mailroom.get(f"/v1/conversations/{conversation['id']}"))["version"]
    (first,) = await mailroom.messages(conversation["id"])
    pymap_box.put(letter(customer.address, pymap_box.address, "Re: Stale", "second", answers=first["message_id_header"]).as_bytes())

    async def two() -> bool:
        return len(await mailroom.messages(conversation["id"])) == 2

    await until("the second mail is there", two)
    refused = await mailroom.api.post(f"/v1/conversations/{conversation['id']}/messages", json={"text": "late", "seen_version": seen}, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert refused.status_code == 409
    assert [m["body_text"].strip() for m in refused.json()["newer_messages"]] == ["second"]
    assert customer.letters() == []


async def test_an_automatic_answer_goes_once(mailroom: Mailroom, pymap_box: Mailbox, customer: Mailbox, smtp) -> None:
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    answer = await mailroom.api.patch(f"/v1/inboxes/{inbox['id']}", json={"auto_response": {"enabled": True, "subject": "We got it", "body": "Hello {{sender_name}}, this is {{org_name}}: number {{ticket_number}}."}})
    assert answer.status_code == 200, answer.text
    pymap_box.put(b"Return-Path: <%b>\r\n" % customer.address.encode() + letter(f"Ada Lovelace <{customer.address}>", pymap_box.address, "Auto please", "?").as_bytes())
    conversation = await mailroom.conversation_about("Auto please", inbox)

    async def answered() -> list | None:
        return customer.letters() or None

    (automatic,) = await until("the automatic answer arrives", answered)
    assert automatic["Auto-Submitted"] == "auto-replied"
    assert automatic["X-Auto-Response-Suppress"] == "All"
    body = automatic.get_body(("plain",)).get_content()
    assert "Ada Lovelace" in body
    assert str(conversation["number"]) in body
    pymap_box.put(letter(customer.address, pymap_box.address, "Re: Auto please", "again", answers=automatic["Message-ID"]).as_bytes())

    async def three() -> bool:
        return len(await mailroom.messages(conversation["id"])) == 3

    await until("the second mail joins", three)
    await asyncio.sleep(3)
    assert len(customer.letters()) == 1


@pytest.mark.neomutt
@needs_neomutt
async def test_the_answer_threads_in_a_real_mail_reader(mailroom: Mailroom, pymap_box: Mailbox, customer: Mailbox, smtp, tmp_path) -> None:
    """The customer keeps what they sent beside what they get, as phones do; their reader draws the tree from headers alone."""
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    question = letter(customer.address, pymap_box.address, "Brakes squeak", "When it rains.")
    customer.put(question.as_bytes())
    pymap_box.put(question.as_bytes())
    conversation = await mailroom.conversation_about("Brakes squeak", inbox)
    for text in ("Clean the rims.", "Did it help?"):
        queued = await mailroom.reply(conversation, text)
        await mailroom.sent(queued["id"])

    async def arrived() -> bool:
        return len(customer.letters()) == 3

    await until("both answers arrive", arrived)
    rows = await asyncio.to_thread(index_rows, customer.maildir, tmp_path, 3)
    assert rows[0] == "Brakes squeak"
    assert all("->Re: Brakes squeak" in row and f"#{conversation['number']}" in row for row in rows[1:]), rows


async def test_history_can_be_paused_and_goes_on(mailroom: Mailroom, quick_box: Mailbox, smtp) -> None:
    """A paused backfill waits for a word of its own; resuming it by the API has to reach the run that waits."""
    count = 1200
    for number, raw in enumerate(mails(count, seed=31, to=quick_box.address)):
        quick_box.put(raw, received=datetime.now(UTC) - timedelta(days=3, minutes=count - number), seen=True)
    inbox = await mailroom.connect_inbox(quick_box, smtp())
    history = f"/v1/inboxes/{inbox['id']}/backfill"

    async def of_inbox() -> dict:
        status = await mailroom.get(f"/v1/inboxes/{inbox['id']}/status")
        return next((b for b in status["backfills"] if b["folder"] == "INBOX"), {"state": "none", "done": 0})

    async def running() -> bool:
        return (await of_inbox())["state"] == "running"

    async def paused() -> bool:
        return (await of_inbox())["state"] == "paused"

    async def finished() -> bool:
        return (await of_inbox())["state"] == "done"

    await until("history comes in", running)
    await mailroom.post(history, {"action": "pause"})
    await until("it is paused", paused)
    await asyncio.sleep(3)
    before = (await of_inbox())["done"]
    await asyncio.sleep(2)
    assert (await of_inbox())["done"] == before < count
    await mailroom.post(history, {"action": "resume"})
    await until("it is done", finished, 180)
    await settled(mailroom, inbox, count)
