"""The limits that keep sending honest: long where giving up early would send twice, short where a person waits."""

import itertools

from contracts import timing


def test_no_limit_on_a_submission_cuts_off_what_its_own_limits_allow() -> None:
    """S-4: a hundred recipients at five minutes each, and then ten minutes and more for the reply to the dot."""
    assert timing.SUBMIT.total_seconds() > 100 * 300 + 10 * 300 + 630


def test_a_dead_worker_is_noticed_soon() -> None:
    """T-4; the row then stands at its dot and is asked about (P2)."""
    assert timing.HEARTBEAT.total_seconds() <= 30


def test_doubt_is_looked_into_at_growing_distances_within_two_minutes() -> None:
    assert timing.VERIFY_AFTER == (0, 5, 15, 45, 120)
    gaps = [b - a for a, b in itertools.pairwise(timing.VERIFY_AFTER)]
    assert gaps == sorted(gaps)


def test_a_person_is_asked_within_five_minutes_even_when_every_look_takes_its_whole_time() -> None:
    """P2 at its worst: the worker died at the dot, nobody serves the mailbox, and the first settling is lost."""
    at = timing.HEARTBEAT.total_seconds() + 2 * timing.QUICK.total_seconds()
    began = at
    for after in timing.VERIFY_AFTER:
        at = max(at, began + after) + timing.LOOK.total_seconds()
    assert at + timing.QUICK.total_seconds() < 300


def test_putting_off_lasts_between_a_day_and_two() -> None:
    """S-6"""
    assert 60 <= timing.DEFERRED_FIRST.total_seconds() < timing.DEFERRED_LAST.total_seconds() <= 3600
    assert 24 <= timing.GIVE_UP_AFTER.total_seconds() / 3600 <= 48
