"""A conversation: its messages and marks, its controls, live arrivals, reading marks, and addresses that lead nowhere."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.web.desk import Desk
from tests.web.fake_data import ago
from tests.web.fake_state import now

pytestmark = pytest.mark.chromium


def test_messages_stand_in_order_with_marks_files_and_folded_quotes(desk: Desk) -> None:
    page = desk.open_number(1042)
    cards = page.locator("message-card")
    expect(cards).to_have_count(4)
    assert cards.evaluate_all("cards => cards.map((card) => card.dataset.direction)") == ["inbound", "outbound", "inbound", "inbound"]
    expect(cards.nth(0)).to_have_attribute("closed", "")
    expect(cards.nth(2)).to_contain_text("Automatic reply")
    last = cards.nth(3)
    expect(last.locator("attachment-list a")).to_have_count(3)
    expect(last.get_by_role("link", name="display.jpg")).to_have_attribute("href", re.compile("/v1/attachments/.+/download"))
    expect(last.get_by_role("link", name="display.jpg")).to_contain_text("471 KB")
    quoted = last.get_by_text("Could you send us the serial number?")
    expect(quoted).to_be_hidden()
    last.get_by_text("Show quoted text").click()
    expect(quoted).to_be_visible()
    last.get_by_role("button", name="to Northwind Support").click()
    expect(last.locator(".details")).to_contain_text("Anna Sample <anna@customer.example.org>")
    expect(page.locator(".suggestions")).to_contain_text("Perhaps belongs to #1017 Printer: paper jam same customer, similar subject")


def test_mail_that_is_fetched_later_stands_where_it_was_written(desk: Desk) -> None:
    """History comes behind new mail: what counts is when people wrote, as the server orders it."""
    first, *_, last = desk.fake.thread(desk.fake.number(1042)["id"])
    first["created_at"] = now()  # the oldest mail was fetched last of all
    first["sent_at"] = first["sent_at"].partition(".")[0].removesuffix("Z") + "Z"  # a Date has whole seconds
    page = desk.open_number(1042)
    cards = page.locator("message-card")
    expect(cards.last).to_contain_text(last["body_visible"].split("\n")[0])
    wanted = [message["id"] for message in desk.fake.thread(desk.fake.number(1042)["id"])]
    assert cards.evaluate_all("cards => cards.map((card) => card.message.id)") == wanted
    desk.fake.do(lambda: desk.fake.arrive("Written before all others", number=1042, written=ago(days=90)))
    expect(cards.first).to_contain_text("Written before all others")


def test_a_folded_message_opens_by_click_and_by_button(desk: Desk) -> None:
    page = desk.open_number(1042)
    first = page.locator("message-card").first
    first.locator(".row-snippet").click()
    expect(first.locator(".plain-text")).to_contain_text("blinks red")
    expect(first.locator(".plain-text a")).to_have_attribute("href", "https://docs.example.com/lp200")
    first.get_by_role("button", name="Fold this message").click()
    expect(first.locator(".plain-text")).to_be_hidden()


def test_opening_marks_as_read_everywhere(desk: Desk) -> None:
    page = desk.open_number(1042)
    row = page.locator(f'conversation-row[data-id="{desk.fake.number(1042)["id"]}"]')
    expect(row).not_to_have_attribute("unread", "")
    desk.becomes(lambda: desk.fake.number(1042)["unread_count"], 0)


def test_a_mail_that_comes_in_while_nobody_looks_stays_unread(desk: Desk) -> None:
    page = desk.open_number(1038)
    page.keyboard.press("u")
    expect(page.get_by_text("Choose a conversation")).to_be_visible()
    desk.fake.do(desk.fake.arrive, "Noch eine Frage", number=1038)
    row = page.locator(f'conversation-row[data-id="{desk.fake.number(1038)["id"]}"]')
    expect(row).to_have_attribute("unread", "")
    page.wait_for_timeout(400)
    desk.becomes(lambda: desk.fake.number(1038)["unread_count"], 1)
    row.click()
    expect(page.locator("message-card").last).to_contain_text("Noch eine Frage")
    expect(row).not_to_have_attribute("unread", "")


def test_status_owner_priority_category_and_subject_are_changed(desk: Desk) -> None:
    page = desk.open_number(1042)
    row = desk.fake.number(1042)
    page.get_by_label("Status", exact=True).select_option(label="Pending")
    page.get_by_label("Assignee").select_option(label="Jonas Weber")
    page.get_by_label("Priority").select_option(label="Urgent priority")
    page.get_by_label("Category").fill("hardware")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Change the subject").click()
    page.get_by_label("Subject", exact=True).fill("LP-200 stops")
    page.keyboard.press("Enter")
    expect(page.locator("conversation-header .subject")).to_have_text("LP-200 stops")
    expect(page.get_by_role("navigation", name="Conversations").get_by_role("link", name="Pending")).to_contain_text("2")
    wanted = ("pending", "Jonas Weber", "urgent", "hardware", "LP-200 stops")
    desk.becomes(lambda: (row["status"], row["assigned_to"]["name"], row["priority"], row["category"], row["subject"]), wanted)


def test_a_conversation_is_tagged_and_thrown_away(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.get_by_label("Add a tag").fill(" billing ,late,, billing")
    page.keyboard.press("Enter")
    expect(page.locator("conversation-row", has_text="billing").first).to_contain_text("late")
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):  # the choice shows before it is taken
        page.get_by_label("Status", exact=True).select_option(label="Trash")
    expect(page.get_by_label("Status", exact=True)).to_have_value("trash")
    row = desk.fake.number(1042)
    desk.becomes(lambda: ([tag["name"] for tag in row["tags"]], row["status"]), (["billing", "late"], "trash"))


def test_a_refused_change_is_taken_back_with_the_reason(desk: Desk) -> None:
    desk.allow("503 (Service Unavailable)")
    page = desk.open_number(1042)
    desk.fake.fail("PATCH", "/v1/conversations/[^/]+", 503, detail="PostgreSQL is away. Nothing was changed.")
    page.get_by_label("Status", exact=True).select_option(label="Closed")
    expect(page.locator("toast-stack")).to_contain_text("Not changed: PostgreSQL is away.")
    expect(page.get_by_label("Status", exact=True)).to_have_value("open")


def test_another_persons_change_shows_live(desk: Desk) -> None:
    page = desk.open_number(1042)
    row = desk.fake.number(1042)
    row["priority"] = "low"
    desk.fake.do(desk.fake.emit, "conversation.updated", row)
    expect(page.get_by_label("Priority")).to_have_value("low")


def test_what_happens_while_a_conversation_is_being_read_is_not_missed(desk: Desk) -> None:
    """The answer is on its way already and knows nothing of it; the event comes before the answer."""
    page = desk.sign_in()
    held: list[Route] = []
    page.route(re.compile("/v1/conversations/[^/]+/messages"), lambda route: held.append(route) if not held else route.continue_())
    page.locator("conversation-row", has_text="Label printer").click()
    desk.becomes(lambda: len(held), 1)
    answer = held[0].fetch()
    desk.fake.do(desk.fake.arrive, "Came meanwhile", number=1042)
    page.wait_for_timeout(600)  # longer than the client gathers events; were it shorter, the test would prove less
    held[0].fulfill(response=answer)
    expect(page.locator("message-card").last).to_contain_text("Came meanwhile")


def test_an_open_menu_and_the_focus_survive_a_reading_of_all(desk: Desk) -> None:
    page = desk.open_number(1042)
    card = page.locator("message-card").last
    card.get_by_role("button", name="More about this message").click()
    item = page.get_by_role("menuitem", name="Timeline")
    item.focus()
    before = len(desk.fake.called("GET", "/v1/conversations/[^/]+/messages"))
    page.evaluate("async () => (await import('/web/js/stream.js')).stream.dispatchEvent(new CustomEvent('reload', { detail: 'reset' }))")
    desk.fake.do(desk.fake.emit, "note.updated", desk.fake.number(1042))
    desk.called("GET", "/v1/conversations/[^/]+/messages", before + 1)
    desk.calm()
    expect(item).to_be_focused()
    item.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_new_message_is_offered_without_moving_a_reader(desk: Desk) -> None:
    page = desk.open_number(1042)
    while page.locator("message-card[closed]").count():
        page.locator("message-card[closed] .row-snippet").first.click()
    page.evaluate("document.querySelector('.conversation-scroll').scrollTop = 0")
    desk.fake.do(desk.fake.arrive, "One more thing", number=1042)
    pill = page.get_by_role("button", name="1 new message below")
    expect(pill).to_be_visible()
    assert page.evaluate("document.querySelector('.conversation-scroll').scrollTop") == 0
    pill.click()
    expect(page.get_by_text("One more thing").last).to_be_in_viewport()


def test_nowhere_and_merged_addresses(desk: Desk) -> None:
    desk.allow("404 (Not Found)")
    page = desk.sign_in("/c/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", name="No such conversation")).to_be_visible()
    dead, alive = desk.fake.number(1037), desk.fake.number(1038)
    dead["merged_into"] = alive["id"]
    page.goto(f"{desk.fake.origin}/c/{dead['id']}")
    expect(page.locator("conversation-header .number")).to_have_text("#1038")
    assert page.url.endswith(alive["id"])
    page.goto(f"{desk.fake.origin}/no/such/room")
    expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()


def test_a_duplicate_and_a_quarantined_mail_are_marked(desk: Desk) -> None:
    page = desk.open_number(1036)
    expect(page.locator("message-card .marks")).to_contain_text("Same Message-ID as another mail, other content")
    message = desk.fake.thread(desk.fake.number(1036)["id"])[0]
    message["quarantine"] = {"id": "q", "reason": "too_complex"}
    message["defects"] = ["bad_charset", "missing_date"]
    desk.fake.do(desk.fake.emit, "message.updated", desk.fake.number(1036), message)
    expect(page.locator("message-card")).to_contain_text("This mail could not be read safely: Too complex.")
    expect(page.locator("message-card .marks")).to_contain_text("2 defects")
