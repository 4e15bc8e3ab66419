"""The budget: its pace, what it learns from refusals, and that it waits instead of asking in vain."""

import pytest

from providers.errors import Throttled
from providers.gmail.quota import QuotaBudget, QuotaBudgets, QuotaCosts, QuotaLimits, TurnTooFar
from tests.providers.gmail.conftest import Nap


def budget(nap: Nap, **limits: object) -> QuotaBudget:
    return QuotaBudget(QuotaLimits(**limits), clock=nap.clock, sleep=nap.sleep, chance=lambda: 0.5)


async def test_a_seconds_worth_goes_at_once_and_then_at_the_rate(nap: Nap) -> None:
    held = budget(nap, units_per_second=250.0)
    for _ in range(50):
        await held.spend(5)
    assert nap.slept == 0
    for _ in range(100):
        await held.spend(5)
    assert nap.slept == pytest.approx(2.0, abs=0.1)


async def test_published_numbers_differ_so_costs_and_rate_are_settings(nap: Nap) -> None:
    """The stricter table: 6,000 units a minute, a get costs 20. Five mails a second, in batches that fit."""
    held = budget(nap, units_per_second=100.0, costs=QuotaCosts(get=20))
    assert held.fitting(held.limits.costs.get, 50) == 20
    for _ in range(25):
        await held.spend(held.limits.costs.get)
    assert nap.slept == pytest.approx(4.0, abs=0.1)


async def test_a_refusal_halves_the_rate_and_success_brings_it_back(nap: Nap) -> None:
    held = budget(nap, units_per_second=200.0)
    held.refused(None)
    held.refused(None)
    assert held.rate == 50
    for _ in range(15):
        held.went_well()
    assert held.rate == 200


def test_the_rate_never_sinks_to_nothing(nap: Nap) -> None:
    held = budget(nap, units_per_second=200.0, floor=5.0)
    for _ in range(50):
        held.refused(None)
    assert held.rate == 5
    assert held.fitting(20, 50) == 1


def test_waits_double_with_jitter_up_to_a_minute(nap: Nap) -> None:
    held = budget(nap)
    waits = [held.refused(None) for _ in range(9)]
    assert waits[:4] == [0.75, 1.5, 3.0, 6.0]
    assert max(waits) <= 60


async def test_retry_after_closes_the_account_for_everybody(nap: Nap) -> None:
    held = budget(nap)
    held.refused(8)
    await held.spend(1)
    assert 8 <= nap.slept <= 9


async def test_what_would_wait_too_long_is_said_at_once(nap: Nap) -> None:
    held = budget(nap, patience=20.0)
    held.refused(300)
    with pytest.raises(TurnTooFar) as caught:
        await held.spend(1)
    assert isinstance(caught.value, Throttled)
    assert caught.value.retry_after is not None
    assert 300 <= caught.value.retry_after <= 301
    assert nap.slept == 0
    nap.now += 302
    await held.spend(1)


async def test_a_burst_is_served_in_turn(nap: Nap) -> None:
    """Debts add up: the hundredth caller waits for the other ninety-nine."""
    held = budget(nap, units_per_second=10.0, patience=5.0)
    for _ in range(3):
        await held.spend(10)
    assert nap.slept == pytest.approx(2.0, abs=0.1)


def test_budgets_are_by_account_and_bounded() -> None:
    budgets = QuotaBudgets(most=2)
    first = budgets.of("a")
    assert budgets.of("a") is first
    budgets.of("b")
    budgets.of("a")
    budgets.of("c")
    assert budgets.of("a") is first
    budgets.of("c")
    assert budgets.of("b") is not None
