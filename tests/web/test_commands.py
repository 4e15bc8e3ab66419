"""Keys, the palette and the sheet of keys: one registry, found by a few letters, told to assistive technology."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium


def palette(page: Page, keys: str = "Control+k") -> Locator:
    page.keyboard.press(keys)
    box = page.get_by_role("combobox", name="Type a command")
    expect(box).to_be_focused()
    return box


def test_a_command_is_found_by_a_few_letters_and_run(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator("message-card").first.wait_for()
    box = palette(page)
    page.keyboard.type("gtqua")
    first = page.locator("dialog.palette").get_by_role("option").first
    expect(first).to_contain_text("Go to Quarantine")
    expect(first).to_have_attribute("aria-selected", "true")
    assert box.get_attribute("aria-activedescendant") == first.get_attribute("id")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Quarantine")).to_be_visible()


def test_a_command_with_choices_asks_in_the_same_place(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator("message-card").first.wait_for()
    palette(page)
    page.keyboard.type("set the prio")
    page.keyboard.press("Enter")
    box = page.get_by_role("combobox", name="Set the priority")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.type("low")
    page.keyboard.press("Enter")
    expect(page.locator("conversation-header").get_by_label("Priority")).to_have_value("low")
    desk.becomes(lambda: desk.fake.number(1042)["priority"], "low")


def test_a_key_asks_for_its_choices_too(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator("message-card").first.wait_for()
    page.keyboard.press("a")
    expect(page.get_by_role("combobox", name="Assign to")).to_be_focused()
    page.keyboard.type("jonas")
    page.keyboard.press("Enter")
    expect(page.locator("conversation-header").get_by_label("Assignee")).to_contain_text("Jonas")
    expect(page.locator("dialog.palette")).to_be_hidden()


def test_conversations_are_found_too(desk: Desk) -> None:
    page = desk.sign_in("/inboxes")
    palette(page)
    page.keyboard.type("zugang")
    found = page.locator("dialog.palette").get_by_role("option", name="Zugang gesperrt")
    expect(found).to_be_visible()
    found.click()
    expect(page.locator("conversation-header .subject")).to_contain_text("Zugang gesperrt")


def test_nothing_that_cannot_be_done_is_offered(desk: Desk) -> None:
    desk.fake.users[1]["role"] = "viewer"
    page = desk.sign_in(email=desk.fake.users[1]["email"])
    page.locator("conversation-row[data-id]").first.click()
    page.locator("message-card").first.wait_for()
    palette(page)
    page.locator("dialog.palette").get_by_role("option").first.wait_for()
    titles = page.locator("dialog.palette").get_by_role("option").all_inner_texts()
    assert not any(title.startswith(("Reply", "Close", "Assign")) for title in titles), titles
    page.keyboard.type("qqqq")
    expect(page.locator("dialog.palette")).to_contain_text("Nothing matches.")


def test_ctrl_k_is_a_link_while_writing_and_ctrl_alt_k_the_palette(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator("message-card").first.wait_for()
    page.keyboard.press("r")
    expect(page.locator(".editor-area")).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Add a link")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".editor-area")).to_be_focused()
    palette(page, "Control+Alt+k")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.palette")).to_be_hidden()


def test_two_keys_one_after_the_other_go_somewhere(desk: Desk) -> None:
    page = desk.sign_in()
    page.locator("conversation-row[data-id]").first.wait_for()
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="Pending")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_the_sheet_lists_what_is_bound_and_no_key_is_bound_twice(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator("message-card").first.wait_for()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    bound = page.evaluate("async () => (await import('/web/js/commands.js')).allCommands().filter((one) => one.keys.length).map(({ id, title, keys }) => ({ id, title, keys }))")
    assert len(bound) > 15
    for one in bound:
        expect(sheet).to_contain_text(one["title"])
    keys = [key for one in bound for key in one["keys"]]
    assert sorted(keys) == sorted(set(keys)), "a key of two commands"
