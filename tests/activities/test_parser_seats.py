"""Slow work steps aside and suspects leave a seat free, so that nobody waits behind poison; no seat is ever lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from activities.parser_seats import ParserSeats

Hang = Callable[..., Awaitable[None]]


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


def hanging(seats: ParserSeats, gate: asyncio.Event) -> Hang:
    async def hang(who: str, *, slow: bool = True) -> None:
        async with seats.seat(who) as seat:
            await asyncio.sleep(0)
            if slow:
                seat.slow()
            await gate.wait()

    return hang


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def served(seats: ParserSeats, who: str) -> None:
    async with asyncio.timeout(1), seats.seat(who):
        pass


async def test_poison_of_one_inbox_leaves_a_seat(gate: asyncio.Event) -> None:
    seats = ParserSeats(2, beside=2)
    hang = hanging(seats, gate)
    tasks = [asyncio.create_task(hang("a")) for _ in range(12)]
    await settle()
    assert seats.counts() == {"held": 1, "aside": 1, "waiting": 10}
    for _ in range(3):
        await served(seats, "b")
    gate.set()
    await asyncio.gather(*tasks)
    assert seats.counts() == {"held": 0, "aside": 0, "waiting": 0}


async def test_poison_of_two_inboxes_leaves_a_seat(gate: asyncio.Event) -> None:
    seats = ParserSeats(2, beside=2)
    hang = hanging(seats, gate)
    tasks = [asyncio.create_task(hang(who)) for who in "aaaaaccccc"]
    await settle()
    assert seats.counts() == {"held": 1, "aside": 2, "waiting": 7}
    await served(seats, "b")
    gate.set()
    await asyncio.gather(*tasks)


async def test_with_one_seat_a_suspect_waits_for_itself(gate: asyncio.Event) -> None:
    seats = ParserSeats(1, beside=1)
    hang = hanging(seats, gate)
    tasks = [asyncio.create_task(hang("a")) for _ in range(3)]
    await settle()
    assert seats.counts() == {"held": 0, "aside": 1, "waiting": 2}
    await served(seats, "b")
    gate.set()
    await asyncio.gather(*tasks)
    assert seats.counts() == {"held": 0, "aside": 0, "waiting": 0}


async def test_one_inbox_may_have_every_seat_while_it_is_quick(gate: asyncio.Event) -> None:
    seats = ParserSeats(3, beside=3)
    hang = hanging(seats, gate)
    tasks = [asyncio.create_task(hang("a", slow=False)) for _ in range(5)]
    await settle()
    assert seats.counts() == {"held": 3, "aside": 0, "waiting": 2}
    gate.set()
    await asyncio.gather(*tasks)


async def test_a_free_seat_goes_to_who_holds_the_fewest(gate: asyncio.Event) -> None:
    seats, order = ParserSeats(1, beside=0), []

    async def one(who: str) -> None:
        async with seats.seat(who):
            order.append(who)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(who) for who in "aaaaab"))
    assert order.index("b") == 1


async def test_no_seat_is_lost_by_those_who_give_up(gate: asyncio.Event) -> None:
    seats = ParserSeats(2, beside=1)
    hang = hanging(seats, gate)
    tasks = [asyncio.create_task(hang(who)) for who in "aabbccab"]
    await settle()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert seats.counts() == {"held": 0, "aside": 0, "waiting": 0}
    assert not seats.suspects
    await asyncio.gather(*(served(seats, who) for who in "abcabc"))
