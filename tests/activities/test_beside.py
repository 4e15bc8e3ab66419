"""Work beside the work that feeds it: nothing told is left undone, and errors reach the one who waits."""

import asyncio

import pytest

from activities.beside import Beside


class Work:
    """Counts its runs; each waits for `gate`."""

    def __init__(self) -> None:
        self.runs = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.cancelled = False

    async def __call__(self) -> None:
        self.runs += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error


async def test_what_was_told_while_it_ran_is_worked_on_before_the_end() -> None:
    work = Work()
    work.gate.clear()
    async with Beside(work) as beside:
        beside.tell()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert work.runs == 1
        beside.tell()
        beside.tell()
        work.gate.set()
    assert work.runs == 2


async def test_nothing_told_is_nothing_done() -> None:
    work = Work()
    async with Beside(work) as beside:
        await beside.room()
    assert work.runs == 0


async def test_who_feeds_waits_for_room() -> None:
    work = Work()
    work.gate.clear()
    async with Beside(work, ahead=20) as beside:
        for _ in range(2):
            beside.tell(10)
            await asyncio.wait_for(beside.room(), 1)
        beside.tell(10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(beside.room(), 0.05)
        beside.took(10)  # the work goes on, with a part of what waited
        await asyncio.wait_for(beside.room(), 1)
        beside.tell(10)
        work.gate.set()  # it ends without having said what it took
        await asyncio.wait_for(beside.room(), 1)


async def test_its_error_is_raised_where_there_is_waited() -> None:
    work = Work()
    work.error = LookupError()
    after: list[str] = []

    async def feed() -> None:
        async with Beside(work, ahead=0) as beside:
            beside.tell(1)
            await beside.room()
            after.append("room")

    with pytest.raises(LookupError):
        await feed()
    assert after == []
    with pytest.raises(LookupError):
        async with Beside(work) as beside:
            beside.tell()


async def test_a_failing_block_lets_the_work_end_and_raises_its_own_error() -> None:
    work = Work()
    work.gate.clear()
    work.error = LookupError()

    async def feed() -> None:
        async with Beside(work) as beside:
            beside.tell()
            await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(0.05, work.gate.set)
            raise KeyError

    with pytest.raises(KeyError):
        await feed()
    assert (work.runs, work.cancelled) == (1, False)


async def test_a_cancelled_block_cancels_the_work() -> None:
    work = Work()
    work.gate.clear()

    async def feed() -> None:
        async with Beside(work) as beside:
            beside.tell()
            await asyncio.sleep(10)

    feeding = asyncio.create_task(feed())
    await asyncio.sleep(0.01)
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding
    assert work.cancelled


async def test_cancelling_the_wait_at_the_end_cancels_the_work() -> None:
    work = Work()
    work.gate.clear()

    async def feed() -> None:
        async with Beside(work) as beside:
            beside.tell()

    feeding = asyncio.create_task(feed())
    await asyncio.sleep(0.01)
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding
    assert work.cancelled
