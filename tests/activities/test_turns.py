"""Seats go round by tenant: a crowd of one tenant does not keep another waiting, and nobody's seat is lost."""

import asyncio

import pytest

from activities.turns import FairTurns


async def worker(turns: FairTurns, tenant: str, order: list[str], pieces: int = 1, later: bool = False) -> None:
    async with turns.turn(tenant, later=later) as turn:
        for _ in range(pieces):
            await asyncio.sleep(0)
            order.append(tenant)
            await turn.pass_on()


async def test_one_piece_of_another_is_not_behind_a_crowd() -> None:
    turns, order = FairTurns(2), []
    crowd = [asyncio.create_task(worker(turns, "a", order, 10)) for _ in range(30)]
    await asyncio.sleep(0)
    other = asyncio.create_task(worker(turns, "b", order))
    await other
    assert order.index("b") <= 4
    await asyncio.gather(*crowd)
    assert order.count("a") == 300
    assert turns.counts() == {"held": 0, "waiting": 0}


async def test_tenants_share_evenly_whatever_their_number_of_inboxes() -> None:
    turns, order = FairTurns(2), []
    tasks = [asyncio.create_task(worker(turns, "a", order, 20)) for _ in range(30)]
    tasks += [asyncio.create_task(worker(turns, "b", order, 20)) for _ in range(3)]
    await asyncio.gather(*tasks)
    early = order[:100]
    assert 40 <= early.count("b") <= 60


async def test_within_a_tenant_every_inbox_gets_its_turn() -> None:
    turns, order = FairTurns(1), []

    async def inbox(name: str) -> None:
        async with turns.turn("a") as turn:
            for _ in range(5):
                order.append(name)
                await asyncio.sleep(0)
                await turn.pass_on()

    await asyncio.gather(*(inbox(n) for n in ("one", "two", "three")))
    assert set(order[:3]) == {"one", "two", "three"}


async def test_history_waits_for_new_mail() -> None:
    turns, order = FairTurns(1), []
    async with turns.turn("x"):
        tasks = [asyncio.create_task(worker(turns, "old", order, later=True))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(worker(turns, f"new{n}", order)) for n in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order[-1] == "old"


async def test_history_passes_its_seat_on_to_new_mail_but_not_the_other_way_round() -> None:
    turns = FairTurns(1)
    async with turns.turn("live") as live:
        waiting = asyncio.create_task(worker(turns, "old", [], later=True))
        await asyncio.sleep(0)
        assert not live.wanted
    await waiting
    async with turns.turn("old", later=True) as old:
        waiting = asyncio.create_task(worker(turns, "live", []))
        await asyncio.sleep(0)
        assert old.wanted
        await old.pass_on()
        assert waiting.done() or turns.counts()["held"] == 1
    await waiting


async def test_nobody_holds_more_than_his_share_and_the_rest_is_for_others() -> None:
    turns = FairTurns(4, most_of_one=3)
    release = asyncio.Event()

    async def hang(tenant: str) -> None:
        async with turns.turn(tenant):
            await release.wait()

    tasks = [asyncio.create_task(hang("a")) for _ in range(10)]
    await asyncio.sleep(0)
    assert turns.counts() == {"held": 3, "waiting": 7}
    async with asyncio.timeout(1), turns.turn("b"):
        pass
    release.set()
    await asyncio.gather(*tasks)
    assert turns.counts() == {"held": 0, "waiting": 0}


async def test_who_gives_up_leaves_the_line_and_takes_no_seat_with_him() -> None:
    turns = FairTurns(1)
    async with turns.turn("a"):
        waiting = asyncio.create_task(worker(turns, "b", []))
        await asyncio.sleep(0)
        assert turns.counts()["waiting"] == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert turns.counts() == {"held": 1, "waiting": 0}
        # Cancelled in the very moment in which the seat is given.
        late = asyncio.create_task(worker(turns, "c", []))
        await asyncio.sleep(0)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert turns.counts() == {"held": 0, "waiting": 0}


async def test_cancelled_while_passing_on_the_seats_still_add_up() -> None:
    turns = FairTurns(1)
    hold = asyncio.Event()

    async def passing() -> None:
        async with turns.turn("a") as turn:
            await hold.wait()
            await turn.pass_on()

    async def other() -> None:
        async with turns.turn("b"):
            await asyncio.sleep(60)

    first = asyncio.create_task(passing())
    await asyncio.sleep(0)
    second = asyncio.create_task(other())
    await asyncio.sleep(0)
    hold.set()
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert turns.counts() == {"held": 0, "waiting": 0}
    async with asyncio.timeout(1), turns.turn("c"):
        pass


async def test_a_crowd_that_gives_up_at_once_takes_no_seat_with_it() -> None:
    turns = FairTurns(2)
    hold = asyncio.Event()

    async def hang(tenant: str) -> None:
        async with turns.turn(tenant):
            await hold.wait()

    tasks = [asyncio.create_task(hang(tenant)) for tenant in "aabbccab"]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))
    assert turns.counts() == {"held": 0, "waiting": 0}
