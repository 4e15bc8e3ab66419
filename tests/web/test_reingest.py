"""Re-ingest in the browser: choose and count, begin, watch it live, read what differs, take it over; agents do not see it."""

import pytest
from playwright.sync_api import Page, expect

from tests.web import fake_reingests
from tests.web.desk import Desk
from tests.web.fake_data import INBOX_SUPPORT

pytestmark = pytest.mark.chromium
AT = f"/reingest/{fake_reingests.RUN}"


def compared(desk: Desk, **values: object) -> Page:
    desk.fake.reingests.append(fake_reingests.run(**values))
    page = desk.sign_in(AT)
    expect(page.get_by_role("heading", name="Re-ingest")).to_be_visible()
    return page


def test_mails_are_chosen_counted_and_compared(desk: Desk) -> None:
    page = desk.sign_in("/reingest")
    form = page.locator(".reingest-form")
    expect(form).to_contain_text("1,840 mails, 46 MB, 3 of them in quarantine.")
    expect(form).to_contain_text("read by a parser older than version 2")
    begin = page.get_by_role("button", name="Compare")
    form.get_by_label("Read by an older parser").uncheck()
    expect(form).to_contain_text("Nothing narrows this down.")
    expect(begin).to_be_disabled()
    form.get_by_label("Class").select_option(label="Complaint")
    expect(form).to_contain_text("0 mails")
    expect(begin).to_be_disabled()
    form.get_by_label("Class").select_option(label="Any class")
    form.get_by_label("Inbox").select_option(label="Support")
    form.get_by_label("Received since").fill("2026-01-31")
    expect(begin).to_be_enabled()
    begin.click()
    page.wait_for_url("**/reingest/*")
    (asked,) = desk.fake.called("POST", "/v1/reingests")
    assert asked == {"inbox": [INBOX_SUPPORT], "since": "2026-01-30T23:00:00.000Z"}
    expect(page.locator(".page-head .badge")).to_have_text("Comparing")


def test_all_mail_has_to_be_said(desk: Desk) -> None:
    page = desk.sign_in("/reingest")
    page.get_by_label("All mail").check()
    expect(page.get_by_label("Read by an older parser")).to_be_disabled()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/reingest/*")
    desk.becomes(lambda: desk.fake.called("POST", "/v1/reingests"), [{"everything": True}])


def test_progress_is_live_and_can_be_paused_resumed_and_ended(desk: Desk) -> None:
    page = compared(desk, state="planning", done=200, changed=1, failed=0, failures={})
    expect(page.locator(".summary")).to_contain_text("200 of 1,840 compared (10 %), 1 differ")
    row = desk.fake.reingests[0]
    row |= {"done": 920, "changed": 3}
    desk.fake.do(desk.fake.emit, "reingest.progress", payload={"reingest_id": fake_reingests.RUN})
    expect(page.locator(".summary")).to_contain_text("920 of 1,840 compared (50 %), 3 differ")
    assert page.locator(".summary progress").evaluate("(bar) => bar.value / bar.max") == pytest.approx(0.5)
    expect(page.locator("section[aria-label=Changes]")).to_be_hidden()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".page-head .badge")).to_have_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".page-head .badge")).to_have_text("Comparing")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(page.locator(".page-head .badge")).to_have_text("Cancelled")


def test_what_differs_is_read_line_by_line(desk: Desk) -> None:
    page = compared(desk)
    changes = page.locator("reingest-change")
    expect(changes).to_have_count(5)
    expect(page.locator(".run-trouble")).to_contain_text("2 mails: Its bytes are not in the bucket.")
    first = changes.first
    first.locator(".change-head").click()
    expect(first.locator(".change-line", has_text="Subject")).to_contain_text("B?ckets → Bückets")
    expect(first.locator(".change-line", has_text="Files")).to_contain_text("New: order.pdf")
    body = first.locator(".change-body").first
    expect(body).to_contain_text("412 → 398 characters")
    rows = body.locator("table.diff tbody tr")
    expect(rows).to_have_count(11)
    expect(rows.nth(2).locator("del")).to_have_text("?ckets arrived dented. I?")
    expect(rows.nth(2).locator("ins")).to_have_text("ückets arrived dented. I’")
    expect(body.locator(".gap")).to_have_count(1)
    expect(rows.nth(9)).to_contain_text("Northwind <script>alert(1)</script>")  # a mail's text is text
    body.get_by_role("button", name="One under the other").click()
    expect(body.locator("table.diff tbody tr")).to_have_count(12)
    expect(body.get_by_role("button", name="One under the other")).to_have_attribute("aria-pressed", "true")


def test_moves_and_judgements_are_told_in_words(desk: Desk) -> None:
    page = compared(desk)
    page.get_by_role("button", name="Conversation", exact=True).click()
    changes = page.locator("reingest-change")
    expect(changes).to_have_count(2)
    changes.nth(0).locator(".change-head").click()
    expect(changes.nth(0)).to_contain_text("Message → Bounce · A report of a mail server")
    expect(changes.nth(0)).to_contain_text("It leaves its conversation.")
    changes.nth(1).locator(".change-head").click()
    expect(changes.nth(1)).to_contain_text("somebody has answered there")


def test_taking_over_asks_first(desk: Desk) -> None:
    page = compared(desk)
    page.get_by_role("button", name="Take over").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("4 mails will be shown as the parser reads them now")
    dialog.get_by_role("button", name="Take over").click()
    expect(page.locator(".page-head .badge")).to_have_text("Taking over")
    desk.becomes(lambda: len(desk.fake.called("POST", f"/v1/reingests/{fake_reingests.RUN}/apply")), 1)
    desk.fake.reingests[0] |= {"state": "applied", "applied": 1838}
    desk.fake.do(desk.fake.emit, "reingest.progress", payload={"reingest_id": fake_reingests.RUN})
    expect(page.locator(".page-head .badge")).to_have_text("Done")
    expect(page.locator(".summary")).to_contain_text("1,838 of 1,838 taken over, 2 failed")
    page.get_by_role("link", name="All runs").click()
    expect(page.locator(".runs li")).to_contain_text("Support · read by an older parser")


def test_an_agent_has_no_door_to_it(desk: Desk) -> None:
    page = desk.sign_in("/inboxes", email="jonas@desk.example.com")
    expect(page.get_by_role("link", name="Quarantine")).to_be_visible()
    expect(page.get_by_role("link", name="Re-ingest")).to_have_count(0)
