"""Who is where just now, as this process has heard it: a board in memory that forgets by itself.

Every process hears every announcement, so each has the same board a moment later; one that was just started knows after
fifteen seconds, when everybody has said again that they are still there.
"""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from store.presence import Presence, parse

log = logging.getLogger("mailroom.api.presence")

LASTS_SECONDS = 40  # clients say it again every fifteen
MOST = 20_000  # places; more are no desk but a defect, and the oldest make room
STRENGTH = {"viewing": 1, "writing": 2}


@dataclass(frozen=True, slots=True)
class Present:
    """A person at a conversation: `writing` in any of their windows, or `viewing`."""

    user_id: uuid.UUID
    name: str
    state: str


class PresenceBoard:
    """`clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The oldest first: each hearing moves its place to the end.
        self._places: dict[tuple[uuid.UUID, uuid.UUID, str], tuple[Presence, float]] = {}

    def hear(self, payload: str) -> Presence | None:
        """Take an announcement; None for what is none."""
        try:
            presence = parse(payload)
        except ValueError:
            log.warning("an announcement of presence cannot be read; is a process of another version running?")
            return None
        now = self._clock()
        place = (presence.conversation_id, presence.user_id, presence.tab)
        self._places.pop(place, None)
        if presence.state != "gone":
            self._places[place] = (presence, now + LASTS_SECONDS)
        self._forget(now)
        return presence

    def at(self, tenant_id: uuid.UUID, conversation_id: uuid.UUID) -> list[Present]:
        """Who is at it, by name. The caller has found that the viewer may see the conversation."""
        now = self._clock()
        found: dict[uuid.UUID, Present] = {}
        for presence, until in self._places.values():
            if presence.conversation_id != conversation_id or presence.tenant_id != tenant_id or until <= now:
                continue
            known = found.get(presence.user_id)
            if known is None or STRENGTH[known.state] < STRENGTH[presence.state]:
                found[presence.user_id] = Present(presence.user_id, presence.name, presence.state)
        return sorted(found.values(), key=lambda p: (p.name, str(p.user_id)))

    def _forget(self, now: float) -> None:
        while self._places:
            place = next(iter(self._places))
            if self._places[place][1] > now and len(self._places) <= MOST:
                return
            del self._places[place]
