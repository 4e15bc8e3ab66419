"""The arithmetic of business hours against a slow one that looks at each minute, across zones, changes of the clock and holidays."""

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.business_hours import BadPlan, BusinessHours, Hour, Interval, NeverOpen, Plan, Span

MINUTE = dt.timedelta(minutes=1)
WORKWEEK = ((Interval(540, 720), Interval(780, 1020)),) * 5 + ((), ())
# Offsets of a quarter and half an hour, changes of 30 minutes and two hours, changes at midnight, a day that never was.
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham",
    "America/St_Johns", "America/Asuncion", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo", "America/Havana",
    "Atlantic/Azores", "Pacific/Apia", "Africa/Casablanca", "Antarctica/Troll", "Asia/Tehran", "Australia/Adelaide",
)  # fmt: skip
# Days around changes of the clock somewhere among these zones.
CHANGES = (
    "2025-03-30", "2025-10-26", "2025-03-09", "2025-11-02", "2025-04-05", "2025-10-04", "2024-04-26", "2024-10-31",
    "2017-10-15", "2018-02-18", "2011-12-29", "2011-11-06", "2025-03-02", "2025-04-06", "2024-03-24", "2024-10-06",
)  # fmt: skip


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def is_open(plan: Plan, instant: dt.datetime) -> bool:
    """The obvious way: what does the clock on the wall show?"""
    wall = instant.astimezone(ZoneInfo(plan.zone))
    intervals = plan.dates.get(wall.date(), plan.week[wall.weekday()])
    return any(i.start <= wall.hour * 60 + wall.minute < i.end for i in intervals)


def slow_elapsed(plan: Plan, start: dt.datetime, end: dt.datetime) -> int:
    """Working minutes, one after the other."""
    minutes = 0
    while start < end:
        minutes += is_open(plan, start)
        start += MINUTE
    return minutes


def slow_add(plan: Plan, start: dt.datetime, minutes: int) -> dt.datetime:
    while minutes:
        minutes -= is_open(plan, start)
        start += MINUTE
    return start


def days(*, most: int = 3) -> st.SearchStrategy[tuple[Interval, ...]]:
    """Several intervals in order; they may touch, and the last may end at 24:00."""
    borders = st.lists(
        st.one_of(st.integers(0, 1440), st.sampled_from((0, 1, 1439, 1440, 60, 120, 180))), max_size=2 * most, unique=True
    )
    return borders.map(sorted).map(
        lambda b: tuple(Interval(x, y) for x, y in zip(b[: len(b) // 2 * 2 : 2], b[1::2], strict=True))
    )


@st.composite
def plans(draw) -> tuple[Plan, dt.datetime]:
    """A plan and an instant near a change of the clock."""
    week = draw(st.lists(days(), min_size=7, max_size=7).filter(lambda w: sum(map(len, w)) > 2).map(tuple))
    near = at(draw(st.sampled_from(CHANGES)) + "T00:00:00+00:00") + draw(st.integers(-2880, 2880)) * MINUTE
    own = draw(st.dictionaries(st.integers(-2, 4).map(lambda d: (near + dt.timedelta(days=d)).date()), days(most=2), max_size=3))
    return Plan(draw(st.sampled_from(ZONES)), week, dates=own), near


def check_chain(spans: list[Span], start: dt.datetime, end: dt.datetime) -> None:
    assert spans[0].start == start
    assert spans[-1].end == end
    for one, following in itertools.pairwise(spans):
        assert one.end == following.start
        assert one.kind is not following.kind
    assert all(s.start < s.end for s in spans)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans(), st.integers(1, 3 * 1440))
def test_elapsed_is_what_the_wall_clock_shows_minute_by_minute(made, minutes) -> None:
    plan, start = made
    end = start + minutes * MINUTE
    hours = BusinessHours(plan)
    spans = hours.elapsed(start, end)
    check_chain(spans, start, end)
    assert hours.working_seconds(start, end) == 60 * slow_elapsed(plan, start, end)
    for span in spans:
        assert is_open(plan, span.start) == (span.kind is Hour.OPEN)
        assert is_open(plan, span.end - MINUTE) == (span.kind is Hour.OPEN)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans(), st.integers(1, 900))
def test_adding_ends_at_the_minute_in_which_the_last_is_worked(made, minutes) -> None:
    plan, start = made
    hours = BusinessHours(plan)
    spans = hours.add(start, minutes * 60)
    due = slow_add(plan, start, minutes)
    check_chain(spans, start, due)
    assert spans[-1].kind is Hour.OPEN
    assert hours.working_seconds(start, due) == minutes * 60


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans(), st.floats(1, 90_000), st.floats(0, 200_000), st.floats(0, 200_000))
def test_stretches_add_up_and_seconds_count(made, seconds, one, two) -> None:
    plan, start = made
    start += dt.timedelta(seconds=7, microseconds=31)
    hours = BusinessHours(plan)
    due = hours.add(start, seconds)[-1].end
    assert hours.working_seconds(start, due) == pytest.approx(seconds, abs=1e-3)
    middle = start + dt.timedelta(seconds=one)
    end = middle + dt.timedelta(seconds=two)
    whole = hours.working_seconds(start, end)
    assert whole == pytest.approx(hours.working_seconds(start, middle) + hours.working_seconds(middle, end), abs=1e-3)


def test_every_change_of_the_clock_in_a_year_is_found() -> None:
    """Each zone for a year, round the clock on weekdays: working time is the sum of the local days' real lengths."""
    for name in ZONES:
        zone = ZoneInfo(name)
        hours = BusinessHours(Plan(name, ((Interval(0, 1440),),) * 5 + ((), ())))
        start, end = (dt.datetime(year, 1, 1, tzinfo=zone).astimezone(dt.UTC) for year in (2025, 2026))
        real = sum(
            (_midnight(day + dt.timedelta(days=1), zone) - _midnight(day, zone)).total_seconds()
            for n in range(365)
            if (day := dt.date(2025, 1, 1) + dt.timedelta(days=n)).weekday() < 5
        )
        assert hours.working_seconds(start, end) == real, name


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The first instant of a local day, looked for: midnight itself may not exist."""
    instant = dt.datetime.combine(day, dt.time(), dt.UTC) - dt.timedelta(hours=15)
    while instant.astimezone(zone).date() < day:
        instant += dt.timedelta(minutes=15)
    return instant


def test_a_night_and_a_weekend_lie_outside() -> None:
    hours = BusinessHours(Plan("Europe/Berlin", WORKWEEK))
    spans = hours.add(at("2025-03-07T15:30:00+00:00"), 3600)  # a Friday, half an hour before the office closes
    assert [(s.kind, s.seconds) for s in spans] == [(Hour.OPEN, 1800), (Hour.OUTSIDE, 64 * 3600), (Hour.OPEN, 1800)]
    assert spans[-1].end == at("2025-03-10T08:30:00+00:00")


def test_a_lunch_break_is_no_working_time() -> None:
    hours = BusinessHours(Plan("Europe/Berlin", WORKWEEK))
    assert hours.add(at("2025-03-04T10:30:00+00:00"), 3600)[-1].end == at("2025-03-04T12:30:00+00:00")


def test_what_ends_at_closing_time_is_due_then_and_not_the_next_morning() -> None:
    hours = BusinessHours(Plan("UTC", WORKWEEK))
    assert hours.add(at("2025-03-04T16:00:00+00:00"), 3600)[-1].end == at("2025-03-04T17:00:00+00:00")


def test_public_holidays_and_own_dates_with_half_days() -> None:
    own = {dt.date(2025, 12, 24): (Interval(540, 720),), dt.date(2025, 12, 29): ()}
    hours = BusinessHours(Plan("Europe/Berlin", WORKWEEK, "DE", "BY", own))
    spans = hours.elapsed(at("2025-12-24T10:00:00+00:00"), at("2025-12-30T08:00:00+00:00"))
    assert [(s.kind, s.seconds / 3600) for s in spans] == [
        (Hour.OPEN, 1),  # until noon on Christmas Eve
        (Hour.HOLIDAY, 12 + 24 + 24),  # its afternoon, and both days of Christmas
        (Hour.OUTSIDE, 48),  # a weekend
        (Hour.HOLIDAY, 24),
        (Hour.OUTSIDE, 9),
    ]
    epiphany = at("2025-01-06T10:00:00+00:00"), at("2025-01-06T11:00:00+00:00")  # in Bavaria, not in Berlin
    assert hours.working_seconds(*epiphany) == 0
    assert BusinessHours(Plan("Europe/Berlin", WORKWEEK, "DE", "BE")).working_seconds(*epiphany) == 3600


def test_an_own_date_opens_a_public_holiday() -> None:
    open_then = {dt.date(2025, 12, 25): (Interval(600, 660),)}
    hours = BusinessHours(Plan("UTC", WORKWEEK, "DE", "", open_then))
    assert hours.working_seconds(at("2025-12-25T00:00:00+00:00"), at("2025-12-26T00:00:00+00:00")) == 3600


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (Plan("Mars/Olympus", WORKWEEK), "time_zone"),
        (Plan("../etc/passwd", WORKWEEK), "time_zone"),
        (Plan("UTC", WORKWEEK[:6]), "week"),
        (Plan("UTC", ((),) * 7), "week"),
        (Plan("UTC", ((Interval(600, 540),),) * 7), "week[0]"),
        (Plan("UTC", ((Interval(0, 1441),),) * 7), "week[0]"),
        (Plan("UTC", ((Interval(0, 60), Interval(30, 90)),) * 7), "week[0]"),
        (Plan("UTC", WORKWEEK, "ZZ"), "country"),
        (Plan("UTC", WORKWEEK, "DE", "ZZ"), "subdivision"),
        (Plan("UTC", WORKWEEK, "", "BY"), "country"),
        (Plan("UTC", WORKWEEK, dates={dt.date(2025, 1, 1): (Interval(5, 5),)}), "dates[2025-01-01]"),
    ],
)
def test_a_plan_that_cannot_be_names_its_field(plan, field) -> None:
    with pytest.raises(BadPlan) as refused:
        BusinessHours(plan)
    assert refused.value.field == field


def test_an_office_that_never_closes_is_one_span() -> None:
    hours = BusinessHours(Plan("America/New_York", ((Interval(0, 1440),),) * 7))
    start = at("2025-03-01T00:00:00+00:00")
    assert hours.add(start, 40 * 86_400) == [Span(start, start + dt.timedelta(days=40), Hour.OPEN)]


def test_hours_that_own_dates_close_for_good_are_told() -> None:
    closed = {dt.date(2025, 1, 1) + dt.timedelta(days=n): () for n in range(4200)}
    with pytest.raises(NeverOpen):
        BusinessHours(Plan("UTC", WORKWEEK, dates=closed)).add(at("2025-01-01T00:00:00+00:00"), 60)
