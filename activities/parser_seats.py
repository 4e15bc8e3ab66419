"""Who may use a parser child next: inboxes in turn, and what takes long steps aside, so that poison delays no other inbox.

A piece of work that lasts longer than `patience` gives its seat back and goes on beside, in a child more. An inbox with such
slow work is a suspect; all suspects together leave one seat free. So another inbox's mail waits for `patience` at the most,
as long as not more inboxes are poisoned at the same moment than may step aside. Holds no state beyond the process.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Seat:
    """A seat in use. Its holder says `slow` when its work lasts; nothing more need be done."""

    def __init__(self, seats: "ParserSeats", who: Hashable) -> None:
        self._seats = seats
        self._who = who
        self._slow = False
        self._aside = False

    def slow(self) -> None:
        """This takes long: step aside where there is room. May be said again."""
        if not self._slow:
            self._slow = True
            self._seats.suspects[self._who] += 1
        if not self._aside and self._seats.step_aside(self._who):
            self._aside = True

    def end(self) -> None:
        if self._slow:
            self._seats.suspects -= Counter({self._who: 1})
        self._seats.leave(self._who, aside=self._aside)


class ParserSeats:
    """`seats` pieces of work at a time, and `beside` more that step aside, at most one of each inbox."""

    def __init__(self, seats: int, *, beside: int) -> None:
        self._seats = seats
        self._free = seats
        self._room_beside = beside
        self._held: Counter[Hashable] = Counter()
        self._aside: set[Hashable] = set()
        self.suspects: Counter[Hashable] = Counter()
        self._served: dict[Hashable, int] = {}
        self._clock = 0
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def seat(self, who: Hashable) -> AsyncIterator[Seat]:
        """Wait for a seat and keep it for the block. Cancelling the wait leaves the line."""
        await self._sit(who)
        seat = Seat(self, who)
        try:
            yield seat
        finally:
            seat.end()

    def counts(self) -> dict[str, int]:
        """Work that is `held` on seats, goes on `aside`, and is `waiting`."""
        waiting = sum(map(len, self._lines.values()))
        return {"held": self._held.total(), "aside": len(self._aside), "waiting": waiting}

    def step_aside(self, who: Hashable) -> bool:
        """Give the seat back and go on without one, if that is possible now."""
        if who in self._aside or len(self._aside) >= self._room_beside:
            self._fill()  # who has become a suspect counts anew
            return False
        self._aside.add(who)
        self.leave(who, aside=False)
        return True

    def leave(self, who: Hashable, *, aside: bool) -> None:
        if aside:
            self._aside.discard(who)
        else:
            self._held -= Counter({who: 1})
            self._free += 1
        self._fill()

    async def _sit(self, who: Hashable) -> None:
        place = asyncio.get_running_loop().create_future()
        self._lines.setdefault(who, deque()).append(place)
        self._fill()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave(who, aside=False)  # it was our turn in the moment in which we gave up
            else:
                line = self._lines.get(who)
                if line is not None and place in line:
                    line.remove(place)
                    if not line:
                        del self._lines[who]
            raise

    def _fill(self) -> None:
        while self._free > 0:
            able = [who for who in self._lines if self._may_sit(who)]
            if not able:
                return
            who = min(able, key=lambda one: (self._held[one], self._served.get(one, 0)))
            place = self._lines[who].popleft()
            if not self._lines[who]:
                del self._lines[who]
            if place.cancelled():
                continue  # its task has given up and has not run yet to leave the line
            self._clock += 1
            if len(self._served) > 10_000:
                self._served.clear()
            self._served[who] = self._clock
            self._held[who] += 1
            self._free -= 1
            place.set_result(None)

    def _may_sit(self, who: Hashable) -> bool:
        if not self.suspects[who]:
            return True
        return sum(self._held[one] for one in self.suspects) < self._seats - 1
