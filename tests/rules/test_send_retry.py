"""Waits between attempts: bounded, growing, never beyond the end, whatever the chance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.send_retry import next_wait

SPAN = {"first": 60.0, "last": 3600.0, "give_up_after": 48 * 3600.0}
CHANCE = st.floats(0, 1, exclude_max=True)


@given(waited=st.floats(0, 60 * 3600), chance=CHANCE, asked=st.none() | st.floats(0, 1e6))
def test_a_wait_stays_within_its_bounds_and_the_end_is_the_end(
    waited: float, chance: float, asked: float | None
) -> None:
    wait = next_wait(waited=waited, chance=chance, asked=asked, **SPAN)
    if waited >= SPAN["give_up_after"]:
        assert wait is None
    else:
        assert wait is not None
        assert 1 <= wait <= 3600
        assert waited + wait <= SPAN["give_up_after"] + 1
        if asked is not None and waited + 3600 < SPAN["give_up_after"]:
            assert wait >= min(asked, 3600)


@given(chances=st.lists(CHANCE, min_size=200, max_size=200))
def test_a_mail_put_off_for_ever_is_given_up_after_at_most_a_hundred_attempts(chances: list[float]) -> None:
    waited, attempts = 0.0, 0
    for chance in chances:
        wait = next_wait(waited=waited, chance=chance, **SPAN)
        if wait is None:
            break
        waited += wait
        attempts += 1
    assert wait is None
    assert 48 <= attempts <= 100


def test_the_first_waits_double() -> None:
    waits, waited = [], 0.0
    for _ in range(6):
        wait = next_wait(waited=waited, chance=0.5, **SPAN)
        assert wait is not None
        waits.append(wait)
        waited += wait
    assert waits == [60, 60, 120, 240, 480, 960]


def test_chance_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="chance"):
        next_wait(waited=0, chance=1.0, **SPAN)
