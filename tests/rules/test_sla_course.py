"""What facts do to clocks, for any course of a conversation: nobody waits unseen, no clock runs without a reason."""

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.sla_course import FIRST, NEXT, RESOLUTION, Fact, Happened, Story, tell

START = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)
STATUSES = ("open", "pending", "snoozed", "closed", "archived", "spam", "trash")


def facts() -> st.SearchStrategy[list[Fact]]:
    """In the order in which they are learned; customers' mail and answers from elsewhere up to an hour late."""
    one = st.tuples(st.sampled_from(("customer", "customer", "answer", "elsewhere", "status")), st.integers(0, 60), st.sampled_from(STATUSES))

    def made(drawn: list[tuple[str, int, str]]) -> list[Fact]:
        found = []
        for number, (kind, late, status) in enumerate(drawn):
            now = START + dt.timedelta(minutes=30 * number)
            if kind == "status":
                found.append(Fact(Happened.STATUS, now, status))
            else:
                at = now if kind == "answer" else now - dt.timedelta(minutes=late)
                happened = Happened.CUSTOMER if kind == "customer" else Happened.ANSWER
                found.append(Fact(happened, at, str(number), elsewhere=kind == "elsewhere"))
        return found

    return st.lists(one, max_size=25).map(made)


def running(story: Story) -> set[str]:
    return {c.target for c in story.courses if c.ended_at is None}


@settings(max_examples=400, deadline=None)
@given(facts())
def test_whatever_happens_the_clocks_hold_together(told) -> None:
    story = tell(told)
    keys = [(c.target, c.started_at) for c in story.courses]
    assert len(keys) == len(set(keys))  # the row's key
    assert len([c for c in story.courses if c.ended_at is None]) == len(running(story))  # one of each target at most
    assert not {FIRST, NEXT} <= running(story)
    if story.status in ("closed", "archived", "spam", "trash"):
        assert running(story) == set()
    for course in story.courses:
        assert course.ended_at is None or course.ended_at >= course.started_at
        assert (course.met_at is None) or course.met_at == course.ended_at
        pauses = course.pauses(frozenset({"pending", "snoozed"}))
        borders = [b for p in pauses for b in (p.start, p.end) if b is not None]
        assert borders == sorted(borders)
        assert all(b >= course.started_at for b in borders)
    firsts = [c for c in story.courses if c.target == FIRST and c.met_at is not None]
    assert len(firsts) <= 1  # there is one first answer
    assert all(w.until >= w.since for w in story.waits)


@settings(max_examples=200, deadline=None)
@given(facts())
def test_telling_the_beginning_again_changes_nothing_of_what_is_over(told) -> None:
    """A desk that has read half of it knows the same of what had ended by then as one that has read all."""
    half, whole = tell(told[: len(told) // 2]), tell(told)
    over = [c for c in half.courses if c.ended_at is not None]
    assert [c for c in whole.courses if (c.target, c.started_at) in {(o.target, o.started_at) for o in over}] == over


@settings(max_examples=200, deadline=None)
@given(facts())
def test_somebody_who_wrote_last_to_an_open_desk_is_waited_for(told) -> None:
    later = START + dt.timedelta(days=3)
    story = tell([*told, Fact(Happened.CUSTOMER, later, "last")])
    assert story.status == ("spam" if tell(told).status == "spam" else "open")
    if story.status == "open":
        assert RESOLUTION in running(story)
        assert len(running(story) & {FIRST, NEXT}) == 1
