"""Snoozing, notes with mentions, followers, tags, presence and kept drafts, as an agent uses them."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.web.desk import Desk
from tests.web.fake_data import USER_JONAS, USER_MAYA
from tests.web.fake_life import be_present, write_note

PATCHED = r"/v1/conversations/[^/]+"


def jonas(desk: Desk) -> dict[str, Any]:
    return next(user for user in desk.fake.users if user["id"] == USER_JONAS)


# -- snooze ------------------------------------------------------------------------------------------------------------


def test_a_conversation_sleeps_until_tomorrow_says_so_and_is_woken(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.get_by_role("button", name="Snooze").click()
    expect(page.get_by_role("menuitem")).to_have_count(4)
    page.get_by_role("menuitem", name=re.compile("Tomorrow")).click()
    line = page.locator("snooze-line")
    expect(line).to_contain_text("Snoozed until")
    expect(line).to_contain_text("09:00")
    (body,) = desk.called("PATCH", PATCHED)
    assert list(body) == ["snoozed_until"]
    page.get_by_role("link", name="Snoozed", exact=True).click()
    expect(page.locator("conversation-row")).to_have_count(1)
    expect(page.locator("conversation-row snooze-chip")).to_contain_text("until")
    page.locator("conversation-row").click()
    line.get_by_role("button", name="Wake now").click()
    expect(line).to_be_hidden()
    desk.becomes(lambda: desk.fake.number(1042)["status"], "open")


def test_a_time_of_ones_own_is_asked_for_and_the_past_refused(desk: Desk) -> None:
    page = desk.open_number(1042)
    for value, accepted in (("2020-01-01T09:00", False), ("2031-05-06T07:30", True)):
        page.get_by_role("button", name="Snooze").click()
        page.get_by_role("menuitem", name="Pick a time").click()
        page.get_by_label("Date and time").fill(value)
        page.get_by_role("dialog").get_by_role("button", name="Snooze").click()
        if not accepted:
            expect(page.locator("toast-stack")).to_contain_text("is in the past")
    expect(page.locator("snooze-line")).to_contain_text("6 May")
    desk.becomes(lambda: [b["snoozed_until"] for b in desk.fake.called("PATCH", PATCHED)], ["2031-05-06T05:30:00.000Z"])


# -- notes and followers -----------------------------------------------------------------------------------------------


def test_a_note_is_written_with_a_mention_and_stands_in_the_thread(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.keyboard.press("n")
    field = page.get_by_role("combobox", name="Internal note")
    expect(field).to_be_focused()
    page.keyboard.type("Please ask @jo")
    expect(page.get_by_role("listbox", name="People to mention").get_by_role("option")).to_contain_text(["Jonas Weber"])
    page.keyboard.press("Enter")
    page.keyboard.type("<b>first</b>")
    expect(field).to_have_value("Please ask @Jonas Weber <b>first</b>")
    expect(page.locator("note-writer")).to_contain_text("Jonas Weber will be told")
    page.keyboard.press("Control+Enter")
    card = page.get_by_role("article", name=re.compile("Note by Maya Lind"))
    expect(card).to_contain_text("Please ask @Jonas Weber <b>first</b>")
    expect(card.locator(".mention")).to_have_text("@Jonas Weber")
    expect(page.locator(".thread > *").last).to_have_attribute("aria-label", re.compile("Note by"))
    desk.becomes(lambda: desk.fake.called("POST", rf"{PATCHED}/notes"), [{"content": "Please ask @Jonas Weber <b>first</b>", "mentions": [USER_JONAS]}])
    expect(page.locator("followers-panel")).to_contain_text("Jonas Weber")
    expect(page.locator("followers-panel")).to_contain_text("was mentioned")


def test_a_colleagues_note_arrives_live_between_the_messages_and_only_ones_own_is_changed(desk: Desk) -> None:
    page = desk.open_number(1042)
    desk.fake.do(write_note, desk.fake, desk.fake.number(1042), jonas(desk), "I call her.", [])
    foreign = page.get_by_role("article", name=re.compile("Note by Jonas Weber"))
    expect(foreign).to_contain_text("I call her.")
    foreign.get_by_role("button", name="More about this note").click()
    expect(page.get_by_role("menuitem", name="Change the note")).to_have_count(0)
    page.get_by_role("menuitem", name="Delete the note").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(foreign).to_have_count(0)
    desk.fake.do(write_note, desk.fake, desk.fake.number(1042), desk.fake.users[0], "Mine.", [])
    own = page.get_by_role("article", name=re.compile("Note by Maya Lind"))
    own.get_by_role("button", name="More about this note").click()
    page.get_by_role("menuitem", name="Change the note").click()
    own.get_by_role("combobox", name="Change the note").fill("Changed @Jonas Weber")
    own.get_by_role("button", name="Save").click()
    expect(own).to_contain_text("changed")
    expect(own.locator(".mention")).to_have_text("@Jonas Weber")


def test_a_refused_note_keeps_its_text_and_says_why(desk: Desk) -> None:
    page = desk.open_number(1042)
    desk.allow("422")
    desk.fake.fail("POST", rf"{PATCHED}/notes", 422, detail="One field is wrong.", errors=[{"field": "mentions[0]", "message": "may not see this inbox"}])
    page.get_by_role("button", name="Note", exact=True).click()
    page.get_by_role("combobox", name="Internal note").fill("@Jonas Weber look")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("note-writer [role=alert]")).to_contain_text("may not see this inbox")
    expect(page.get_by_role("combobox", name="Internal note")).to_have_value("@Jonas Weber look")


def test_one_follows_lets_a_colleague_follow_and_stops(desk: Desk) -> None:
    page = desk.open_number(1042)
    panel = page.locator("followers-panel")
    panel.get_by_role("button", name="Follow", exact=True).click()
    expect(panel.get_by_role("listitem")).to_have_text([re.compile("Maya Lind")])
    panel.get_by_label("Let a colleague follow").select_option(label="Jonas Weber")
    expect(panel.get_by_role("listitem")).to_have_count(2)
    panel.get_by_role("button", name="Stop following").click()
    expect(panel.get_by_role("listitem")).to_have_text([re.compile("Jonas Weber.*was added")])
    panel.get_by_role("button", name="Take Jonas Weber off the followers").click()
    expect(panel).to_contain_text("Nobody follows.")


# -- tags --------------------------------------------------------------------------------------------------------------


def test_tags_are_picked_in_their_colours_and_taken_off(desk: Desk) -> None:
    desk.fake.tags = [{"id": "t1", "name": "billing", "color": "#c2413b"}]
    page = desk.open_number(1042)
    field = page.get_by_label("Add a tag")
    for name in ("billing", "late"):
        field.fill(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("list", name="Tags").get_by_role("listitem").filter(has_text=name)).to_be_visible()
    # The name shows at once, the colour is what the server says.
    desk.becomes(lambda: page.locator("tag-picker .badge").first.evaluate("(e) => e.style.getPropertyValue('--tag')"), "#c2413b")
    expect(page.locator("conversation-row").filter(has_text="Label printer").locator(".badge.tag")).to_have_text(["billing", "late"])
    page.get_by_role("button", name="Remove the tag billing").click()
    expect(page.get_by_role("button", name="Remove the tag billing")).to_have_count(0)
    desk.becomes(lambda: [body["tags"] for body in desk.fake.called("PATCH", PATCHED)], [["billing"], ["billing", "late"], ["late"]])


def test_administrators_make_name_colour_and_remove_tags(desk: Desk) -> None:
    page = desk.sign_in("/tags")
    desk.allow("422")
    page.get_by_role("textbox", name="Name").fill("billing")
    page.get_by_role("button", name="Red").click()
    page.get_by_role("button", name="Make a tag").click()
    row = page.locator("[data-tag=billing]")
    expect(row.get_by_label("Colour of billing")).to_have_value("#c2413b")
    page.get_by_role("textbox", name="Name").fill("billing")
    page.get_by_role("button", name="Make a tag").click()
    expect(page.get_by_role("alert").filter(has_text="not taken")).to_be_visible()
    page.get_by_role("button", name="Rename billing").click()
    page.get_by_role("dialog").get_by_label("Name").fill("invoices")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.locator("[data-tag=invoices]")).to_be_visible()
    page.get_by_role("button", name="Remove invoices").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("tags-page")).to_contain_text("There is no tag yet.")


def test_agents_see_the_tags_and_change_none(desk: Desk) -> None:
    desk.fake.tags = [{"id": "t1", "name": "billing", "color": "#c2413b"}]
    page = desk.sign_in("/tags", email="jonas@desk.example.com")
    expect(page.locator("[data-tag=billing]")).to_be_visible()
    expect(page.get_by_role("button", name="Remove billing")).to_have_count(0)


# -- presence ----------------------------------------------------------------------------------------------------------


def test_who_else_is_there_is_shown_live_and_leaves(desk: Desk) -> None:
    desk.fake.do(be_present, desk.fake, desk.fake.number(1042), jonas(desk), "viewing")
    page = desk.open_number(1042)
    line = page.get_by_role("status", name="Who else is here")
    expect(line).to_contain_text("Jonas Weber is viewing")
    desk.fake.do(be_present, desk.fake, desk.fake.number(1042), jonas(desk), "writing")
    expect(line).to_contain_text("Jonas Weber is writing a reply")
    desk.fake.do(be_present, desk.fake, desk.fake.number(1041), jonas(desk), "viewing")
    desk.fake.do(be_present, desk.fake, desk.fake.number(1042), jonas(desk), "gone")
    expect(line).to_be_hidden()


def test_this_window_says_what_it_does(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator(".reply-opener").first.click()
    page.keyboard.type("Hello")
    here = rf"/v1/conversations/{desk.fake.number(1042)['id']}/presence"

    def said() -> list[str]:
        return [body["state"] for body in desk.fake.called("PUT", here)]

    expect(page.locator(".kept")).to_contain_text("Draft kept")
    desk.becomes(lambda: said()[:2], ["viewing", "writing"])
    page.locator("conversation-row").filter(has_text="Delay on route 14").click()
    expect(page.locator("conversation-header .number")).to_have_text("#1041")
    desk.becomes(lambda: said()[-1], "gone")


# -- drafts and the difference -----------------------------------------------------------------------------------------


def test_a_draft_is_kept_on_the_server_and_found_at_another_desk(desk: Desk) -> None:
    page = desk.open_number(1042)
    place = desk.fake.number(1042)["id"], USER_MAYA
    page.locator(".reply-opener").first.click()
    page.keyboard.type("Dear Anna & all")
    expect(page.locator(".kept")).to_have_text("Draft kept on the server")
    desk.becomes(lambda: desk.fake.drafts[place]["html"], "Dear Anna &amp; all")
    page.evaluate("localStorage.clear()")
    desk.fake.drafts[place] |= {"html": 'Dear <strong>Anna</strong><div>see <a href="https://docs.example.com/lp200">this</a></div><script>x</script>', "updated_at": "2026-01-02T00:00:00Z"}
    page.goto("about:blank")
    page = desk.open_number(1042)
    editor = page.get_by_role("textbox", name="Reply text")
    expect(editor).to_contain_text("see this")
    expect(editor.locator("strong")).to_have_text("Anna")
    assert page.locator("rich-editor script").count() == 0
    page.keyboard.press("Control+Enter")
    editor.focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator("message-card[data-direction=outbound]").last).to_contain_text("see this")
    desk.becomes(lambda: desk.fake.drafts, {})


def test_a_discarded_draft_is_gone_there_too(desk: Desk) -> None:
    page = desk.open_number(1042)
    page.locator(".reply-opener").first.click()
    page.keyboard.type("Not this.")
    expect(page.locator(".kept")).to_have_text("Draft kept on the server")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_role("button", name="Discard the draft").click()
    desk.becomes(lambda: desk.fake.drafts, {})


def test_a_refused_reply_says_what_colleagues_did_meanwhile(desk: Desk) -> None:
    page = desk.open_number(1042)
    desk.allow("409")
    page.locator(".reply-opener").first.click()
    page.keyboard.type("We come.")
    row = desk.fake.number(1042)
    who = {"id": USER_JONAS, "name": "Jonas Weber"}
    change = {"id": None, "who": who, "name": "Jonas Weber", "at": "2026-01-02T00:00:00Z", "version": row["version"] + 1}
    desk.fake.changes = [
        {**change, "kind": "note", "snippet": "Do not answer, I call her."},
        {**change, "kind": "assignment", "snippet": "Jonas Weber"},
        {**change, "kind": "status", "snippet": "pending"},
    ]
    row["version"] += 1
    page.keyboard.press("Control+Enter")
    notice = page.locator("reply-notice")
    expect(notice).to_contain_text("Not sent: the conversation moved on.")
    lines = notice.get_by_role("list", name="What changed").get_by_role("listitem")
    expect(lines).to_have_text([re.compile("Jonas Weber wrote a note: .*I call her"), re.compile("assigned it to Jonas Weber"), re.compile("set the status to Pending")])
    notice.get_by_role("button", name="Send anyway").click()
    expect(page.locator("message-card[data-direction=outbound]").last).to_contain_text("We come.")
    desk.becomes(lambda: [body["seen_version"] for body in desk.fake.called("POST", rf"{PATCHED}/messages")][-1], row["version"] - 1)
