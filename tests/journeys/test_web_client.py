"""The web client in a real Chromium before a real Mailroom: what a person does in a day, seen by eye and proven in the mailboxes."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Page

from tests.journeys.browser import CHROMIUM, PHONE, Seat, chromium, expect, seat
from tests.journeys.doubt import cut_doubt_short
from tests.journeys.driver import Mailbox, Mailroom, letter, until
from tests.journeys.letters import bottomless, designed, hostile
from tests.servers.scripted_smtp import Close, ScriptedSmtp

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium (apt-get install chromium)"),
]
GUIDE = FilePayload(name="size guide.pdf", mimeType="application/pdf", buffer=b"%PDF-1.4\n" + bytes(range(256)) * 400)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cookies(mailroom: Mailroom, browser: Browser) -> Any:
    """The door, once: each sign-in counts against a limit, so the tests after share this session."""
    async with seat(browser, mailroom.stack["web_url"]) as visitor:
        await visitor.sign_in(**mailroom.stack["sign_in"])
        await expect(visitor.page.get_by_role("heading", name="Open", exact=True)).to_be_visible()
        assert visitor.complaints == []
        return await visitor.page.context.cookies()


@pytest_asyncio.fixture(loop_scope="session")
async def me(mailroom: Mailroom, browser: Browser, cookies: Any) -> AsyncIterator[Seat]:
    """A signed-in person at the list. At the end nothing may have complained."""
    async with seat(browser, mailroom.stack["web_url"]) as person:
        await person.page.context.add_cookies(cookies)
        await person.go("/")
        yield person
        # Nobody lives at .test: the picture proxy has nothing to give, and Chromium writes that down.
        assert person.grumbles("/v1/inline/") == []


def unique(words: str) -> str:
    return f"{words} {uuid.uuid4().hex[:6]}"


async def arrived(box: Mailbox) -> Any:
    async def look() -> Any:
        return box.letters()

    return await until("it lies in the customer's mailbox", look)


async def sent_id(page: Page) -> str:
    """The id of the newest message of ours in the open conversation."""
    return str(await page.locator("message-card[data-direction=outbound]").last.get_attribute("data-id"))


async def test_a_mail_arrives_live_is_read_and_answered(mailroom: Mailroom, me: Seat, pymap_box: Mailbox, customer: Mailbox, smtp) -> None:
    page, subject = me.page, unique("Club order")
    inbox = await mailroom.connect_inbox(pymap_box, smtp(), undo_send_seconds=600)
    await page.evaluate("window.stayed = true")
    pymap_box.put(designed(f"The club <{customer.address}>", pymap_box.address, subject, remote="https://pictures.club.test/badge.png"))
    await expect(me.row(subject)).to_be_visible()
    assert await page.evaluate("window.stayed"), "it came without a reload"

    await me.open(subject)
    await expect(me.row(subject)).not_to_have_attribute("unread", "")
    frame = page.frame_locator("mail-frame iframe")
    await expect(frame.get_by_role("heading", name="Order of the cycling club")).to_be_visible()
    inline, remote = frame.get_by_alt_text("Frame sizes"), frame.get_by_alt_text("Club badge")
    await expect(inline).to_have_js_property("naturalWidth", 320)
    blocked = page.locator("mail-frame .blocked")
    await expect(blocked).to_contain_text("1 picture from elsewhere not loaded")
    assert not await remote.get_attribute("src")
    await blocked.get_by_role("button", name="Show pictures").click()
    await expect(blocked).to_be_hidden()
    await expect(remote).to_have_attribute("src", re.compile(re.escape("/v1/inline/")))

    await me.reply("Here are the sizes.", GUIDE)
    await expect(me.last_sent).to_contain_text("leaves in")
    await me.last_sent.get_by_role("button", name="Undo").click()
    await expect(me.last_sent).to_contain_text("Cancelled")
    await expect(page.locator(".editor-area")).to_have_text("Here are the sizes.")
    await expect(page.locator("upload-tray .file.ready")).to_have_count(1)
    shorter = await mailroom.api.patch(f"/v1/inboxes/{inbox['id']}", json={"undo_send_seconds": 1})
    assert shorter.status_code == 200, shorter.text
    await page.locator(".editor-area").focus()
    await page.keyboard.press("End")
    await page.keyboard.type(" And more.")
    await me.send()
    await expect(me.last_sent).to_contain_text("Handed to the server")
    (answer,) = await arrived(customer)
    assert "Here are the sizes. And more." in answer.get_body(("plain",)).get_content()
    (file,) = answer.iter_attachments()
    assert (file.get_filename(), file.get_content()) == (GUIDE["name"], GUIDE["buffer"])

    card = page.locator("message-card[data-direction=outbound]").last
    await card.get_by_role("button", name="More about this message").click()
    await page.get_by_role("menuitem", name="Timeline").click()
    steps = page.get_by_role("dialog")
    await expect(steps).to_contain_text("Handed to the server")
    run = steps.get_by_role("link", name="Temporal run").first
    await expect(run).to_have_attribute("href", re.compile(re.escape(mailroom.stack["temporal_ui_url"])))
    await expect(steps).not_to_contain_text("Message updated")


async def test_a_failed_send_says_why_and_goes_after_a_retry(mailroom: Mailroom, me: Seat, pymap_box: Mailbox, customer: Mailbox, smtp, demo_mail) -> None:
    subject = unique("Write back")
    await mailroom.connect_inbox(pymap_box, smtp())
    pymap_box.put(letter(customer.address, pymap_box.address, subject, "Please.").as_bytes())
    demo_mail.set_reply(customer.address, "550 5.2.1 The mailbox is closed for a while")
    await me.open(subject)
    await me.reply("Hello there.")
    await expect(me.last_sent).to_contain_text("Failed")
    await expect(me.last_sent.get_by_role("alert")).to_contain_text("The mailbox is closed for a while")
    await expect(me.row(subject)).to_contain_text("Not sent")
    demo_mail.set_reply(customer.address, None)
    await me.last_sent.get_by_role("button", name="Retry").click()
    await expect(me.last_sent).to_contain_text("Handed to the server")
    await expect(me.row(subject)).not_to_contain_text("Not sent")
    assert len(await arrived(customer)) == 1


async def test_an_unknown_send_is_explained_and_settled_by_a_person(mailroom: Mailroom, me: Seat, pymap_box: Mailbox, customer: Mailbox, scripted_smtp: ScriptedSmtp) -> None:
    page = me.page
    scripted_smtp.users = {"desk": "secret"}
    await mailroom.connect_inbox(pymap_box, (scripted_smtp.host, scripted_smtp.port, "desk", "secret"))
    scripted_smtp.on("dot", Close(), times=2, stored=True)
    for subject, press in ((unique("Lost answer"), "It was sent"), (unique("Lost again"), "Send again")):
        pymap_box.put(letter(customer.address, pymap_box.address, subject, "And?").as_bytes())
        await me.open(subject)
        await me.reply("It is done.")
        await expect(page.locator("message-card[data-direction=outbound]")).to_have_count(1)
        await cut_doubt_short(mailroom.stack, await sent_id(page))
        await expect(me.last_sent).to_contain_text("Unknown")
        await expect(me.last_sent).to_contain_text("will not send it again by itself")
        await expect(me.row(subject)).to_contain_text("Send unknown")
        before = len(scripted_smtp.accepted)
        await me.last_sent.get_by_role("button", name=press).click()
        if press == "Send again":
            await expect(page.get_by_role("dialog")).to_contain_text("the customer gets the message twice")
            await page.get_by_role("dialog").get_by_role("button", name="Send again").click()
        await expect(me.last_sent).to_contain_text("Handed to the server")
        await expect(me.row(subject)).not_to_contain_text("Send unknown")
        assert len(scripted_smtp.accepted) - before == (press == "Send again")
    first, second, again = scripted_smtp.accepted
    assert first.message_id != second.message_id
    assert (again.message_id, again.sha256) == (second.message_id, second.sha256), "the same bytes, so that most readers show one"


async def test_an_inbox_is_paused_resumed_and_resynced(mailroom: Mailroom, me: Seat, pymap_box: Mailbox, customer: Mailbox, smtp) -> None:
    page, subject = me.page, unique("While paused")
    for number in range(12):
        old = letter(customer.address, pymap_box.address, unique("Old"), f"Number {number}")
        pymap_box.put(old.as_bytes(), received=datetime.now(UTC) - timedelta(days=3, hours=number), seen=True)
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    await page.get_by_role("link", name="Settings").click()
    await page.get_by_role("link", name="Inboxes").first.click()
    await page.get_by_role("link", name=inbox["name"]).click()
    await expect(page.locator(".page-head")).to_contain_text("Healthy")
    history = page.get_by_role("region", name="History")
    await expect(history.get_by_role("progressbar")).to_be_visible()
    await expect(history).to_contain_text("12 of 12 (100 %)")
    await expect(page.get_by_role("link", name="Workflow in Temporal")).to_have_attribute("href", re.compile(re.escape(mailroom.stack["temporal_ui_url"])))

    await page.locator(".page-head").get_by_role("button", name="Pause", exact=True).click()
    await expect(page.locator(".page-head")).to_contain_text("Paused")
    pymap_box.put(letter(customer.address, pymap_box.address, subject, "Anybody?").as_bytes())
    await asyncio.sleep(2)
    assert not [c for c in await mailroom.conversations(inbox=inbox["id"]) if c["subject"] == subject]
    await page.locator(".page-head").get_by_role("button", name="Resume", exact=True).click()
    await expect(page.locator(".page-head")).to_contain_text("Healthy")
    ledger = page.get_by_role("region", name="Ledger")
    await expect(ledger).to_contain_text(subject)

    await page.get_by_role("button", name="Resync").click()
    await page.get_by_role("menuitem", name="Check every folder").click()
    await page.get_by_role("dialog").get_by_role("button", name="Check everything").click()
    await expect(page.locator("toast-stack")).to_contain_text("Resync started")
    await expect(page.locator(".page-head")).to_contain_text("Healthy")
    assert len(await mailroom.conversations(inbox=inbox["id"])) == 13, "a resync stores nothing twice"


async def test_poison_is_looked_at_and_tried_again(mailroom: Mailroom, me: Seat, pymap_box: Mailbox, customer: Mailbox, smtp) -> None:
    page, after = me.page, unique("After the poison")
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    raw = bottomless(customer.address, pymap_box.address, unique("Bottomless"))
    pymap_box.put(raw)
    pymap_box.put(letter(customer.address, pymap_box.address, after, "The inbox goes on.").as_bytes())
    await page.get_by_role("link", name="Quarantine").click()
    line = page.locator("quarantine-page li", has_text=inbox["name"])
    await expect(line).to_be_visible()
    await line.get_by_role("button", name="View as plain text").click()
    await expect(line.locator("pre")).to_contain_text("The bottom, at last.")
    async with page.expect_download() as download:
        await line.get_by_role("link", name="Raw mail").click()
    assert (await (await download.value).path()).read_bytes() == raw
    tried = (await mailroom.items("/v1/quarantine", state="open"))[0]["last_at"]
    await line.get_by_role("button", name="Retry").click()
    await expect(page.locator("toast-stack")).to_contain_text("It is being tried again.")

    async def tried_again() -> bool:
        rows = [r for r in await mailroom.items(f"/v1/inboxes/{inbox['id']}/ledger") if r["state"] == "quarantined"]
        open_ = await mailroom.items("/v1/quarantine", state="open")
        return bool(rows) and open_[0]["last_at"] > tried

    await until("it was tried and stays in quarantine", tried_again)
    await expect(line).to_be_visible()
    await page.get_by_role("link", name="Mailroom, open conversations").click()
    await me.open(after)


async def test_a_hostile_mail_runs_nothing(mailroom: Mailroom, me: Seat, pymap_box: Mailbox, customer: Mailbox, smtp) -> None:
    page, subject = me.page, unique("<img src=x onerror=top.pwned=8> Dear victim")
    await mailroom.connect_inbox(pymap_box, smtp())
    pymap_box.put(hostile(f'"<script>top.pwned=9</script>" <{customer.address}>', pymap_box.address, subject, evil="https://evil.test"))
    await me.open(subject)
    frame = page.frame_locator("mail-frame iframe")
    await expect(frame.locator("body")).to_contain_text("Dear victim")
    for words in ("press me", "or me"):
        await frame.get_by_text(words).click()
    await asyncio.sleep(0.5)
    await expect(frame.locator("body")).to_contain_text("Dear victim")
    assert await page.evaluate("window.pwned") is None
    assert await frame.locator("script, iframe, form, object, base, meta[http-equiv=refresh], [onerror], [onload], a[href^=javascript]").count() == 0


async def test_a_phone(mailroom: Mailroom, browser: Browser, cookies: Any, pymap_box: Mailbox, customer: Mailbox, smtp) -> None:
    subject = unique("From the road, with a subject that is longer than a telephone is wide")
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    pymap_box.put(designed(customer.address, pymap_box.address, subject, remote="https://pictures.club.test/badge.png"))
    await mailroom.conversation_about(subject, inbox)
    async with seat(browser, mailroom.stack["web_url"], size=PHONE) as me:
        await me.page.context.add_cookies(cookies)
        await me.go("/")
        await me.open(subject)
        await expect(me.page.frame_locator("mail-frame iframe").get_by_role("heading")).to_be_visible()
        assert await me.overflow() == 0
        await me.write("On my way.", GUIDE)
        assert await me.overflow() == 0
        await me.send()
        await expect(me.last_sent).to_contain_text("Handed to the server")
        for path in ("/", "/inboxes", f"/inboxes/{inbox['id']}", "/inboxes/new", "/quarantine", "/spam", "/users"):
            await me.go(path)
            await expect(me.page.get_by_role("heading").first).to_be_visible()
            await expect(me.page.locator(".skeletons")).to_have_count(0)
            assert await me.overflow() == 0, path
        assert me.complaints == []
    assert len(await arrived(customer)) == 1
