"""Inboxes: health, pause and resume, resync, history, checks, ledger, adding and editing with complaints at their fields; quarantine; spam; people."""

import pytest
from playwright.sync_api import Page, expect

from tests.web import fake_data
from tests.web.desk import Desk

pytestmark = pytest.mark.chromium
SUPPORT = f"/v1/inboxes/{fake_data.INBOX_SUPPORT}"


def support(desk: Desk) -> Page:
    page = desk.sign_in(f"/inboxes/{fake_data.INBOX_SUPPORT}")
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    return page


def test_the_list_shows_health_in_words_and_the_last_error(desk: Desk) -> None:
    desk.fake.inboxes[fake_data.INBOX_BILLING] |= fake_data.trouble()
    page = desk.sign_in("/inboxes")
    expect(page.locator(".inbox-row", has_text="Support")).to_contain_text("Healthy")
    billing = page.locator(".inbox-row", has_text="billing@desk.example.com")
    expect(billing).to_contain_text("Degraded")
    expect(billing).to_contain_text("The server closed the connection during FETCH.")
    desk.fake.inboxes[fake_data.INBOX_SUPPORT]["health"] = "auth_failed"
    desk.fake.do(desk.fake.emit, "inbox.health", None, None, fake_data.INBOX_SUPPORT)
    expect(page.locator(".inbox-row", has_text="support@")).to_contain_text("Sign-in refused")


def test_pause_resume_and_resync(desk: Desk) -> None:
    page = support(desk)
    page.get_by_role("button", name="Pause").first.click()
    expect(page.locator(".page-head .badge")).to_have_text("Paused")
    page.locator(".page-head").get_by_role("button", name="Resume").click()
    expect(page.locator(".page-head .badge")).to_have_text("Healthy")
    page.get_by_role("button", name="Resync").click()
    page.get_by_role("menuitem", name="Check all of INBOX").click()
    expect(page.locator("toast-stack")).to_contain_text("Resync started.")
    page.get_by_role("button", name="Resync").click()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Check everything").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    folder = desk.fake.extras[fake_data.INBOX_SUPPORT]["folders"][0]["id"]
    desk.becomes(lambda: desk.fake.called("POST", f"{SUPPORT}/resync"), [{"scope": "folder", "folder_id": folder}, {"scope": "all"}])


def test_history_progress_is_live_and_can_be_paused_resumed_cancelled(desk: Desk) -> None:
    page = support(desk)
    line = page.locator("inbox-backfill li").first
    expect(line).to_contain_text("1,204 of 1,840 (65 %), about 4 min left")
    desk.fake.do(desk.fake.progress, fake_data.INBOX_SUPPORT, 1500)
    expect(line).to_contain_text("1,500 of 1,840 (81 %)")
    assert line.locator("progress").evaluate("(bar) => bar.value / bar.max") == pytest.approx(1500 / 1840)
    line.get_by_role("button", name="Pause").click()
    expect(line).to_contain_text("Paused")
    line.get_by_role("button", name="Resume").click()
    expect(line).to_contain_text("Running")
    line.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(line).to_contain_text("Cancelled")


def test_announcements_show_their_end_what_was_lost_and_how_often_is_looked(desk: Desk) -> None:
    extras = desk.fake.extras[fake_data.INBOX_BILLING]
    page = desk.sign_in(f"/inboxes/{fake_data.INBOX_BILLING}")
    panel = page.get_by_role("region", name="Announcements")
    expect(panel.locator(".badge")).to_have_text("On")
    expect(panel).to_contain_text("Of 40 mails within a day 4 (10 %) were not announced in time.")
    for fact in ("36 of 40", "10 min", "Granted until", "Last renewed", "Asked for again"):
        expect(panel).to_contain_text(fact)
    extras["push"] = fake_data.push(state="refused", refusal="Google may not publish to the topic <b>yet</b>.", found=0, missed=0, expires_at=None, poll_seconds=300)
    desk.fake.do(desk.fake.emit, "inbox.updated", None, None, fake_data.INBOX_BILLING)
    expect(panel.locator(".badge")).to_have_text("Refused")
    expect(panel.locator(".notice")).to_have_text("Google may not publish to the topic <b>yet</b>.")
    expect(panel).to_contain_text("no mail came")
    extras["push"] = None
    desk.fake.do(desk.fake.emit, "inbox.updated", None, None, fake_data.INBOX_BILLING)
    expect(panel).to_be_hidden()


def test_checks_tell_what_to_do_and_temporal_is_linked(desk: Desk) -> None:
    page = support(desk)
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("inbox-checks")).to_contain_text("Something is wrong")
    expect(page.locator("inbox-checks li.bad")).to_contain_text("Check the SMTP user name and password; some providers need an app password.")
    expect(page.get_by_role("link", name="Workflow in Temporal")).to_have_attribute("href", desk.fake.inboxes[fake_data.INBOX_SUPPORT]["links"]["temporal"])


def test_the_ledger_names_state_class_and_reason_and_filters(desk: Desk) -> None:
    page = support(desk)
    ledger = page.locator("inbox-ledger")
    expect(ledger.locator("tbody tr")).to_have_count(7)
    expect(ledger.locator("tr", has_text="Undelivered mail")).to_contain_text("nobody@customer.example.orgHard · 5.1.1 · Failed")
    ledger.get_by_label("Class").select_option(label="Spam")
    expect(ledger.locator("tbody tr")).to_have_count(2)
    expect(ledger.locator("tbody tr").first).to_contain_text("X-Spam-Flag: YES")


def test_adding_places_complaints_at_their_fields(desk: Desk) -> None:
    desk.allow("422 (Unprocessable")
    page = desk.sign_in("/inboxes/new")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("Name is needed.", exact=True)).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Sales")
    page.get_by_label("Address", exact=True).fill("sales@desk.example.com")
    imap, smtp = page.get_by_role("group", name="Receiving (IMAP)"), page.get_by_role("group", name="Sending (SMTP)")
    imap.get_by_label("Host").fill("imap.invalid")
    imap.get_by_label("Password").fill("hush")
    smtp.get_by_label("Host").fill("smtp.desk.example.com")
    imap.get_by_label("Security").select_option(label="STARTTLS")
    expect(imap.get_by_label("Port")).to_have_value("143")
    page.get_by_role("button", name="Connect").click()
    expect(imap.get_by_text("no such host; check the spelling")).to_be_visible()
    expect(imap.get_by_label("Host")).to_be_focused()
    imap.get_by_label("Host").fill("imap.desk.example.com")
    page.get_by_role("button", name="Connect").click()
    expect(page.locator(".page-head .badge")).to_have_text("Connecting")
    body = desk.fake.called("POST", "/v1/inboxes")[-1]
    assert body["smtp"] == {"host": "smtp.desk.example.com", "port": 587, "security": "starttls", "username": "sales@desk.example.com", "auth": "password", "password": "hush"}


def test_a_used_up_budget_is_told_on_the_inbox(desk: Desk) -> None:
    desk.fake.extras[fake_data.INBOX_SUPPORT]["pauses"] = [
        {"budget": "correspondent", "correspondent": "robot@shop.example.org", "opened_at": fake_data.ago(minutes=4), "until": fake_data.ago(minutes=-6), "held_back": 7},
        {"budget": "incoming-inbox", "correspondent": None, "opened_at": fake_data.ago(minutes=1), "until": fake_data.ago(minutes=-9), "held_back": 300},
    ]
    told = support(desk).get_by_role("alert")
    expect(told).to_have_count(2)
    expect(told.first).to_contain_text("Automatic answers to robot@shop.example.org are paused")
    expect(told.first).to_contain_text("7 mails not answered since")
    expect(told.last).to_contain_text("300 mails kept quiet since")


def test_what_happens_to_doubtful_replies_is_chosen_in_the_form(desk: Desk) -> None:
    page = support(desk)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("If it is unknown what became of a reply").select_option("at_least_once")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    desk.becomes(lambda: desk.fake.called("PATCH", SUPPORT), [{"send_policy": "at_least_once"}])


def test_what_the_mail_server_is_told_is_chosen_in_the_form(desk: Desk) -> None:
    page = support(desk)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("That a mail was read").check()
    page.get_by_label("That a conversation was archived").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    desk.becomes(lambda: desk.fake.called("PATCH", SUPPORT), [{"write_back": ["archive", "read"]}])


def test_a_mailbox_behind_a_web_api_has_no_servers_to_edit(desk: Desk) -> None:
    desk.fake.inboxes[SUPPORT.rsplit("/", 1)[1]]["provider"] = "gmail"
    page = support(desk)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Tags, as labels, categories or keywords").check()
    expect(page.get_by_text("Receiving (IMAP)")).to_have_count(0)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    desk.becomes(lambda: desk.fake.called("PATCH", SUPPORT), [{"write_back": ["labels"]}])


def test_editing_sends_what_changed_and_a_new_host_needs_the_password(desk: Desk) -> None:
    desk.allow("422 (Unprocessable")
    page = support(desk)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Sender name").fill("Northwind Helpdesk")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    desk.becomes(lambda: desk.fake.called("PATCH", SUPPORT), [{"display_name": "Northwind Helpdesk"}])
    page.get_by_role("link", name="Edit").click()
    smtp = page.get_by_role("group", name="Sending (SMTP)")
    smtp.get_by_label("Host").fill("other.desk.example.com")
    page.get_by_role("button", name="Save").click()
    expect(smtp.get_by_text("give the password again")).to_be_visible()
    smtp.get_by_label("Password").fill("again")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".page-head .badge")).to_be_visible()
    desk.becomes(lambda: desk.fake.inboxes[fake_data.INBOX_SUPPORT]["settings"]["smtp"]["host"], "other.desk.example.com")


def test_an_agent_sees_but_does_not_steer(desk: Desk) -> None:
    page = desk.sign_in(f"/inboxes/{fake_data.INBOX_SUPPORT}", email="jonas@desk.example.com")
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    expect(page.locator("inbox-ledger tbody tr").first).to_be_visible()
    for name in ("Pause", "Resync", "Test connection"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.get_by_role("link", name="Quarantine").click()
    expect(page.get_by_role("link", name="Raw mail").first).to_be_visible()
    for name in ("Retry", "Dismiss"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_quarantine_is_read_retried_and_dismissed(desk: Desk) -> None:
    page = desk.sign_in("/quarantine")
    first = page.locator("quarantine-page li").first
    expect(first).to_contain_text("Too complex")
    expect(first).to_contain_text("1,214 MIME parts")
    first.get_by_role("button", name="View as plain text").click()
    expect(first.locator("pre")).to_contain_text("Subject: <script>alert(1)</script>")
    expect(first.get_by_role("link", name="Raw mail")).to_have_attribute("href", f"/v1/quarantine/{desk.fake.quarantine[0]['id']}/raw")
    first.get_by_role("button", name="Retry").click()
    expect(page.locator("quarantine-page li")).to_have_count(1)
    page.get_by_role("button", name="Dismiss", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("heading", name="Nothing in quarantine")).to_be_visible()
    page.get_by_role("link", name="Resolved").click()
    expect(page.locator("quarantine-page li")).to_have_count(2)


def test_spam_is_brought_in(desk: Desk) -> None:
    page = desk.sign_in("/spam")
    expect(page.locator("spam-page li")).to_have_count(2)
    page.locator("li", has_text="You won a prize").get_by_role("button", name="Not spam").click()
    expect(page.locator("spam-page li")).to_have_count(1)
    page.locator("toast-stack").get_by_role("button", name="Open").click()
    expect(page.locator("conversation-header .subject")).to_have_text("You won a prize")


def test_people(desk: Desk) -> None:
    desk.allow("422 (Unprocessable")
    page = desk.sign_in("/users")
    people = page.get_by_role("region", name="People")
    people.get_by_label("Name").fill("Ines")
    people.get_by_label("Email").fill("ines@desk.example.com")
    people.get_by_label("First password").fill("short")
    people.get_by_role("button", name="Add a person").click()
    expect(people).to_contain_text("needs at least 10 characters")
    people.get_by_label("First password").fill("long enough words")
    people.get_by_role("button", name="Add a person").click()
    expect(people.locator("li", has_text="ines@desk.example.com")).to_be_visible()
