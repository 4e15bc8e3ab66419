"""Domains: what to set stands there to be copied, beside what is there and what is wrong; checked when asked; kept by admins only."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.desk import Desk
from tests.web.fake_domains import TOKEN, half_right

pytestmark = pytest.mark.chromium
NAME = "desk.example.com"


def shown(desk: Desk, email: str = "maya@desk.example.com") -> Page:
    row = half_right(NAME)
    desk.fake.domains = {row["id"]: row}
    return desk.sign_in("/domains", email)


def test_each_record_says_what_to_set_what_is_there_and_what_is_wrong(desk: Desk) -> None:
    page = shown(desk)
    records = page.locator("domain-record")
    expect(records).to_have_count(5)
    spf = records.nth(2)
    expect(spf).to_contain_text("Wrong")
    expect(spf).to_contain_text("There are 2 SPF records")
    expect(spf).to_contain_text("v=spf1 mx include:amazonses.com -all")
    expect(spf.locator(".record-found li")).to_have_count(2)
    expect(page.locator(".domain-inboxes")).to_contain_text("Catches the rest")
    pictures = os.environ.get("MAILROOM_PICTURES")
    if pictures:
        page.screenshot(path=str(Path(pictures) / "domains.png"))
        size = page.viewport_size
        page.set_viewport_size({"width": 390, "height": 844})
        page.screenshot(path=str(Path(pictures) / "domains-phone.png"))
        page.set_viewport_size(size)
    desk.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.fake.origin)
    dkim = records.nth(3)
    dkim.get_by_role("button", name="Copy the value").click()
    expect(page.locator("toast-stack")).to_contain_text("Value copied.")
    assert page.evaluate("navigator.clipboard.readText()") == f"{TOKEN}.dkim.amazonses.com"


def test_check_now_asks_and_tells(desk: Desk) -> None:
    page = shown(desk)
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("toast-stack")).to_contain_text(f"Every record of {NAME} is right.")
    expect(page.locator("domain-record[data-status=ok]")).to_have_count(5)
    [row] = desk.fake.domains.values()
    desk.becomes(lambda: desk.fake.called("POST", f"/v1/domains/{row['id']}/verify"), [None])


def test_a_domain_is_added_and_a_wrong_one_is_told_at_its_field(desk: Desk) -> None:
    desk.fake.domains = {}
    page = desk.sign_in("/domains")
    expect(page.get_by_text("No domains yet")).to_be_visible()
    desk.allow("422")
    page.get_by_label("Domain", exact=True).fill("nothing")
    page.get_by_role("button", name="Add domain").click()
    expect(page.get_by_role("alert").filter(has_text="such as example.com")).to_be_visible()
    page.get_by_label("Domain", exact=True).fill("shop.example.com")
    page.get_by_role("button", name="Add domain").click()
    expect(page.locator("domain-record")).to_contain_text("_mailroom.shop.example.com")
    expect(page.locator(".domain")).to_contain_text("Not proven yet")


def test_defaults_are_saved_and_a_used_domain_stays(desk: Desk) -> None:
    page = shown(desk)
    page.get_by_label("Bounces go to").fill(f"bounces@{NAME}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("toast-stack")).to_contain_text("Saved")
    [row] = desk.fake.domains.values()
    assert (row["bounce_address"], row["from_name"], row["reply_to_address"]) == (f"bounces@{NAME}", "Example Desk", None)
    desk.allow("409")
    page.get_by_role("button", name=f"Remove {NAME}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("toast-stack")).to_contain_text("take them out first")
    expect(page.locator(".domain")).to_have_count(1)


def test_inboxes_are_put_in_and_one_catches_the_rest(desk: Desk) -> None:
    page = shown(desk)
    lines = page.locator(".domain-inboxes li")
    billing = lines.filter(has_text=f"billing@{NAME}")
    billing.get_by_role("button", name="Put in this domain").click()
    desk.allow("409")
    billing.get_by_role("button", name="Catch the rest").click()
    expect(page.locator("toast-stack")).to_contain_text("has a catch-all already")
    support = lines.filter(has_text="Catches the rest")
    support.get_by_role("button", name="Only its address").click()
    expect(support).to_have_count(0)
    billing.get_by_role("button", name="Catch the rest").click()
    expect(support).to_contain_text(f"billing@{NAME}")
    support.get_by_role("button", name="Take out").click()
    expect(billing.get_by_role("button", name="Put in this domain")).to_be_visible()


def test_agents_look_and_change_nothing(desk: Desk) -> None:
    page = shown(desk, "jonas@desk.example.com")
    expect(page.locator("domain-record")).to_have_count(5)
    for name in ("Check now", "Add domain", "Save", "Take out", "Put in this domain", f"Remove {NAME}"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_an_inbox_is_made_where_ses_sends_and_mail_for_nobody_is_told(desk: Desk) -> None:
    row = half_right(NAME) | {"ses_verified": True, "unclaimed_mails": 3, "unclaimed_at": "2030-01-01T00:00:00Z"}
    desk.fake.domains = {row["id"]: row}
    page = desk.sign_in("/domains")
    expect(page.locator(".notice.warn")).to_contain_text("3 mails came for addresses that no inbox has")
    desk.allow("422")
    form = page.locator("form", has=page.get_by_role("button", name="Make an inbox through Amazon SES"))
    form.get_by_label("Inbox name").fill("Sales")
    form.get_by_role("button").click()
    expect(form.locator(".field-error").first).to_contain_text("is what stands before the @")
    form.get_by_label(f"Address before @{NAME}").fill("sales")
    pictures = os.environ.get("MAILROOM_PICTURES")
    if pictures:
        page.screenshot(path=str(Path(pictures) / "domains-ses.png"), full_page=True)
    form.get_by_role("button").click()
    expect(page.locator("toast-stack")).to_contain_text(f"sales@{NAME} is being connected.")
    expect(page.locator(".domain-inboxes")).to_contain_text(f"sales@{NAME}")
    assert desk.called("POST", f"/v1/domains/{row['id']}/inboxes")[-1] == {"name": "Sales", "local_part": "sales"}
