"""Routing rules in the browser: a list that is ordered by keys, rules written as sentences, trials, and reasons beside a conversation."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web.desk import Desk
from tests.web.fake_data import Row, ago, ident
from tests.web.fake_rules import rule

pytestmark = pytest.mark.chromium
FIRE = {"all": [{"field": "subject", "op": "contains", "value": "invoice"}, {"not": {"field": "contact_vip", "op": "is", "value": False}}]}
HIGH = {"type": "priority", "value": "high"}


def picture(desk: Desk, name: str) -> None:
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        desk.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fill(desk: Desk) -> None:
    desk.fake.rules = [
        rule("Newsletters", {"field": "header", "op": "exists", "name": "List-Unsubscribe", "value": True}, {"type": "category", "value": "newsletter"}, stop=True, position=1),
        rule("Invoices of VIPs", FIRE, HIGH, {"type": "tag", "names": ["billing", "vip"]}, position=2),
        rule("Night shift", {"field": "inside_hours", "op": "is", "value": False}, {"type": "tag", "names": ["night"]}, shadow=True, enabled=False, hits=0, position=3),
    ]


def names(desk: Desk) -> list[str]:
    return [row["name"] for row in desk.fake.rules]


def test_rules_stand_in_their_order_as_sentences_and_are_moved_by_keys(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/rules")
    rows = page.locator("rules-page .rule-rows > li")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("If the header List-Unsubscribe is there, then category “newsletter”.")
    expect(rows.nth(1)).to_contain_text("If the subject contains “invoice” and none of this: the customer is no VIP, then priority High, tag “billing”, “vip”.")
    expect(rows.nth(2)).to_contain_text("no hit in seven days")
    grip = rows.nth(1).get_by_role("button", name="Move Invoices of VIPs:")
    grip.focus()
    grip.press("Alt+ArrowUp")
    expect(rows.nth(0)).to_contain_text("Invoices of VIPs")
    expect(rows.nth(0).get_by_role("button", name="Move Invoices of VIPs:")).to_be_focused()
    rows.nth(2).get_by_role("button", name="is switched off").click()
    expect(rows.nth(2).get_by_role("button", name="is switched on")).to_be_visible()
    rows.nth(2).get_by_role("button", name="in shadow").click()
    expect(rows.nth(2).locator(".badge", has_text="Shadow")).to_have_count(0)
    assert names(desk) == ["Invoices of VIPs", "Newsletters", "Night shift"]
    rows.nth(1).get_by_role("button", name="Remove Newsletters").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(rows).to_have_count(2)
    picture(desk, "rules-list")


def test_rules_are_moved_by_dragging(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/rules")
    rows = page.locator("rules-page .rule-rows > li")
    rows.nth(2).drag_to(rows.nth(0))
    expect(rows.nth(0)).to_contain_text("Night shift")
    expect(rows.nth(1)).to_contain_text("Newsletters")


def test_a_rule_is_written_as_a_sentence_tried_and_saved(desk: Desk) -> None:
    page = desk.sign_in("/rules/new")
    form = page.locator("rule-page form")
    form.get_by_label("Name", exact=True).first.fill("Refunds")
    leaf = form.locator("rule-leaf").first
    leaf.get_by_label("Value").fill("refund")
    form.get_by_role("button", name="Condition", exact=True).click()
    second = form.locator("rule-leaf").nth(1)
    second.get_by_label("What is asked").select_option("sender_domain")
    second.get_by_label("How").select_option("in")
    second.get_by_label("Values, with commas between").fill("example.com, example.org")
    form.get_by_role("button", name="Group", exact=True).click()
    group = form.locator("rule-group rule-group")
    group.locator("rule-leaf").get_by_label("What is asked").select_option("has_attachment")
    form.locator("rule-action").get_by_label("Tags, with commas between").fill("refund")
    form.get_by_role("button", name="Action", exact=True).click()
    action = form.locator("rule-action").nth(1)
    action.get_by_label("What is done").select_option("assign")
    expect(page.locator(".rule-said")).to_contain_text(
        "If the subject contains “refund” and the sender's domain is one of “example.com” or “example.org” and there is an attachment, then tag “refund”, assign to"
    )
    page.get_by_role("button", name="Try it").click()
    trial = page.locator("rule-trial")
    expect(trial).to_contain_text("312 of 4,180 mails of the last 30 days would have matched.")
    expect(trial).to_contain_text("“Newsletters” stops 25")
    expect(trial).to_contain_text("7 conversations would stay with the agent who holds them by hand.")
    expect(trial.get_by_role("link", name="#1042 Invoice 4711 is wrong")).to_have_attribute("href", f"/c/{ident('conversation 1')}")
    picture(desk, "rule-trial")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("rules-page")).to_contain_text("Refunds")
    asked: Row = desk.fake.called("POST", "/v1/rules")[0]
    assert asked["condition"] == {
        "all": [
            {"field": "subject", "op": "contains", "value": "refund"},
            {"field": "sender_domain", "op": "in", "value": ["example.com", "example.org"]},
            {"any": [{"field": "has_attachment", "op": "is", "value": True}]},
        ]
    }
    assert [a["type"] for a in asked["actions"]] == ["tag", "assign"]


def test_a_refused_rule_says_where_it_is_wrong_and_keeps_what_was_written(desk: Desk) -> None:
    desk.allow("422")
    desk.fake.fail("POST", "/v1/rules", 422, detail="Correct it.", errors=[{"field": "condition.all[0].value", "message": "cannot be used at position 3 (missing )): correct it there"}])
    page = desk.sign_in("/rules/new")
    page.locator("rule-leaf").get_by_label("How").select_option("matches")
    page.locator("rule-leaf").get_by_label("Value").fill("ab(c")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("rule-page .field-error").first).to_contain_text("position 3")
    expect(page.locator("rule-leaf").get_by_label("Value")).to_have_value("ab(c")


def test_a_rule_comes_back_as_it_was_saved_and_an_older_version_is_brought_back(desk: Desk) -> None:
    fill(desk)
    wanted = desk.fake.rules[1]
    desk.fake.rule_versions[wanted["id"]] = [rule("Older", {"field": "body", "op": "matches", "value": "inv.*"}, HIGH)]
    page = desk.sign_in(f"/rules/{wanted['id']}")
    expect(page.locator(".rule-said")).to_contain_text("the subject contains “invoice” and none of this: the customer is no VIP")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("rules-page")).to_be_visible()
    saved: Any = desk.fake.called("PATCH", f"/v1/rules/{wanted['id']}")[0]
    assert saved["condition"] == {"all": [FIRE["all"][0], {"not": {"any": [{"field": "contact_vip", "op": "is", "value": False}]}}]}
    page.get_by_role("link", name="Invoices of VIPs").click()
    page.get_by_role("button", name="Bring back version 1").last.click()
    expect(page.locator(".rule-said")).to_contain_text("the text matches the pattern “inv.*”")


def explained() -> Row:
    leaf = {"kind": "leaf", "op": "contains", "name": None, "parts": []}
    hit = {"kind": "all", "result": True, "field": None, "op": None, "name": None, "value": None, "found": "", "parts": [
        {**leaf, "result": True, "field": "subject", "value": "invoice", "found": "Your invoice 4711"},
        {"kind": "not", "result": True, "field": None, "op": None, "name": None, "value": None, "found": "", "parts": [{**leaf, "op": "is", "result": False, "field": "contact_vip", "value": True, "found": "no"}]},
    ]}  # fmt: skip
    verdict = {"version": 1, "shadow": False, "differs": False, "stopped_by": None, "outcomes": [], "reason": None}
    first = {**verdict, "rule_id": ident("a"), "name": "Invoices", "hit": True, "reason": hit, "outcomes": [
        {"type": "priority", "done": True, "why": None, "template": None}, {"type": "assign", "done": False, "why": "at capacity", "template": None}]}  # fmt: skip
    unknown = {**leaf, "result": None, "field": "header", "name": "X-Team", "op": "is", "value": "night", "found": ""}
    second = {**verdict, "rule_id": ident("b"), "name": "Team of the night", "hit": False, "reason": unknown}
    third = {**verdict, "rule_id": ident("c"), "name": "All the rest", "hit": False, "stopped_by": ident("a")}
    mail = {"message_id": ident("m1"), "received_at": ago(minutes=9), "looked_at": ago(minutes=9), "why_not": None, "rules": [first, second, third]}
    old = {"message_id": ident("m0"), "received_at": ago(days=3), "looked_at": None, "why_not": "historical", "rules": []}
    change = {"rule_id": ident("d"), "version": 2, "name": "Refunds", "shadow": False, "stopped": False, "at": ago(minutes=3), "outcomes": [{"type": "tag", "done": True, "why": None, "template": None}]}
    return {"messages": [mail, old], "changes": [change]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_conversation_tells_which_rules_matched_and_why(desk: Desk, scheme: str) -> None:
    desk.fake.explained = explained()
    desk.page.emulate_media(color_scheme=scheme)
    desk.page.set_viewport_size({"width": 1440, "height": 900})
    number = max(row["number"] for row in desk.fake.conversations.values())
    page = desk.open_number(number)
    panel = page.locator("rules-panel")
    panel.get_by_role("button", name="Show what rules did").click()
    expect(panel).to_contain_text("1 of 3 matched")
    expect(panel).to_contain_text("Set the priority: done. Assign to a person: the agent is at capacity")
    expect(panel.locator("q").first).to_have_text("Your invoice 4711")
    expect(panel.get_by_role("img", name="cannot be known")).to_have_count(1)
    expect(panel).to_contain_text("“Invoices” ended the look before it.")
    panel.locator("summary").nth(1).click()
    expect(panel).to_contain_text("It came with the mailbox's history, which starts no rule.")
    expect(panel).to_contain_text("On changes")
    picture(desk, f"rules-explained-{scheme}")


def test_agents_have_no_way_to_the_rules(desk: Desk) -> None:
    page = desk.sign_in("/settings", email="jonas@desk.example.com")
    expect(page.get_by_role("link", name="Templates").first).to_be_visible()
    expect(page.get_by_role("link", name="Routing rules")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("dark", 390), ("light", 1280)])
def test_the_pages_fit_every_screen(desk: Desk, scheme: str, width: int) -> None:
    fill(desk)
    desk.page.set_viewport_size({"width": width, "height": 800})
    desk.page.emulate_media(color_scheme=scheme)
    page = desk.sign_in("/rules")
    expect(page.locator(".rule-rows > li")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the list scrolls sideways"
    picture(desk, f"rules-{scheme}-{width}")
    page.get_by_role("link", name="Invoices of VIPs").click()
    expect(page.locator("rule-leaf")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the rule scrolls sideways"
    picture(desk, f"rule-{scheme}-{width}")
