"""Waking announced inboxes: at once, then at most once in a rest, and once more for what came meanwhile."""

import asyncio

from api.push_pokes import PushPokes, Woken

ONE, TWO = Woken("t", "one", "gmail"), Woken("t", "two", "gmail")


class Temporal:
    """Counts pokes; a rest ends when `tick` is called."""

    def __init__(self) -> None:
        self.poked: list[str] = []
        self.resting: list[asyncio.Future[None]] = []
        self.broken = False

    async def poke(self, _tenant: str, inbox: str, _provider: str) -> bool:
        self.poked.append(inbox)
        if self.broken:
            raise ConnectionError
        return True

    async def sleep(self, _seconds: float) -> None:
        self.resting.append(asyncio.get_running_loop().create_future())
        await self.resting[-1]

    async def tick(self) -> None:
        ended, self.resting = self.resting, []
        for rest in ended:
            rest.set_result(None)
        await asyncio.sleep(0.01)


async def test_many_announcements_wake_once_and_once_more_after_the_rest() -> None:
    temporal = Temporal()
    pokes = PushPokes(temporal.poke, sleep=temporal.sleep)
    for _ in range(1000):
        pokes.wake(ONE)
        pokes.wake(TWO)
    await asyncio.sleep(0.01)
    assert sorted(temporal.poked) == ["one", "two"]
    for _ in range(1000):
        pokes.wake(ONE)
        pokes.wake(TWO)
    await asyncio.sleep(0.01)
    assert sorted(temporal.poked) == ["one", "two"], "they rest"
    await temporal.tick()
    assert sorted(temporal.poked) == ["one", "one", "two", "two"], "what came during the rest is looked at"
    await temporal.tick()
    assert len(temporal.poked) == 4
    await pokes.quiet()
    pokes.wake(ONE)
    await asyncio.sleep(0.01)
    assert temporal.poked[-1] == "one"
    await pokes.close()
    assert not pokes._running


async def test_a_poke_that_fails_ends_nothing() -> None:
    temporal = Temporal()
    pokes = PushPokes(temporal.poke, sleep=temporal.sleep)
    temporal.broken = True
    pokes.wake(ONE)
    await asyncio.sleep(0.01)
    pokes.wake(ONE)
    temporal.broken = False
    await temporal.tick()
    assert temporal.poked == ["one", "one"]
    await pokes.close()
