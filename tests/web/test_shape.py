"""Merging, splitting, passing on and bulk changes in the browser, each with its way back; and the pages of contacts."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.desk import Desk
from tests.web.fake_shape import EMPTY, contact

pytestmark = pytest.mark.chromium


def picture(page: Page, name: str) -> None:
    """Kept where MAILROOM_PICTURES says."""
    if folder := os.environ.get("MAILROOM_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_a_conversation_is_merged_after_a_search_and_taken_out_again(desk: Desk) -> None:
    page = desk.open_number(1037)
    page.get_by_role("button", name="Merge or split").click()
    page.get_by_role("menuitem", name="Merge into another…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Merge")).to_be_disabled()
    dialog.get_by_role("searchbox").fill("printer")
    dialog.get_by_role("radio", name="#1042").check()
    expect(dialog).to_contain_text("move to #1042, which keeps its number")
    expect(dialog).to_contain_text("different customers")
    picture(page, "merge-dialog")
    dialog.get_by_role("button", name="Merge").click()
    expect(page.locator("conversation-header .number")).to_have_text("#1042")
    expect(page.locator("toast-stack")).to_contain_text("#1037 was merged into #1042.")
    page.get_by_role("button", name="Merge or split").click()
    page.get_by_role("menuitem", name="Take out #1037").click()
    expect(page.locator("toast-stack")).to_contain_text("#1037 has its messages again.")
    assert desk.fake.number(1037)["merged_into"] is None


def test_a_hold_is_set_in_the_menu_seen_above_the_thread_and_lifted_after_a_question(desk: Desk) -> None:
    page = desk.open_number(1042)
    line = page.locator("hold-line")
    expect(line).to_be_hidden()
    page.get_by_role("button", name="Merge or split, hold").click()
    page.get_by_role("menuitem", name="Put under a hold").click()
    expect(line).to_contain_text("no retention policy and no erasure")
    picture(page, "hold")
    line.get_by_role("button", name="Lift the hold").click()
    page.get_by_role("dialog").get_by_role("button", name="Lift the hold").click()
    expect(line).to_be_hidden()
    assert desk.fake.called("PUT", f"/v1/conversations/{desk.fake.number(1042)['id']}/hold") == [{"held": True}, {"held": False}]


def test_messages_are_chosen_and_split_off(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.get_by_role("button", name="Merge or split").click()
    page.get_by_role("menuitem", name="Split messages off…").click()
    dialog = page.get_by_role("dialog")
    boxes = dialog.get_by_role("checkbox")
    expect(dialog.get_by_role("button", name="Split")).to_be_disabled()
    boxes.last.check()
    expect(dialog).to_contain_text("1 message of")
    picture(page, "split-dialog")
    dialog.get_by_role("button", name="Split").click()
    expect(page.locator("conversation-header .number")).to_have_text("#2000")
    expect(page.locator("toast-stack")).to_contain_text("1 message became #2000.")


def test_a_topic_of_its_own_is_split_by_one_click_or_kept(desk: Desk) -> None:
    row = desk.fake.number(1042)
    last = desk.fake.thread(row["id"])[-1]
    topic = {"subject": "Summer party", "message_ids": [last["id"]]}
    desk.fake.shapes[row["id"]] = {**EMPTY, "topic": topic, "merged": [], "forwards": []}
    page = desk.open_number(1042)
    banner = page.locator("topic-banner")
    expect(banner).to_contain_text("This looks like a new topic: Summer party")
    picture(page, "topic-banner")
    banner.get_by_role("button", name="Keep together").click()
    expect(banner).to_be_hidden()
    desk.fake.shapes[row["id"]]["topic"] = topic
    page.reload()
    banner.get_by_role("button", name="Split 1 message off").click()
    expect(page.locator("conversation-header .number")).to_have_text("#2000")


def test_a_message_is_forwarded_with_a_note(desk: Desk) -> None:
    page = desk.open_number(1037)
    page.get_by_role("button", name="More about this message").last.click()
    page.get_by_role("menuitem", name="Forward…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Forward").click()
    expect(dialog.get_by_role("alert")).to_have_text("Give at least one address.")
    dialog.get_by_label("To").fill("Repair <repair@example.net>, help@example.net")
    dialog.get_by_label("Note").fill("Can you look at it?")
    picture(page, "forward-dialog")
    dialog.get_by_role("button", name="Forward").click()
    expect(page.locator("toast-stack")).to_contain_text("Forwarded to repair@example.net.")
    (asked,) = desk.fake.called("POST", ".*/forward")
    assert [one["address"] for one in asked["to"]] == ["repair@example.net", "help@example.net"]
    assert (asked["note"], asked["attachments"]) == ("Can you look at it?", True)


def test_selected_rows_are_changed_and_taken_back(desk: Desk) -> None:
    page = desk.sign_in()
    rows = page.locator("conversation-row")
    expect(rows.first).to_be_visible()
    rows.first.hover()
    rows.first.get_by_role("checkbox").check()
    page.get_by_role("checkbox").nth(2).check()
    bar = page.locator("bulk-actions")
    expect(bar).to_be_visible()
    picture(page, "bulk-bar")
    bar.get_by_role("button", name="Status").click()
    bar.get_by_role("menuitem", name="Close").click()
    expect(page.locator("toast-stack")).to_contain_text("2 conversations changed.")
    page.locator("toast-stack").get_by_role("button", name="Undo").click()
    expect(page.locator("toast-stack")).to_contain_text("2 conversations are as before.")
    (asked,) = desk.fake.called("POST", "/v1/bulk")
    assert (len(asked["ids"]), asked["change"]) == (2, {"status": "closed"})
    expect(bar).to_be_hidden()


def test_all_that_match_are_named_by_the_lists_filter(desk: Desk) -> None:
    page = desk.sign_in()
    rows = page.locator("conversation-row")
    rows.first.hover()
    rows.first.get_by_role("checkbox").check()
    bar = page.locator("bulk-actions")
    bar.get_by_role("button", name="All that match").click()
    bar.get_by_role("button", name="Priority").click()
    bar.get_by_role("menuitem", name="High").click()
    expect(page.locator("toast-stack")).to_contain_text("conversations changed.")
    (asked,) = desk.fake.called("POST", "/v1/bulk")
    assert "ids" not in asked
    assert asked["filter"]["status"] == ["open"]


def test_the_panel_shows_who_writes_and_makes_a_vip(desk: Desk) -> None:
    row = desk.fake.number(1042)
    anna = contact("Anna Sample", row["customer"]["address"], company="Printworks", custom={"Plan": {"type": "text", "value": "gold"}})
    desk.fake.contacts = [anna]
    desk.fake.shapes[row["id"]] = {**EMPTY, "contact_id": anna["id"], "merged": [], "forwards": []}
    page = desk.open_number(1042)
    panel = page.locator("contact-panel")
    expect(panel).to_contain_text("Printworks")
    expect(panel).to_contain_text("gold")
    panel.get_by_role("button", name="Make a VIP").click()
    expect(panel.get_by_role("button", name="No longer a VIP")).to_be_focused()
    picture(page, "contact-panel")
    panel.get_by_role("link", name="Anna Sample").click()
    expect(page.get_by_role("heading", name="Anna Sample")).to_be_visible()


def test_contacts_are_found_and_their_fields_changed(desk: Desk) -> None:
    anna = contact("Anna Sample", "anna@customer.example.org", company="Printworks", vip=True)
    desk.fake.contacts = [anna, contact("", "nobody@customer.example.net")]
    page = desk.sign_in("/contacts")
    rows = page.locator("contacts-page li")
    expect(rows).to_have_count(2)
    picture(page, "contacts")
    page.get_by_role("searchbox", name="Search").fill("printw")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("link").click()
    one = page.locator("contact-page")
    expect(one.get_by_label("Company")).to_have_value("Printworks")
    one.get_by_role("button", name="Add a field…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Seats")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert")).to_have_text("Give both, a name and a value.")
    dialog.get_by_label("Value").fill("12")
    dialog.get_by_role("button", name="Add").click()
    expect(one).to_contain_text("Seats")
    assert anna["custom"] == {"Seats": {"type": "number", "value": 12}}
    picture(page, "contact")
    one.get_by_role("button", name="Remove Seats").click()
    expect(one).not_to_contain_text("Seats")


def test_viewers_are_offered_none_of_it(desk: Desk) -> None:
    desk.fake.users[0]["role"] = "viewer"
    page = desk.sign_in(f"/c/{desk.fake.number(1042)['id']}", email=desk.fake.users[0]["email"])
    page.locator("conversation-header .number", has_text="#1042").wait_for()
    expect(page.locator("shape-menu")).to_be_hidden()
    page.get_by_role("button", name="More about this message").last.click()
    expect(page.get_by_role("menuitem", name="Forward…")).to_have_count(0)


def test_selected_rows_are_merged_into_the_one_that_is_chosen_and_taken_apart(desk: Desk) -> None:
    page = desk.sign_in()
    same = [row for row in desk.fake.conversations.values() if row["status"] == "open" and row["inbox"] == desk.fake.number(1042)["inbox"]][:3]
    assert len(same) == 3
    bar = page.locator("bulk-actions")
    for place, row in enumerate(same):
        shown = page.locator("conversation-row").filter(has=page.locator(f"a[href*='{row['id']}']"))
        shown.hover()
        shown.get_by_role("checkbox").check()
        expect(bar.get_by_role("button", name="Merge…")).to_be_visible(visible=place > 0)
    bar.get_by_role("button", name="Merge…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("radio")).to_have_count(3)
    stays = same[-1]
    dialog.get_by_role("radio", name=f"#{stays['number']}").check()
    expect(dialog).to_contain_text(f"move to #{stays['number']}, which keeps its number")
    picture(page, "bulk-merge")
    dialog.get_by_role("button", name="Merge").click()
    expect(page.locator("toast-stack")).to_contain_text(f"2 conversations merged into #{stays['number']}.")
    (asked,) = desk.called("POST", "/v1/bulk")
    assert asked == {"ids": [row["id"] for row in same], "change": {"merge": {"into": stays["id"]}}}
    page.locator("toast-stack").get_by_role("button", name="Undo").click()
    expect(page.locator("toast-stack")).to_contain_text("2 conversations are as before.")
    assert [row["merged_into"] for row in same] == [None] * 3


def test_selected_rows_of_several_inboxes_are_not_merged(desk: Desk) -> None:
    page = desk.sign_in()
    expect(page.locator("conversation-row").first).to_be_visible()
    here = desk.fake.number(1042)
    other = next(row for row in desk.fake.conversations.values() if row["status"] == "open" and row["inbox"] != here["inbox"])
    for row in (here, other):
        shown = page.locator("conversation-row").filter(has=page.locator(f"a[href*='{row['id']}']"))
        shown.hover()
        shown.get_by_role("checkbox").check()
    page.locator("bulk-actions").get_by_role("button", name="Merge…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("They are of different inboxes")
    expect(dialog.get_by_role("button", name="Merge")).to_be_disabled()
