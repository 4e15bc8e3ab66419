"""Places: elements that areas hang up get the conversation, are kept apart when one fails, and the thread takes more than messages."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.desk import Desk

pytestmark = pytest.mark.chromium
HANG = """async () => {
    const { place, threadItems } = await import("/web/js/places.js");
    const { PlacedElement } = await import("/web/js/placed-element.js");
    class TestPart extends PlacedElement {
        show(conversation) { this.textContent = `${conversation.status} of #${conversation.number}`; }
        focusEnd() { this.dataset.opened = "yes"; }
    }
    for (const name of ["test-banner", "test-panel", "test-tab"]) customElements.define(name, class extends TestPart {});
    customElements.define("test-broken", class extends HTMLElement { set conversation(value) { throw new Error("this part is broken"); } });
    customElements.define("test-note", class extends HTMLElement { set item(value) { this.textContent = value.text; } });
    place("conversation.banner", "test-broken", 1);
    place("conversation.banner", "test-banner", 2);
    place("conversation.panel", "test-panel", 10, { title: "Test section" });
    place("composer.tabs", "test-tab", 90, { title: "Test tab", iconName: "pen" });
    window.notes = [];
    threadItems("test-note", { read: async () => window.notes, wants: (event) => event.type === "conversation.updated" });
}"""


def hung(desk: Desk) -> Page:
    desk.allow("this part is broken")
    page = desk.sign_in()
    page.evaluate(HANG)
    page.locator("conversation-row", has_text="Label printer").click()
    page.locator("message-card").first.wait_for()
    return page


def test_parts_get_the_conversation_and_its_changes_and_a_broken_one_stops_nobody(desk: Desk) -> None:
    page = hung(desk)
    expect(page.locator("test-banner")).to_have_text("open of #1042")
    expect(page.locator("test-panel")).to_have_text("open of #1042")
    page.keyboard.press("e")
    expect(page.locator("test-banner")).to_have_text("closed of #1042")
    expect(page.locator("test-panel")).to_have_text("closed of #1042")
    page.get_by_role("link", name="Harbour Dispatch").click()
    expect(page.locator("test-panel")).to_have_text("open of #1041")


def test_the_details_are_folded_and_hidden_and_stay_so(desk: Desk) -> None:
    page = hung(desk)
    section = page.locator("details-panel").locator("details", has_text="Test section")
    expect(section).to_have_attribute("open", "")
    section.locator("summary").click()
    expect(section).not_to_have_attribute("open", "")
    page.keyboard.press("d")
    expect(page.locator("details-panel")).to_be_hidden()
    page.reload()
    page.evaluate(HANG)
    page.locator("message-card").first.wait_for()
    expect(page.locator("details-panel")).to_be_hidden()
    page.keyboard.press("d")
    expect(page.locator("details-panel")).to_be_visible()
    expect(section).not_to_have_attribute("open", "")


def test_a_tab_of_the_composer_opens_beside_the_reply(desk: Desk) -> None:
    page = hung(desk)
    page.locator("reply-box .other-openers").get_by_role("button", name="Test tab").click()
    expect(page.locator("test-tab")).to_be_visible()
    expect(page.locator("test-tab")).to_have_attribute("data-opened", "yes")
    expect(page.get_by_role("tab", name="Test tab")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Test tab").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Reply")).to_have_attribute("aria-selected", "true")
    expect(page.locator("reply-form")).to_be_visible()
    expect(page.locator("test-tab")).to_be_hidden()


def test_the_thread_shows_other_things_in_order_of_time(desk: Desk) -> None:
    page = hung(desk)
    thread = desk.fake.thread(desk.fake.number(1042)["id"])
    at = thread[1]["created_at"]
    page.evaluate("([at]) => { window.notes = [{ id: 'n1', at, text: 'After the second' }]; }", [at])
    desk.fake.do(desk.fake.emit, "conversation.updated", desk.fake.number(1042))
    expect(page.locator("test-note")).to_have_text("After the second")
    names = page.locator(".thread > *").evaluate_all("all => all.map((one) => one.localName)")
    assert names.index("test-note") == 2
    page.evaluate("() => { window.notes[0].text = 'Changed'; }")
    page.locator("test-note").dispatch_event("thread-changed", {})
    page.evaluate("() => document.querySelector('.thread').dispatchEvent(new CustomEvent('thread-changed'))")
    expect(page.locator("test-note")).to_have_text("Changed")
    page.evaluate("() => { window.notes = []; document.querySelector('.thread').dispatchEvent(new CustomEvent('thread-changed')); }")
    expect(page.locator("test-note")).to_have_count(0)


def test_an_unknown_place_is_an_error(desk: Desk) -> None:
    page = desk.sign_in()
    message = page.evaluate("async () => { try { (await import('/web/js/places.js')).place('nowhere', 'x-y'); } catch (error) { return error.message; } }")
    assert message == "There is no place nowhere; docs/web.md lists them."
