"""The mailbox balance in the browser: every figure explained, gaps with counts, new sheets on demand and live; agents do not see it."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.desk import Desk
from tests.web.fake_balance import folder, gap, line
from tests.web.fake_data import INBOX_SUPPORT, ident

pytestmark = pytest.mark.chromium
INBOX = {"ingested": 8_412, "skipped": 310, "quarantined": 4, "gone": 57}


def fill(desk: Desk) -> None:
    """Three inboxes: one with a gap, one whose history comes in, one that is not compared yet."""
    desk.fake.balance = [
        line(
            [folder("INBOX", closed=2, history_waiting=0, beyond_horizon=2_950, missing=12, **INBOX), folder("Sent", ingested=1_204, skipped=688, extra=1)],
            gaps=[gap("audit", is_open=True, missing=40, refilled=28)],
        ),
        line([folder("INBOX", history="running", ingested=640, stored=35, history_waiting=4_100, ahead=2), folder("Sent", not_asked_for=12)], id_=ident("inbox 2"), name="Billing"),
        line([folder("INBOX", sheet=False)], id_=ident("inbox 3"), name="Press", health="paused", audit_due_at=None),
    ]
    desk.fake.gaps = [
        gap("audit", is_open=True, missing=40, refilled=28, listed=11_688),
        gap("reauth", since=desk.fake.balance[0]["folders"][0]["audit"]["at"], missing=37, refilled=36, quarantined=1, listed=11_640),
    ]


def test_every_folder_has_its_figures_and_its_bar(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/balance")
    expect(page.get_by_role("status").filter(has_text="missing")).to_have_text("12 mails of 18,368 are missing and being fetched.")
    inbox = page.locator(".balance").first.locator(".balance-folder").first
    for words in ("11,688at provider", "8,726in ledger", "12missing", "0extra", "2,950 older than wanted", "57 gone from there"):
        expect(inbox).to_contain_text(words)
    bar = inbox.get_by_role("img")
    expect(bar).to_have_attribute("aria-label", "8,412 taken in, 310 copies, 4 in quarantine, 2,950 older than wanted, 12 missing")
    widths = bar.evaluate("(svg) => [...svg.children].map((rect) => rect.getBoundingClientRect().width)")
    assert min(widths) >= 3, "one mail of a hundred thousand is still to be seen"
    assert sum(widths) == pytest.approx(desk.box(bar)["width"], rel=0.02)
    expect(page.locator(".balance").first).to_contain_text("Gap in INBOX. A balance sheet found mail that the ledger lacked. 28 of 40 missing mails found so far, 12 to go.")
    sent = page.locator(".balance").first.locator(".balance-folder").nth(1)
    expect(sent).to_contain_text("1 without a mail")
    expect(page.locator(".balance").nth(2)).to_contain_text("Not compared yet.")
    expect(page.locator(".balance").nth(2).get_by_role("button", name="Audit now")).to_be_disabled()


def test_new_sheets_are_asked_for_and_come_live(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/balance")
    first = page.locator(".balance").first
    first.get_by_role("button", name="Audit now").click()
    expect(first.get_by_role("button", name="Looking …")).to_be_disabled()
    desk.becomes(lambda: desk.fake.called("POST", f"/v1/inboxes/{INBOX_SUPPORT}/audit"), [None])
    desk.fake.balance = [line([folder("INBOX", closed=3, reason="refilled", beyond_horizon=2_950, **(INBOX | {"ingested": 8_424}))])]
    desk.fake.do(desk.fake.emit, "gap.closed", None, None, INBOX_SUPPORT)
    expect(page.get_by_text("All 11,688 mails at the mail servers are accounted for.")).to_be_visible()
    expect(first.get_by_role("button", name="Audit now")).to_be_enabled()
    expect(first).to_contain_text("Proven after a refill")
    expect(first.locator(".notice")).to_have_count(0)


def test_gaps_are_told_with_their_counts(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/balance")
    page.get_by_role("button", name="2 gaps closed in 30 days").click()
    rows = page.locator(".gaps tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("signed in again after it could not be read")
    expect(rows.nth(1)).to_contain_text("37 mails missing, 36 fetched, 1 to quarantine")
    page.get_by_role("button", name="Hide gaps").click()
    expect(rows).to_have_count(0)


def test_a_refused_order_says_why(desk: Desk) -> None:
    fill(desk)
    page = desk.sign_in("/balance")
    desk.fake.fail("POST", rf"/v1/inboxes/{INBOX_SUPPORT}/audit", 409, detail="This inbox does not sync now. Resume it first.")
    desk.allow("409")
    page.locator(".balance").first.get_by_role("button", name="Audit now").click()
    expect(page.get_by_text("This inbox does not sync now. Resume it first.")).to_be_visible()
    expect(page.locator(".balance").first.get_by_role("button", name="Audit now")).to_be_enabled()


def test_agents_have_no_way_there(desk: Desk) -> None:
    page = desk.sign_in("/settings", email="jonas@desk.example.com")
    expect(page.get_by_role("link", name="Inboxes").first).to_be_visible()
    expect(page.get_by_role("link", name="Mailbox balance")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_it_fits_every_screen(desk: Desk, scheme: str, width: int) -> None:
    fill(desk)
    desk.page.set_viewport_size({"width": width, "height": 900})
    desk.page.emulate_media(color_scheme=scheme)
    page = desk.sign_in("/balance")
    page.get_by_role("button", name="2 gaps closed in 30 days").click()
    expect(page.locator(".gaps tbody tr")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    if folder_ := os.environ.get("MAILROOM_TEST_PICTURES"):
        page.screenshot(path=Path(folder_) / f"balance-{scheme}-{width}.png", full_page=True)
