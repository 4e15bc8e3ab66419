"""How fast an account may be asked: a budget of quota units that halves when Google says stop and recovers slowly.

Google's published numbers differ by date (250 units a second and user; 15,000 or 6,000 a minute; a get for 5 or 20), so the
numbers are the operator's to set and the rate finds its own level.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from providers.errors import Throttled


@dataclass(frozen=True, slots=True)
class QuotaCosts:
    """Units for each method (developers.google.com/gmail/api/reference/quota). Wrong ones only shift where the rate settles."""

    get: int = 5
    list: int = 5
    history: int = 2
    small: int = 5
    thread: int = 10
    draft: int = 10
    send: int = 100
    watch: int = 100


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """`units_per_second` is the ceiling. `patience`: seconds that a call waits for its turn before it says Throttled."""

    units_per_second: float = 250.0
    floor: float = 5.0
    patience: float = 20.0
    costs: QuotaCosts = field(default_factory=QuotaCosts)


class TurnTooFar(Throttled):
    """Our own budget, not Google, says that this call would have to wait too long."""


class QuotaBudget:
    """One account's budget, shared by all that talk to it in this process. Not thread-safe: for one event loop."""

    def __init__(
        self,
        limits: QuotaLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.limits = limits or QuotaLimits()
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self.rate = self.limits.units_per_second
        self._level = self.limits.units_per_second  # a second's worth may go at once
        self._measured = clock()
        self._closed_until = 0.0
        self._strikes = 0

    async def spend(self, units: int) -> None:
        """Wait for the turn of a call. Raises TurnTooFar where that lasts longer than the patience; nothing is spent then."""
        now = self._clock()
        self._level = min(self._level + (now - self._measured) * self.rate, self.rate)
        self._measured = now
        wait = max((units - self._level) / self.rate, self._closed_until - now, 0.0)
        if wait > self.limits.patience:
            raise TurnTooFar(retry_after=wait)
        self._level -= units
        if wait > 0:
            await self._sleep(wait)

    def refused(self, retry_after: float | None) -> float:
        """Google said stop: half the rate, and no call before its time or ours (doubling, with jitter). Returns the seconds."""
        self.rate = max(self.rate / 2, min(self.limits.floor, self.limits.units_per_second))
        self._strikes += 1
        own = min(2.0 ** min(self._strikes - 1, 6), 60.0) * (0.5 + self._chance() / 2)
        wait = own if retry_after is None else retry_after + self._chance() * min(retry_after, 1.0)
        self._closed_until = max(self._closed_until, self._clock() + wait)
        return wait

    def went_well(self) -> None:
        """A twentieth of the ceiling back for each call without complaint."""
        self._strikes = 0
        self.rate = min(self.rate + self.limits.units_per_second / 20, self.limits.units_per_second)

    def fitting(self, cost: int, most: int) -> int:
        """How many calls of `cost` go into one batch so that it takes about four seconds of the rate, at least one."""
        return max(1, min(most, int(self.rate * 4 / cost)))


class QuotaBudgets:
    """The budgets of this process by account, the least used forgotten first: forgetting only means learning again."""

    def __init__(self, limits: QuotaLimits | None = None, *, most: int = 10_000) -> None:
        self._limits = limits
        self._most = most
        self._budgets: OrderedDict[str, QuotaBudget] = OrderedDict()

    def of(self, account: str) -> QuotaBudget:
        budget = self._budgets.pop(account, None) or QuotaBudget(self._limits)
        self._budgets[account] = budget
        while len(self._budgets) > self._most:
            self._budgets.popitem(last=False)
        return budget
