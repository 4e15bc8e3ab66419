"""Suppressed addresses in the browser: why, until when, lifted after a question; agents do not see the page."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.desk import Desk
from tests.web.fake_balance import later
from tests.web.fake_suppressions import suppressed

pytestmark = pytest.mark.chromium
ANN, BOB, EVE = "ann@customers.example.com", "bob@customers.example.com", "eve@customers.example.com"


def fill(desk: Desk) -> None:
    desk.fake.suppressions = [
        suppressed(ANN, "bounce", created_at=later(-3600), expires_at=later(59 * 86_400)),
        suppressed(BOB, "complaint", created_at=later(-86_400)),
        suppressed(EVE, "bounce", created_at=later(-40 * 86_400), expires_at=later(20 * 86_400)),
    ]


def test_an_address_tells_why_and_is_lifted_after_a_question(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/suppressed")
    rows = page.locator("suppressed-page li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(ANN)
    expect(rows.first).to_contain_text("Mail to it came back for good")
    expect(rows.nth(1)).to_contain_text("reported our mail as spam")
    expect(rows.nth(1)).to_contain_text("without end")
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(3)
    page.get_by_role("button", name=f"Lift {ANN}").click()
    expect(page.get_by_role("dialog")).to_contain_text("it comes back to this list")
    page.get_by_role("dialog").get_by_role("button", name="Lift").click()
    expect(page.get_by_text("Mail may go there again.")).to_be_visible()
    expect(rows.first).to_contain_text(BOB)
    desk.becomes(lambda: [one["address"] for one in desk.fake.suppressions], [BOB, EVE])


def test_a_complaint_is_lifted_with_a_warning_only(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/suppressed")
    page.get_by_role("button", name=f"Lift {BOB}").click()
    expect(page.get_by_role("dialog")).to_contain_text("may cost every inbox its reputation")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator("suppressed-page li")).to_have_count(2)
    desk.becomes(lambda: len(desk.fake.suppressions), 3)


def test_an_empty_list_says_what_would_come_there(desk: Desk) -> None:
    page = desk.sign_in("/suppressed")
    expect(page.get_by_text("No address is suppressed")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_it_fits_every_screen(desk: Desk, scheme: str, width: int) -> None:
    fill(desk)
    desk.page.set_viewport_size({"width": width, "height": 800})
    desk.page.emulate_media(color_scheme=scheme)
    page = desk.sign_in("/suppressed")
    expect(page.locator("suppressed-page li")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"suppressed-{scheme}-{width}.png", full_page=True)


def test_agents_have_no_way_there(desk: Desk) -> None:
    page = desk.sign_in("/settings", email="jonas@desk.example.com")
    expect(page.get_by_role("link", name="Inboxes").first).to_be_visible()
    expect(page.get_by_role("link", name="Suppressed")).to_have_count(0)
