"""While a part is away the web client names it, says that nothing is lost, and stops saying so by itself."""

import pytest
from playwright.sync_api import expect

from tests.web import fake_data
from tests.web.desk import Desk

pytestmark = pytest.mark.chromium


@pytest.mark.parametrize(("parts", "text"), [
    (("postgresql",), "The database does not answer. Nothing is lost"),
    (("temporal",), "Temporal does not answer. You can read and answer; answers wait and leave when it is back. Nothing is lost."),
    (("s3",), "The file store does not answer. You can read and answer; files, sending and new mail wait"),
    (("postgresql", "s3"), "The database and the file store do not answer. Nothing is lost; everything goes on by itself"),
])
def test_the_stream_tells_what_is_away_and_that_it_is_back(desk: Desk, parts: tuple[str, ...], text: str) -> None:
    desk.allow("503 (Service Unavailable)")
    page = desk.sign_in()
    banner = page.locator("status-banner")
    expect(banner).to_be_hidden()
    desk.fake.do(desk.fake.set_away, *parts)
    expect(banner).to_contain_text(text)
    expect(banner).to_have_attribute("role", "status")
    desk.fake.do(desk.fake.set_away)
    expect(banner).to_be_hidden()


def test_without_a_word_of_the_stream_it_looks_by_itself(desk: Desk) -> None:
    desk.allow("503 (Service Unavailable)")
    page = desk.sign_in()
    expect(page.locator("conversation-row")).to_have_count(6)
    desk.fake.away = ["postgresql"]
    desk.fake.fail("GET", "/v1/conversations/.*", 503, detail="PostgreSQL does not answer. Nothing is lost.", part="PostgreSQL")
    page.locator("conversation-row").first.click()
    expect(page.locator("status-banner")).to_contain_text("The database does not answer.")
    desk.fake.away = []
    expect(page.locator("status-banner")).to_be_hidden()


def test_a_page_that_is_opened_during_an_outage_hears_of_it(desk: Desk) -> None:
    desk.allow("503 (Service Unavailable)")
    desk.fake.away = ["temporal"]
    page = desk.sign_in()
    expect(page.locator("status-banner")).to_contain_text("Temporal does not answer.")
    desk.fake.away = []
    expect(page.locator("status-banner")).to_be_hidden()


def test_an_inbox_whose_server_is_silent_is_named(desk: Desk) -> None:
    page = desk.sign_in()
    banner = page.locator("status-banner")
    desk.fake.inboxes[fake_data.INBOX_BILLING] |= fake_data.trouble()
    desk.fake.do(desk.fake.emit, "inbox.health", None, None, fake_data.INBOX_BILLING)
    expect(banner).to_contain_text("The mail server of “Billing” cannot be reached. Mail waits there")
    banner.get_by_role("link", name="See why").click()
    expect(page.get_by_role("heading", name="Billing")).to_be_visible()
    desk.fake.inboxes[fake_data.INBOX_BILLING]["health"] = "ok"
    desk.fake.do(desk.fake.emit, "inbox.health", None, None, fake_data.INBOX_BILLING)
    expect(banner).to_be_hidden()
