"""Announcements that prove themselves earn a longer interval; loss, silence and doubt take it away again."""

import pytest

from rules.push_poll import NOTICE_SECONDS, SAFETY_SECONDS, Counts, next_look

NONE = Counts()


def look(often: int = 300, *, live: bool = True, recent: Counts = NONE, day: Counts = NONE, awaited: bool = False) -> int:
    return next_look(often, live=live, recent=recent, day=day, awaited=awaited)


def test_without_announcements_or_proof_of_them_the_operators_interval_counts() -> None:
    assert look(live=False, recent=Counts(50, 0), day=Counts(500, 0)) == 300
    assert look() == 300, "nothing came yet"
    assert look(recent=Counts(4, 4), day=Counts(400, 4)) == 300, "all of the last hours were lost: dead, whatever the day says"


def test_where_none_is_lost_a_look_each_quarter_of_an_hour_is_enough() -> None:
    assert look(recent=Counts(1, 0)) == look(day=Counts(9, 0)) == SAFETY_SECONDS == 900


@pytest.mark.parametrize("often", [1, 60, 300, 899, 900, 3600])
def test_never_more_seldom_than_each_quarter_of_an_hour(often: int) -> None:
    for missed in range(11):
        for awaited in (False, True):
            seconds = look(often, recent=Counts(10, missed), awaited=awaited)
            assert min(often, SAFETY_SECONDS) <= seconds <= SAFETY_SECONDS


def test_the_more_is_lost_the_more_often_is_looked() -> None:
    seconds = [look(recent=Counts(100, missed)) for missed in (0, 5, 10, 15, 20, 60, 99, 100)]
    assert seconds == [900, 750, 600, 450, 300, 300, 300, 300]


def test_a_mail_whose_announcement_may_still_come_is_judged_soon() -> None:
    assert look(60, recent=Counts(9, 0), awaited=True) == NOTICE_SECONDS
    assert look(600, recent=Counts(9, 0), awaited=True) == 600
