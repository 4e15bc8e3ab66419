"""Mailboxes at Google and Microsoft: connecting, what went wrong in words, the permission with its ends, the checklist of the setup."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web import fake_data
from tests.web.desk import Desk
from tests.web.fake_access import access

pytestmark = pytest.mark.chromium
SUPPORT = fake_data.INBOX_SUPPORT


def at_gmail(desk: Desk, **changes: Any) -> Page:
    desk.fake.inboxes[SUPPORT] |= {"provider": "gmail", "settings": {}, **changes.pop("inbox", {})}
    desk.fake.access[SUPPORT] = access(**changes)
    page = desk.sign_in(f"/inboxes/{SUPPORT}")
    expect(page.get_by_role("heading", name="Permission")).to_be_visible()
    return page


def test_a_mailbox_is_connected_by_a_sign_in(desk: Desk) -> None:
    desk.fake.choices |= {"providers": ["gmail", "graph"]}
    page = desk.sign_in("/inboxes/new")
    page.get_by_role("button", name="Connect Google").click()
    expect(page.locator("oauth-connect [role=alert]")).to_have_text("The address of the mailbox is needed.")
    page.locator("[name=oauth_address]").fill("support@desk.example.com")
    page.get_by_label("Another account opens this mailbox").check()
    expect(page.get_by_role("button", name="Connect Microsoft without a person")).to_have_count(0)
    page.get_by_role("button", name="Connect Microsoft").click()
    expect(page).to_have_url(f"{desk.fake.origin}/inboxes/{SUPPORT}")
    expected = {"provider": "graph", "email_address": "support@desk.example.com", "shared": True}
    desk.becomes(lambda: desk.fake.called("POST", "/v1/inboxes/oauth/start"), [expected])


def test_without_an_application_nothing_is_offered(desk: Desk) -> None:
    page = desk.sign_in("/inboxes/new")
    expect(page.get_by_label("Host").first).to_be_visible()
    expect(page.get_by_text("Sign in at the provider")).to_have_count(0)


def test_what_went_wrong_is_said_in_words_with_the_remedy_once(desk: Desk) -> None:
    page = desk.sign_in(f"/inboxes?oauth_error=other_account&inbox={SUPPORT}")
    notice = page.locator("inbox-list > .notice")
    expect(notice).to_contain_text("Another account signed in than the mailbox's own. Choose the account")
    expect(notice.get_by_role("link")).to_have_attribute("href", f"/inboxes/{SUPPORT}")
    expect(page).to_have_url(f"{desk.fake.origin}/inboxes")
    page.reload()
    expect(page.locator(".inbox-row").first).to_be_visible()
    expect(notice).to_be_hidden()


def test_the_permission_is_shown_with_what_ends_soon(desk: Desk) -> None:
    page = at_gmail(desk)
    panel = page.locator("inbox-access")
    expect(panel).to_contain_text("support@desk.example.com")
    expect(panel.locator("code").first).to_have_text("gmail.modify")
    expect(panel.locator(".notice.warn")).to_contain_text("Permission ends")
    expect(panel.locator(".notice.warn")).to_have_count(1)


def test_an_inbox_that_lost_its_grant_is_connected_again(desk: Desk) -> None:
    lost = {"health": "auth_failed", "connected_at": None, "last_error": "The sign-in was withdrawn or has expired. Connect the mailbox again."}
    page = at_gmail(desk, ended_reason="grant_revoked", inbox=lost)
    expect(page.locator("inbox-access .notice.bad")).to_contain_text("The permission was withdrawn or has expired.")
    expect(page.locator("status-banner")).to_contain_text("The sign-in of “Support” is refused")
    expect(page.locator(".summary .lead")).to_contain_text("Reconnect it")
    desk.fake.oauth_error = "scopes_missing"
    page.locator("inbox-access").get_by_role("button", name="Reconnect").click()
    expect(page.locator("inbox-list > .notice")).to_contain_text("tick every box")
    desk.becomes(lambda: desk.fake.called("POST", "/v1/inboxes/oauth/start"), [{"provider": "gmail", "inbox_id": SUPPORT}])


def test_agents_are_not_asked_to_mend_a_refused_sign_in(desk: Desk) -> None:
    desk.fake.inboxes[SUPPORT] |= {"provider": "gmail", "settings": {}, "health": "auth_failed"}
    page = desk.sign_in(f"/inboxes/{SUPPORT}", email="jonas@desk.example.com")
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    expect(page.locator("inbox-access")).to_have_count(0)
    expect(page.locator("status-banner")).to_be_hidden()


def test_a_mailbox_of_the_application_is_connected_again_without_a_page(desk: Desk) -> None:
    page = at_gmail(desk, provider="graph", permission="application", shared=True, inbox={"provider": "graph", "health": "auth_failed"})
    expect(page.locator("inbox-access")).to_contain_text("nobody signed in")
    page.locator("inbox-access").get_by_role("button", name="Reconnect").click()
    expect(page.locator(".page-head .badge")).to_have_text("Healthy")


def test_the_setup_is_a_checklist_with_fields_and_remedies(desk: Desk) -> None:
    page = at_gmail(desk)
    page.get_by_role("button", name="Verify setup").click()
    items = page.locator("inbox-access .checks li")
    expect(items).to_have_count(4)
    expect(page.locator("inbox-access .verdict")).to_contain_text("Something is wrong")
    wrong = items.filter(has_text="Announcements")
    expect(wrong).to_contain_text("Set in: MAILROOM_GOOGLE_PUBSUB_TOPIC")
    expect(wrong.locator(".remedy")).to_contain_text("Pub/Sub Publisher")
    expect(items.first).not_to_contain_text("Set in")
