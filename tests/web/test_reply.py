"""Answering: formatting, recipients, attachments and their limits, drafts, keys against double sends, the stale view, send later."""

import json

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium
SENT = "/v1/conversations/[^/]+/messages"


def write(page: Page, text: str) -> None:
    page.keyboard.press("r")
    expect(page.locator(".editor-area")).to_be_focused()
    page.keyboard.type(text)


def attach(page: Page, *files: tuple[str, str, bytes]) -> None:
    page.locator("reply-box input[type=file]").set_input_files(files=[FilePayload(name=name, mimeType=kind, buffer=data) for name, kind, data in files])


def test_an_answer_with_an_attachment_leaves_and_is_shown_as_handed_over(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "Hello Anna,\nsee the guide.")
    attach(page, ("guide.pdf", "application/pdf", b"%PDF" + b"x" * 5000))
    expect(page.locator("upload-tray .file.ready")).to_contain_text("guide.pdf")
    page.keyboard.press("Control+Enter")
    card = page.locator("message-card[data-direction=outbound]").last
    expect(card).to_contain_text("see the guide.")
    expect(card.locator("attachment-list")).to_contain_text("guide.pdf")
    expect(card.locator("send-state")).to_contain_text("Handed to the server")
    expect(card.locator("send-state")).not_to_contain_text("Delivered")
    (body,) = desk.called("POST", SENT)
    assert body["html"] == "Hello Anna,<div>see the guide.</div>"
    assert body["text"] == "Hello Anna,\nsee the guide."
    assert body["to"] == [{"address": "anna@customer.example.org", "name": "Anna Sample"}]
    assert len(body["attachments"]) == 1
    assert desk.fake.blobs[body["attachments"][0]].startswith(b"%PDF")
    expect(page.locator(".reply-opener:not(.other)")).to_be_visible()


def test_formatting_reaches_the_mail_and_pasted_markup_does_not(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "plain ")
    page.keyboard.press("Control+b")
    page.keyboard.type("bold")
    page.keyboard.press("Control+b")
    page.keyboard.press("Enter")
    page.keyboard.type("item")
    page.get_by_role("button", name="Bulleted list").click()
    page.keyboard.type(" one")
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.setData("text/html", "<img src=x onerror=alert(1)><b>loud</b>");
        data.setData("text/plain", " <i>kept as text</i>");
        document.querySelector(".editor-area").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }""")
    html = page.evaluate("document.querySelector('rich-editor').html")
    assert "plain <strong>bold</strong>" in html
    assert "<ul><li>item one &lt;i&gt;kept as text&lt;/i&gt;</li></ul>" in html
    assert "onerror" not in html
    assert "- item one <i>kept as text</i>" in page.evaluate("document.querySelector('rich-editor').text")


def test_links_are_asked_for_and_unsafe_ones_dropped(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "see ")
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_label("Address").fill("javascript:alert(1)")
    page.get_by_role("button", name="Add", exact=True).click()
    assert "javascript" not in page.evaluate("document.querySelector('rich-editor').html")
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_label("Address").fill("docs.example.com/lp200")
    page.keyboard.press("Enter")
    expect(page.locator(".editor-area a")).to_have_attribute("href", "https://docs.example.com/lp200")


def test_limits_name_the_file_and_the_limit(desk: Desk) -> None:
    page = desk.open_number(1042)
    desk.fake.do(lambda: None)
    page.evaluate("""async () => (await import("/web/js/store.js")).store.get("me").limits = { file_bytes: 2000, files: 2, message_bytes: 3000 }""")
    write(page, "x")
    attach(page, ("big.bin", "application/octet-stream", b"x" * 2001))
    expect(page.locator("upload-tray")).to_contain_text("big.bin has 2 KB; one file may have 2 KB at most.")
    attach(page, ("one.txt", "text/plain", b"x" * 1900), ("two.txt", "text/plain", b"x" * 1900))
    expect(page.locator("upload-tray")).to_contain_text("two.txt was not added: together the files would have 4 KB, a message may carry 3 KB.")
    attach(page, ("three.txt", "text/plain", b"x" * 10), ("four.txt", "text/plain", b"x" * 10))
    expect(page.locator("upload-tray")).to_contain_text("four.txt was not added: a message carries 2 files at most.")
    attach(page, ("empty.txt", "text/plain", b""))
    expect(page.locator("upload-tray .file.ready")).to_have_count(2)


def test_a_dropped_file_is_attached_and_a_failed_upload_can_be_retried(desk: Desk) -> None:
    desk.allow("503 (Service Unavailable)")
    desk.fake.fail("POST", "/v1/uploads", 503, detail="S3 is away.")
    page = desk.open_number(1042)
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["dropped"], "drop.txt", { type: "text/plain" }));
        for (const type of ["dragover", "drop"]) document.querySelector("reply-box").dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }""")
    expect(page.locator("upload-tray .file.failed")).to_contain_text("S3 is away.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".reply-notice")).to_be_visible()
    assert desk.fake.called("POST", SENT) == []
    page.locator("upload-tray").get_by_role("button", name="Retry").click()
    expect(page.locator("upload-tray .file.ready")).to_contain_text("drop.txt")


def test_cc_bcc_and_wrong_addresses(desk: Desk) -> None:
    desk.allow("422 (Unprocessable")
    page = desk.open_number(1042)
    write(page, "Hello")
    page.get_by_role("button", name="Cc", exact=True).click()
    page.keyboard.type("Piet Vermeer <piet@customer.example.org>, nonsense")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".reply-notice")).to_contain_text("nonsense is not a mail address")
    page.get_by_role("button", name="Remove nonsense").click()
    page.get_by_role("button", name="Bcc", exact=True).click()
    page.keyboard.type("log@desk.example.com;")
    page.get_by_label("To", exact=True).fill("gone@nowhere.invalid")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("address-field").first).to_contain_text("gone@nowhere.invalid: has a domain that receives no mail")
    page.get_by_role("button", name="Remove gone@nowhere.invalid").click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("message-card[data-direction=outbound]").last).to_contain_text("Hello")
    body = desk.fake.called("POST", SENT)[-1]
    assert body["cc"] == [{"address": "piet@customer.example.org", "name": "Piet Vermeer"}]
    assert body["bcc"] == [{"address": "log@desk.example.com", "name": ""}]


def test_nothing_to_send_is_told(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "  ")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".reply-notice")).to_contain_text("There is nothing to send yet.")
    assert desk.fake.called("POST", SENT) == []


def test_a_draft_survives_a_reload_and_stays_with_its_conversation(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "Not yet done")
    attach(page, ("a.txt", "text/plain", b"a"))
    expect(page.locator("upload-tray .file.ready")).to_be_visible()
    expect(page.locator(".kept")).to_contain_text("Draft kept")
    page.reload()
    expect(page.locator(".editor-area")).to_have_text("Not yet done")
    expect(page.locator("upload-tray .file.ready")).to_contain_text("a.txt")
    page.locator(f'conversation-row[data-id="{desk.fake.number(1038)["id"]}"]').click()
    expect(page.locator("conversation-header .number")).to_have_text("#1038")
    expect(page.locator(".reply-opener:not(.other)")).to_be_visible()
    page.go_back()
    expect(page.locator(".editor-area")).to_have_text("Not yet done")


def test_a_lost_answer_is_repeated_with_the_same_key_and_sends_once(desk: Desk) -> None:
    desk.allow("ERR_FAILED", "Failed to load resource")
    page = desk.open_number(1042)
    keys: list[str] = []

    def swallow(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # It reaches the server; only the answer is lost.
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/conversations/*/messages", lambda route: swallow(route) if route.request.method == "POST" else route.continue_())
    write(page, "Once only")
    desk.fake.undo_seconds = 600
    page.keyboard.press("Control+Enter")
    expect(page.locator(".reply-notice")).to_contain_text("pressing Send again cannot send it twice")
    expect(page.locator(".editor-area")).to_have_text("Once only")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".reply-opener:not(.other)")).to_be_visible()
    assert len(keys) == 2
    assert keys[0] == keys[1]
    desk.becomes(lambda: sum(one["body_text"] == "Once only" for one in desk.fake.thread(desk.fake.number(1042)["id"])), 1)
    expect(page.locator("message-card", has_text="Once only")).to_have_count(1)


def test_a_newer_message_while_writing_stops_the_send_until_it_is_read(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "My answer")
    desk.fake.do(desk.fake.arrive, "It works again, never mind!", number=1042)
    notice = page.locator(".reply-notice.newer")
    expect(notice).to_contain_text("1 newer message arrived while you were writing.")
    expect(notice).to_contain_text("It works again, never mind!")
    page.keyboard.press("Control+Enter")
    expect(notice).to_contain_text("Not sent: the conversation moved on.")
    assert desk.fake.called("POST", SENT) == []
    notice.get_by_role("button", name="Send anyway").click()
    expect(page.locator("message-card[data-direction=outbound]").last).to_contain_text("My answer")
    desk.becomes(lambda: len(desk.fake.called("POST", SENT)), 1)


def test_the_servers_stale_view_refusal_shows_what_is_newer(desk: Desk) -> None:
    desk.allow("409 (Conflict)")
    desk.fake.stream_down = False
    page = desk.open_number(1042)
    write(page, "My answer")
    page.evaluate("""async () => (await import("/web/js/stream.js")).stream.stop()""")  # This agent hears nothing live.
    desk.fake.do(desk.fake.arrive, "Please cancel the order.", number=1042)
    page.keyboard.press("Control+Enter")
    notice = page.locator(".reply-notice.newer")
    expect(notice).to_contain_text("Please cancel the order.")
    expect(page.locator("message-card").last).to_contain_text("Please cancel the order.")
    stale = desk.fake.called("POST", SENT)[-1]["seen_version"]
    notice.get_by_role("button", name="Send anyway").click()
    expect(page.locator("message-card[data-direction=outbound]").last).to_contain_text("My answer")
    assert desk.fake.called("POST", SENT)[-1]["seen_version"] > stale


def test_send_later_is_scheduled_and_can_be_cancelled_back_into_the_box(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "Good morning")
    page.get_by_role("button", name="Send later").click()
    page.get_by_role("menuitem", name="Tomorrow at 9:00").click()
    card = page.locator("message-card[data-direction=outbound]").last
    expect(card.locator("send-state")).to_contain_text("Scheduled")
    assert desk.fake.called("POST", SENT)[-1]["send_at"].endswith("Z")
    card.get_by_role("button", name="Cancel").click()
    expect(card.locator("send-state")).to_contain_text("Cancelled")
    expect(page.locator(".editor-area")).to_have_text("Good morning")


def test_discard_can_be_taken_back(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "Precious")
    page.get_by_role("button", name="Discard the draft").click()
    expect(page.locator(".reply-opener:not(.other)")).to_be_visible()
    page.get_by_role("button", name="Bring it back").click()
    expect(page.locator(".editor-area")).to_have_text("Precious")


def test_a_viewer_gets_no_reply_box(desk: Desk) -> None:
    desk.fake.users[1]["role"] = "viewer"
    conversation = desk.fake.number(1042)["id"]
    page = desk.sign_in(f"/c/{conversation}", email="jonas@desk.example.com")
    expect(page.locator("message-card").first).to_be_visible()
    expect(page.locator("reply-box")).to_be_hidden()
    assert json.dumps(desk.fake.called("POST", f"/v1/conversations/{conversation}/read")) == "[]"


def test_saving_the_draft_does_not_cut_a_half_typed_recipient(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "Hello")
    page.get_by_role("button", name="Cc", exact=True).click()
    page.keyboard.type("piet@customer")
    page.wait_for_timeout(700)  # Longer than the draft waits before it is kept.
    page.keyboard.type(".example.org")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("message-card[data-direction=outbound]").last).to_contain_text("Hello")
    assert desk.called("POST", SENT)[-1]["cc"] == [{"address": "piet@customer.example.org", "name": ""}]


def test_an_edited_text_after_a_lost_answer_is_told_that_the_first_one_left(desk: Desk) -> None:
    desk.allow("ERR_FAILED", "Failed to load resource", "409 (Conflict)")
    page = desk.open_number(1042)
    tries: list[str] = []

    def lose_first(route: Route) -> None:
        if route.request.method == "POST" and not tries:
            tries.append(route.request.headers["idempotency-key"])
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/conversations/*/messages", lose_first)
    desk.fake.undo_seconds = 600
    write(page, "First text")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".reply-notice")).to_contain_text("cannot send it twice")
    page.locator(".editor-area").click()
    page.keyboard.type(" and more")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".reply-notice")).to_contain_text("An earlier try did reach the server with other text.")
    desk.becomes(lambda: sum(one["direction"] == "outbound" for one in desk.fake.thread(desk.fake.number(1042)["id"])), 2)


def test_a_reply_goes_to_everyone_or_to_the_sender_alone(desk: Desk) -> None:
    piet = {"address": "piet@customer.example.org", "name": "Piet Vermeer"}
    desk.fake.number(1042)["reply"]["cc"] = [piet]
    page = desk.open_number(1042)
    write(page, "Hello both")
    page.get_by_role("button", name="Only the sender").click()
    expect(page.locator("reply-form")).not_to_contain_text("Piet Vermeer")
    page.keyboard.press("Escape")
    page.keyboard.press("R")
    expect(page.locator("reply-form")).to_contain_text("Piet Vermeer")
    expect(page.locator(".editor-area")).to_have_text("Hello both")
    page.keyboard.press("Control+Enter")
    expect(page.locator("message-card[data-direction=outbound]").last).to_contain_text("Hello both")
    (body,) = desk.called("POST", SENT)
    assert body["cc"] == [piet]


def test_a_pasted_picture_is_attached(desk: Desk) -> None:
    page = desk.open_number(1042)
    write(page, "see ")
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["picture"], "shot.png", { type: "image/png" }));
        document.querySelector(".editor-area").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }""")
    expect(page.locator("upload-tray .file.ready")).to_contain_text("shot.png")
    expect(page.locator(".editor-area")).to_have_text("see ")
