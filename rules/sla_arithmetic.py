"""The arithmetic of one clock: what of the time since it started ran, what was paused, what lay outside hours, and when it is due.

Pure: from its start, the pauses, the target and the business hours anybody works out the same, however late.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rules.business_hours import BusinessHours, Hour, NeverOpen

RUNNING, PAUSED = "running", "paused"
MOST_SEGMENTS = 400  # kept with a clock; of a longer one the oldest are folded into their sums


@dataclass(frozen=True, slots=True)
class Pause:
    """The clock stood from `start`, to `end` or until further notice, because of this status."""

    start: dt.datetime
    end: dt.datetime | None
    status: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a clock's time. `kind` is `running`, `paused`, `outside` (of hours) or `holiday`; `why` names the status of a
    pause.
    """

    kind: str
    start: dt.datetime
    end: dt.datetime
    why: str = ""

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Due:
    """When so many seconds have run; None while nobody knows, because the clock is paused before."""

    warn_at: dt.datetime | None
    due_at: dt.datetime | None


def segments(
    started: dt.datetime, until: dt.datetime, pauses: Sequence[Pause], hours: BusinessHours | None
) -> list[Segment]:
    """What the clock did from its start until then, without a gap. `pauses` stand in their order and do not overlap."""
    found: list[Segment] = []
    for start, end, pause in _stretches(started, pauses):
        stop = until if end is None else min(end, until)
        if start >= stop:
            continue
        if pause is not None:
            found.append(Segment(PAUSED, start, stop, pause.status))
        elif hours is None:
            found.append(Segment(RUNNING, start, stop))
        else:
            found += [
                Segment(RUNNING if s.kind is Hour.OPEN else s.kind.value, s.start, s.end) for s in hours.elapsed(start, stop)
            ]
    return found


def due(
    started: dt.datetime, seconds: int, warn_percent: int, pauses: Sequence[Pause], hours: BusinessHours | None
) -> Due:
    """When the clock is to warn and when it is due."""
    warn_after = seconds * warn_percent / 100
    return Due(_after(started, warn_after, pauses, hours), _after(started, seconds, pauses, hours))


def _after(
    started: dt.datetime, seconds: float, pauses: Sequence[Pause], hours: BusinessHours | None
) -> dt.datetime | None:
    left = seconds
    for start, end, pause in _stretches(started, pauses):
        if pause is not None:
            continue
        if end is None:
            return _reached(start, left, hours)
        ran = (end - start).total_seconds() if hours is None else hours.working_seconds(start, end)
        if ran >= left:
            return _reached(start, left, hours)
        left -= ran
    return None


def _reached(start: dt.datetime, seconds: float, hours: BusinessHours | None) -> dt.datetime | None:
    if hours is None:
        return start + dt.timedelta(seconds=seconds)
    try:
        way = hours.add(start, seconds)
    except NeverOpen:
        return None
    return way[-1].end if way else start


def _stretches(
    started: dt.datetime, pauses: Sequence[Pause]
) -> Iterator[tuple[dt.datetime, dt.datetime | None, Pause | None]]:
    """Running and paused in turn; only the last has no end."""
    at = started
    for pause in pauses:
        start = max(pause.start, at)
        if pause.end is not None and pause.end <= at:
            continue
        if start > at:
            yield at, start, None
        yield start, pause.end, pause
        if pause.end is None:
            return
        at = pause.end
    yield at, None, None


def sums(found: Sequence[Segment]) -> dict[str, float]:
    """Seconds of each kind; pauses by their status."""
    totals: dict[str, float] = {}
    for segment in found:
        name = segment.why or segment.kind
        totals[name] = totals.get(name, 0) + segment.seconds
    return totals


def sentence(found: Sequence[Segment]) -> str:
    """As an agent reads it: “42 min running, 14 h outside hours, 3 h pending”."""
    words = {"outside": "outside hours", "holiday": "holiday"}
    totals = sums(found)
    order = [RUNNING, "outside", "holiday", *sorted(set(totals) - {RUNNING, "outside", "holiday"})]
    parts = [f"{duration(totals[name])} {words.get(name, name)}" for name in order if totals.get(name, 0) >= 1]
    return ", ".join(parts) or "just started"


def duration(seconds: float) -> str:
    """`45 s`, `42 min`, `3 h 5 min`, `14 h`, `2 d 4 h`. Cut, never rounded up: nothing seems longer than it was."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
