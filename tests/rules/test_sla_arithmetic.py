"""The arithmetic of one clock: segments that leave no gap, due instants that agree with them, and sentences."""

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.business_hours import BusinessHours, Interval, Plan
from rules.sla_arithmetic import RUNNING, Pause, Segment, due, duration, segments, sentence, sums

START = dt.datetime(2025, 3, 7, 15, 30, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
OFFICE = BusinessHours(Plan("Europe/Berlin", ((Interval(540, 720), Interval(780, 1020)),) * 5 + ((), ())))


@st.composite
def pauses(draw) -> list[Pause]:
    """In order and apart; the last may have no end."""
    borders = sorted(draw(st.lists(st.integers(-600, 8000), max_size=6, unique=True)))
    found = [
        Pause(START + a * MINUTE, START + b * MINUTE, draw(st.sampled_from(("pending", "snoozed"))))
        for a, b in zip(borders[::2], borders[1::2], strict=False)
    ]
    if len(borders) % 2:
        found.append(Pause(START + borders[-1] * MINUTE, None, "pending"))
    return found


@settings(max_examples=200, deadline=None)
@given(pauses(), st.integers(1, 9000), st.sampled_from((OFFICE, None)))
def test_segments_leave_no_gap_and_pauses_are_where_they_were(made, minutes, hours) -> None:
    until = START + minutes * MINUTE
    found = segments(START, until, made, hours)
    assert (found[0].start, found[-1].end) == (START, until)
    assert all(one.end == following.start for one, following in itertools.pairwise(found))
    assert sum(s.seconds for s in found) == minutes * 60
    for segment in found:
        middle = segment.start + (segment.end - segment.start) / 2
        paused = next((p for p in made if p.start <= middle and (p.end is None or middle < p.end)), None)
        assert (segment.kind == "paused", segment.why) == ((True, paused.status) if paused else (False, ""))


@settings(max_examples=200, deadline=None)
@given(pauses(), st.integers(1, 3000), st.integers(1, 99), st.sampled_from((OFFICE, None)))
def test_at_the_due_instant_so_much_has_run_and_a_moment_before_less(made, target, percent, hours) -> None:
    when = due(START, target * 60, percent, made, hours)
    if when.due_at is None:
        assert made[-1].end is None  # nobody knows while it is paused
        return
    ran = sums(segments(START, when.due_at, made, hours)).get(RUNNING, 0)
    assert ran == pytest.approx(target * 60, abs=0.01)
    before = sums(segments(START, when.due_at - MINUTE, made, hours)).get(RUNNING, 0)
    assert before < target * 60
    assert when.warn_at is not None
    assert START <= when.warn_at <= when.due_at
    assert sums(segments(START, when.warn_at, made, hours)).get(RUNNING, 0) == pytest.approx(target * 60 * percent / 100, abs=0.01)


def test_the_sentence_of_a_weekend_and_a_pause() -> None:
    pause = Pause(START + 65 * 60 * MINUTE, START + 68 * 60 * MINUTE, "pending")
    found = segments(START, START + 69 * 60 * MINUTE, [pause], OFFICE)
    assert sentence(found) == "1 h 30 min running, 2 d 16 h outside hours, 3 h pending"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (2520, "42 min"), (3600, "1 h"), (50_400, "14 h"), (11_100, "3 h 5 min"), (172_800, "2 d"), (187_200, "2 d 4 h")],
)
def test_durations_are_cut_and_never_rounded_up(seconds, words) -> None:
    assert duration(seconds) == words


def test_what_has_hardly_begun_says_so() -> None:
    assert sentence([]) == "just started"
    assert sentence([Segment("running", START, START + MINUTE / 120)]) == "just started"
