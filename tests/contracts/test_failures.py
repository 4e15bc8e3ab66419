"""Failure names say what happened, their sentences what to do; neither can hold mail."""

from contracts.failures import NON_RETRYABLE, SENTENCES
from contracts.timing import DATABASE_RETRY, HEARTBEAT, NETWORK_RETRY, ONCE, SUBMIT, WATCH


def test_every_sentence_is_a_sentence() -> None:
    for name, sentence in SENTENCES.items():
        assert name[0].isupper()
        assert sentence.endswith("."), name
        assert "{" not in sentence, f"{name}: a failure's sentence is fixed, so that nothing private can slip in"


def test_non_retryable_names_are_known_and_in_both_policies() -> None:
    assert set(NON_RETRYABLE) <= set(SENTENCES)
    for policy in (DATABASE_RETRY, NETWORK_RETRY):
        assert set(policy.non_retryable_error_types or ()) == set(NON_RETRYABLE)


def test_timing_keeps_the_promises() -> None:
    assert HEARTBEAT.total_seconds() <= 30  # integrity T-4
    assert SUBMIT.total_seconds() >= 900  # integrity S-4
    assert WATCH.total_seconds() < 29 * 60  # RFC 2177
    assert ONCE.maximum_attempts == 1
