"""Saved views in the side bar and their page, the help of the search, and marks on what was found."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium
CLOSED = {"all": [{"field": "status", "op": "in", "value": ["closed"]}]}


def views(page: Page):
    return page.get_by_role("navigation", name="Saved views")


def saved(desk: Desk, name: str, conditions, **more) -> str:
    def make() -> str:
        view = {"id": f"0193b5a0-0000-7000-8000-{len(desk.fake.views):012d}", "name": name, "icon": "star", "color": "#2f8457", "shared": False, "sort": "newest",
                "conditions": conditions, "mine": True, "may_change": True, "position": 0, "personal": False, "filling": None, **more}  # fmt: skip
        desk.fake.views.append(view)
        desk.fake.emit("view.changed", None, payload={"view_id": view["id"]})
        return view["id"]

    return desk.fake.do(make)


def test_a_view_is_made_with_a_live_preview_and_stands_in_the_side_bar(desk: Desk) -> None:
    page = desk.sign_in()
    views(page).get_by_role("link", name="New view").click()
    page.get_by_label("Name").fill("Waiting or done")
    group = page.locator("view-page > form view-group").first
    group.get_by_role("checkbox", name="Open").uncheck()
    group.get_by_role("checkbox", name="Closed").check()
    expect(page.locator(".view-found")).to_have_text("1 conversation now")
    group.get_by_role("button", name="Condition", exact=True).click()
    second = group.locator("view-leaf").nth(1)
    second.get_by_role("checkbox", name="Open").uncheck()
    second.get_by_role("checkbox", name="Pending").check()
    group.get_by_label("How the conditions count").first.select_option("any")
    expect(page.locator(".view-found")).to_have_text("2 conversations now")
    page.get_by_text("Everybody of the team sees it").click()
    page.get_by_role("button", name="Save").click()
    link = views(page).get_by_role("link", name="Waiting or done", exact=False).first
    expect(link).to_have_attribute("aria-current", "page")
    expect(link.locator(".amount")).to_have_text("2")
    expect(page.get_by_role("heading", name="Waiting or done")).to_be_visible()
    expect(page.locator("conversation-row")).to_have_count(2)
    (made,) = desk.fake.views
    assert made["conditions"] == {"any": [{"field": "status", "op": "in", "value": ["closed"]}, {"field": "status", "op": "in", "value": ["pending"]}]}
    assert made["shared"]


def test_every_kind_of_condition_is_read_and_written_as_it_was(desk: Desk) -> None:
    conditions = {
        "all": [
            {"field": "subject", "op": "not_contains", "value": "Newsletter"},
            {"field": "last_message_at", "op": "older_than", "value": "3w"},
            {"field": "created_at", "op": "before", "value": "2025-01-31"},
            {"field": "unread", "op": "is", "value": False},
            {"field": "message_count", "op": "at_least", "value": 4},
            {"field": "category", "op": "in", "value": ["sales", "help"]},
            {"field": "contact", "op": "in", "value": ["0193b5a0-0000-7000-8000-000000000001"]},
            {"any": [{"field": "waiting_since", "op": "is_set", "value": True}, {"all": [{"field": "assignee", "op": "not_in", "value": ["me", "none"]}]}]},
        ]
    }
    view = saved(desk, "Everything at once", conditions)
    page = desk.sign_in(f"/views/{view}")
    page.get_by_label("Name").fill("Renamed")
    page.get_by_role("button", name="Save").click()
    expect(views(page).get_by_role("link", name="Renamed").first).to_be_visible()
    desk.becomes(lambda: desk.fake.views[0]["conditions"], conditions)


def test_views_are_put_in_order_by_buttons_and_keys_and_the_focus_stays(desk: Desk) -> None:
    for place, name in ((3, "First"), (3, "Second"), (8, "Third")):
        last = saved(desk, name, CLOSED, position=place)
    page = desk.sign_in(f"/views/{last}")
    names = page.locator("saved-views li a:first-child > span:nth-child(2)")
    expect(names).to_have_text(["First", "Second", "Third"])
    up = page.get_by_role("button", name="Move Third up")
    up.click()
    expect(names).to_have_text(["First", "Third", "Second"])
    expect(up).to_be_focused()
    up.press("Alt+ArrowUp")
    expect(names).to_have_text(["Third", "First", "Second"])
    down = page.get_by_role("button", name="Move Third down")
    expect(down).to_be_focused()
    expect(up).to_be_disabled()
    desk.becomes(lambda: [one["position"] for one in desk.fake.views], [4, 8, 3])
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / "view-order.png", full_page=True)


def test_the_order_of_the_teams_views_is_for_those_who_may_change_all(desk: Desk) -> None:
    saved(desk, "Of a colleague", CLOSED, shared=True, may_change=False, position=1)
    mine = saved(desk, "Mine for all", CLOSED, shared=True, position=2)
    page = desk.sign_in(f"/views/{mine}")
    expect(page.get_by_label("Name")).to_have_value("Mine for all")
    expect(page.locator("view-order")).to_be_hidden()


def test_a_view_without_a_name_is_refused_beside_the_form_and_one_is_deleted(desk: Desk) -> None:
    desk.allow("422")
    view = saved(desk, "Done", CLOSED)
    page = desk.sign_in("/views/new")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("view-page").get_by_role("alert")).to_contain_text("name may not be empty")
    page.goto(desk.fake.origin + f"/views/{view}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(views(page).get_by_role("link", name="Done")).to_have_count(0)
    desk.becomes(lambda: desk.fake.views, [])


def test_views_of_others_come_in_live_and_show_how_far_they_are(desk: Desk) -> None:
    page = desk.sign_in()
    saved(desk, "Being filled", CLOSED, filling={"done": 40, "total": 100}, shared=True, may_change=False)
    row = views(page).get_by_role("link", name="Being filled")
    expect(row.locator(".amount")).to_have_text("40 %")
    desk.fake.do(lambda: desk.fake.views[0].update(filling=None) or desk.fake.emit("view.filling", None))
    expect(row.locator(".amount")).to_have_text("1")
    row.click()
    expect(page.locator("conversation-row")).to_have_count(1)
    expect(views(page).get_by_role("link", name="Change Being filled")).to_have_count(0)


def test_what_was_searched_for_is_marked(desk: Desk) -> None:
    page = desk.sign_in("/?search=pallet&view=pending")
    expect(page.locator("conversation-row .row-subject mark")).to_have_text("pallet")
    page.goto(desk.fake.origin + "/?view=pending")
    expect(page.locator("conversation-row")).to_have_count(1)
    expect(page.locator("conversation-row mark")).to_have_count(0)


def test_the_help_of_the_search_fills_in_an_example_and_a_bad_one_is_explained(desk: Desk) -> None:
    desk.allow("422")
    page = desk.sign_in()
    page.get_by_role("button", name="What can be searched").click()
    page.get_by_role("dialog", name="What can be searched").get_by_role("button", name="has:attachment").click()
    expect(page.get_by_role("searchbox")).to_have_value("has:attachment")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page).to_have_url(f"{desk.fake.origin}/?search=has%3Aattachment")
    page.get_by_role("searchbox").fill("before:soon")
    expect(page.locator("conversation-list load-state")).to_contain_text("2025-01-31")
