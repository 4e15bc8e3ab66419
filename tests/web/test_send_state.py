"""What became of a send: honest words, undo before it leaves, retry of a failed one, the agent's word on an unknown one."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium


def state_of(page: Page) -> Locator:
    return page.locator("message-card[data-direction=outbound]").last.locator("send-state")


def test_undo_takes_it_back_before_it_leaves(desk: Desk) -> None:
    desk.fake.undo_seconds = 600
    page = desk.open_number(1042)
    page.keyboard.press("r")
    page.keyboard.type("Too early")
    page.keyboard.press("Control+Enter")
    expect(state_of(page)).to_contain_text("Queued")
    expect(state_of(page)).to_contain_text("leaves in")
    state_of(page).get_by_role("button", name="Undo").click()
    expect(state_of(page)).to_contain_text("Cancelled")
    expect(page.locator(".editor-area")).to_have_text("Too early")
    expect(page.locator("toast-stack")).to_contain_text("Undone.")


def test_the_states_follow_live_and_what_has_left_is_not_undone(desk: Desk) -> None:
    desk.fake.undo_seconds = 600
    page = desk.open_number(1042)
    page.keyboard.press("r")
    page.keyboard.type("On its way")
    page.keyboard.press("Control+Enter")
    expect(state_of(page).get_by_role("button", name="Undo")).to_be_visible()
    desk.fake.do(desk.fake.leave, desk.fake.thread(desk.fake.number(1042)["id"])[-1], 0)
    expect(state_of(page)).to_contain_text("Handed to the server")
    expect(state_of(page).get_by_role("button", name="Undo")).to_have_count(0)


def test_a_late_undo_is_told(desk: Desk) -> None:
    desk.allow("409 (Conflict)")
    desk.fake.undo_seconds = 600
    page = desk.open_number(1042)
    page.keyboard.press("r")
    page.keyboard.type("Gone")
    page.keyboard.press("Control+Enter")
    expect(state_of(page)).to_contain_text("Queued")
    desk.fake.fail("POST", "/v1/messages/[^/]+/cancel", 409, type="/problems/too-late", detail="It has already left.")
    state_of(page).get_by_role("button", name="Undo").click()
    expect(page.locator("toast-stack")).to_contain_text("Undo: It has already left.")


def test_a_failed_send_says_why_and_is_retried(desk: Desk) -> None:
    page = desk.open_number(1040)
    expect(state_of(page)).to_contain_text("Failed")
    expect(state_of(page)).to_contain_text("550 5.7.1")
    state_of(page).get_by_role("button", name="Retry").click()
    expect(state_of(page)).to_contain_text("Handed to the server")
    row = page.locator(f'conversation-row[data-id="{desk.fake.number(1040)["id"]}"]')
    expect(row).not_to_contain_text("Not sent")


def test_an_unknown_send_is_settled_by_the_agents_word(desk: Desk) -> None:
    page = desk.open_number(1039)
    expect(state_of(page)).to_contain_text("Unknown")
    expect(state_of(page)).to_contain_text("Mailroom will not send it again by itself.")
    state_of(page).get_by_role("button", name="It was sent").click()
    expect(state_of(page)).to_contain_text("Handed to the server")
    desk.becomes(lambda: desk.fake.called("POST", "/v1/messages/[^/]+/resolve"), [{"outcome": "sent"}])


def test_sending_again_asks_first_and_explains_the_risk(desk: Desk) -> None:
    page = desk.open_number(1039)
    state_of(page).get_by_role("button", name="Send again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("the customer gets the message twice")
    dialog.get_by_role("button", name="Cancel").click()
    assert desk.fake.called("POST", "/v1/messages/[^/]+/resolve") == []
    state_of(page).get_by_role("button", name="Send again").click()
    dialog.get_by_role("button", name="Send again").click()
    expect(state_of(page)).to_contain_text("Handed to the server")
    desk.becomes(lambda: desk.fake.called("POST", "/v1/messages/[^/]+/resolve"), [{"outcome": "send_again"}])


def test_delivered_only_with_reports_and_bounced_wins(desk: Desk) -> None:
    page = desk.open_number(1042)
    state = page.locator("message-card[data-direction=outbound]").first.locator("send-state")
    expect(state).to_contain_text("Delivered")
    message = next(one for one in desk.fake.thread(desk.fake.number(1042)["id"]) if one["send"])
    message["send"]["recipients"][0] |= {"status": "bounced", "detail": "5.1.1 mailbox unknown"}
    desk.fake.do(desk.fake.emit, "message.bounced", desk.fake.number(1042), message)
    expect(state).to_contain_text("Bounced")
    expect(state).to_contain_text("5.1.1 mailbox unknown")
