"""The desk gives out what waits as soon as somebody can take it, with a reason, and takes back from who has gone, by policy."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from activities import desk_assign
from activities.agents_absent import look_who_is_there
from activities.desk_assign import DeskAssign
from activities.desk_turn import DeskTurn
from activities.event_line import EventLine
from store.agent_status import choose_status, set_patience
from store.assignment import place, take_next
from store.bulk import new_id
from store.conversations import change_conversation
from store.event_log import NewEvent, append_events
from store.people_changes import change_person, remove_person
from store.sessions import Account, find_session, note_use, open_session
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import Desk, open_desk
from tests.store.team_desk import (
    add_people,
    add_team,
    add_waiting,
    close_first,
    owners,
    set_policy,
    stays,
    viewer_of,
)

MINUTE = dt.timedelta(minutes=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_database: ServerDatabase) -> AsyncIterator[Database]:
    made = Database(module_database.url, pool_size=4)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: Database) -> Desk:
    made = await open_desk(house)
    await close_first(made)
    return made


@pytest.fixture
def turn(house: Database, module_database: ServerDatabase):
    """Runs the desk until nothing is left to react to."""
    reader = DeskTurn(house, EventLine(module_database.url), [DeskAssign()])

    async def run(desk: Desk) -> None:
        for _ in range(50):
            turned = await reader.once(desk.tenant_id)
            assert turned.failed == 0
            if not turned.events and not turned.more:
                return
        raise AssertionError("the desk never came to rest")

    return run


async def news(desk: Desk, *conversations: uuid.UUID) -> None:
    """As a mail that makes a conversation tells it."""
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await append_events(
            connection,
            [NewEvent("conversation.created", desk.tenant_id, inbox_id=desk.inbox_id, conversation_id=c) for c in conversations],
        )


async def changed(desk: Desk, conversation_id: uuid.UUID, **changes) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert await change_conversation(connection, viewer_of(desk, None, sees_all=True), conversation_id, changes)


async def status(desk: Desk, user_id: uuid.UUID, word: str) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await choose_status(connection, viewer_of(desk, user_id), user_id, word)


async def test_round_robin_through_the_desk_is_fair_over_many_turns(desk, turn) -> None:
    people = await add_people(desk, 3)
    await set_policy(desk, "round_robin")
    for _ in range(7):
        await news(desk, *(await add_waiting(desk, 1)))
        await turn(desk)
    had = [sum(owner == p for owner in (await owners(desk)).values()) for p in people]
    assert sorted(had) == [2, 2, 3]


async def test_what_cannot_be_given_waits_and_goes_out_as_places_get_free(desk, turn) -> None:
    """Closing, snoozing, coming online and a raised capacity each free one; nothing else is needed."""
    first, second = (*await add_people(desk, 1, capacity=1), *await add_people(desk, 1, capacity=1, status="offline", status_chosen="offline"))
    await set_policy(desk, "least_busy")
    waiting = await add_waiting(desk, 6)
    await news(desk, *waiting)
    await turn(desk)
    assert [(await owners(desk))[c] for c in waiting] == [first, None, None, None, None, None]
    await changed(desk, waiting[0], status="closed")
    await turn(desk)
    assert (await owners(desk))[waiting[1]] == first
    await changed(desk, waiting[1], status="snoozed", snoozed_until=dt.datetime.now(dt.UTC) + MINUTE)
    await turn(desk)
    assert (await owners(desk))[waiting[2]] == first
    await status(desk, second, "online")
    await turn(desk)
    assert (await owners(desk))[waiting[3]] == second
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await change_person(connection, viewer_of(desk, None, sees_all=True), second, {"capacity": 2}, by_owner=True)
    await turn(desk)
    assert (await owners(desk))[waiting[4]] == second
    assert (await owners(desk))[waiting[5]] is None, "both are full"
    assert await stays(desk, waiting[4]) == [
        (second, "least_busy", "Least busy: has 1 of 2, the fewest of 1 who is free.", False)
    ]
    assert await stays(desk, waiting[5]) == []


async def test_language_labels_vip_and_urgency_are_read_from_the_rows(desk, turn) -> None:
    german, senior = (
        *await add_people(desk, 1, languages=["DE"], skills=["Billing"], seniority=0),
        *await add_people(desk, 1, seniority=3),
    )
    policy = await set_policy(desk, "skills")
    speaks, billing = (*await add_waiting(desk, 1, metadata={"language": "de"}), *await add_waiting(desk, 1, category="billing"))
    await news(desk, speaks, billing)
    await turn(desk)
    assert [(await owners(desk))[c] for c in (speaks, billing)] == [german, german]
    assert (await stays(desk, billing))[0][2] == "Skills: knows billing; has 1 of 20."
    await desk.rows("update assignment_policies set strategy = 'priority' where id = :p", p=policy)
    contact = uuid.uuid4()
    await desk.rows("insert into contacts (tenant_id, id, vip) values (:tenant, :id, true)", id=contact)
    vip, urgent = (*await add_waiting(desk, 1, contact_id=contact), *await add_waiting(desk, 1, priority="urgent"))
    await news(desk, vip, urgent)
    await turn(desk)
    assert [(await owners(desk))[c] for c in (vip, urgent)] == [senior, senior]
    assert (await stays(desk, vip))[0][1:3] == ("priority", "Priority: from a VIP, so to a senior (seniority 3).")


async def test_the_language_of_the_text_counts_where_nobody_wrote_one_down(desk, turn) -> None:
    (german,) = await add_people(desk, 1, languages=["de"], capacity=1)
    (other,) = await add_people(desk, 1)
    await set_policy(desk, "skills")
    spoken, told = (*await add_waiting(desk, 1), *await add_waiting(desk, 1, metadata={"language": "en"}))
    for conversation in (spoken, told):
        await desk.rows(
            "insert into messages (tenant_id, id, conversation_id, inbox_id, direction, classification, sender_type, sent_at, body_text, body_visible)"
            " values (:tenant, :id, :c, :i, 'inbound', 'message', 'customer', now(), 'x', 'Guten Tag, mein Drucker geht seit gestern nicht mehr.')",
            id=new_id(), c=conversation, i=desk.inbox_id,
        )  # fmt: skip
    await news(desk, spoken, told)
    await turn(desk)
    assert {c: (await owners(desk))[c] for c in (spoken, told)} == {spoken: german, told: other}
    assert (await stays(desk, spoken))[0][2] == "Skills: speaks de; has 0 of 1."


async def test_a_teams_policy_holds_for_what_is_the_teams_and_manual_gives_nothing_out(desk, turn) -> None:
    inside, outside = await add_people(desk, 2)
    team = await add_team(desk, [inside])
    await set_policy(desk, "manual")
    await set_policy(desk, "round_robin", team_id=team)
    of_team, of_inbox = (*await add_waiting(desk, 1, team_id=team), *await add_waiting(desk, 1))
    await news(desk, of_team, of_inbox)
    await turn(desk)
    now = await owners(desk)
    assert (now[of_team], now[of_inbox]) == (inside, None)
    assert outside not in now.values()


async def test_a_listed_inbox_gives_to_its_members_only_and_history_is_nobodys_work(desk, turn) -> None:
    member, _ = await add_people(desk, 2)
    await add_people(desk, 1, role="owner")
    await desk.rows("insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=desk.inbox_id, u=member)
    await set_policy(desk, "round_robin")
    waiting = await add_waiting(desk, 3)
    (old,) = await add_waiting(desk, 1, historical=True)
    await news(desk, *waiting, old)
    await turn(desk)
    now = await owners(desk)
    assert [now[c] for c in waiting] == [member] * 3
    assert now[old] is None


async def test_whoever_puts_one_back_is_not_given_it_again(desk, turn) -> None:
    (one,) = await add_people(desk, 1)
    await set_policy(desk, "round_robin")
    (wanted,) = await add_waiting(desk, 1)
    await news(desk, wanted)
    await turn(desk)
    assert (await owners(desk))[wanted] == one
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await place(connection, viewer_of(desk, one), wanted, user_id=None)
    await turn(desk)
    assert (await owners(desk))[wanted] is None
    (other,) = await add_people(desk, 1)
    await status(desk, other, "away")
    await status(desk, other, "online")
    await turn(desk)
    assert (await owners(desk))[wanted] == other


async def test_those_in_front_who_wait_for_somebody_special_hold_nobody_up(desk, turn, monkeypatch) -> None:
    monkeypatch.setattr(desk_assign, "QUEUE_PAGE", 2)
    (one,) = await add_people(desk, 1, capacity=2)
    await add_people(desk, 1, languages=["fr"], status="offline", status_chosen="offline")
    await set_policy(desk, "skills", must_match=True)
    french = await add_waiting(desk, 5, metadata={"language": "fr"})
    (plain,) = await add_waiting(desk, 1)
    await news(desk, *french, plain)
    await turn(desk)
    now = await owners(desk)
    assert now[plain] == one
    assert all(now[c] is None for c in french)


@pytest.mark.parametrize(
    ("hand_back", "keep_answered", "back"),
    [("at_once", False, 2), ("at_once", True, 1), ("never", False, 0), ("after", False, 0)],
)
async def test_who_goes_offline_hands_back_by_policy(desk, turn, hand_back, keep_answered, back) -> None:
    leaving, staying = await add_people(desk, 2)
    await set_policy(desk, "least_busy", hand_back=hand_back, keep_answered=keep_answered)
    answered, fresh = (*await add_waiting(desk, 1, assigned_to=leaving, agent_message_count=1), *await add_waiting(desk, 1, assigned_to=leaving))
    await status(desk, leaving, "offline")
    await turn(desk)
    now = await owners(desk)
    assert [now[answered], now[fresh]].count(staying) == back, "and given on at once"
    if back:
        assert (await stays(desk, fresh))[0] == (None, "auto", "Handed back: went offline.", True)


async def test_after_its_minutes_the_clock_hands_back_and_again_finds_nothing(desk, turn) -> None:
    (leaving,) = await add_people(desk, 1)
    await set_policy(desk, "manual", hand_back="after", hand_back_minutes=30)
    (wanted,) = await add_waiting(desk, 1, assigned_to=leaving)
    await status(desk, leaving, "offline")
    gone_at = (await desk.rows("select offline_since from users where id = :u", u=leaving))[0]["offline_since"]
    await look_who_is_there(desk.database, now=gone_at + 29 * MINUTE)
    assert (await owners(desk))[wanted] == leaving
    for _ in range(2):
        await look_who_is_there(desk.database, now=gone_at + 31 * MINUTE)
    assert (await owners(desk))[wanted] is None
    assert await stays(desk, wanted) == [(None, "auto", "Handed back: offline for too long.", False)]


async def test_who_is_not_seen_goes_offline_by_itself_and_is_back_when_seen(desk) -> None:
    seen, unseen, never = await add_people(desk, 3)
    async with desk.database.system_unit_of_work() as connection:
        tokens = {p: await open_session(connection, Account(p, desk.tenant_id, None), days=1) for p in (seen, unseen, never)}
    now = dt.datetime.now(dt.UTC)
    await desk.rows("update sessions set last_used_at = :then where user_id = :u", then=now - 11 * MINUTE, u=unseen)
    await look_who_is_there(desk.database, now=now)

    async def words() -> dict[uuid.UUID, str]:
        return {r["id"]: r["status"] for r in await desk.rows("select id, status from users")}

    assert {p: (await words())[p] for p in (seen, unseen, never)} == {seen: "online", unseen: "offline", never: "online"}
    async with desk.database.system_unit_of_work() as connection:
        found = await find_session(connection, tokens[unseen])
        assert found is not None
        assert found.to_note
        await note_use(connection, found)
        again = await find_session(connection, tokens[unseen])
    assert again == replace(found, to_note=False)
    assert found.status == "online"
    assert (await words())[unseen] == "online"
    told = await desk.rows("select actor, payload from events where type = 'user.status' order by id")
    assert [(t["actor"], t["payload"]["status"]) for t in told] == [("system", "offline"), ("system", "online")]
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await set_patience(connection, viewer_of(desk, None, sees_all=True), 0)
    await look_who_is_there(desk.database, now=now + 600 * MINUTE)
    assert (await words())[seen] == "online", "this organisation never says so"


async def test_who_chose_to_be_offline_is_not_brought_back(desk) -> None:
    (one,) = await add_people(desk, 1)
    async with desk.database.system_unit_of_work() as connection:
        token = await open_session(connection, Account(one, desk.tenant_id, None), days=1)
    await status(desk, one, "offline")
    async with desk.database.system_unit_of_work() as connection:
        found = await find_session(connection, token)
        assert found is not None
        assert not found.to_note
        await note_use(connection, found)  # as a minute later
        again = await find_session(connection, token)
    assert again == found
    assert found.status == "offline"


async def test_a_person_who_leaves_hands_everything_back_in_the_same_step(desk, turn) -> None:
    (leaving, staying) = await add_people(desk, 2)
    await add_people(desk, 1, role="owner")
    held = await add_waiting(desk, 2, assigned_to=leaving)
    (done,) = await add_waiting(desk, 1, assigned_to=leaving, status="closed")
    await set_policy(desk, "round_robin")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        gone = await remove_person(connection, viewer_of(desk, None, sees_all=True), leaving, by_owner=True)
    assert gone is not None
    assert gone.handed_back == 2
    await turn(desk)
    now = await owners(desk)
    assert leaving not in {now[c] for c in held}
    assert staying in {now[c] for c in held}
    assert now[done] == leaving, "what is done stays with whoever did it"


async def test_the_desk_and_a_claim_take_turns_and_a_second_look_finds_nothing(desk, turn) -> None:
    (one,) = await add_people(desk, 1, capacity=2)
    await set_policy(desk, "round_robin")
    waiting = await add_waiting(desk, 2)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert await take_next(connection, viewer_of(desk, one), one) == waiting[0]
    await turn(desk)
    events = len(await desk.rows("select 1 from events"))
    await turn(desk)
    assert len(await desk.rows("select 1 from events")) == events
    assert (await owners(desk))[waiting[1]] == one
    assert [s[1] for s in await stays(desk, waiting[1])] == ["round_robin"]
