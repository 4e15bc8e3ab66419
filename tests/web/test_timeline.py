"""The drawer that tells what happened to a message: words and not codes, attempts put together, a way to the other mail."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium


def opened(page: Page, card: Locator) -> Locator:
    card.get_by_role("button", name="More about this message").click()
    page.get_by_role("menuitem", name="Timeline").click()
    return page.get_by_role("dialog", name="What happened to this message")


def test_attempts_are_put_together_and_the_one_that_went_well_is_folded(desk: Desk) -> None:
    page = desk.open_number(1039)
    drawer = opened(page, page.locator("message-card").last)
    attempts = drawer.locator("li.attempt")
    expect(attempts).to_have_count(2)
    first, second = attempts.first, attempts.last
    expect(first).to_contain_text("Attempt 1")
    expect(drawer.locator("[data-step=queued]")).to_contain_text("Leaves at")
    expect(first.get_by_text("Tried again at")).to_be_visible()
    expect(first.locator(".inner li")).to_have_count(2)
    expect(second.locator("summary")).to_contain_text("Handed to the server")
    expect(second.locator(".inner")).to_be_hidden()
    second.locator("summary").click()
    expect(second.locator(".inner")).to_contain_text("The whole mail was sent")
    run = drawer.get_by_role("link", name="Temporal run")
    expect(run).to_have_count(1)  # all of it was one run
    expect(run).to_have_attribute("target", "_blank")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_a_bounce_leads_to_its_mail_and_back(desk: Desk) -> None:
    page = desk.open_number(1039)
    drawer = opened(page, page.locator("message-card").last)
    expect(drawer.locator("[data-step='report: bounced']")).to_contain_text("Came back")
    drawer.get_by_role("button", name="The other mail's timeline").click()
    expect(drawer.locator("[data-step=threaded]")).to_contain_text("Opened a new conversation")
    drawer.get_by_role("button", name="Back to the message before").click()
    expect(drawer.locator("li.attempt")).to_have_count(2)


def test_a_mail_that_came_is_told_in_words(desk: Desk) -> None:
    page = desk.open_number(1042)
    drawer = opened(page, page.locator("message-card").last)
    for words in ("Received by the mail server", "Judged: message", "Opened a new conversation", "Answered automatically"):
        expect(drawer).to_contain_text(words)
    expect(drawer.locator("[data-step='webhook delivered']")).to_contain_text("Another program was told")
    expect(drawer.locator("[data-step='webhook put off']")).to_contain_text("“Telephone system”: answered 503: it failed. Tried again at")
    expect(drawer.locator("[data-step='message.updated']")).to_have_count(1)
    desk.check()
