"""Durations in buckets whose width grows with them, so that medians and percentiles can be kept as counts and added up.

The sketch of Masson, Rim, Lee, “DDSketch”, VLDB 2019: bucket `i` holds (γ^(i-1), γ^i], here of seconds plus one, and any quantile
read from it is off by at most (γ-1)/(γ+1) of itself, which is one hundredth.
"""

import math
from collections.abc import Mapping

GAMMA = 1.02
_LOG = math.log(GAMMA)


def bucket_of(seconds: int) -> int:
    """The bucket of a duration in seconds; what is negative (a clock that was set back) counts as nothing."""
    return math.ceil(math.log(max(seconds, 0) + 1) / _LOG)


def duration_of(bucket: int) -> int:
    """The duration in seconds that stands for a bucket."""
    return round(2 * GAMMA**bucket / (GAMMA + 1) - 1)


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """The duration in seconds that `share` of those counted do not pass, by the nearest rank; None of none.

    `counts` maps buckets to how many fell in; what is not positive is passed over.
    """
    total = sum(n for n in counts.values() if n > 0)
    if not total:
        return None
    rank = max(1, math.ceil(share * total))
    for bucket in sorted(counts):
        rank -= max(counts[bucket], 0)
        if rank <= 0:
            return duration_of(bucket)
    raise AssertionError("the ranks are counted")
