"""The panes of the desk are as wide as this person wants them: by pointer and by keyboard, kept in this browser, within bounds."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium


def divider(page: Page, pane: str) -> Locator:
    return page.locator(f"pane-divider[pane={pane}]")


def width(page: Page, element: str) -> int:
    return round(Desk.box(page.locator(element))["width"])


def drag(page: Page, handle: Locator, by: int) -> None:
    box = Desk.box(handle)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by / 2, y)
    page.mouse.move(x + by, y)
    page.mouse.up()


def test_a_divider_is_dragged_and_its_place_kept_until_a_double_click(desk: Desk) -> None:
    page = desk.sign_in()
    usual = width(page, "conversation-list")
    handle = divider(page, "list")
    drag(page, handle, 60)
    expect(handle).to_have_attribute("aria-valuenow", str(usual + 60))
    assert width(page, "conversation-list") == usual + 60
    drag(page, handle, -900)
    expect(handle).to_have_attribute("aria-valuenow", "260")
    drag(page, handle, 40)
    page.reload()
    expect(handle).to_have_attribute("aria-valuenow", "300")
    assert width(page, "conversation-list") == 300, "kept in this browser"
    handle.dblclick()
    expect(handle).to_have_attribute("aria-valuenow", str(usual))
    page.reload()
    expect(handle).to_have_attribute("aria-valuenow", str(usual))


@pytest.mark.parametrize(("pane", "element", "wider"), [("nav", "side-nav", "ArrowRight"), ("list", "conversation-list", "ArrowRight"), ("details", "details-panel", "ArrowLeft")])
def test_a_divider_is_moved_by_keys(desk: Desk, pane: str, element: str, wider: str) -> None:
    desk.page.set_viewport_size({"width": 1500, "height": 800})
    page = desk.open_number(1042)
    page.locator("details-panel").wait_for()
    handle = divider(page, pane)
    expect(page.get_by_role("separator", name="Width of the")).to_have_count(3)
    usual = width(page, element)
    handle.focus()
    page.keyboard.press(wider)
    page.keyboard.press(wider)
    expect(handle).to_have_attribute("aria-valuenow", str(usual + 32))
    assert width(page, element) == usual + 32
    page.keyboard.press("Home")
    least = handle.get_attribute("aria-valuemin") or ""
    expect(handle).to_have_attribute("aria-valuenow", least)
    page.keyboard.press("Enter")
    expect(handle).to_have_attribute("aria-valuenow", str(usual))
    expect(page.locator("conversation-header .number", has_text="#1042")).to_be_visible()


def test_what_was_kept_is_held_within_bounds_and_narrow_screens_have_their_own_widths(desk: Desk) -> None:
    desk.page.add_init_script("""localStorage.setItem("mailroom.panes", '{"nav": 9000, "list": 100000, "details": "wide", "other": 5}')""")
    page = desk.sign_in()
    expect(divider(page, "nav")).to_have_attribute("aria-valuenow", "320")
    expect(divider(page, "list")).to_have_attribute("aria-valuenow", str((1280 - 320) // 2))
    page.set_viewport_size({"width": 1000, "height": 700})
    expect(divider(page, "nav")).to_be_hidden()
    assert width(page, "side-nav") == 56
    page.set_viewport_size({"width": 390, "height": 700})
    expect(divider(page, "list")).to_be_hidden()
    assert width(page, "conversation-list") == 390
