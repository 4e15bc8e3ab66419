"""The whole loop for mailboxes at Gmail and at Microsoft 365, through a running Mailroom's own doors: HTTP and event stream in
front, the real client libraries behind, stand-ins only in the place of Google and Microsoft. Changes are polled for; where a row
says nothing about how soon, a look is asked for instead of waiting for the next one.

Row by row as `test_mail_loop.py` has it for IMAP, for each of the two providers:

- connecting by consent, the check of the connection, pausing and resuming, the page of the inbox with its folders;
- history down to the horizon, old mail read and starting nothing; new mail, its conversation, the stream that tells of it;
- an answer with a file: accepted once, by the right people, in the provider's own thread, one copy in Sent that is no new message;
- the customer's answer joins; an answer written in another mail program appears and is not sent again; files come in;
- what was read there is read here; spam and *not spam*; a bounce settles its recipient; an absence note is marked; twins;
- automatic answers go once, and never to automatic mail;
- a refused send says why and goes out on *retry*;
- an expired cursor: a gap, closed with its counts; the audit: nothing missing, nothing extra.

Left out here because no provider takes part in them: the undo window, stale views, children before their parents (`test_mail_loop.py`).
Answers that get lost, crossed with all that makes looking hard: `tests/activities/test_outbound_api_faults.py`. Workers that die at each
failpoint, with the sheets afterwards, without the half minute that Temporal takes to notice: `test_outbound_api.py`,
`test_api_relisting.py` there. The rows behind the doors, move by move: `test_gmail_journey.py`, `test_graph_journey.py`, `tests/activities/test_api_*.py`.
"""

import email
import email.policy
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.journeys.api_desk import (
    CARLA,
    DAY,
    DORA,
    Desk,
    Team,
    address_at,
    balanced,
    consented,
    environment,
    header,
    question,
    text_of,
)
from tests.journeys.driver import Mailroom, letter, until
from tests.servers.gmail_server import GmailServer
from tests.servers.graph_server import GraphServer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running() -> AsyncIterator[tuple[Mailroom, dict[str, Team]]]:
    data = Path(tempfile.mkdtemp(prefix="mailroom-api-journey-"))
    google = GmailServer()
    with GraphServer() as graph:
        graph.login.user = address_at("graph")
        gmail, outlook = google.add_mailbox(address_at("gmail")), graph.mailbox(address_at("graph"))
        teams = {
            "gmail": Team("gmail", gmail, google.faults, "drafts.send", gmail.forget_history),
            "graph": Team(
                "graph", outlook, graph.faults, "messages.send",
                lambda: graph.faults.plan("messages.delta", 410, code="syncStateNotFound"),
            ),
        }  # fmt: skip
        room = Mailroom(data, env=environment(google, graph))
        try:
            await room.start()
            yield room, teams
        finally:
            await room.stop()
            google.close()
            shutil.rmtree(data, ignore_errors=True)
        assert set(graph.forgotten) <= {"user.get"}  # the sign-in asks for no mail


@pytest.fixture(scope="module", params=["gmail", "graph"])
def named(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(running: tuple[Mailroom, dict[str, Team]], named: str) -> Desk:
    """Connected, with a mail that is older than wanted and two of last week."""
    room, teams = running
    team = teams[named]
    now = time.time()
    team.put(question(team, f"Ancient {named}"), at=now - 400 * DAY)
    team.put(question(team, f"History {named}"), at=now - 5 * DAY)
    team.put(question(team, f"Already read {named}"), at=now - 6 * DAY, read=True)
    inbox_id = await consented(room, named, team.box.address)
    changed = await room.api.patch(f"/v1/inboxes/{inbox_id}", json={"undo_send_seconds": 0})
    assert changed.status_code == 200, changed.text
    return Desk(room, team, await room.get(f"/v1/inboxes/{inbox_id}"))


async def test_connecting_lists_the_history_down_to_the_horizon(desk: Desk) -> None:
    room, inbox = desk.room, desk.inbox
    history = await desk.about(f"History {desk.team.name}")
    read = await desk.about(f"Already read {desk.team.name}")
    assert (history["unread_count"], read["unread_count"]) == (0, 0)

    async def listed() -> dict[str, Any] | None:
        status: dict[str, Any] = await room.get(f"/v1/inboxes/{inbox['id']}/status")
        done = [b for b in status["backfills"] if b["state"] == "done"]
        return status if len(done) == len([f for f in status["folders"] if f["synced"]]) else None

    status = await until("the first listing is at its end", listed)
    assert (status["health"], status["last_error"]) == ("ok", None)
    assert {f["role"] for f in status["folders"]} >= {"inbox", "sent", "junk"}
    assert {f["role"] for f in status["folders"] if f["synced"]} == ({"all"} if desk.team.name == "gmail" else {"inbox", "sent"})
    assert status["ledger"]["ingested"] == 2
    assert not [c for c in await room.conversations(limit=200) if "Ancient" in c["subject"]]

    checks = await room.post(f"/v1/inboxes/{inbox['id']}/test")
    assert checks["ok"], checks
    assert [c["name"] for c in checks["checks"]] == ["mailbox", "folders"]
    await room.post(f"/v1/inboxes/{inbox['id']}/pause")
    desk.team.put(question(desk.team, f"While paused {desk.team.name}"))
    await room.post(f"/v1/inboxes/{inbox['id']}/resume")
    await desk.about(f"While paused {desk.team.name}")


async def test_a_question_is_answered_in_the_providers_own_thread(desk: Desk) -> None:
    room, team = desk.room, desk.team
    subject = f"Where is my order, {team.name}?"
    asked = letter(CARLA, team.box.address, subject, "Order 77, please.")
    asked.add_attachment(b"\x89PNG photo", "image", "png", filename="photo.png")
    async with room.listening() as heard:
        mail_id = team.put(asked.as_bytes())
        conversation = await desk.about(subject)
        assert (conversation["unread_count"], conversation["customer"]["address"]) == (1, CARLA)

        async def announced() -> bool:
            return any(e["conversation_id"] == conversation["id"] for e in heard.of("message.received"))

        await until("the stream tells of the mail", announced)
    (message,) = await room.messages(conversation["id"])
    assert [a["filename"] for a in message["attachments"]] == ["photo.png"]
    team.mark_read(mail_id)
    await desk.look()

    async def read() -> bool:
        return (await room.get(f"/v1/conversations/{conversation['id']}"))["unread_count"] == 0

    await until("what was read there is read here", read)

    offer = b"\x00\x01binary\r\n.\r\n" * 500
    made = await room.post("/v1/uploads", {"filename": "offer.bin", "content_type": "application/octet-stream", "size_bytes": len(offer)})
    async with httpx.AsyncClient(trust_env=False, headers=room.api.headers if made["put_url"].startswith("/") else None) as browser:
        url = made["put_url"] if "://" in made["put_url"] else room.stack["api_url"] + made["put_url"]
        assert (await browser.put(url, content=offer, headers=made["headers"])).status_code in {200, 201, 204}
    await room.post(f"/v1/uploads/{made['id']}/complete")
    queued = await room.reply(conversation, "It left today.", attachments=[made["id"]])
    sent = await room.sent(queued["id"])
    (accepted,) = team.sent_about("It left today.")
    answer = email.message_from_bytes(accepted.raw, policy=email.policy.default)
    assert tuple(accepted.recipients) == (CARLA,)
    assert (answer["In-Reply-To"], answer["Message-ID"]) == (asked["Message-ID"], sent["message_id_header"])
    assert [a.get_content() for a in answer.iter_attachments()] == [offer]
    assert team.thread_of(accepted.id) == team.thread_of(mail_id)

    await desk.look()

    async def own_copy() -> bool:
        row = (await desk.ledger()).get(accepted.id)
        return row is not None and (row["state"], row["reason"]) == ("skipped", "own_copy")

    await until("the copy in Sent is known as our own", own_copy)
    assert len(await room.messages(conversation["id"])) == 2

    again = letter(CARLA, team.box.address, "thanks", "Got it!", answers=answer["Message-ID"])
    team.put(again.as_bytes())
    elsewhere = letter(team.box.address, CARLA, f"Re: {subject}", "You are welcome.", answers=asked["Message-ID"])
    team.put(elsewhere.as_bytes(), "sent", read=True)
    messages = await desk.joined(conversation, 4)
    assert sorted(m["direction"] for m in messages) == ["inbound", "inbound", "outbound", "outbound"]
    assert team.sent_about("You are welcome.") == [], "what was sent elsewhere is not sent again"


async def test_odd_mail_ends_in_a_named_state(desk: Desk) -> None:
    room, team = desk.room, desk.team
    subject = f"A normal question, {team.name}"
    asked = question(team, subject, sender=DORA)
    team.put(asked)
    conversation = await desk.about(subject)
    queued = await room.reply(conversation, f"This will bounce, {team.name}.")
    sent = await room.sent(queued["id"])
    team.put(letter(DORA, team.box.address, "Out of office", "Back on Monday.", answers=sent["message_id_header"], Auto_Submitted="auto-replied").as_bytes())
    junk = team.put(question(team, f"You have won, {team.name}"), "junk")
    twin = team.put(asked)
    bounce = team.put((
        f"Return-Path: <>\r\nFrom: mailer-daemon@customers.example.com\r\nTo: {team.box.address}\r\n"
        f"Subject: Undelivered Mail\r\nMessage-ID: <{uuid.uuid4().hex}@customers.example.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nFailed.\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.customers.example.com\r\n\r\n"
        f"Final-Recipient: rfc822; {DORA}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {sent['message_id_header']}\r\nTo: {DORA}\r\n--b--\r\n"
    ).encode())  # fmt: skip
    messages = await desk.joined(conversation, 3)
    assert [m["is_auto"] is not None for m in messages] == [False, False, True]

    async def bounced() -> bool:
        return bool((await room.get(f"/v1/messages/{queued['id']}"))["bounce_received_at"])

    await until("the bounce settles its recipient", bounced)

    async def settled() -> dict[str, dict[str, Any]] | None:
        rows = await desk.ledger()
        return rows if all(i in rows and rows[i]["state"] in ("ingested", "skipped") for i in (twin, bounce)) else None

    rows = await until("all have their fate", settled)
    assert (rows[twin]["reason"], rows[bounce]["classification"]) == ("duplicate", "bounce")
    if team.name == "gmail":  # a whole mailbox with its spam; Microsoft's Junk folder is read where somebody chose it
        assert (rows[junk]["classification"], rows[junk]["conversation_id"]) == ("spam", None)
        await room.post(f"/v1/messages/{rows[junk]['message_id']}/not-spam")
    else:
        assert junk not in rows
        team.unspam(junk)
    await desk.about(f"You have won, {team.name}")


async def test_an_automatic_answer_goes_once(desk: Desk) -> None:
    room, team = desk.room, desk.team
    path = f"/v1/inboxes/{desk.inbox['id']}"
    wanted = {"enabled": True, "subject": "We got it", "body": f"At {team.name}: number {{{{ticket_number}}}}."}
    assert (await room.api.patch(path, json={"auto_response": wanted})).status_code == 200
    subject = f"Auto please, {team.name}"
    returned = f"Return-Path: <{CARLA}>\r\n".encode()
    team.put(returned + question(team, subject))
    team.put(returned + question(team, f"I am a robot, {team.name}", Auto_Submitted="auto-generated"))
    conversation = await desk.about(subject)
    robot = await desk.about(f"I am a robot, {team.name}")

    async def answered() -> list[Any]:
        return team.sent_about(f"At {team.name}: number")

    (automatic,) = await until("the automatic answer is taken", answered)
    assert header(automatic.raw, "Auto-Submitted") == "auto-replied"
    assert str(conversation["number"]) in text_of(automatic.raw)
    team.put(returned + question(team, f"Re: {subject}", "again", answers=header(automatic.raw, "Message-ID")))
    await desk.joined(conversation, 3)
    await desk.joined(robot, 1)
    wanted["enabled"] = False
    assert (await room.api.patch(path, json={"auto_response": wanted})).status_code == 200
    assert len(team.sent_about(f"At {team.name}: number")) == 1


async def test_a_refused_send_says_why_and_goes_out_on_retry(desk: Desk) -> None:
    room, team = desk.room, desk.team
    subject = f"Write back, {team.name}"
    team.put(question(team, subject))
    conversation = await desk.about(subject)
    team.faults.plan(team.send, status=400)
    queued = await room.reply(conversation, f"Refused at first, {team.name}.")
    failed = await room.sent(queued["id"], "failed")
    assert failed["send"]["error"]
    assert failed["send"]["can"] == ["retry"]
    assert team.sent_about("Refused at first") == []
    await room.post(f"/v1/messages/{queued['id']}/retry")
    await room.sent(queued["id"])

    assert len(team.sent_about("Refused at first")) == 1


async def test_an_expired_cursor_is_a_gap_and_the_audit_balances(desk: Desk) -> None:
    room, team, path = desk.room, desk.team, f"/v1/inboxes/{desk.inbox['id']}"
    await room.post(f"{path}/pause")
    for n in range(7):
        team.put(question(team, f"Missed {n}, {team.name}"))
    team.expire()
    await room.post(f"{path}/resume")
    for n in range(7):
        await desk.about(f"Missed {n}, {team.name}")
    cause = "history_404" if team.name == "gmail" else "delta_410"

    async def closed() -> list[dict[str, Any]]:
        return [g for g in await room.items(f"{path}/gaps") if g["cause"] == cause and g["closed_at"]]

    (gap,) = await until("the gap is closed", closed)
    assert gap["missing"] == gap["refilled"] + gap["quarantined"] >= 7
    await balanced(desk)
