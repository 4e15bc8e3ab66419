"""Service levels in the browser: countdowns that turn amber and red, the drawing of a clock, hours and policies with their previews."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.desk import Desk
from tests.web.fake_sla import clock, due, levels

pytestmark = pytest.mark.chromium


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def open_ones(desk: Desk) -> list[dict]:
    return [row for row in desk.fake.conversations.values() if row["status"] == "open"]


def test_countdowns_stand_in_rows_turn_amber_and_red_and_share_one_tick(desk: Desk) -> None:
    calm, warned, late = open_ones(desk)[:3]
    for row, warn, until in ((calm, 130, 185), (warned, -5, 42), (late, -60, -12)):
        desk.fake.do(due, desk.fake, row, warn=warn, due_in=until)
    page = desk.sign_in("/")

    def chip(row: dict) -> object:
        return page.locator(f'conversation-row[data-id="{row["id"]}"] sla-chip .badge')

    expect(chip(calm)).to_have_text(re.compile(r"(3 h( \d min)?|2 h 5\d min)$"))
    expect(chip(calm)).to_have_class("badge sla ")
    expect(chip(warned)).to_have_text(re.compile(r"(4[0-2]|3\d) min"))
    expect(chip(warned)).to_have_class("badge sla warn")
    expect(chip(late)).to_have_text(re.compile(r"1\d min late"))
    expect(chip(late)).to_have_class("badge sla bad")
    picture(page, "sla-list")
    # A clock that is due in a moment turns red by itself, and one that the desk moves moves.
    desk.fake.do(due, desk.fake, calm, warn=-1, due_in=0.05)
    expect(chip(calm)).to_have_class("badge sla bad")
    desk.fake.do(due, desk.fake, late, warn=600, due_in=900)
    expect(chip(late)).to_have_text(re.compile("14 h|15 h"))


def test_a_conversation_shows_its_clocks_drawn_and_in_words(desk: Desk) -> None:
    row = open_ones(desk)[0]
    desk.fake.do(due, desk.fake, row, warn=-10, due_in=30)
    excused = clock(target="next_response", state="excused", excuse="answered in time; this was learned later", breached_at=row["created_at"])
    waits = {"first_response_seconds": 64_800, "avg_response_seconds": 32_000, "first_response_business_seconds": 7_200, "avg_response_business_seconds": 3_700}
    levels(desk.fake).clocks[row["id"]] = {"policy": "Everybody", "clocks": [clock(), excused], **waits}
    page = desk.sign_in(f"/c/{row['id']}")
    expect(page.locator("conversation-header sla-chip .badge")).to_have_class("badge sla warn")
    panel = page.locator("sla-panel")
    first = panel.locator('[data-target="first_response"]')
    expect(first.locator(".sla-sentence")).to_have_text("2 h running, 16 h outside hours, 3 h pending")
    expect(first.locator("sla-bar rect")).to_have_count(5)
    expect(first.get_by_role("img", name="2 h running, 16 h outside hours, 3 h pending")).to_be_visible()
    expect(first).to_contain_text("2 h 30 min of working time")
    expect(panel.locator('[data-target="next_response"]')).to_contain_text("Excused: answered in time")
    expect(panel).to_contain_text("First answer after 18 h (2 h of working time)")
    picture(page, "sla-panel")
    levels(desk.fake).clocks[row["id"]]["clocks"][0] |= {"state": "breached"}
    desk.fake.do(due, desk.fake, row, warn=-60, due_in=-1, breached=True)
    expect(first).to_have_attribute("data-state", "breached")


def test_hours_are_made_with_several_intervals_and_dates(desk: Desk) -> None:
    page = desk.sign_in("/hours")
    page.get_by_role("button", name="Add hours", exact=True).click()
    page.get_by_label("Name", exact=True).fill("Office")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Monday to, interval 1").fill("12:00")
    page.get_by_role("button", name="Add hours on Monday").click()
    expect(page.get_by_label("Monday from, interval 2")).to_have_value("13:00")
    page.get_by_role("button", name="Add hours on Saturday").click()
    page.get_by_label("Saturday to, interval 1").fill("00:00")
    page.get_by_label("Public holidays of").select_option("DE")
    page.get_by_label("Region").select_option("BY")
    page.get_by_role("button", name="Add a date").click()
    page.get_by_label("Date 1", exact=True).fill("2026-12-24")
    page.get_by_role("button", name="Add hours on That day").click()
    picture(page, "sla-hours-form")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-hours]")).to_contain_text("Mon 09:00–12:00, 13:00–17:00 · Tue–Fri 09:00–17:00 · Sat 09:00–24:00 · Sun closed (Europe/Berlin)")
    made = levels(desk.fake).hours[0]
    assert (made["week"][5], made["country"], made["subdivision"]) == ([["09:00", "24:00"]], "DE", "BY")
    assert made["dates"] == [{"date": "2026-12-24", "name": "", "intervals": [["09:00", "17:00"]]}]


def test_a_change_of_hours_shows_what_moves_before_it_is_made(desk: Desk) -> None:
    row = open_ones(desk)[0]
    plan = {"id": "h1", "name": "Office", "time_zone": "UTC", "week": [[["09:00", "17:00"]]] * 5 + [[], []], "country": "", "subdivision": "", "dates": [], "is_default": True, "policies": ["Everybody"], "created_at": row["created_at"], "updated_at": row["created_at"]}
    levels(desk.fake).hours.append(plan)
    moved = {"conversation_id": row["id"], "number": row["number"], "subject": row["subject"], "target": "first_response", "change": "moved", "old_due": row["created_at"], "new_due": row["created_at"], "newly_breached": True, "excused": False}
    levels(desk.fake).preview = {"counts": {"conversations": 1, "started": 0, "ended": 0, "moved": 1, "newly_breached": 1, "excused": 0, "complete": True}, "items": [moved], "next": None}
    page = desk.sign_in("/hours")
    page.get_by_role("button", name="Edit Office").click()
    page.get_by_role("button", name="Preview").click()
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("1 conversation: 1 moves, 1 is late then.")
    expect(preview.get_by_role("row").nth(1)).to_contain_text("late then")
    picture(page, "sla-hours-preview")
    page.get_by_label("Friday to, interval 1").fill("15:00")
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog", name="Save these hours?")
    expect(dialog).to_contain_text("1 conversation: 1 moves")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("[data-hours]")).to_contain_text("Fri 09:00–15:00")


def test_a_policy_is_made_previewed_and_what_is_refused_is_said(desk: Desk) -> None:
    page = desk.sign_in("/sla")
    page.get_by_role("button", name="Add a policy").click()
    page.get_by_label("Name", exact=True).fill("Urgent")
    page.get_by_role("group", name="For conversations").get_by_label("Priority").select_option(["urgent", "high"])
    page.get_by_role("group", name="For conversations").get_by_label("Channel").select_option("email")
    page.get_by_label("First answer within").fill("90")
    page.get_by_label("First answer: unit").select_option("minutes")
    page.get_by_label("Promise: Resolution").check()
    page.get_by_label("Resolution within").fill("2")
    page.get_by_label("Resolution: unit").select_option("days")
    page.get_by_label("Snoozed").uncheck()
    page.get_by_label("Raise priority to").nth(1).select_option("urgent")
    desk.allow("422")
    wrong = [{"field": "conditions.tag", "message": "names a tag that there is not"}]
    desk.fake.fail("POST", r"/v1/sla-policies/preview", 422, detail="Correct it.", errors=wrong)
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("policy-form .field-error")).to_have_text("conditions.tag: names a tag that there is not")
    picture(page, "sla-policy-form")
    page.get_by_role("button", name="Save").click()
    line = page.locator("[data-policy]")
    expect(line).to_contain_text("First answer within 1 h 30 min · Resolution within 2 d")
    expect(line).to_contain_text("For urgent or high, email · round the clock · warns at 80 % · pauses while pending")
    made = levels(desk.fake).policies[0]
    assert made["targets"] == {"first_response": {"minutes": 90, "time": "business"}, "next_response": None, "resolution": {"minutes": 2880, "time": "business"}}
    assert made["conditions"]["channel"] == ["email"]
    assert (made["actions"]["breach"]["priority"], made["pause_on"]) == ("urgent", ["pending"])
    levels(desk.fake).recount = {"id": "r", "why": "", "state": "running", "total": 900, "done": 200, "moved": 3, "excused": 0, "created_at": made["created_at"], "finished_at": None}
    desk.fake.do(desk.fake.emit, "sla.recount")
    expect(page.get_by_text("worked out again: 200 of 900")).to_be_visible()
    picture(page, "sla-policies")
