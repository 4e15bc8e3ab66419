"""Two agents in two browsers work one inbox: they see each other, claim, note, are refused what is stale, merge, snooze, and are warned."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.journeys.browser import CHROMIUM, Seat, chromium, expect
from tests.journeys.desk_people import agent, at_the_desk, picture
from tests.journeys.driver import Mailbox, Mailroom, letter, until

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium (apt-get install chromium)"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(mailroom: Mailroom) -> dict[str, dict[str, Any]]:
    """Ann and Bob; made once, since each sign-in counts against a limit."""
    return {name: await agent(mailroom, name) for name in ("Ann", "Bob")}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seats(mailroom: Mailroom, browser: Browser, people: dict[str, dict[str, Any]]) -> AsyncIterator[dict[str, Seat]]:
    async with at_the_desk(mailroom, browser, people["Ann"]) as ann, at_the_desk(mailroom, browser, people["Bob"]) as bob:
        yield {"Ann": ann, "Bob": bob}


@pytest_asyncio.fixture(loop_scope="session")
async def ann(seats: dict[str, Seat]) -> Seat:
    await seats["Ann"].go("/")
    return seats["Ann"]


@pytest_asyncio.fixture(loop_scope="session")
async def bob(seats: dict[str, Seat]) -> Seat:
    await seats["Bob"].go("/")
    return seats["Bob"]


def unique(words: str) -> str:
    return f"{words} {uuid.uuid4().hex[:6]}"


async def test_they_see_each_other_claim_note_and_never_answer_twice(
    mailroom: Mailroom, ann: Seat, bob: Seat, pymap_box: Mailbox, customer: Mailbox, smtp
) -> None:
    subject = unique("Bent wheel")
    await mailroom.connect_inbox(pymap_box, smtp())
    pymap_box.put(letter(customer.address, pymap_box.address, subject, "It does not turn.").as_bytes())
    await ann.open(subject)
    await bob.open(subject)
    here = bob.page.get_by_role("status", name="Who else is here")
    await expect(here).to_contain_text("Ann Example is viewing")
    await expect(ann.page.get_by_role("status", name="Who else is here")).to_contain_text("Bob Example is viewing")

    await ann.page.locator("conversation-view .conversation-scroll").focus()
    await ann.page.keyboard.press("i")
    await expect(bob.page.locator("conversation-header")).to_contain_text("Ann Example")

    await ann.write("We send a new one.")
    await expect(here).to_contain_text("Ann Example is writing a reply")
    await bob.write("Please send us a picture.")
    await picture(bob, "desk-presence")
    await ann.send()
    await expect(ann.last_sent).to_contain_text("Handed to the server")
    # Bob's page knows of it by now; he presses all the same.
    await expect(bob.page.locator("reply-notice")).to_contain_text("newer message")
    await bob.page.get_by_role("button", name="Send", exact=True).click()
    await expect(bob.page.locator("reply-notice")).to_contain_text("Not sent: the conversation moved on.")
    await picture(bob, "desk-stale-reply")
    assert len(await _letters(customer, 1)) == 1

    await ann.page.locator("conversation-view .conversation-scroll").focus()
    await ann.page.keyboard.press("n")
    await ann.page.keyboard.type("Is the rim in stock, @Bob")
    await ann.page.locator("mention-field").get_by_role("option", name="Bob Example").click()
    await ann.page.keyboard.type("?")
    await ann.page.get_by_role("button", name="Add note").click()
    note = bob.page.get_by_role("article", name="Note by Ann Example")
    await expect(note).to_contain_text("Is the rim in stock")
    await expect(bob.page.locator("notice-bell")).to_contain_text("1")
    await picture(bob, "desk-note")


async def test_a_conversation_sleeps_and_wakes_by_time_and_by_mail(
    mailroom: Mailroom, ann: Seat, pymap_box: Mailbox, customer: Mailbox, smtp
) -> None:
    subject = unique("Spare part")
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    first = letter(customer.address, pymap_box.address, subject, "When does it come?")
    pymap_box.put(first.as_bytes())
    await ann.open(subject)
    await ann.page.locator("snooze-menu").get_by_role("button", name="Snooze").click()
    await ann.page.get_by_role("menuitem", name="Tomorrow").first.click()
    await expect(ann.page.locator("snooze-line")).to_contain_text("Snoozed until")
    await picture(ann, "desk-snoozed")
    await ann.go("/")
    await expect(ann.page.get_by_role("heading", name="Open", exact=True)).to_be_visible()
    await expect(ann.row(subject)).to_have_count(0)
    again = letter(customer.address, pymap_box.address, f"Re: {subject}", "It is urgent now.", answers=str(first["Message-ID"]))
    pymap_box.put(again.as_bytes())
    await expect(ann.row(subject)).to_be_visible()

    conversation = await mailroom.conversation_about(subject, inbox)

    async def sleep_for(**time: float) -> str:
        until_ = (dt.datetime.now(dt.UTC) + dt.timedelta(**time)).isoformat()
        asleep = await mailroom.api.patch(f"/v1/conversations/{conversation['id']}", json={"status": "snoozed", "snoozed_until": until_})
        assert asleep.status_code == 200, asleep.text
        return until_

    await sleep_for(hours=1)
    await expect(ann.row(subject)).to_have_count(0)
    soon = await sleep_for(seconds=5)
    await expect(ann.row(subject)).to_be_visible()
    woken = await mailroom.get(f"/v1/conversations/{conversation['id']}")
    assert woken["status"] == "open"
    assert dt.datetime.now(dt.UTC) >= dt.datetime.fromisoformat(soon)


async def test_a_promise_warns_and_is_broken_before_ones_eyes(
    mailroom: Mailroom, ann: Seat, bob: Seat, people: dict[str, dict[str, Any]], pymap_box: Mailbox, customer: Mailbox, smtp
) -> None:
    """The promised minute is compressed: the mail is dated back by most of it, and the clock worked out anew."""
    subject = unique("Brakes fail")
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    policy = await mailroom.post("/v1/sla-policies", {
        "name": unique("One minute"), "conditions": {"inbox": [inbox["id"]]}, "targets": {"first_response": {"minutes": 1, "time": "calendar"}},
        "actions": {"warn": {"notify_users": [people["Bob"]["id"]]}, "breach": {"notify_users": [people["Bob"]["id"]], "priority": "urgent"}},
    }, status=201)
    assert policy["id"]
    pymap_box.put(letter(customer.address, pymap_box.address, subject, "They do nothing.").as_bytes())
    conversation = await mailroom.conversation_about(subject, inbox)
    since = dated_back(mailroom, conversation["id"], dt.timedelta(seconds=40))
    assert (await mailroom.api.patch(f"/v1/conversations/{conversation['id']}", json={"priority": "high"})).status_code == 200

    async def timed() -> Any:
        return (await mailroom.get(f"/v1/conversations/{conversation['id']}/sla"))["clocks"]

    await until("the promise has a clock", timed)
    await ann.open(subject)
    chip = ann.page.locator("conversation-header sla-chip .badge")
    await expect(chip).to_be_visible()
    # Between warning and breach lie twelve seconds, which a slow machine may pass without a look; that it warned, and when, its clock tells below.
    await expect(ann.page.locator("conversation-header sla-chip .badge:is(.warn, .bad)")).to_be_visible()
    await picture(ann, "desk-sla-warned")
    await expect(ann.page.locator("conversation-header sla-chip .badge.bad")).to_be_visible(timeout=120_000)
    await expect(bob.row(subject).locator(".badge.bad").first).to_be_visible()
    await picture(ann, "desk-sla-breached")

    async def escalated() -> bool:
        now = await mailroom.get(f"/v1/conversations/{conversation['id']}")
        return bool(now["priority"] == "urgent")

    await until("the breach has raised the priority", escalated)
    (clock,) = (await mailroom.get(f"/v1/conversations/{conversation['id']}/sla"))["clocks"]
    for act, share in (("warned_at", 0.8), ("breached_at", 1.0)):
        assert dt.datetime.fromisoformat(clock[act]) >= since.replace(microsecond=0) + dt.timedelta(seconds=60 * share), f"{act} is early"


def dated_back(mailroom: Mailroom, conversation_id: str, by: dt.timedelta) -> dt.datetime:
    """Lets the conversation's mail have come so much earlier; when that is."""
    engine = create_engine(mailroom.stack["database_admin_url"], poolclass=NullPool)
    with engine.begin() as connection:
        statement = text("update messages set received_at = received_at - :by where conversation_id = :id returning received_at")
        moved: dt.datetime = connection.execute(statement, {"by": by, "id": conversation_id}).scalar_one()
    engine.dispose()
    return moved


async def _letters(box: Mailbox, count: int) -> Any:
    async def look() -> Any:
        found = box.letters()
        return found if len(found) >= count else None

    return await until("it lies in the customer's mailbox", look)


async def test_an_answer_to_a_merged_mail_arrives_in_the_other_conversation(
    mailroom: Mailroom, ann: Seat, bob: Seat, pymap_box: Mailbox, customer: Mailbox, smtp
) -> None:
    inbox = await mailroom.connect_inbox(pymap_box, smtp())
    kept, merged = unique("Lost parcel"), unique("Where is it")
    first = letter(customer.address, pymap_box.address, merged, "My parcel.")
    pymap_box.put(letter(customer.address, pymap_box.address, kept, "It was sent on Monday.").as_bytes())
    pymap_box.put(first.as_bytes())
    survivor = await mailroom.conversation_about(kept, inbox)
    await ann.open(merged)
    await ann.page.locator("conversation-view .conversation-scroll").focus()
    await ann.page.keyboard.press("m")
    dialog = ann.page.get_by_role("dialog")
    await dialog.get_by_role("radio", name=kept).check()
    await expect(dialog.get_by_role("status")).to_contain_text("which keeps its number")
    await picture(ann, "desk-merge")
    await dialog.get_by_role("button", name="Merge", exact=True).click()
    await expect(ann.page.locator("conversation-header .subject")).to_have_text(kept)
    await expect(ann.page.locator("message-card")).to_have_count(2)
    await expect(bob.row(merged)).to_have_count(0)

    again = letter(customer.address, pymap_box.address, f"Re: {merged}", "It is here now.", answers=str(first["Message-ID"]))
    pymap_box.put(again.as_bytes())
    await expect(ann.page.locator("message-card")).to_have_count(3)
    await expect(ann.page.locator("message-card").last).to_contain_text("It is here now.")
    await picture(ann, "desk-merged")
    assert len(await mailroom.messages(survivor["id"])) == 3

    await ann.page.locator("shape-menu").get_by_role("button", name="Merge or split").click()
    await ann.page.get_by_role("menuitem", name="Take out").click()
    await expect(ann.page.locator("message-card")).to_have_count(1)
    assert len(await mailroom.messages(survivor["id"])) == 1
