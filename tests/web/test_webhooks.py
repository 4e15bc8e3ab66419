"""Webhooks in the browser: a secret that is shown once, troubles in words, deliveries that are told again, and the action of a rule."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.desk import Desk
from tests.web.fake_data import ago
from tests.web.fake_webhooks import delivery, webhook

pytestmark = pytest.mark.chromium


def picture(desk: Desk, name: str) -> None:
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        desk.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fill(desk: Desk) -> None:
    tickets = webhook("Tickets", events=["message.received", "sla.breached"])
    ill = webhook(
        "Warehouse", "https://warehouse.example.com/in", status="warning", failing_since=ago(minutes=90), last_failure_at=ago(minutes=8), last_error="server_error",
        next_attempt_at=ago(minutes=-52), waiting=12,
    )  # fmt: skip
    desk.fake.webhooks = [tickets, ill]
    desk.fake.deliveries = [
        delivery(tickets, "Invoices"),
        delivery(tickets, "Refunds", status="failed", attempts=10, response_status=500, error="server_error"),
        delivery(ill, "Parcels", status="pending", attempts=4, response_status=503, error="server_error"),
    ]


def test_a_webhook_is_added_shown_its_secret_once_and_changed(desk: Desk) -> None:
    desk.allow("Failed to load resource")  # the address that is refused
    page = desk.sign_in("/settings")
    page.get_by_role("main").get_by_role("link", name="Webhooks").click()
    form = page.get_by_role("region", name="New webhook")
    form.get_by_role("button", name="Add a webhook").click()
    expect(form.get_by_text("Name is needed.")).to_be_visible()
    form.get_by_label("Name").fill("Tickets")
    form.get_by_label("Address").fill("http://tickets.example.com/hooks")
    form.get_by_label("A mail comes in").check()
    form.get_by_role("button", name="Add a webhook").click()
    expect(form.get_by_text("begins with https://")).to_be_visible()
    form.scroll_into_view_if_needed()
    picture(desk, "webhook-form")
    form.get_by_label("Address").fill("https://tickets.example.com/hooks")
    form.get_by_role("button", name="Add a webhook").click()
    card = page.get_by_role("region", name="Tickets")
    expect(card.locator("code.secret")).to_contain_text("whsec_")
    assert desk.fake.called("POST", "/v1/webhooks")[-1] == {"name": "Tickets", "url": "https://tickets.example.com/hooks", "events": ["message.received"], "inbox_ids": None}
    page.reload()
    expect(card).to_contain_text("and when: a mail comes in")
    expect(card.locator("code.secret")).to_have_count(0)
    card.get_by_role("button", name="New secret: Tickets").click()
    page.get_by_role("dialog").get_by_role("button", name="Make it").click()
    expect(card.locator("code.secret")).to_contain_text("whsec_")
    expect(card).to_contain_text("Old secret signs until")
    card.get_by_role("button", name="Change: Tickets").click()
    card.get_by_label("Name").fill("Ticket system")
    card.get_by_role("button", name="Save").click()
    renamed = page.get_by_role("region", name="Ticket system")
    renamed.get_by_role("button", name="Switch off").click()
    expect(renamed).to_contain_text("is told nothing")
    renamed.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("webhook-card")).to_have_count(0)
    assert desk.fake.webhooks == []


def test_deliveries_say_how_it_went_and_are_told_again(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/webhooks")
    ill = page.get_by_role("region", name="Warehouse")
    expect(ill).to_contain_text("At its last attempt: it failed.")
    tickets = page.get_by_role("region", name="Tickets")
    tickets.get_by_role("button", name="Deliveries: Tickets").click()
    rows = tickets.locator("webhook-deliveries li")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("A rule matched: Invoices")
    expect(rows.nth(1)).to_contain_text("10 attempts, answered 500: it failed")
    picture(desk, "webhooks")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 760})
    picture(desk, "webhooks-narrow-dark")
    page.set_viewport_size({"width": 1280, "height": 800})
    rows.nth(1).get_by_role("button", name="Tell again").click()
    expect(rows.nth(1)).to_contain_text("Waits")
    tickets.get_by_role("button", name="Test: Tickets").click()
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("Test")


def test_a_rule_names_the_webhook_that_it_tells(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/rules/new")
    form = page.locator("rule-page form")
    form.get_by_label("Name", exact=True).first.fill("Parcels")
    action = form.locator("rule-action").first
    action.get_by_label("What is done").select_option("webhook")
    action.get_by_label("Who or what").select_option(label="Warehouse")
    form.locator("rule-leaf").first.get_by_label("Value").fill("parcel")
    expect(form.locator(".rule-said")).to_contain_text("then tell Warehouse")
    picture(desk, "webhook-rule")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("rules-page .rule-rows > li")).to_contain_text("tell Warehouse")
    assert desk.fake.rules[-1]["actions"] == [{"type": "webhook", "endpoint": desk.fake.webhooks[1]["id"]}]
