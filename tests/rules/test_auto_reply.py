"""Each fact that keeps us silent does so alone; only when all agree is an automatic answer sent."""

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.auto_reply import AutoReplyFacts, answer_to, silence

NOW = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)
FINE = AutoReplyFacts(
    enabled=True,
    has_template=True,
    conversation_historical=False,
    first_received_at=NOW - dt.timedelta(minutes=1),
    first_historical=False,
    may_answer=True,
    silence_reason=None,
    is_auto=None,
    sender="carla@customer.example.com",
    sender_is_ours=False,
    suppressed=False,
    answered_by_us=False,
    since=NOW - dt.timedelta(days=1),
)
AGAINST: dict[str, dict[str, Any]] = {
    "not-enabled": {"enabled": False},
    "no-template": {"has_template": False},
    "no-customer-mail": {"first_received_at": None},
    "merged": {"merged": True},
    "historical": {"conversation_historical": True},
    "older-than-the-rule": {"since": NOW},
    "too-late": {"first_received_at": NOW - dt.timedelta(hours=25), "since": NOW - dt.timedelta(days=9)},
    "no-sender": {"sender": "mailer-daemon"},
    "own-address": {"sender_is_ours": True},
    "suppressed-address": {"suppressed": True},
    "answered-already": {"answered_by_us": True},
    "automatic: auto-submitted": {"is_auto": "auto-submitted"},
    "list-id": {"may_answer": False, "silence_reason": "list-id"},
    "mail-forbids": {"may_answer": False},
}


def test_a_persons_first_mail_is_answered() -> None:
    assert silence(FINE, NOW) is None


def test_mail_of_the_second_in_which_the_rule_began_is_answered() -> None:
    """A server's date has no fractions: without this the first mail after switching on would be refused now and then."""
    at = NOW.replace(microsecond=0)
    assert silence(dataclasses.replace(FINE, first_received_at=at, since=at.replace(microsecond=700_000)), NOW) is None


def test_mail_of_that_second_which_was_here_before_the_rule_is_not() -> None:
    at = NOW.replace(microsecond=0)
    since = at.replace(microsecond=700_000)
    facts = dataclasses.replace(FINE, first_received_at=at, since=since, first_stored_at=at.replace(microsecond=300_000))
    assert silence(facts, NOW) == "older-than-the-rule"
    assert silence(dataclasses.replace(facts, first_stored_at=at.replace(microsecond=900_000)), NOW) is None


@pytest.mark.parametrize("reason", AGAINST)
def test_one_fact_against_it_is_enough(reason: str) -> None:
    assert silence(dataclasses.replace(FINE, **AGAINST[reason]), NOW) == reason


@given(st.sets(st.sampled_from(sorted(AGAINST)), min_size=1))
def test_no_combination_talks_us_into_it(reasons: set[str]) -> None:
    facts = FINE
    for reason in sorted(reasons):
        facts = dataclasses.replace(facts, **AGAINST[reason])
    assert silence(facts, NOW) is not None


def test_the_return_path_comes_first_where_it_is_known() -> None:
    assert answer_to(return_path="bounces@example.com", sender="a@example.com") == "bounces@example.com"
    assert answer_to(return_path=None, sender="a@example.com") == "a@example.com"
    assert answer_to(return_path="", sender="a@example.com") == "a@example.com"
