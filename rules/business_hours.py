"""Business hours: a weekly plan in a time zone with holidays, and the arithmetic of working seconds over it.

An instant is open when the clock on the office's wall shows an open minute at that instant. So an hour that a change to
summer time skips is never worked, and one that is repeated is worked twice (zoneinfo; PEP 495).
"""

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)
MINUTES_OF_DAY = 1440
LONGEST_SEARCH = 4000  # days that are looked through for working time before a plan counts as closed for good
DAYS_KEPT = 5000
MOST_INTERVALS = 12


class Hour(StrEnum):
    """What a stretch of time is. `outside`: closed by the weekly plan; `holiday`: by a date."""

    OPEN = "open"
    OUTSIDE = "outside"
    HOLIDAY = "holiday"


class NeverOpen(ValueError):
    """The plan has no working time within the next years."""


class BadPlan(ValueError):
    """The plan cannot be. `field` names the part, the text says what to do."""

    def __init__(self, place: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = place


@dataclass(frozen=True, slots=True)
class Interval:
    """Minutes from midnight on the wall clock, the end excluded; 1440 is the end of the day."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`week` has seven days from Monday. `dates` are own days: their intervals replace the week's, none means closed, and they
    go before public holidays. `country` and `subdivision` are codes of the `holidays` package (ISO 3166), or "".
    """

    zone: str
    week: tuple[tuple[Interval, ...], ...]
    country: str = ""
    subdivision: str = ""
    dates: Mapping[dt.date, tuple[Interval, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """From an instant to a later one, all of one kind. Instants are UTC."""

    start: dt.datetime
    end: dt.datetime
    kind: Hour

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


def check_plan(plan: Plan) -> None:
    """Raises BadPlan for an unknown zone, country or subdivision, overlapping or empty intervals, and a week without any."""
    try:
        ZoneInfo(plan.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadPlan("time_zone", "this is no time zone; write one like Europe/Berlin") from None
    if len(plan.week) != 7:
        raise BadPlan("week", "a week has seven days, Monday first")
    for number, day in enumerate(plan.week):
        _check_day(f"week[{number}]", day)
    if not any(plan.week):
        raise BadPlan("week", "no day has working hours; give at least one interval")
    for date, day in plan.dates.items():
        _check_day(f"dates[{date.isoformat()}]", day)
    if plan.subdivision and not plan.country:
        raise BadPlan("country", "a subdivision needs its country")
    if plan.country:
        try:
            _public_holidays(plan.country, plan.subdivision, 2024)
        except NotImplementedError:
            raise BadPlan(
                "subdivision" if plan.country in countries() else "country",
                "no public holidays are known under this code; leave it out and write own dates",
            ) from None


def _check_day(place: str, day: tuple[Interval, ...]) -> None:
    if len(day) > MOST_INTERVALS:
        raise BadPlan(place, f"a day has at most {MOST_INTERVALS} intervals")
    last = 0
    for interval in day:
        if not 0 <= interval.start < interval.end <= MINUTES_OF_DAY:
            raise BadPlan(place, "an interval begins before it ends, within 00:00 and 24:00")
        if interval.start < last:
            raise BadPlan(place, "the intervals of a day stand in their order and do not overlap")
        last = interval.end


@functools.cache
def countries() -> Mapping[str, tuple[str, ...]]:
    """The countries whose public holidays are known, each with its subdivisions."""
    return {code: tuple(parts) for code, parts in holidays.list_supported_countries().items()}


@functools.lru_cache(maxsize=512)
def _public_holidays(country: str, subdivision: str, year: int) -> frozenset[dt.date]:
    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=year))


class BusinessHours:
    """A plan, made ready for arithmetic: the spans of each day are worked out once. Raises BadPlan."""

    def __init__(self, plan: Plan) -> None:
        check_plan(plan)
        self.plan = plan
        self._zone = ZoneInfo(plan.zone)
        self._days: dict[int, tuple[Span, ...]] = {}

    def spans(self, start: dt.datetime) -> Iterator[Span]:
        """Open and closed spans from `start` on, cut at each midnight of UTC. Raises NeverOpen when nothing opens for years."""
        start, closed = start.astimezone(dt.UTC), 0
        for day in range(start.toordinal(), dt.date.max.toordinal() - 2):
            of_day = self._of_day(day)
            for span in of_day:
                if span.end > start:
                    yield Span(max(span.start, start), span.end, span.kind)
            closed = 0 if any(s.kind is Hour.OPEN for s in of_day) else closed + 1
            if closed > LONGEST_SEARCH:
                break
        raise NeverOpen("these business hours have no working time in the next years")

    def elapsed(self, start: dt.datetime, end: dt.datetime) -> list[Span]:
        """What lies between two instants, each span of one kind; they follow each other without a gap. [] where `end` is not
        behind `start`.
        """
        start, end = start.astimezone(dt.UTC), end.astimezone(dt.UTC)
        pieces = (
            Span(max(s.start, start), min(s.end, end), s.kind)
            for day in range(start.toordinal(), end.toordinal() + 1)
            for s in self._of_day(day)
            if s.end > start and s.start < end
        )
        return joined(pieces)

    def add(self, start: dt.datetime, seconds: float) -> list[Span]:
        """The way from `start` to the instant at which so many working seconds have passed: the end of the last span, which is
        an open one. [] for none. Raises NeverOpen.
        """
        found: list[Span] = []
        left = seconds
        if left <= 0:
            return found
        for span in self.spans(start):
            if span.kind is Hour.OPEN and span.seconds >= left:
                found.append(Span(span.start, span.start + dt.timedelta(seconds=left), Hour.OPEN))
                break
            found.append(span)
            left -= span.seconds if span.kind is Hour.OPEN else 0
        return joined(found)

    def working_seconds(self, start: dt.datetime, end: dt.datetime) -> float:
        return sum(s.seconds for s in self.elapsed(start, end) if s.kind is Hour.OPEN)

    def _of_day(self, ordinal: int) -> tuple[Span, ...]:
        """The spans of one day of UTC, midnight to midnight."""
        known = self._days.get(ordinal)
        if known is None:
            if len(self._days) > DAYS_KEPT:
                self._days.clear()
            start = dt.datetime.combine(dt.date.fromordinal(ordinal), dt.time(), dt.UTC)
            known = tuple(joined(self._looked_at(start, start + DAY)))
            self._days[ordinal] = known
        return known

    def _looked_at(self, start: dt.datetime, end: dt.datetime) -> Iterator[Span]:
        for piece_start, piece_end, offset in _pieces(self._zone, start, end):
            wall, wall_end = (i.replace(tzinfo=None) + offset for i in (piece_start, piece_end))
            while wall < wall_end:
                midnight = dt.datetime.combine(wall.date(), dt.time())
                until = min(midnight + DAY, wall_end)
                for span_start, span_end, kind in self._of_wall(midnight):
                    if span_end > wall and span_start < until:
                        yield Span(
                            (max(span_start, wall) - offset).replace(tzinfo=dt.UTC),
                            (min(span_end, until) - offset).replace(tzinfo=dt.UTC),
                            kind,
                        )
                wall = until

    def _of_wall(self, midnight: dt.datetime) -> Iterator[tuple[dt.datetime, dt.datetime, Hour]]:
        """A whole day as the wall clock counts it."""
        date = midnight.date()
        plan = self.plan
        closed = Hour.OUTSIDE
        if date in plan.dates:
            intervals, closed = plan.dates[date], Hour.HOLIDAY
        elif plan.country and date in _public_holidays(plan.country, plan.subdivision, date.year):
            intervals, closed = (), Hour.HOLIDAY
        else:
            intervals = plan.week[date.weekday()]
        at = 0
        for interval in intervals:
            if interval.start > at:
                yield midnight + at * 60 * SECOND, midnight + interval.start * 60 * SECOND, closed
            yield midnight + interval.start * 60 * SECOND, midnight + interval.end * 60 * SECOND, Hour.OPEN
            at = interval.end
        if at < MINUTES_OF_DAY:
            yield midnight + at * 60 * SECOND, midnight + DAY, closed


def joined(spans: Iterable[Span]) -> list[Span]:
    """Neighbours of one kind become one."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].kind is span.kind and found[-1].end == span.start:
            found[-1] = Span(found[-1].start, span.end, span.kind)
        else:
            found.append(span)
    return found


def _pieces(
    zone: ZoneInfo, start: dt.datetime, end: dt.datetime
) -> Iterator[tuple[dt.datetime, dt.datetime, dt.timedelta]]:
    """The stretch cut where the zone's offset changes. A zone changes at most once within six hours."""
    while start < end:
        until = min(start + DAY / 4, end)
        offset = _offset(zone, start)
        if _offset(zone, until - SECOND) != offset:
            low, high = start, until - SECOND  # the change lies behind `low` and not behind `high`
            while high - low > SECOND:
                middle = low + SECOND * int((high - low) / SECOND / 2)
                low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
            until = high
        yield start, until, offset
        start = until


def _offset(zone: ZoneInfo, instant: dt.datetime) -> dt.timedelta:
    return instant.astimezone(zone).utcoffset() or dt.timedelta()
