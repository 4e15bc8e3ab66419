"""axe-core on every page of the client, light and dark, wide and narrow: nothing serious. Order of focus, names and motion beside it."""

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web import fake_data
from tests.web.desk import Desk

pytestmark = pytest.mark.chromium
PAGES = Path(__file__).parents[2] / "web" / "js" / "pages.js"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 760}
# Mails are strangers' documents in frames of their own; what is asked of the client ends at their border.
OPTIONS = {"resultTypes": ["violations"], "iframes": False}
LIGHTS: list[tuple[Any, Any]] = [("light", WIDE), ("dark", NARROW)]


def addresses() -> list[str]:
    """Every page of the list that needs no id, and one of those that do."""
    paths = re.findall(r'path: "([^"]+)"', PAGES.read_text())
    assert len(paths) > 10
    return ["/", *(path for path in paths if ":" not in path), f"/inboxes/{fake_data.INBOX_SUPPORT}", f"/inboxes/{fake_data.INBOX_SUPPORT}/edit"]


def findings(page: Page) -> list[str]:
    """What axe finds serious or critical, with the element that it names."""
    response: dict[str, Any] = Axe().run(page, options=OPTIONS).response
    bad = [one for one in response["violations"] if one["impact"] in {"serious", "critical"}]
    return [f"{one['id']}: {node['target']} {node['html'][:140]} {node['failureSummary'][:200]}" for one in bad for node in one["nodes"][:3]]


def in_every_light(page: Page) -> list[str]:
    """In the light on a wide and in the dark on a narrow screen: colours hang on the one, what is shown on the other."""
    found = []
    for scheme, size in LIGHTS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        found += [f"{scheme} {size['width']}: {one}" for one in findings(page)]
    page.set_viewport_size(WIDE)
    return found


def go(page: Page, path: str) -> None:
    page.evaluate("async (path) => (await import('/web/js/router.js')).router.go(path)", path)
    page.wait_for_function("""() => {
        const shown = [...document.querySelectorAll("main:not([hidden])")].find((one) => one.checkVisibility());
        return shown && shown.childElementCount > 0 && ![...shown.querySelectorAll('load-state[data-state="loading"]')].some((one) => one.checkVisibility());
    }""")


@pytest.mark.parametrize("half", [0, 1])
def test_axe_finds_nothing_serious_on_any_page(desk: Desk, half: int) -> None:
    desk.allow("Failed to load resource")  # a page whose part of the API is not imitated shows its failed state, which is looked at too
    page = desk.sign_in()
    page.locator("conversation-row[data-id]").first.wait_for()
    found = {}
    for path in addresses()[half::2]:
        go(page, path)
        found[path] = in_every_light(page)
    assert not any(found.values()), "\n".join(f"{path} {one}" for path, list_ in found.items() for one in list_)


def test_axe_finds_nothing_serious_at_the_desk(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator("message-card").first.wait_for()
    found = in_every_light(page)
    page.keyboard.press("r")
    page.locator(".editor-area").wait_for()
    found += in_every_light(page)
    page.keyboard.press("Control+Alt+k")
    page.locator("dialog.palette").get_by_role("option").first.wait_for()
    found += in_every_light(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    found += in_every_light(page)
    assert not found, "\n".join(found)


def test_axe_finds_nothing_serious_at_the_door(desk: Desk) -> None:
    desk.allow("401 (Unauthorized)")
    page = desk.open("/sign-in")
    page.get_by_label("Email").wait_for()
    assert findings(page) == []


def test_the_focus_goes_from_the_views_to_the_list_to_the_conversation(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator("message-card").first.wait_for()
    page.evaluate("document.activeElement.blur()")
    order = []
    for _ in range(160):
        page.keyboard.press("Tab")
        room = page.evaluate("document.activeElement.closest('side-nav, list-filters, virtual-rows, conversation-header, message-thread, reply-box')?.localName")
        if room and (not order or order[-1] != room):
            order.append(room)
        if room == "reply-box":
            break
    assert order == ["side-nav", "list-filters", "virtual-rows", "conversation-header", "message-thread", "reply-box"]


def test_nothing_moves_for_those_who_ask_for_calm(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator("message-card").first.wait_for()
    longest = page.evaluate("""() => Math.max(...[...document.querySelectorAll("*")].flatMap((one) => {
        const style = getComputedStyle(one);
        return [...style.animationDuration.split(","), ...style.transitionDuration.split(",")].map((text) => parseFloat(text) * (text.trim().endsWith("ms") ? 0.001 : 1));
    }))""")
    assert longest <= 0.001


def test_a_skip_link_leads_to_the_list(desk: Desk) -> None:
    page = desk.sign_in()
    page.locator("conversation-row[data-id]").first.wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("conversation-list .scroller")).to_be_focused()
