"""Quota accounting of the Gmail stand-in: units for each method, refused over a limit as Google refuses."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.servers.gmail_faults import rate_limited

# Quota units of each method (developers.google.com/gmail/api/reference/quota, the table of 2025).
UNITS = {
    "getProfile": 1, "messages.get": 5, "messages.list": 5, "messages.modify": 5, "messages.trash": 5,
    "messages.untrash": 5, "messages.send": 100, "messages.delete": 10, "threads.get": 10, "history.list": 2,
    "labels.list": 1, "labels.create": 5, "drafts.create": 10, "drafts.update": 15, "drafts.get": 5, "drafts.list": 5,
    "drafts.send": 100, "drafts.delete": 10, "watch": 100, "stop": 50, "settings.sendAs.list": 1,
}  # fmt: skip


@dataclass(slots=True)
class Quota:
    """Units used, and the limit (units within a sliding `window` of seconds). None: counted, never refused."""

    clock: Callable[[], float]
    limit: int | None = None
    window: float = 60.0
    status: int = 403
    reason: str = "userRateLimitExceeded"
    retry_after: int | None = None
    used: int = 0
    refused: int = 0
    _spent: deque[tuple[float, int]] = field(default_factory=deque)

    def spend(self, units: int) -> None:
        now = self.clock()
        while self._spent and self._spent[0][0] <= now - self.window:
            self._spent.popleft()
        if self.limit is not None and sum(u for _, u in self._spent) + units > self.limit:
            self.refused += 1
            raise rate_limited(self.status, self.reason, self.retry_after)
        self._spent.append((now, units))
        self.used += units
