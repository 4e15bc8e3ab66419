"""The analytics page in the browser: figures of a range and an inbox, as pictures, tables and files; nothing of a name becomes markup."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.desk import Desk
from tests.web.fake_analytics import PEOPLE

pytestmark = pytest.mark.chromium


def panel(desk: Desk, title: str):
    return desk.page.get_by_role("region", name=title)


def test_every_figure_has_a_picture_or_a_table(desk: Desk) -> None:
    page = desk.sign_in("/analytics")
    expect(page.get_by_role("heading", name="Analytics", level=1)).to_be_visible()
    expect(panel(desk, "Mail").get_by_role("img", name="Mail by day")).to_be_visible()
    expect(panel(desk, "When customers write").get_by_role("img")).to_be_visible()
    expect(panel(desk, "Promises kept").get_by_role("row", name="first response")).to_contain_text("97.0 %")
    expect(panel(desk, "Who has how much").get_by_role("row", name="Jonas Weber")).to_contain_text("18 of 20")
    asked = [query for name, query in desk.fake.analytics if name == "backlog"]
    assert len(asked) == 1
    assert asked[0]["zone"] == "Europe/Berlin"


def test_a_picture_is_a_table_too(desk: Desk) -> None:
    desk.sign_in("/analytics")
    first = panel(desk, "First response")
    first.get_by_text("As a table").click()
    expect(first.get_by_role("row")).to_have_count(31)
    expect(first.get_by_role("row").nth(1)).to_contain_text("30 min")


def test_figures_are_grouped_and_narrowed(desk: Desk) -> None:
    page = desk.sign_in("/analytics")
    panel(desk, "Mail").get_by_label("grouped").select_option(label="by person")
    expect(panel(desk, "Mail").get_by_role("row", name=PEOPLE[2])).to_be_visible()
    panel(desk, "First response").get_by_label("which time").select_option(label="business hours")
    page.locator("analytics-page").get_by_label("Inbox").select_option(index=1)
    expect(panel(desk, "Mail").get_by_role("row", name=PEOPLE[0])).to_be_visible()

    def last(name: str, measure: str, field: str) -> str:
        return [query for one, query in desk.fake.analytics if one == name and query.get("measure", "") == measure and query.get("by") != "weekday_hour"][-1][field]

    desk.becomes(lambda: last("volume", "", "by"), "agent")
    desk.becomes(lambda: last("durations", "first_response", "clock"), "business")
    desk.becomes(lambda: bool(last("backlog", "", "inbox")), True)
    href = panel(desk, "Mail").get_by_role("link", name="as a file").get_attribute("href")
    assert "format=csv" in href
    assert "by=agent" in href


def test_days_can_be_chosen(desk: Desk) -> None:
    page = desk.sign_in("/analytics")
    page.get_by_label("Range").select_option(label="From … to …")
    page.get_by_label("First day").fill("2026-01-05")
    page.get_by_label("First day").press("Tab")
    with page.expect_request(lambda r: "/v1/analytics/load" in r.url and "until=2026-01-31" in r.url):
        page.get_by_label("Last day").fill("2026-01-31")
        page.get_by_label("Last day").press("Tab")


def test_without_figures_it_says_when_they_begin(desk: Desk) -> None:
    desk.fake.no_figures = True
    desk.sign_in("/analytics")
    expect(panel(desk, "Mail").get_by_text("Nothing to count yet")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_it_fits_every_screen(desk: Desk, scheme: str, width: int) -> None:
    desk.page.set_viewport_size({"width": width, "height": 900})
    desk.page.emulate_media(color_scheme=scheme)
    page = desk.sign_in("/analytics")
    expect(panel(desk, "What lay there each evening").get_by_role("img")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"analytics-{scheme}-{width}.png", full_page=True)
        page.locator(".page, page-room").first.evaluate("e => e.scrollTop = 1e6")
        page.screenshot(path=Path(folder) / f"analytics-{scheme}-{width}-end.png")
