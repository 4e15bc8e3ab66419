"""Token buckets that keep one caller from taking everything (integrity X-36). They live in this process only: several API
processes allow as many times more.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from api.problems import Problem

MOST_BUCKETS = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_minute` in the long run, `burst` at once."""

    per_minute: float
    burst: float


# Webhooks: who calls is not known before the proof is checked, and Google, Microsoft and Amazon call for all mailboxes from a few
# addresses, so a source may have what a busy hour brings: 200 a second, 3,000 at once. Checking a proof costs a tenth of a
# millisecond (Gmail, SES) or one look-up by index (Graph), so what a forger gets is a few hundredths of one processor; forgers at
# many addresses share a bound with everybody. Whoever is refused calls again: nothing is lost by it, and polling goes on.
HOOK = Rate(12_000, 3_000)
HOOKS = Rate(60_000, 10_000)


class Buckets:
    """One bucket for each key; the longest unused are forgotten, which only ever gives a caller more."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Zero when one was taken, else the seconds until one is there."""
        now = self._clock()
        level, then = self._levels.pop(key, (self._rate.burst, now))
        level = min(self._rate.burst, level + (now - then) * self._rate.per_minute / 60)
        wait = 0.0
        if level >= 1:
            level -= 1
        else:
            wait = (1 - level) * 60 / self._rate.per_minute
        self._levels[key] = (level, now)
        if len(self._levels) > MOST_BUCKETS:
            self._levels.popitem(last=False)
        return wait


class RateLimits:
    """The API's buckets. A caller is a session or a key; a tenant bounds all its callers together."""

    def __init__(
        self,
        *,
        caller: Rate = Rate(600, 200),
        tenant: Rate = Rate(6000, 1000),
        search: Rate = Rate(30, 15),
        hook: Rate = HOOK,
        hooks: Rate = HOOKS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caller = Buckets(caller, clock)
        self._tenant = Buckets(tenant, clock)
        self._search = Buckets(search, clock)
        self._hook = Buckets(hook, clock)
        self._hooks = Buckets(hooks, clock)

    def call(self, caller: str, tenant: str) -> None:
        """Count one call, or raise 429."""
        _refuse(max(self._caller.take(caller), self._tenant.take(tenant)))

    def search(self, caller: str) -> None:
        """Count one search, or raise 429."""
        _refuse(self._search.take(caller))

    def hook(self, source: str) -> None:
        """Count one call of a webhook from a source outside, or raise 429. What one source is refused is not counted to all."""
        _refuse(self._hook.take(source))
        _refuse(self._hooks.take(""))


def _refuse(wait: float) -> None:
    if wait > 0:
        raise Problem(429, f"Slow down: try again in {math.ceil(wait)} s.", retry_after=math.ceil(wait))
