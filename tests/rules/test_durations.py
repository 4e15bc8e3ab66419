"""Quantiles from buckets lie within a hundredth of those of the durations themselves."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rules.durations import bucket_of, duration_of, quantile

YEARS = 20 * 366 * 86_400


@given(st.integers(0, YEARS))
def test_a_bucket_stands_for_its_durations_within_a_hundredth(seconds: int) -> None:
    assert abs(duration_of(bucket_of(seconds)) - seconds) <= 0.01 * (seconds + 1) + 0.5


@given(st.lists(st.integers(0, YEARS), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_that_of_the_sorted_list_within_a_hundredth(durations: list[int], share: float) -> None:
    exact = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]
    found = quantile(Counter(map(bucket_of, durations)), share)
    assert found is not None
    assert abs(found - exact) <= 0.01 * (exact + 1) + 0.5


def test_buckets_keep_the_order_and_nothing_has_no_quantile() -> None:
    assert [bucket_of(s) for s in (-5, 0)] == [0, 0]
    assert bucket_of(10) < bucket_of(11) < bucket_of(100)
    assert quantile({}, 0.5) is None
    assert quantile({3: 0}, 0.5) is None
