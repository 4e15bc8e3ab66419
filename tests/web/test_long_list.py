"""A list of 100,000 conversations: few elements, rows that are used again, one changed row for one event, and pages read ahead and behind."""

import pytest
from playwright.sync_api import Page, expect

from tests.web import fake_data
from tests.web.desk import Desk
from tests.web.fake_crowd import Crowd

pytestmark = pytest.mark.chromium
MANY = 100_000
SCROLLER = "document.querySelector('conversation-list .scroller')"


def many(desk: Desk) -> Page:
    desk.fake.crowd = Crowd(MANY, desk.fake.inboxes[fake_data.INBOX_SUPPORT])
    page = desk.sign_in()
    expect(page.locator("conversation-row").first).to_contain_text("Label printer")
    expect(page.locator("conversation-row").first).to_have_attribute("aria-setsize", str(MANY + 6))
    return page


def scroll(page: Page, row: int) -> None:
    page.evaluate(f"{SCROLLER}.scrollTop = {row} * parseFloat(getComputedStyle(document.querySelector('virtual-rows')).getPropertyValue('--row-px'))")


def test_the_scroll_bar_stands_for_all_and_the_document_holds_few(desk: Desk) -> None:
    page = many(desk)
    expect(page.locator("conversation-row").first).to_have_attribute("aria-setsize", str(MANY + 6))
    assert page.evaluate(f"{SCROLLER}.scrollHeight") > MANY * 60
    assert page.locator("conversation-row").count() < 60
    assert sum(end - start for start, end in desk.fake.crowd.asked) <= 1_000, "only what is near the reader is read"


def test_a_scroll_that_is_not_drawn_yet_is_not_undone_by_news(desk: Desk) -> None:
    page = many(desk)
    scroll(page, 40)
    expect(page.locator("conversation-row", has_text="Crowd 40").first).to_be_visible()
    place = page.evaluate(f"""() => {{
        {SCROLLER}.scrollTop = 3000 * 76;
        document.querySelector("virtual-rows").window.dispatchEvent(new CustomEvent("change"));
        return {SCROLLER}.scrollTop / 76;
    }}""")
    assert place == 3000


def test_rows_are_used_again_while_scrolling(desk: Desk) -> None:
    page = many(desk)
    page.evaluate("""() => {
        window.made = 0;
        new MutationObserver((all) => all.forEach((one) => one.addedNodes.forEach((node) => { if (node.localName === "conversation-row" && !node.known) { node.known = true; window.made += 1; } })))
            .observe(document.querySelector("virtual-rows"), { childList: true });
    }""")
    for row in range(0, 300, 10):
        scroll(page, row)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(page.locator("conversation-row", has_text="Crowd 295").first).to_be_attached()
    assert page.evaluate("window.made") < 60
    assert page.locator("conversation-row").count() < 60


def test_a_far_jump_is_filled_and_the_way_back_is_read_again(desk: Desk) -> None:
    page = many(desk)
    page.evaluate("""() => {
        const rows = document.querySelector("virtual-rows");
        window.waited = false; // what is there for a moment only is seen by who stands beside it
        new MutationObserver(() => (window.waited ||= rows.querySelector("conversation-row[waiting]") !== null)).observe(rows, { childList: true, subtree: true, attributes: true });
    }""")
    scroll(page, 9_000)
    expect(page.locator("conversation-row", has_text="Crowd 9000").first).to_be_visible()
    assert page.evaluate("window.waited"), "rows stand there before their data is read"
    held = page.evaluate("""() => {
        const list = document.querySelector("virtual-rows").window;
        return [...Array(list.length).keys()].filter((at) => list.item(at) !== null).length;
    }""")
    assert held < 4_000, "what is far away is let go"
    desk.fake.crowd.asked.clear()
    scroll(page, 0)
    expect(page.locator("conversation-row").first).to_contain_text("Label printer")
    scroll(page, 2_000)
    expect(page.locator("conversation-row", has_text="Crowd 2000").first).to_be_visible()
    order = page.evaluate("document.querySelector('virtual-rows').window.ids")
    assert len(order) == len(set(order))
    assert [fake_data.ident(f"crowd {place}") for place in range(2_500)] == order[6:2_506]


def test_an_event_changes_one_row_and_keeps_focus_selection_and_place(desk: Desk) -> None:
    page = many(desk)
    scroll(page, 120)
    row = page.locator("conversation-row", has_text="Crowd 118").first
    expect(row).to_be_visible()
    desk.calm()
    row.get_by_role("checkbox").check(force=True)
    row.locator("a").focus()
    place = page.evaluate(f"{SCROLLER}.scrollTop")
    page.evaluate("""() => {
        window.redrawn = new Set();
        new MutationObserver((all) => all.forEach((one) => { const row = (one.target.closest ? one.target : one.target.parentElement).closest("conversation-row"); if (row) window.redrawn.add(row.dataset.id); }))
            .observe(document.querySelector("virtual-rows"), { childList: true, subtree: true, characterData: true });
    }""")
    before = len(desk.fake.called("GET", "/v1/conversations"))
    changed = desk.fake.crowd.row(116)
    changed |= {"priority": "urgent", "version": 2}
    desk.fake.do(desk.fake.emit, "conversation.updated", changed)
    expect(page.locator("conversation-row", has_text="Crowd 116").first).to_contain_text("Urgent")
    assert page.evaluate("[...window.redrawn]") == [changed["id"]]
    assert len(desk.fake.called("GET", "/v1/conversations")) == before, "the list itself is not read again"
    assert page.evaluate(f"{SCROLLER}.scrollTop") == place
    assert page.evaluate("document.activeElement.closest('conversation-row').dataset.id") == desk.fake.crowd.row(118)["id"]
    expect(page.locator("bulk-bar")).to_contain_text("1 conversation selected")


def test_what_does_not_belong_any_more_leaves_and_what_arrives_moves_nobody(desk: Desk) -> None:
    page = many(desk)
    scroll(page, 120)
    row = page.locator("conversation-row", has_text="Crowd 120").first
    expect(row).to_be_visible()
    before = desk.box(row)["y"]
    desk.fake.do(desk.fake.arrive, "Hello", subject="Fresh one")
    expect(page.locator("#announcer")).to_contain_text("Fresh one")
    assert abs(desk.box(row)["y"] - before) <= 1
    gone = desk.fake.crowd.row(122)
    gone["status"] = "closed"
    desk.fake.do(desk.fake.emit, "conversation.updated", gone)
    expect(page.locator("conversation-row", has_text="Crowd 122")).to_have_count(0)
    assert abs(desk.box(row)["y"] - before) <= 1
    scroll(page, 0)
    expect(page.locator("conversation-row").first).to_contain_text("Fresh one")


def test_many_are_selected_with_shift_and_none_with_escape(desk: Desk) -> None:
    page = many(desk)
    picks = page.locator("conversation-row").get_by_role("checkbox")
    picks.nth(2).click()
    picks.nth(6).click(modifiers=["Shift"])
    expect(page.locator("bulk-bar")).to_contain_text("5 conversations selected")
    page.keyboard.press("Escape")
    expect(page.locator("bulk-bar")).to_be_hidden()
    expect(page.locator("conversation-row[selected]")).to_have_count(0)
