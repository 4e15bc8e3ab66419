"""The door: wrong passwords, the rate limit, a lost session, and the way back to where one was."""

import pytest
from playwright.sync_api import Page, expect

from tests.web import fake_data
from tests.web.desk import Desk

pytestmark = pytest.mark.chromium


def fill_in(page: Page, password: str = fake_data.PASSWORD) -> None:
    page.get_by_label("Email").fill("maya@desk.example.com")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_sign_in_shows_the_open_conversations(desk: Desk) -> None:
    desk.allow("401 (Unauthorized)")
    page = desk.open()
    fill_in(page)
    expect(page.get_by_role("heading", name="Open")).to_be_visible()
    expect(page.locator("conversation-row")).to_have_count(6)
    expect(page).to_have_url(f"{desk.fake.origin}/")
    expect(page).to_have_title("(2) Conversations · Mailroom")


def test_missing_and_wrong_passwords_are_told_plainly(desk: Desk) -> None:
    desk.allow("401 (Unauthorized)", "429 (Too Many Requests)")
    page = desk.open()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Give both your email address and your password.")
    for _ in range(5):
        fill_in(page, "wrong")
        expect(page.get_by_role("alert")).to_contain_text("do not match")
    fill_in(page, "wrong")
    expect(page.get_by_role("alert")).to_have_text("Too many attempts to sign in. Wait 2 min, then try again.")
    desk.becomes(lambda: len(desk.fake.called("POST", "/v1/session")), 6)


def test_the_address_asked_for_is_shown_after_sign_in(desk: Desk) -> None:
    desk.allow("401 (Unauthorized)")
    page = desk.open("/quarantine?state=resolved")
    fill_in(page)
    expect(page.get_by_role("heading", name="Quarantine")).to_be_visible()
    expect(page).to_have_url(f"{desk.fake.origin}/quarantine?state=resolved")


def test_a_lost_session_leads_to_the_door_and_back_with_the_draft(desk: Desk) -> None:
    desk.allow("401 (Unauthorized)")
    page = desk.open_number(1042)
    where = page.url
    page.keyboard.press("r")
    page.keyboard.type("Half a sentence")
    desk.fake.do(desk.fake.sessions.clear)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your session ended.")).to_be_visible()
    expect(page).to_have_url(f"{desk.fake.origin}/sign-in")
    fill_in(page)
    expect(page.locator(".editor-area")).to_have_text("Half a sentence")
    expect(page).to_have_url(where)
    assert [one for one in desk.fake.thread(desk.fake.number(1042)["id"]) if "Half" in one["body_text"]] == []


def test_signing_out_removes_drafts_and_shows_the_door(desk: Desk) -> None:
    desk.allow("401 (Unauthorized)")
    page = desk.open_number(1042)
    page.keyboard.press("r")
    page.keyboard.type("Secret plans")
    expect(page.locator(".kept")).to_contain_text("Draft kept")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    desk.becomes(lambda: page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('mailroom.draft')).length"), 0)
    desk.becomes(lambda: desk.fake.sessions, {})


def test_another_person_finds_nothing_of_the_one_before(desk: Desk) -> None:
    desk.allow("401 (Unauthorized)")
    page = desk.open_number(1042)
    desk.fake.do(desk.fake.sessions.clear)
    page.keyboard.press("e")
    expect(page.get_by_text("Your session ended.")).to_be_visible()
    page.get_by_label("Email").fill("jonas@desk.example.com")
    page.get_by_label("Password").fill(fake_data.PASSWORD)
    page.evaluate("window.before = true")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("side-nav .who strong")).to_have_text("Jonas Weber")
    assert page.evaluate("window.before") is None  # A new document: nothing of the old one is left in memory.
    page.goto(desk.fake.origin + "/settings")
    expect(page.get_by_role("link", name="Inboxes").first).to_be_visible()
    expect(page.get_by_role("link", name="People")).to_have_count(0)


def test_a_server_that_does_not_answer_is_named(desk: Desk) -> None:
    desk.allow("ERR_FAILED", "Failed to load resource")
    desk.page.route("**/v1/session", lambda route: route.abort())
    page = desk.open()
    expect(page.get_by_role("heading", name="Mailroom cannot be reached")).to_be_visible()
    desk.page.unroute("**/v1/session")
    desk.allow("401 (Unauthorized)")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
