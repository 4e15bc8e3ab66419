"""Seats for heavy work, handed out in turn by tenant, so that nobody's backlog delays another's new mail.

Temporal hands out tasks in the order in which they came: thirty busy inboxes of one tenant would be served before a single
mail of another. So tasks are taken plentifully and wait here, where waiting costs nothing, and work that lasts passes its
seat on after each piece. Holds no state beyond the process: whoever dies has simply left the line.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turn:
    """A seat that its holder may pass on."""

    def __init__(self, turns: "FairTurns", tenant: Hashable, later: bool) -> None:
        self._turns = turns
        self._tenant = tenant
        self._later = later

    @property
    def wanted(self) -> bool:
        """Somebody waits who may have this seat."""
        return self._turns.waits_for(self._tenant, later=self._later)

    async def pass_on(self) -> None:
        """Let those who wait go first, then go on. Returns at once when nobody waits."""
        if self.wanted:
            self._turns.leave(self._tenant)
            try:
                await self._turns.sit(self._tenant, later=self._later)
            except BaseException:
                # The seat is given back at the end of the turn; there it must be ours.
                self._turns.hold_again(self._tenant)
                raise


class FairTurns:
    """`seats` pieces of work at a time, of which one tenant may hold `most_of_one`. The next free seat goes to the waiting
    tenant that holds the fewest, among equals to the one that was served longest ago; within a tenant in the order of
    coming. Work that was called `later` (history) is served when no other waits.
    """

    def __init__(self, seats: int, *, most_of_one: int | None = None) -> None:
        self._free = seats
        self._most_of_one = most_of_one or seats
        self._held: Counter[Hashable] = Counter()
        self._served: dict[Hashable, int] = {}
        self._clock = 0
        self._lines: tuple[dict[Hashable, deque[asyncio.Future[None]]], ...] = ({}, {})  # soon, later

    @asynccontextmanager
    async def turn(
        self, tenant: Hashable, *, later: bool = False, within: float | None = None
    ) -> AsyncIterator[Turn]:
        """Wait for a seat and keep it for the block. Cancelling the wait leaves the line. Raises TimeoutError when no seat
        was free `within` so many seconds.
        """
        async with asyncio.timeout(within):
            await self.sit(tenant, later=later)
        try:
            yield Turn(self, tenant, later)
        finally:
            self.leave(tenant)

    def counts(self) -> dict[str, int]:
        """`held` seats and those who are `waiting`."""
        waiting = sum(len(line) for lines in self._lines for line in lines.values())
        return {"held": self._held.total(), "waiting": waiting}

    def waits_for(self, holder: Hashable, *, later: bool) -> bool:
        """Whether anybody waits who could be seated if this holder left. One who does history makes way for all, one who
        does not makes no way for history.
        """
        return any(
            self._held[tenant] - (tenant == holder) < self._most_of_one
            for lines in self._lines[: 1 + later]
            for tenant in lines
        )

    async def sit(self, tenant: Hashable, *, later: bool = False) -> None:
        place = asyncio.get_running_loop().create_future()
        self._lines[later].setdefault(tenant, deque()).append(place)
        self._seat()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave(tenant)  # it was our turn in the moment in which we gave up
            else:
                self._unqueue(self._lines[later], tenant, place)
            raise

    def leave(self, tenant: Hashable) -> None:
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]
        self._free += 1
        self._seat()

    def hold_again(self, tenant: Hashable) -> None:
        """Take a seat out of turn: for one who must give back what he no longer has."""
        self._held[tenant] += 1
        self._free -= 1

    def _seat(self) -> None:
        while self._free > 0:
            for lines in self._lines:
                able = [tenant for tenant in lines if self._held[tenant] < self._most_of_one]
                if able:
                    break
            else:
                return
            tenant = min(able, key=lambda one: (self._held[one], self._served.get(one, 0)))
            place = lines[tenant].popleft()
            if not lines[tenant]:
                del lines[tenant]
            if place.cancelled():
                continue  # its task has given up and has not run yet to leave the line
            self._clock += 1
            self._served[tenant] = self._clock
            if len(self._served) > 10_000:
                self._served.clear()
            self._held[tenant] += 1
            self._free -= 1
            place.set_result(None)

    @staticmethod
    def _unqueue(
        lines: dict[Hashable, deque["asyncio.Future[None]"]], tenant: Hashable, place: "asyncio.Future[None]"
    ) -> None:
        line = lines.get(tenant)
        if line is not None and place in line:
            line.remove(place)
            if not line:
                del lines[tenant]
