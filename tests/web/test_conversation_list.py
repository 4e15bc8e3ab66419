"""The list: views, filters, search, endless pages, live changes that disturb nobody, and its empty and failed states."""

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web import fake_data
from tests.web.desk import LONG_MS, Desk
from tests.web.fake_state import Fake

pytestmark = pytest.mark.chromium


def subjects(page: Page) -> list[str]:
    return [text.split("\n")[-1] for text in page.locator("conversation-row .row-subject").all_inner_texts()]


def crowd(fake: Fake, amount: int, start: int = 2000) -> None:
    for number in range(start, start + amount):
        fake._conversation({"number": number, "subject": f"Crowd {number}", "customer": fake_data.ANNA, "mails": [fake_data.mail("Hello", minutes=10_000 - number)]})


def test_a_mail_arrives_live_and_on_top(desk: Desk) -> None:
    page = desk.sign_in()
    expect(page.locator("conversation-row")).to_have_count(6)
    desk.fake.do(desk.fake.arrive, "Where is my order?", subject="Order 77", customer={"name": "Rosa Lind", "address": "rosa@lind.example.org"})
    first = page.locator("conversation-row").first
    expect(first).to_contain_text("Order 77")
    expect(first).to_have_attribute("unread", "")
    expect(page.locator("conversation-row")).to_have_count(7)
    expect(page).to_have_title("(3) Conversations · Mailroom")
    expect(page.locator("#announcer")).to_contain_text("Order 77")


def test_live_mail_moves_neither_scroll_nor_selection(desk: Desk) -> None:
    desk.fake.do(crowd, desk.fake, 45)
    page = desk.sign_in()
    page.locator("conversation-row").first.wait_for()
    page.evaluate("document.querySelector('conversation-list .scroller').scrollTop = 1200")
    page.locator("conversation-row").filter(has_text="Crowd 2030").click()
    chosen = page.locator("conversation-row[current]").get_attribute("data-id")
    row = page.locator(f'conversation-row[data-id="{chosen}"]')
    before = desk.box(row)["y"]
    assert page.evaluate("document.querySelector('conversation-list .scroller').scrollTop") > 0
    desk.fake.do(desk.fake.arrive, "Hello", subject="Fresh one")
    expect(page.locator("#announcer")).to_contain_text("Fresh one")
    assert abs(desk.box(row)["y"] - before) <= 2
    expect(page.locator("conversation-row[current]")).to_have_attribute("data-id", chosen)


def test_pages_load_by_scrolling_without_doubles(desk: Desk) -> None:
    desk.fake.do(crowd, desk.fake, 130)
    page = desk.sign_in()
    seen: dict[str, str] = {}
    deadline = time.monotonic() + LONG_MS / 1000
    while len(seen) < 136 and time.monotonic() < deadline:
        for row in page.locator("conversation-row[data-id]").evaluate_all("rows => rows.map((row) => [row.ariaPosInSet, row.dataset.id])"):
            assert seen.setdefault(row[0], row[1]) == row[1]
        page.evaluate("document.querySelector('conversation-list .scroller').scrollTop += 400")
        page.evaluate("new Promise(requestAnimationFrame)")
    assert len(set(seen.values())) == 136


@pytest.mark.parametrize(("view", "expected"), [
    ("Pending", ["Broken pallet on arrival"]),
    ("Closed", ["Thank you"]),
    ("Mine", ["Label printer stops after three labels", "Broken pallet on arrival"]),
])
def test_views(desk: Desk, view: str, expected: list[str]) -> None:
    page = desk.sign_in()
    page.get_by_role("navigation", name="Conversations").get_by_role("link", name=view).click()
    expect(page.get_by_role("heading", name=view)).to_be_visible()
    expect(page.locator("conversation-row")).to_have_count(len(expected))
    assert subjects(page) == expected
    page.reload()
    expect(page.locator("conversation-row")).to_have_count(len(expected))


def test_search_inbox_and_unread_filters_with_an_empty_state(desk: Desk) -> None:
    page = desk.sign_in()
    expect(page.locator("conversation-row")).to_have_count(6)
    page.get_by_label("Inbox").select_option(label="Billing")
    expect(page.locator("conversation-row")).to_have_count(1)
    page.get_by_label("Inbox").select_option(label="All inboxes")
    page.get_by_role("button", name="Unread").click()
    expect(page.locator("conversation-row")).to_have_count(2)
    page.get_by_role("button", name="Unread").click()
    page.get_by_label("Search conversations").fill("müller")
    expect(page.locator("conversation-row")).to_have_count(1)
    page.get_by_label("Search conversations").fill("no such thing")
    expect(page.get_by_role("heading", name="No match")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("conversation-row")).to_have_count(6)


def test_badges_tell_of_failed_and_unknown_sends_and_of_drafts(desk: Desk) -> None:
    page = desk.open_number(1038)

    def row(number: int) -> Locator:
        return page.locator(f'conversation-row[data-id="{desk.fake.number(number)["id"]}"]')

    expect(row(1040)).to_contain_text("Not sent")
    expect(row(1039)).to_contain_text("Send unknown")
    page.keyboard.press("r")
    page.keyboard.type("Guten Tag")
    expect(page.locator(".kept")).to_contain_text("Draft kept")
    page.reload()
    expect(row(1038)).to_contain_text("Draft")


def test_a_failed_load_says_why_and_tries_again(desk: Desk) -> None:
    desk.allow("500 (Internal Server Error)")
    for _ in range(20):  # At sign-in, when the stream is ready, and as often as it tries.
        desk.fake.fail("GET", "/v1/conversations", 500, detail="The list could not be read. Try again in a moment.")
    page = desk.sign_in()
    desk.calm()
    alert = page.locator("conversation-list").get_by_role("alert")
    expect(alert).to_contain_text("The list could not be read.")
    desk.fake.do(desk.fake.failures.clear)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("conversation-row")).to_have_count(6)


def test_times_are_short_and_exact_in_the_title(desk: Desk) -> None:
    page = desk.sign_in()
    time = page.locator("conversation-row").first.locator("time-ago")
    expect(time).to_have_text(re.compile(r"^1[4-9] min ago$"))
    assert re.search(r"\d{4} at \d\d:\d\d:\d\d", time.get_attribute("title") or "")
