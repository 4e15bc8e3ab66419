"""Presence: a board that forgets, and what two API processes tell those who may see the conversation, and nobody else."""

import contextlib
import json
import uuid
from typing import Any

import pytest_asyncio

from api.presence_board import LASTS_SECONDS, MOST, PresenceBoard
from store.presence import Presence
from store.unit_of_work import Database
from tests.api.stand_ins import make_deps
from tests.api.test_stream import Served, listening, serving, take, tell
from tests.api.world import make_world

TENANT, PLACE = uuid.UUID(int=1), uuid.UUID(int=2)


def said(user: int, state: str, *, tab: str = "", conversation: uuid.UUID = PLACE) -> str:
    ids = [str(one) for one in (TENANT, uuid.UUID(int=9), conversation, uuid.UUID(int=user))]
    return json.dumps([*ids, f"Person {user}", state, tab])


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def states(board: PresenceBoard, conversation: uuid.UUID = PLACE, tenant: uuid.UUID = TENANT) -> dict[str, str]:
    return {p.name: p.state for p in board.at(tenant, conversation)}


def test_a_person_is_there_until_they_leave_or_say_nothing_for_long() -> None:
    clock = Clock()
    board = PresenceBoard(clock)
    board.hear(said(1, "viewing"))
    board.hear(said(2, "writing"))
    assert states(board) == {"Person 1": "viewing", "Person 2": "writing"}
    assert states(board, uuid.UUID(int=3)) == states(board, tenant=uuid.UUID(int=7)) == {}
    board.hear(said(2, "gone"))
    clock.now += LASTS_SECONDS - 1
    assert states(board) == {"Person 1": "viewing"}
    clock.now += 1
    assert states(board) == {}


def test_two_windows_are_one_person_who_writes_if_one_of_them_does() -> None:
    board = PresenceBoard(Clock())
    board.hear(said(1, "writing", tab="a"))
    board.hear(said(1, "viewing", tab="b"))
    assert states(board) == {"Person 1": "writing"}
    board.hear(said(1, "gone", tab="a"))
    assert states(board) == {"Person 1": "viewing"}


def test_the_board_stays_small_and_takes_nothing_that_it_does_not_know() -> None:
    clock = Clock()
    board = PresenceBoard(clock)
    for user in range(10, 20 + MOST):
        board.hear(said(user, "viewing"))
    assert len(board.at(TENANT, PLACE)) == MOST
    clock.now += LASTS_SECONDS
    board.hear(said(1, "viewing", conversation=uuid.UUID(int=4)))
    assert len(board._places) == 1
    for odd in ("", "[]", "{}", "null", said(1, "asleep"), said(1, "viewing")[:-2], '["a","b","c","d","e","viewing",""]'):
        assert board.hear(odd) is None


@pytest_asyncio.fixture(loop_scope="session")
async def two(module_database) -> Any:
    """One tenant behind two API processes on one database."""
    async with contextlib.AsyncExitStack() as stack:
        made: list[Served] = []
        for _ in range(2):
            database = Database(module_database.url, pool_size=4)
            deps = make_deps(database, module_database.url)
            world = await make_world(deps) if not made else made[0].world
            made.append(Served(deps, await stack.enter_async_context(serving(deps)), world))
        yield made


async def show(served: Served, who: str, state: str) -> list[dict[str, str]]:
    async with served.world.client(who) as client:
        path = f"/v1/conversations/{served.world.ids['conversation']}/presence"
        answer = await client.put(path, json={"state": state, "tab": "t1"})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, str]] = answer.json()["items"]
        return items


async def test_the_other_process_hears_it_and_tells_only_who_may_see(two: list[Served]) -> None:
    here, there = two
    world, admin = here.world, here.world.people["admin"]
    await world.rows(
        "insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)",
        i=world.ids["inbox"],
        u=world.people["agent"],
    )
    async with listening(there, "agent") as member, listening(there, "viewer") as stranger:
        (ready,) = await take(member, 1)
        await take(stranger, 1)
        await show(here, "admin", "writing")
        (event,) = await take(member, 1)
        data = json.loads(event.data)
        assert (event.event, event.id or ready.id) == ("presence", ready.id), "it is in no log, so it moves no cursor"
        assert (data["user"], data["state"]) == ({"id": str(admin), "name": "The admin"}, "writing")
        assert data["conversation_id"] == str(world.ids["conversation"])
        # The board of the other process: whoever opens the conversation there learns it at once.
        seen = there.deps.streams.presence.at(world.tenant_id, world.ids["conversation"])
        assert [(p.user_id, p.state) for p in seen] == [(admin, "writing")]
        assert await show(here, "admin", "viewing") == [], "oneself is not among the others"
        assert json.loads((await take(member, 1))[0].data)["state"] == "viewing"
        number = await tell(world, inbox_id=None)  # what everybody may see comes to both
        for events in (member, stranger):
            (event,) = await take(events, 1)
            assert json.loads(event.data)["payload"]["n"] == number
    assert await world.rows("select 1 from events where type = 'presence'") == []


async def test_who_comes_later_is_told_who_is_there(two: list[Served]) -> None:
    here, _ = two
    async with listening(here, "owner") as events:
        await take(events, 1)
        await show(here, "admin", "writing")
        await take(events, 1)  # this process has heard it
    (other,) = await show(here, "agent", "viewing")
    assert other == {"id": str(here.world.people["admin"]), "name": "The admin", "state": "writing"}


def test_an_announcement_fits_into_a_notification() -> None:
    """PostgreSQL takes 8,000 octets; the name is cut."""
    made = Presence(TENANT, TENANT, PLACE, PLACE, "ü" * 5000, "viewing", "t" * 40)
    assert len(json.dumps([str(v) for v in (*[made.tenant_id] * 4, made.name[:200], made.state, made.tab)])) < 8000
