"""Known ends of a mailbox's permission, and when they become a warning."""

import datetime as dt

from rules.access_expiry import NOTHING_GIVEN, Expiry, Given, expiries

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def days(count: float) -> dt.datetime:
    return NOW + dt.timedelta(days=count)


def found(provider: str, given: Given = NOTHING_GIVEN, *, renewed: float = 0, told: float | None = None, app: bool = False) -> tuple[Expiry, ...]:
    return expiries(
        provider, by_application=app, granted_at=days(-6), renewed_at=days(renewed),
        refresh_expires_at=None if told is None else days(told), given=given, now=NOW,
    )  # fmt: skip


def test_what_google_told_goes_before_what_the_operator_told() -> None:
    assert found("gmail", Given(google_testing=True))[0] == Expiry("refresh_token", days(1), soon=True)
    assert found("gmail", Given(google_testing=True), told=5)[0] == Expiry("refresh_token", days(5), soon=False)


def test_an_application_that_is_published_has_tokens_without_a_known_end() -> None:
    assert [one.what for one in found("gmail")] == ["unused"]


def test_a_token_that_rests_too_long_is_told_of_before_its_end() -> None:
    assert found("graph", renewed=-80) == (Expiry("unused", days(10), soon=True),)
    assert found("graph", renewed=-1) == (Expiry("unused", days(89), soon=False),)


def test_the_client_secret_ends_for_all_of_microsoft_and_the_nearest_comes_first() -> None:
    given = Given(secret_expires=days(20))
    assert found("graph", given) == (Expiry("client_secret", days(20), soon=True), Expiry("unused", days(90), soon=False))
    assert found("graph", given, app=True) == (Expiry("client_secret", days(20), soon=True),)
    assert [one.what for one in found("gmail", given)] == ["unused"]
