"""The desk's reader: each event is reacted to exactly once, whatever dies, and one bad event does not stop the others."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.desk_turn import BATCH, DeskTurn, Turned
from activities.event_line import EventLine
from contracts.desk import DeskOrder, Followup, FollowupKind
from store.event_log import LoggedEvent, NewEvent, append_events
from store.unit_of_work import Database
from tests.activities.dying import Died
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import Desk, open_desk


@dataclass
class Clerk:
    """Writes a note of each event into a row of its own, and fails where it is told to."""

    name: str = "clerk"
    seen: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    poison: str = ""
    dies: int = 0
    follows: str = ""

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> list[Followup]:
        self.batches.append(len(events))
        for event in events:
            if event.type == self.poison:
                await connection.execute(text("select 1 / 0"))
            if event.type == "note.made":
                continue
            await append_events(connection, [NewEvent("note.made", tenant_id, payload={"of": event.payload.get("n")}, causality={"depth": 1})])
            self.seen.append(event.type)
        if self.dies:
            self.dies -= 1
            raise Died
        wanted = [e for e in events if e.type == self.follows]
        return [Followup(FollowupKind.ANSWER, str(uuid.uuid5(uuid.UUID(int=3), str(e.payload["n"])))) for e in wanted]


@pytest_asyncio.fixture
async def line(module_database: ServerDatabase) -> AsyncIterator[EventLine]:
    made = EventLine(module_database.url)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def desk(mail_database: Database) -> Desk:
    return await open_desk(mail_database)


async def tell(desk: Desk, *kinds: str) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await append_events(connection, [NewEvent(kind, desk.tenant_id, payload={"n": n}) for n, kind in enumerate(kinds)])


async def drain(turn: DeskTurn, desk: Desk) -> int:
    """Until everything that was told is read; how many events that were."""
    total = 0
    while True:
        turned = await turn.once(desk.tenant_id)
        total += turned.events
        if not turned.more:
            return total


async def notes(desk: Desk) -> int:
    return len(await desk.rows("select id from events where type = 'note.made'"))


async def test_a_new_tenants_log_is_read_from_its_first_event_and_each_event_once(desk: Desk, line: EventLine) -> None:
    clerk = Clerk()
    turn = DeskTurn(desk.database, line, [clerk])
    before = len(await desk.events())
    await tell(desk, "a", "b")
    await drain(turn, desk)
    assert clerk.seen[-2:] == ["a", "b"]
    assert len(clerk.seen) == before + 2
    await tell(desk, "c")
    await drain(turn, desk)
    assert clerk.seen[before:] == ["a", "b", "c"]
    assert await notes(desk) == before + 3
    depth = await desk.rows("select distinct causality ->> 'depth' as depth from events where type = 'note.made'")
    assert [row["depth"] for row in depth] == ["1"]


async def test_dying_in_a_batch_repeats_it_from_nothing(desk: Desk, line: EventLine) -> None:
    clerk = Clerk(dies=1)
    turn = DeskTurn(desk.database, line, [clerk])
    await drain(DeskTurn(desk.database, line, []), desk)
    await tell(desk, "a", "b")
    with pytest.raises(Died):
        await turn.once(desk.tenant_id)
    assert await notes(desk) == 0
    await drain(turn, desk)
    assert await notes(desk) == 2


async def test_two_readers_at_once_react_once(desk: Desk, line: EventLine) -> None:
    clerks = [Clerk(), Clerk(), Clerk()]
    await drain(DeskTurn(desk.database, line, []), desk)
    await tell(desk, *(["a"] * 40))
    await asyncio.gather(*(drain(DeskTurn(desk.database, line, [clerk]), desk) for clerk in clerks))
    assert sum(clerk.seen.count("a") for clerk in clerks) == 40
    assert await notes(desk) == 40


async def test_an_event_that_nobody_can_react_to_is_kept_and_the_others_go_on(desk: Desk, line: EventLine) -> None:
    clerk, after = Clerk(poison="bad"), Clerk(name="after")
    turn = DeskTurn(desk.database, line, [clerk, after])
    await drain(DeskTurn(desk.database, line, []), desk)
    await tell(desk, "a", "bad", "b")
    turned = await turn.once(desk.tenant_id)
    assert (turned.events, turned.failed) == (3, 1)
    assert [s for s in clerk.seen if s in "ab"][-2:] == ["a", "b"]
    assert after.seen[:3] == ["a", "bad", "b"]
    (kept,) = await desk.rows("select f.reactor, f.error, e.type from desk_failures f join events e on e.id = f.event_id")
    assert (kept["reactor"], kept["type"]) == ("clerk", "bad")
    assert "Error" in kept["error"] or "Division" in kept["error"]


async def test_what_an_older_transaction_hides_is_not_passed_over(desk: Desk, line: EventLine) -> None:
    clerk = Clerk()
    turn = DeskTurn(desk.database, line, [clerk])
    await drain(DeskTurn(desk.database, line, []), desk)
    async with desk.database.unit_of_work(desk.tenant_id) as older:
        await append_events(older, [NewEvent("early", desk.tenant_id)])
        await tell(desk, "late")
        turned = await turn.once(desk.tenant_id)
        assert (turned.events, turned.more) == (0, True)
    await drain(turn, desk)
    assert clerk.seen == ["early", "late"]


async def test_what_stays_hidden_is_looked_for_less_and_less_often(
    desk: Desk, line: EventLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = Clerk(follows="late")
    turn = DeskTurn(desk.database, line, [clerk])
    await drain(turn, desk)
    looks: list[float] = []
    release, held = asyncio.Event(), asyncio.Event()
    once = turn.once

    async def look(tenant_id: uuid.UUID) -> Turned:
        looks.append(time.monotonic())
        if len(looks) == 6:
            release.set()
        return await once(tenant_id)

    monkeypatch.setattr(turn, "once", look)

    async def hold() -> None:
        async with desk.database.unit_of_work(desk.tenant_id) as older:
            await append_events(older, [NewEvent("early", desk.tenant_id)])
            await tell(desk, "late")
            held.set()
            await release.wait()

    holding = asyncio.create_task(hold())
    await held.wait()
    report = await asyncio.wait_for(ActivityEnvironment().run(turn.turn, DeskOrder(str(desk.tenant_id), 120)), 60)
    await holding
    pauses = [later - earlier for earlier, later in itertools.pairwise(looks)]
    assert all(took >= least for took, least in zip(pauses, (0.05, 0.1, 0.2, 0.4, 0.4), strict=False))
    assert clerk.seen == ["early", "late"]
    assert len(report.followups) == 1


async def test_a_turn_waits_for_what_comes_and_ends_with_what_has_to_follow(desk: Desk, line: EventLine) -> None:
    clerk = Clerk(follows="send me")
    turn = DeskTurn(desk.database, line, [clerk])
    await drain(turn, desk)
    running = asyncio.create_task(ActivityEnvironment().run(turn.turn, DeskOrder(str(desk.tenant_id), 120)))
    await tell(desk, "a")
    while "a" not in clerk.seen:  # noqa: ASYNC110 - what the clerk has seen comes from another task
        await asyncio.sleep(0.02)
    assert not running.done()
    await tell(desk, "send me", "send me")
    report = await asyncio.wait_for(running, 60)
    assert len(report.followups) == 2
    assert {f.kind for f in report.followups} == {FollowupKind.ANSWER}
    assert report.events >= 3


async def test_a_long_log_is_read_in_batches(desk: Desk, line: EventLine) -> None:
    clerk = Clerk()
    turn = DeskTurn(desk.database, line, [clerk])
    await drain(DeskTurn(desk.database, line, []), desk)
    await tell(desk, *(["a"] * (BATCH + 5)))
    await drain(turn, desk)
    assert clerk.batches[0] == BATCH
    assert clerk.seen.count("a") == BATCH + 5


async def test_a_worker_that_stops_ends_the_turn_at_once(desk: Desk, line: EventLine) -> None:
    turn, environment = DeskTurn(desk.database, line, [Clerk()]), ActivityEnvironment()
    running = asyncio.create_task(environment.run(turn.turn, DeskOrder(str(desk.tenant_id), 120)))
    await asyncio.sleep(0.1)
    environment.worker_shutdown()
    with pytest.raises(ApplicationError) as stopped:
        await asyncio.wait_for(running, 60)
    assert stopped.value.type == "WorkerStopping"
