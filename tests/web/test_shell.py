"""The shell: keys, the live connection and its loss, narrow screens, themes, focus and names for assistive technology."""

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.web import fake_data
from tests.web.desk import Desk

pytestmark = pytest.mark.chromium
ROUTES = ["/", "/c/{id}", "/inboxes", f"/inboxes/{fake_data.INBOX_SUPPORT}", "/inboxes/new", "/quarantine", "/spam", "/users"]


def test_a_day_by_keyboard_alone(desk: Desk) -> None:
    page = desk.sign_in()
    expect(page.locator("conversation-row")).to_have_count(6)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("ArrowDown")
    expect(page.locator("conversation-row[current]")).to_contain_text("Delay on route 14")
    page.keyboard.press("Enter")
    expect(page.locator("conversation-header .number")).to_have_text("#1041")
    page.keyboard.press("k")
    expect(page.locator("conversation-header .number")).to_have_text("#1042")
    page.keyboard.press("r")
    page.keyboard.type("jkeu/?")
    expect(page.locator(".editor-area")).to_have_text("jkeu/?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Messages")).to_be_focused()
    page.keyboard.press("e")
    expect(page.locator("conversation-header select").first).to_have_value("closed")
    page.keyboard.press("u")
    expect(page.get_by_text("Choose a conversation")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Search conversations")).to_be_focused()
    page.keyboard.type("route")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Search conversations")).not_to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_the_stream_resumes_without_a_hole_after_a_loss(desk: Desk) -> None:
    desk.allow("503 (Service Unavailable)", "ERR_INCOMPLETE_CHUNKED_ENCODING")
    page = desk.sign_in()
    expect(page.locator("conversation-row")).to_have_count(6)
    desk.fake.stream_down = True
    desk.fake.do(desk.fake.drop_streams)
    expect(page.locator("status-banner")).to_contain_text("Live updates are interrupted.")
    desk.fake.do(desk.fake.arrive, "While you were away", subject="Missed it?")
    desk.fake.stream_down = False
    page.evaluate("document.querySelectorAll('status-banner button').forEach((one) => one.click())")  # unless it was faster by itself
    expect(page.locator("conversation-row").first).to_contain_text("Missed it?")
    expect(page.locator("status-banner")).to_be_hidden()
    expect(page.locator("side-nav .live")).to_have_text("Live")


def test_a_computer_that_slept_misses_nothing(desk: Desk) -> None:
    """The connection hangs without a word while the clock runs on; nobody closes it. After the waking all is there."""
    desk.page.clock.install()
    page = desk.open_number(1042)
    known = desk.fake.do(desk.fake.arrive, "While awake", number=1042)
    page.locator(f'message-card[data-id="{known["id"]}"]').wait_for()  # so the stream has told its cursor
    desk.fake.do(desk.fake.deafen)
    missed = [desk.fake.do(desk.fake.arrive, f"While asleep {number}", number=1042) for number in range(3)]
    desk.fake.do(desk.fake.arrive, "New while asleep", subject="Came in the night")
    page.clock.fast_forward("08:00:00")
    for message in missed:
        expect(page.locator(f'message-card[data-id="{message["id"]}"]')).to_be_attached()
    expect(page.locator("conversation-row", has_text="Came in the night")).to_be_attached()
    expect(page.locator("status-banner")).to_be_hidden()
    assert [cursor is None for cursor in desk.fake.resumed] == [True, False], "it resumed at its cursor, once"


def test_a_reset_reads_the_lists_again(desk: Desk) -> None:
    desk.allow("503 (Service Unavailable)", "ERR_INCOMPLETE_CHUNKED_ENCODING")
    page = desk.open_number(1042)
    desk.fake.stream_down = True
    desk.fake.do(desk.fake.drop_streams)
    page.wait_for_timeout(200)
    message = desk.fake.do(desk.fake.arrive, "Long ago", number=1042)
    desk.fake.oldest_cursor = len(desk.fake.events)  # The cursor of this client is now too old.
    desk.fake.do(desk.fake.emit, "inbox.updated", None, None, fake_data.INBOX_SUPPORT)
    desk.fake.oldest_cursor = len(desk.fake.events)
    desk.fake.stream_down = False
    expect(page.locator(f'message-card[data-id="{message["id"]}"]')).to_be_visible()


def test_a_part_that_is_away_is_named_until_it_is_back(desk: Desk) -> None:
    desk.allow("503 (Service Unavailable)")
    page = desk.sign_in("/inboxes")
    expect(page.locator(".inbox-row")).to_have_count(2)
    desk.calm()
    desk.fake.fail("GET", f"/v1/inboxes/{fake_data.INBOX_SUPPORT}/status", 503, detail="Temporal is away. Sends are accepted and wait.")
    page.locator(".inbox-row").first.click()
    expect(page.locator("status-banner")).to_have_text("Temporal is away. Sends are accepted and wait.")
    expect(page.get_by_role("alert")).to_contain_text("Temporal is away.")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    expect(page.locator("status-banner")).to_be_hidden()


def test_offline_is_told(desk: Desk, context: BrowserContext) -> None:
    desk.allow("ERR_INTERNET_DISCONNECTED")
    page = desk.sign_in()
    context.set_offline(True)
    expect(page.locator("status-banner")).to_contain_text("You are offline.")
    context.set_offline(False)
    expect(page.locator("status-banner")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 720, 900, 1280])
def test_no_room_scrolls_sideways(desk: Desk, width: int) -> None:
    desk.page.set_viewport_size({"width": width, "height": 760})
    page = desk.sign_in()
    for route in ROUTES:
        page.goto(desk.fake.origin + route.format(id=desk.fake.number(1042)["id"]))
        desk.loaded()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, route
        wide = page.evaluate("""(width) => [...document.querySelectorAll("main *, side-nav *")].filter((one) => {
            const box = one.getBoundingClientRect();
            let clipped = false;
            for (let up = one.parentElement; up && up.tagName !== "MAIN"; up = up.parentElement) {
                clipped ||= getComputedStyle(up).overflowX !== "visible" && up.getBoundingClientRect().right <= width + 1;
            }
            return one.checkVisibility({ visibilityProperty: true }) && box.width && box.right > width + 1 && !clipped;
        }).map((one) => one.outerHTML.slice(0, 120))""", width)
        assert wide == [], route


def test_a_phone_shows_one_thing_at_a_time(desk: Desk) -> None:
    desk.page.set_viewport_size({"width": 390, "height": 760})
    page = desk.sign_in()
    expect(page.locator("side-nav")).not_to_be_in_viewport()
    page.locator("conversation-row").first.click()
    expect(page.locator("conversation-list")).to_be_hidden()
    expect(page.locator("message-card").last).to_be_visible()
    page.get_by_role("link", name="Back to the list (u)").click()
    expect(page.locator("conversation-list")).to_be_visible()
    page.locator("conversation-list").get_by_role("button", name="Rooms").click()
    page.get_by_role("link", name="Quarantine").click()
    expect(page.get_by_role("heading", name="Quarantine")).to_be_visible()
    expect(page.locator("side-nav")).not_to_be_in_viewport()


def test_the_theme_is_chosen_and_kept(desk: Desk) -> None:
    page = desk.sign_in()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"(light) => {ground} !== light", arg=light)
    page.get_by_role("button", name="Theme: system").click()
    page.wait_for_function(f"(light) => {ground} === light", arg=light)
    page.reload()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    assert page.evaluate(ground) == light


def test_every_control_has_a_name_and_headings_start_at_one(desk: Desk) -> None:
    page = desk.sign_in()
    for route in ROUTES:
        page.goto(desk.fake.origin + route.format(id=desk.fake.number(1042)["id"]))
        desk.loaded()
        nameless = page.evaluate("""() => [...document.querySelectorAll("button, a[href], input, select, textarea, [role=textbox], iframe")].filter((one) => {
            if (!one.checkVisibility() || one.type === "file") return false;
            const label = one.labels?.[0]?.textContent || one.getAttribute("aria-label") || one.title || one.textContent;
            return !label.trim();
        }).map((one) => one.outerHTML.slice(0, 160))""")
        assert nameless == [], route
        assert page.locator("h1:visible").count() >= 1, route


def test_the_first_list_does_not_jump(desk: Desk) -> None:
    page = desk.sign_in()
    page.reload()
    page.locator("conversation-row").first.wait_for()
    page.wait_for_timeout(500)
    shift = page.evaluate("""() => new Promise((resolve) => {
        let sum = 0;
        new PerformanceObserver((list) => { for (const one of list.getEntries()) sum += one.value; }).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => resolve(sum), 300);
    })""")
    assert shift < 0.05
