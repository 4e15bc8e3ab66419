"""The bell, the preferences, retention and the receipts of erasures, in the browser."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.desk import Desk
from tests.web.fake_data import PASSWORD, USER_JONAS, USER_MAYA
from tests.web.fake_notices import receipt, tell, told

pytestmark = pytest.mark.chromium
COLLEAGUE = {"id": USER_JONAS, "name": "Jonas Weber"}


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def ring(desk: Desk, kind: str, *, user: str = USER_MAYA, number: int = 0) -> None:
    conversation = list(desk.fake.conversations.values())[number]
    desk.fake.do(tell, desk.fake, user, kind, conversation, actor=COLLEAGUE if kind in ("assigned", "mentioned") else None)


def test_the_bell_rings_live_opens_its_list_and_reading_makes_it_quiet(desk: Desk) -> None:
    page = desk.sign_in("/")
    bell = page.locator("notice-bell .notice-trigger")
    expect(bell).to_have_accessible_name("Notices")
    ring(desk, "mentioned")
    ring(desk, "sla_warned", number=1)
    ring(desk, "assigned", user=USER_JONAS)
    expect(bell).to_have_accessible_name("Notices, 2 unread")
    expect(page).to_have_title(re.compile("^● "))
    bell.click()
    panel = page.get_by_role("dialog", name="Notices")
    expect(panel.locator("li")).to_have_count(2)
    expect(panel.locator("li").nth(1)).to_contain_text("Jonas Weber mentioned you in a note")
    picture(page, "notices")
    panel.locator("li").nth(1).get_by_role("link").click()
    expect(page).to_have_url(re.compile("/c/"))
    expect(bell).to_have_accessible_name("Notices, 1 unread")
    expect(panel).to_be_hidden()
    bell.click()
    panel.get_by_role("button", name="Mark all read").click()
    expect(bell).to_have_accessible_name("Notices")
    expect(page).not_to_have_title(re.compile("^● "))
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(bell).to_be_focused()


def test_words_of_strangers_in_a_notice_stay_words(desk: Desk) -> None:
    conversation = next(iter(desk.fake.conversations.values()))
    desk.fake.do(tell, desk.fake, USER_MAYA, "reply", conversation | {"subject": "<img src=x onerror=alert(1)>"})
    page = desk.sign_in("/")
    page.locator("notice-bell .notice-trigger").click()
    expect(page.locator("notice-bell li")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("notice-bell li img").count() == 0


def test_preferences_are_chosen_and_kept(desk: Desk) -> None:
    page = desk.sign_in("/preferences")
    expect(page.get_by_text("No mail is sent until an administrator chooses")).to_be_visible()
    page.get_by_label("Assigned to me: in the list").uncheck()
    page.get_by_label("Mentioned in a note: by mail").select_option("at_once")
    page.get_by_label("Digest", exact=True).select_option("daily")
    page.get_by_label("At", exact=True).select_option("7")
    picture(page, "preferences")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    state = told(desk.fake)
    assert state.kinds["assigned"] == {"live": False, "mail": "off"}
    assert state.kinds["mentioned"] == {"live": True, "mail": "at_once"}
    assert (state.digest["pace"], state.digest["daily_hour"], state.digest["time_zone"]) == ("daily", 7, "Europe/Berlin")
    page.get_by_label("Everybody's digests are sent from").select_option(index=1)
    expect(page.get_by_text("Mails come from desk@example.com")).to_be_visible()


def test_a_policy_says_what_it_would_meet_and_asks_before_it_holds(desk: Desk) -> None:
    page = desk.sign_in("/retention")
    expect(page.get_by_text("Nobody has set it: no mail is ever removed.")).to_be_visible()
    page.get_by_label("Delete what lies in the bin after").fill("30")
    expect(page.get_by_text("41 conversations would go now")).to_be_visible()
    page.get_by_label("Delete closed and archived conversations after").fill("365")
    expect(page.get_by_text("10,000 or more conversations would go now")).to_be_visible()
    picture(page, "retention")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert told(desk.fake).policy["trash_days"] is None
    page.get_by_role("button", name="Save").click()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text("It holds from the next night on.")).to_be_visible()
    desk.becomes(lambda: (told(desk.fake).policy["trash_days"], told(desk.fake).policy["spam_days"]), (30, None))


def test_erasing_asks_for_the_address_and_leads_to_the_receipt(desk: Desk) -> None:
    desk.allow("422")
    page = desk.sign_in("/erasures")
    expect(page.get_by_text("Nobody was erased")).to_be_visible()
    page.evaluate(
        """async () => {
          await import("/web/js/elements/erase-button.js");
          const made = document.createElement("erase-button");
          made.contact = { id: "7", name: "Carla", addresses: [] };
          document.querySelector(".page-head").append(made);
        }"""
    )
    for address, said in (("somebody@example.com", "is none of this contact's addresses"), ("carla@example.com", "The erasure has begun")):
        page.get_by_role("button", name="Erase this person…").click()
        page.get_by_label("Type one of their addresses to confirm").fill(address)
        page.get_by_role("dialog").get_by_role("button", name="Erase").click()
        expect(page.get_by_text(said)).to_be_visible()
    desk.becomes(lambda: len(told(desk.fake).erasures), 1)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("path", ["/preferences", "/retention", "/erasures"])
def test_pages_fit_every_screen(desk: Desk, path: str, scheme: str, width: int) -> None:
    told(desk.fake).erasures = [receipt()]
    told(desk.fake).policy["runs"] = [{"id": "r", "started_at": receipt()["asked_at"], "ended_at": receipt()["done_at"], "counts": {"conversations": 41, "messages": 180}}]
    desk.page.set_viewport_size({"width": width, "height": 800})
    desk.page.emulate_media(color_scheme=scheme)
    page = desk.sign_in(path)
    expect(page.locator(".panel, fieldset").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    picture(page, f"{path.strip('/')}-{scheme}-{width}")


def test_ones_own_name_and_password_are_changed_on_the_same_page(desk: Desk) -> None:
    page = desk.sign_in("/preferences")
    account = page.get_by_role("region", name="My account")
    expect(account.get_by_label("Address to sign in with")).to_have_value("maya@desk.example.com")
    account.get_by_label("Name", exact=True).fill("Maya L.")
    account.get_by_role("button", name="Change the name").click()
    expect(page.locator("toast-stack")).to_contain_text("The name is changed.")
    expect(page.locator("side-nav")).to_contain_text("Maya L.")
    change = account.get_by_role("button", name="Change the password")
    account.get_by_label("Present password").fill("a guess that is wrong")
    account.get_by_label("New password", exact=True).fill("a quite different horse")
    account.get_by_label("New password once more").fill("a quite different cart")
    change.click()
    expect(account.get_by_role("alert").filter(has_text="not the same")).to_be_visible()
    account.get_by_label("New password once more").fill("a quite different horse")
    desk.allow("422")
    change.click()
    expect(account.get_by_role("alert").filter(has_text="is not your present password")).to_be_visible()
    picture(page, "my-account")
    account.get_by_label("Present password").fill(PASSWORD)
    change.click()
    expect(page.locator("toast-stack")).to_contain_text("Everywhere else you are signed out.")
    expect(account.get_by_label("New password", exact=True)).to_have_value("")
    sent = desk.fake.called("PATCH", "/v1/me")
    assert sent == [
        {"name": "Maya L."},
        {"current_password": "a guess that is wrong", "password": "a quite different horse"},
        {"current_password": PASSWORD, "password": "a quite different horse"},
    ]


def test_agents_have_preferences_and_nothing_of_the_rest(desk: Desk) -> None:
    page = desk.sign_in("/settings", email="jonas@desk.example.com")
    expect(page.get_by_role("link", name="My account").first).to_be_visible()
    expect(page.get_by_role("link", name="Retention")).to_have_count(0)
    expect(page.get_by_role("link", name="Erasures")).to_have_count(0)
