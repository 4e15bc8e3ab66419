"""Canned replies and signatures in the browser: pages, the picker by shortcut and key, marks for what has no value."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.desk import Desk
from tests.web.fake_rules import template

pytestmark = pytest.mark.chromium


def picture(desk: Desk, name: str) -> None:
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        desk.page.screenshot(path=Path(folder) / f"{name}.png")


def fill(desk: Desk) -> None:
    desk.fake.templates = [
        template("Thanks", "Thank you, {{customer.first_name}}.", "thanks"),
        template("Company", "Dear {{customer.company}},", "co"),
        template("Terms", "Our terms are attached."),
    ]


def newest(desk: Desk) -> int:
    return max(row["number"] for row in desk.fake.conversations.values())


def test_a_shortcut_typed_in_a_reply_is_replaced_by_the_filled_template(desk: Desk) -> None:
    fill(desk)
    desk.fake.signature = "Maya Lind\nNorthwind"
    page = desk.open_number(newest(desk))
    page.keyboard.press("r")
    area = page.locator("reply-form .editor-area")
    area.press_sequentially("Hello! /thanks ")
    options = page.locator("template-picker [role=option]")
    expect(options.first).to_contain_text("Thanks")
    picture(desk, "template-picker")
    page.keyboard.press("Enter")
    expect(area).to_contain_text("Thank you, Anna.")
    expect(area).not_to_contain_text("/thanks")
    expect(page.locator(".signature-line")).to_contain_text("Northwind")
    expect(page.locator(".unfilled-note")).to_be_empty()
    expect(page.locator("template-picker .template-menu")).to_be_hidden()


def test_what_has_no_value_is_marked_selected_and_told_until_it_is_filled_in(desk: Desk) -> None:
    fill(desk)
    page = desk.open_number(newest(desk))
    page.keyboard.press("r")
    page.keyboard.press("Control+/")
    search = page.get_by_role("combobox", name="Find a template")
    expect(search).to_be_focused()
    search.fill("company")
    expect(page.locator("template-picker [role=option]")).to_have_count(1)
    page.keyboard.press("Enter")
    note = page.locator(".unfilled-note")
    expect(note).to_have_text("Fill in {{customer.company}}")
    assert page.evaluate("[...CSS.highlights.get('unfilled')].length") == 1
    picture(desk, "template-unfilled")
    page.keyboard.type("Example Ltd")  # it was selected
    expect(page.locator("reply-form .editor-area")).to_contain_text("Dear Example Ltd,")
    expect(note).to_be_empty()
    assert page.evaluate("CSS.highlights.has('unfilled')") is False


def test_the_picker_is_walked_by_keys_and_left_with_escape(desk: Desk) -> None:
    fill(desk)
    page = desk.open_number(newest(desk))
    page.keyboard.press("r")
    page.get_by_role("button", name="Templates (Ctrl+/)").click()
    options = page.locator("template-picker [role=option]")
    expect(options).to_have_count(3)
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.locator("template-picker .template-menu")).to_be_hidden()
    expect(page.locator("reply-form .editor-area")).to_be_focused()


def test_a_template_is_written_changed_and_removed(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/templates")
    rows = page.locator("templates-page li[data-template]")
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="New template").click()
    form = page.locator("template-form")
    form.get_by_label("Name").fill("Hours")
    form.get_by_label("Shortcut").fill("hours")
    form.locator(".editor-area").click()
    page.keyboard.type("We are open from nine. ")
    form.get_by_role("button", name="Placeholder").click()
    form.get_by_role("menuitem", name="{{agent.name}}").click()
    expect(form.locator(".editor-area")).to_contain_text("{{agent.name}}")
    picture(desk, "template-form")
    form.get_by_role("button", name="Save").click()
    expect(rows).to_have_count(4)
    (asked,) = desk.fake.called("POST", "/v1/templates")
    assert (asked["name"], asked["shortcut"], asked["personal"], asked["inbox_id"]) == ("Hours", "hours", False, None)
    assert asked["text"] == "We are open from nine. {{agent.name}}"
    page.get_by_role("button", name="Edit Thanks").click()
    expect(form.get_by_label("Name")).to_have_value("Thanks")
    expect(form.locator(".editor-area")).to_have_text("Thank you, {{customer.first_name}}.")
    form.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Remove Terms").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(rows).to_have_count(3)


def test_signatures_are_written_and_never_wiped_before_they_were_read(desk: Desk) -> None:
    desk.fake.signature = "Maya"
    page = desk.sign_in("/signatures")
    own = page.locator(".signature-panel", has=page.get_by_role("heading", name="Your own"))
    expect(own.locator(".editor-area")).to_have_text("Maya")
    own.locator(".editor-area").click()
    page.keyboard.press("End")
    page.keyboard.type(" Lind")
    own.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    desk.becomes(lambda: desk.fake.signature, "Maya Lind")
    inbox = page.locator(".signature-panel").nth(1)
    inbox.get_by_label("Under its replies").select_option("inbox")
    inbox.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True).first).to_be_visible()
    first = next(iter(desk.fake.inboxes))
    assert desk.called("PATCH", f"/v1/inboxes/{first}")[0]["signature"] == "inbox"


@pytest.mark.parametrize(("scheme", "width"), [("dark", 390), ("light", 1280)])
def test_the_pages_fit_every_screen(desk: Desk, scheme: str, width: int) -> None:
    fill(desk)
    desk.page.set_viewport_size({"width": width, "height": 800})
    desk.page.emulate_media(color_scheme=scheme)
    for path in ("templates", "signatures"):
        page = desk.sign_in(f"/{path}")
        expect(page.locator("li[data-template], .signature-panel").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} scrolls sideways"
        picture(desk, f"{path}-{scheme}-{width}")
