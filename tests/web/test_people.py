"""People, teams, the queue, claiming and handing over, policies and the audit page, as a person uses them."""

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.web.desk import Desk
from tests.web.fake_data import INBOX_SUPPORT, USER_JONAS, USER_MAYA
from tests.web.fake_people import give, waiting


def user(desk: Desk, id_: str) -> dict:
    return next(one for one in desk.fake.users if one["id"] == id_)


def unassigned(desk: Desk) -> dict:
    return desk.fake.do(waiting, desk.fake)[0]


# -- claiming and handing over -----------------------------------------------------------------------------------------


def test_a_waiting_conversation_is_claimed_by_key_and_the_history_says_so(desk: Desk) -> None:
    item = unassigned(desk)
    page = desk.open_number(item["number"])
    claim = page.get_by_role("button", name="Claim")
    expect(claim).to_be_visible()
    expect(page.locator("conversation-header .subject")).to_be_visible()
    page.keyboard.press("i")
    expect(claim).to_be_hidden()
    desk.becomes(lambda: desk.fake.number(item["number"])["assigned_to"]["id"], USER_MAYA)
    panel = page.locator("assignment-panel")
    expect(panel.locator("li")).to_have_count(1)
    expect(panel).to_contain_text("Maya Lind")
    expect(panel).to_contain_text("Claimed.")


def test_who_was_faster_is_named_and_the_conversation_is_read_again(desk: Desk) -> None:
    desk.allow("409 (Conflict)")
    item = unassigned(desk)
    page = desk.open_number(item["number"])
    desk.fake.fail("POST", f"/v1/conversations/{item['id']}/claim", 409, type="/problems/already-taken", detail="Jonas Weber has it already.")
    page.get_by_role("button", name="Claim").click()
    expect(page.locator("toast-stack")).to_contain_text("Jonas Weber has it already.")


def test_it_is_handed_over_by_typing_a_name_with_load_and_status_in_sight(desk: Desk) -> None:
    user(desk, USER_JONAS)["status"] = "online"
    desk.fake.teams.append({"id": "t1", "name": "Printers", "description": "", "members": []})
    item = unassigned(desk)
    page = desk.open_number(item["number"])
    expect(page.get_by_role("button", name="Claim")).to_be_visible()
    page.keyboard.press("a")
    options = page.locator("command-palette").get_by_role("option")
    expect(options.first).to_contain_text(re.compile(r"Me — Offline · \d+ of 20"))
    expect(options.nth(1)).to_contain_text(re.compile(r"Jonas Weber — Online · \d+ of 20"))
    page.keyboard.type("jona")
    expect(options.first).to_contain_text("Jonas Weber")
    page.keyboard.press("Enter")
    expect(page.locator("toast-stack")).to_contain_text("Jonas Weber has it now.")
    page.keyboard.press("a")
    page.keyboard.type("print")
    expect(options.first).to_contain_text("Team Printers")
    page.keyboard.press("Enter")
    expect(page.locator("assignment-panel li").first).to_contain_text("Team Printers")
    expect(page.locator("assignment-panel li")).to_have_count(2)
    desk.becomes(lambda: desk.fake.called("PUT", r"/v1/conversations/[^/]+/assignment"), [{"user_id": USER_JONAS}, {"team_id": "t1"}])


def test_what_a_colleague_takes_is_shown_live(desk: Desk) -> None:
    item = unassigned(desk)
    page = desk.open_number(item["number"])
    expect(page.locator("assignment-panel")).to_contain_text("Nobody has had it yet.")
    desk.fake.do(give, desk.fake, desk.fake.number(item["number"]), user(desk, USER_JONAS), reason="Round robin: next in turn of 2 who are free.", method="round_robin")
    expect(page.locator("assignment-panel")).to_contain_text("Round robin: next in turn of 2 who are free.")
    expect(page.get_by_role("button", name="Claim")).to_be_hidden()


# -- queue and status --------------------------------------------------------------------------------------------------


def test_the_queue_shows_what_waits_and_gives_out_the_next(desk: Desk) -> None:
    count = len(desk.fake.do(waiting, desk.fake))
    first = unassigned(desk)
    page = desk.sign_in("/queue")
    rows = page.get_by_role("region", name="Waiting").locator("li")
    expect(rows).to_have_count(count)
    expect(rows.first).to_contain_text(f"#{first['number']}")
    page.get_by_role("button", name="Take the next").click()
    expect(page.locator("conversation-header .number")).to_have_text(f"#{first['number']}")


def test_a_full_agent_is_told_why_nothing_comes(desk: Desk) -> None:
    desk.allow("409 (Conflict)")
    user(desk, USER_MAYA)["capacity"] = 0
    page = desk.sign_in("/queue")
    page.get_by_role("button", name="Take the next").click()
    expect(page.locator("toast-stack")).to_contain_text("as many open conversations as you can take")


def test_ones_status_is_chosen_in_the_shell_and_a_colleagues_shown(desk: Desk) -> None:
    page = desk.sign_in("/users")
    mine = page.get_by_label("My status")
    expect(mine).to_have_value("offline")
    mine.select_option("online")
    expect(page.locator("status-switch")).to_have_attribute("data-status", "online")
    expect(page.locator("people-page li", has_text="maya@").locator(".presence")).to_have_attribute("data-status", "online")
    user(desk, USER_JONAS)["status"] = "away"
    desk.fake.do(desk.fake.emit, "user.status", payload={"user_id": USER_JONAS, "status": "away"})
    expect(page.locator("people-page li", has_text="jonas@").locator(".presence")).to_contain_text("Away")
    desk.becomes(lambda: desk.fake.called("PUT", "/v1/me/status"), [{"status": "online"}])


# -- people ------------------------------------------------------------------------------------------------------------


def test_a_person_is_invited_and_sets_a_password_by_the_link(desk: Desk) -> None:
    desk.allow("409 (Conflict)")
    page = desk.sign_in("/users")
    people = page.get_by_role("region", name="People")
    people.get_by_label("Name").fill("Ines")
    people.get_by_label("Email").fill("ines@desk.example.com")
    people.get_by_role("button", name="Add a person").click()
    url = people.locator("code").inner_text()
    expect(people.locator("li", has_text="ines@desk.example.com")).to_contain_text("Invited")
    page.goto("about:blank")
    page.goto(url)
    page.get_by_label("New password").fill("ten letters and more")
    page.get_by_label("Once more").fill("something else here")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_contain_text("not the same")
    page.get_by_label("Once more").fill("ten letters and more")
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url(lambda address: "/join" not in address)
    page.goto("about:blank")
    page.goto(url)
    page.get_by_label("New password").fill("ten letters and more")
    page.get_by_label("Once more").fill("ten letters and more")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_contain_text("This link was used")


def test_what_work_is_given_by_is_changed_and_a_person_removed(desk: Desk) -> None:
    page = desk.sign_in("/users")
    page.get_by_role("button", name="Edit Jonas Weber").click()
    form = page.locator("person-form")
    form.get_by_label("Open conversations at most").fill("7")
    form.get_by_label("Skills").fill("Billing, printers")
    form.get_by_label("Languages").fill("de")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("li", has_text="jonas@")).to_contain_text("of 7")
    (body,) = desk.called("PATCH", f"/v1/users/{USER_JONAS}")
    assert (body["capacity"], body["skills"], body["languages"]) == (7, ["Billing", "printers"], ["de"])
    page.locator("person-form").get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("people-page li", has_text="jonas@")).to_have_count(0)
    expect(page.locator("toast-stack")).to_contain_text("handed back. 2 API keys revoked.")


# -- teams, members, policies, audit -----------------------------------------------------------------------------------


def test_a_team_gets_members_and_a_policy(desk: Desk) -> None:
    page = desk.sign_in("/teams")
    page.get_by_label("Name").fill("Printers")
    page.get_by_role("button", name="Make a team").click()
    row = page.locator("teams-page li", has_text="Printers")
    row.get_by_label("Jonas Weber").check()
    row.get_by_role("button", name="Save members").click()
    expect(row).to_contain_text("1 person: Jonas Weber")
    row.get_by_label("Given out").select_option("priority")
    expect(row.get_by_label("Senior from seniority")).to_be_visible()
    row.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("toast-stack")).to_contain_text("Saved for Printers.")
    (body,) = desk.called("PUT", r"/v1/teams/[^/]+/assignment-policy")
    assert body["strategy"] == "priority"


def test_an_inbox_lets_in_whom_one_chooses_and_gives_out_by_its_policy(desk: Desk) -> None:
    desk.fake.teams.append({"id": "t1", "name": "Printers", "description": "", "members": []})
    page = desk.sign_in("/assignment")
    inbox = page.get_by_role("region", name=desk.fake.inboxes[INBOX_SUPPORT]["name"])
    inbox.get_by_label("Team Printers").check()
    inbox.get_by_role("button", name="Save the members").click()
    inbox.get_by_label("Given out").select_option("skills")
    inbox.get_by_label("Wait for somebody who fits").check()
    inbox.get_by_label("Who goes offline hands back").select_option("after")
    inbox.get_by_label("After minutes").fill("15")
    inbox.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("toast-stack")).to_contain_text("Saved for")
    desk.becomes(lambda: desk.fake.members[INBOX_SUPPORT], {"user_ids": [], "team_ids": ["t1"]})
    names = ("strategy", "must_match", "hand_back", "hand_back_minutes")
    desk.becomes(lambda: [desk.fake.policies[INBOX_SUPPORT][name] for name in names], ["skills", True, "after", 15])


def test_who_changed_what_is_listed(desk: Desk) -> None:
    desk.fake.audit += [
        {"id": 2, "at": "2025-03-04T09:00:00Z", "type": "team.created", "actor": f"user:{USER_MAYA}", "actor_name": "Maya Lind", "about": "Printers", "payload": {"team_id": "t1"}},
        {"id": 1, "at": "2025-03-04T08:00:00Z", "type": "user.updated", "actor": "api", "actor_name": None, "about": "Jonas Weber", "payload": {"changed": ["capacity"], "capacity": 7}},
    ]
    page = desk.sign_in("/audit")
    rows = page.locator("audit-page tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Maya Lind")
    expect(rows.nth(1)).to_contain_text("A key")
    expect(rows.nth(1)).to_contain_text("apacity: 7")
    page.get_by_label("Kind of change").select_option("user")
    expect(rows).to_have_count(1)


def test_these_pages_fit_a_narrow_dark_screen(desk: Desk, tmp_path: Path) -> None:
    desk.fake.teams.append({"id": "t1", "name": "Printers", "description": "", "members": [USER_JONAS]})
    desk.page.emulate_media(color_scheme="dark")
    desk.page.set_viewport_size({"width": 390, "height": 800})
    desk.sign_in("/queue")
    for path, ready in (("/queue", "queue-page li"), ("/users", "people-page li"), ("/teams", "teams-page li"), ("/assignment", "assignment-policy form"), ("/audit", "audit-page tbody tr")):
        desk.open(path)
        desk.page.locator(ready).first.wait_for()
        wide = desk.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
        desk.page.screenshot(path=tmp_path / f"{path.strip('/')}.png")
