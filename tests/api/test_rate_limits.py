"""Webhooks: a busy provider that calls from one address is let in, a flood is not, whether it has one address or many."""

from collections.abc import Callable

from api.problems import Problem
from api.rate_limits import HOOK, HOOKS, RateLimits


class Clock:
    def __init__(self) -> None:
        self.at = 50.0

    def __call__(self) -> float:
        return self.at


def let_in(call: Callable[[], None]) -> bool:
    try:
        call()
    except Problem as refused:
        return refused.status != 429
    return True


def test_a_thousand_notices_in_ten_seconds_each_told_three_times_come_in_from_one_address() -> None:
    clock = Clock()
    limits = RateLimits(clock=clock)
    for _ in range(3000):
        clock.at += 10 / 3000
        assert let_in(lambda: limits.hook("graph:192.0.2.7"))


def test_a_flood_from_one_address_is_bounded_and_takes_nothing_from_others() -> None:
    clock = Clock()
    limits = RateLimits(clock=clock)
    taken = 0
    for _ in range(40_000):  # ten seconds at four thousand a second
        clock.at += 10 / 40_000
        taken += let_in(lambda: limits.hook("gmail:192.0.2.66"))
    assert HOOK.burst <= taken <= HOOK.burst + 10 * HOOK.per_minute / 60 + 1
    assert let_in(lambda: limits.hook("gmail:192.0.2.7"))


def test_a_flood_from_many_addresses_is_bounded_too() -> None:
    limits = RateLimits(clock=Clock())
    taken = sum(let_in(lambda n=n: limits.hook(f"gmail:192.0.2.{n}")) for n in range(12_000))  # type: ignore[misc]
    assert taken == HOOKS.burst
