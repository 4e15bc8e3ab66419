"""From the address to the first conversation: the frame is there before any module, the rest comes behind the list, and who has no session sees the door."""

import pytest
from playwright.sync_api import Route, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium
PLACES = """(names) => names.map((name) => {
    const { left, right, top } = document.querySelector(name).getBoundingClientRect();
    return [left, right, top].map(Math.round);
})"""


def test_the_frame_is_painted_without_any_module_and_stands_where_the_panes_will(desk: Desk) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    desk.page.route("**/js/main.js", hold)
    desk.page.add_init_script("""localStorage.setItem("mailroom.panes", '{"list": 300, "nav": 190}')""")
    token = desk.fake.do(desk.fake.open_session, "maya@desk.example.com")
    desk.page.context.add_cookies([{"name": "mr_session", "value": token, "url": desk.fake.origin}])
    page = desk.page
    page.goto(desk.fake.origin, wait_until="commit")
    expect(page.locator(".frame .brand")).to_be_visible()
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length === 1")
    frame = page.evaluate(PLACES, [".frame-nav", ".frame-list", ".frame-list .skeleton"])
    assert page.evaluate("customElements.get('mail-app')") is None
    desk.becomes(lambda: len(held) > 0, True)
    page.route("**/js/main.js", lambda route: route.continue_())
    for route in held:
        route.continue_()
    page.locator("conversation-row[data-id]").first.wait_for()
    assert page.locator(".frame").count() == 0
    assert page.evaluate(PLACES, ["side-nav", "conversation-list", "conversation-row"]) == frame


def test_the_conversation_and_the_dialogs_are_loaded_behind_the_list_and_a_failure_is_said(desk: Desk) -> None:
    desk.allow("Failed to load resource", "net::ERR_FAILED", "Failed to fetch dynamically imported module")
    page = desk.sign_in()
    first = page.evaluate("""() => {
        const loads = performance.getEntriesByType("resource");
        const at = (part) => loads.find((one) => one.name.includes(part));
        return { list: at("/v1/conversations?").responseEnd, behind: at("js/behind-the-list.js").startTime, reply: at("elements/reply-form.js").startTime };
    }""")
    assert first["list"] < first["behind"] < first["reply"]
    page.route("**/elements/reply-form.js", lambda route: route.abort())
    page.goto("about:blank")
    page.goto(desk.fake.origin)
    row = page.locator("conversation-row[data-id]").first
    expect(page.locator("toast-stack")).to_contain_text("A part of the client could not be loaded.")
    row.click()
    alert = page.locator("desk-room .detail").get_by_role("alert")
    expect(alert).to_contain_text("A part of the client could not be loaded.")
    page.unroute("**/elements/reply-form.js")
    alert.get_by_role("button", name="Try again").click()
    page.locator("message-card").first.wait_for()


def test_without_a_session_the_door_comes_without_a_frame(desk: Desk) -> None:
    desk.allow("401 (Unauthorized)")
    page = desk.open("/inboxes")
    expect(page.get_by_label("Password")).to_be_visible()
    assert page.locator(".frame").count() == 0
