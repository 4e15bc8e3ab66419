"""Claims, the queue and handing over: fifty people at once never share a conversation, and nobody gets more than they can take."""

import asyncio
import uuid
from collections import Counter

import pytest

from activities.desk_assign import DeskAssign
from store.assignment import (
    AlreadyTaken,
    AtCapacity,
    NoSuchTeam,
    NoSuchWorker,
    NotWaiting,
    claim,
    history_of,
    place,
    take_next,
)
from store.assignment_queue import queue_of
from store.event_log import Cursor, LoggedEvent
from store.unit_of_work import Database
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

FIFTY = 50


@pytest.fixture
async def desk(database):
    """Fifty connections of its own: each agent is on one that is really there."""
    house = Database(database.url, pool_size=FIFTY)
    made = await open_desk(house)
    await close_first(made)
    yield made
    await house.close()


async def claimed(desk: Desk, user_id: uuid.UUID, conversation_id: uuid.UUID) -> bool:
    try:
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            return await claim(connection, viewer_of(desk, user_id), user_id, conversation_id)
    except (AlreadyTaken, AtCapacity):
        return False


async def took(desk: Desk, user_id: uuid.UUID) -> uuid.UUID | None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await take_next(connection, viewer_of(desk, user_id), user_id)


async def test_fifty_who_claim_one_at_once_have_one_winner(desk: Desk) -> None:
    people = await add_people(desk, FIFTY)
    (wanted,) = await add_waiting(desk, 1)
    won = await asyncio.gather(*(claimed(desk, one, wanted) for one in people))
    assert sum(won) == 1
    winner = people[won.index(True)]
    assert (await owners(desk))[wanted] == winner
    assert await stays(desk, wanted) == [(winner, "manual", "Claimed.", False)]


async def test_fifty_who_take_the_next_at_once_get_fifty_different_ones_and_the_oldest(desk: Desk) -> None:
    people = await add_people(desk, FIFTY)
    waiting = await add_waiting(desk, FIFTY + 10)
    got = await asyncio.gather(*(took(desk, one) for one in people))
    assert len(set(got)) == FIFTY
    assert None not in got
    assert set(got) == set(waiting[:FIFTY])
    now = await owners(desk)
    assert all(now[conversation] == one for one, conversation in zip(people, got, strict=True))


async def test_more_hands_than_work_leave_some_empty(desk: Desk) -> None:
    people = await add_people(desk, 30)
    waiting = await add_waiting(desk, 10)
    got = [one for one in await asyncio.gather(*(took(desk, p) for p in people)) if one is not None]
    assert sorted(got) == sorted(waiting)


async def test_claims_queues_and_the_desk_at_once_never_exceed_a_capacity_together(desk: Desk) -> None:
    """Each of ten agents claims in three windows while the desk gives out, over real connections."""
    people = await add_people(desk, 10, capacity=3)
    waiting = await add_waiting(desk, 60)
    await set_policy(desk, "least_busy")
    event = LoggedEvent(Cursor(1, 1), "conversation.created", desk.tenant_id, desk.inbox_id, None, None, "system", {}, None)  # type: ignore[arg-type]

    async def desk_gives() -> None:
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            await DeskAssign().react(connection, desk.tenant_id, [event])

    async def agent_takes(user_id: uuid.UUID, wanted: list[uuid.UUID]) -> None:
        for one in wanted:
            await claimed(desk, user_id, one)
        try:
            await took(desk, user_id)
        except AtCapacity:
            return

    work = [agent_takes(p, waiting[n::7]) for n, p in enumerate(people)]
    work += [agent_takes(p, waiting[n::5]) for n, p in enumerate(people)]
    await asyncio.gather(*work, *(desk_gives() for _ in range(4)))
    await desk_gives()
    loads = Counter(owner for owner in (await owners(desk)).values() if owner is not None)
    assert loads == dict.fromkeys(people, 3), "all are full, and nobody has more"
    rows = await desk.rows("select conversation_id from conversation_assignments where unassigned_at is null and agent_id is not null")
    assert len(rows) == len({r["conversation_id"] for r in rows}) == 30


async def test_the_most_urgent_first_and_only_where_one_works(desk: Desk) -> None:
    (mine, other) = await add_people(desk, 2)
    team = await add_team(desk, [other])
    low, normal = (*await add_waiting(desk, 1, priority="low"), *await add_waiting(desk, 1))
    urgent = (await add_waiting(desk, 1, priority="urgent"))[0]
    theirs = (await add_waiting(desk, 1, priority="urgent", team_id=team))[0]
    await add_waiting(desk, 1, historical=True)
    await add_waiting(desk, 1, status="pending")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        mine_sees = await queue_of(connection, viewer_of(desk, mine), after=None, limit=2)
        behind = await queue_of(connection, viewer_of(desk, mine), after=mine_sees.next, limit=2)
        of_team = await queue_of(connection, viewer_of(desk, other), team_id=team, after=None, limit=10)
        not_mine = await queue_of(connection, viewer_of(desk, mine), team_id=team, after=None, limit=10)
    assert [r.id for r in (*mine_sees.items, *behind.items)] == [urgent, normal, low]
    assert behind.next is None
    assert [r.id for r in of_team.items] == [theirs]
    assert not_mine.items == []
    assert [await took(desk, mine) for _ in range(4)] == [urgent, normal, low, None]
    assert await took(desk, other) == theirs


async def test_a_full_agent_gets_nothing_and_an_administrator_may_exceed_and_says_so(desk: Desk) -> None:
    (full,) = await add_people(desk, 1, capacity=1)
    first, second = await add_waiting(desk, 2)
    assert await claimed(desk, full, first)
    with pytest.raises(AtCapacity):
        await took(desk, full)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        with pytest.raises(AtCapacity):
            await place(connection, viewer_of(desk, full), second, user_id=full)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await place(connection, viewer_of(desk, None, sees_all=True), second, user_id=full, reason="Knows it.", may_exceed=True)
    assert (await stays(desk, second))[-1] == (full, "manual", "Knows it. Above capacity: 2 of 1.", False)


async def test_what_is_pending_takes_no_place(desk: Desk) -> None:
    (one,) = await add_people(desk, 1, capacity=1)
    await add_waiting(desk, 3, status="pending", assigned_to=one)
    (wanted,) = await add_waiting(desk, 1)
    assert await took(desk, one) == wanted


async def test_claiming_twice_is_claiming_once_and_another_is_told_who_has_it(desk: Desk) -> None:
    first, second = await add_people(desk, 2)
    (wanted,) = await add_waiting(desk, 1)
    assert await claimed(desk, first, wanted)
    assert await claimed(desk, first, wanted)
    assert len(await stays(desk, wanted)) == 1
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        with pytest.raises(AlreadyTaken) as taken:
            await claim(connection, viewer_of(desk, second), second, wanted)
    assert taken.value.name == "Agent 0"
    (closed,) = await add_waiting(desk, 1, status="closed")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        with pytest.raises(NotWaiting):
            await claim(connection, viewer_of(desk, second), second, closed)


async def test_handed_from_one_to_a_team_and_on_with_every_reason(desk: Desk) -> None:
    first, second = await add_people(desk, 2)
    team = await add_team(desk, [second])
    (wanted,) = await add_waiting(desk, 1)
    viewer = viewer_of(desk, first)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await place(connection, viewer, wanted, user_id=first)
        await place(connection, viewer, wanted, user_id=None, team_id=team, reason="Needs somebody who knows printers.")
        await place(connection, viewer, wanted, user_id=None, team_id=team)  # stands already
        await place(connection, viewer, wanted, user_id=second)
        await place(connection, viewer, wanted, user_id=None)
        page = await history_of(connection, viewer, wanted, after=None, limit=2)
        older = await history_of(connection, viewer, wanted, after=page.next, limit=2)
    told = [(s.agent_name, s.team_id, s.reason, s.by_name) for s in (*older.items[::-1], *page.items[::-1])]
    assert told == [
        ("Agent 0", None, "Assigned by hand.", "Agent 0"),
        (None, team, "Needs somebody who knows printers.", "Agent 0"),
        ("Agent 1", team, "Assigned by hand.", "Agent 0"),
        (None, team, "Put back into the queue.", "Agent 0"),
    ]
    open_ones = [s for s in await stays(desk, wanted) if not s[3]]
    assert open_ones == [(None, "manual", "Put back into the queue.", False)]
    payloads = await desk.rows("select payload from events where conversation_id = :c order by id", c=wanted)
    assert [p["payload"]["assigned_to"] for p in payloads] == [str(first), None, str(second), None]


async def test_nobody_is_given_what_they_may_not_see(desk: Desk) -> None:
    let_in, left_out, reads = (*await add_people(desk, 2), *await add_people(desk, 1, role="viewer"))
    team = await add_team(desk, [let_in])
    await desk.rows("insert into inbox_teams (tenant_id, inbox_id, team_id) values (:tenant, :i, :t)", i=desk.inbox_id, t=team)
    (wanted,) = await add_waiting(desk, 1)
    everything = viewer_of(desk, None, sees_all=True)
    for nobody in (left_out, reads, uuid.uuid4()):
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            with pytest.raises(NoSuchWorker):
                await place(connection, everything, wanted, user_id=nobody)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        with pytest.raises(NoSuchTeam):
            await place(connection, everything, wanted, user_id=None, team_id=uuid.uuid4())
        assert not await claim(connection, viewer_of(desk, left_out), left_out, wanted), "it is not there for them"
        assert await take_next(connection, viewer_of(desk, left_out), left_out) is None
        assert await place(connection, everything, wanted, user_id=let_in)


async def test_a_claim_of_a_merged_conversation_claims_what_it_became(desk: Desk) -> None:
    (one,) = await add_people(desk, 1)
    survivor, alias = await add_waiting(desk, 2)
    await desk.rows("update conversations set merged_into = :s where id = :a", s=survivor, a=alias)
    assert await claimed(desk, one, alias)
    assert (await owners(desk))[survivor] == one
