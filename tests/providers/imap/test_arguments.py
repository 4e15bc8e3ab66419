"""The one wrapper for IMAP arguments (X-30), and sequence sets."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.imap.arguments import (
    Literal,
    check_argument,
    date_time,
    flag_list,
    mailbox,
    message_id,
    text,
    uid_sets,
)


@given(st.text())
def test_no_text_can_end_the_line(value: str) -> None:
    try:
        argument = check_argument(text(value))
    except ValueError:
        assert any(sign in value for sign in "\r\n\0")
        return
    wire = argument.data if isinstance(argument, Literal) else argument
    assert not set(wire) & {0, 10, 13}
    if isinstance(argument, bytes):
        inner = argument[1:-1].replace(b"\\\\", b"").replace(b'\\"', b"")
        assert b'"' not in inner
        assert b"\\" not in inner


@given(st.sets(st.integers(1, 20_000), max_size=3000), st.integers(1, 500))
def test_uid_sets_name_exactly_the_uids(uids: set[int], at_most: int) -> None:
    named: list[int] = []
    for set_text, members in uid_sets(list(uids), at_most):
        assert len(set_text) <= 6100
        assert len(members) <= at_most
        told: list[int] = []
        for item in set_text.decode().split(","):
            first, _colon, last = item.partition(":")
            told.extend(range(int(first), int(last or first) + 1))
        assert told == members
        named.extend(members)
    assert named == sorted(uids)


@pytest.mark.parametrize("uids", [[0], [-1, 5], [1 << 32]])
def test_numbers_that_are_no_uids(uids: list[int]) -> None:
    with pytest.raises(ValueError, match="UID"):
        list(uid_sets(uids))


@pytest.mark.parametrize(
    "flag", ["", "a b", "\\Seen)", "(x", "a\r\n", 'a"b', "ä", "*", "%", "\\*", "a\\b", "]"]
)
def test_words_that_are_no_flags(flag: str) -> None:
    with pytest.raises(ValueError, match="flag"):
        flag_list([flag])


def test_flags_and_dates() -> None:
    assert flag_list(["\\Seen", "$Label1", "\\Seen"]) == b"($Label1 \\Seen)"
    assert (
        date_time(datetime(2024, 2, 3, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))))
        == b'"02-Feb-2024 23:02:03 +0000"'
    )
    with pytest.raises(ValueError, match="time zone"):
        date_time(datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def test_mailbox_must_be_named() -> None:
    with pytest.raises(ValueError, match="empty"):
        mailbox("")


def test_message_id_travels_as_literal() -> None:
    assert message_id("<a.b+c@example.com>") == Literal(b"<a.b+c@example.com>")


def test_nul_in_a_mail_cannot_be_appended() -> None:
    with pytest.raises(ValueError, match="NUL"):
        check_argument(Literal(b"a\0b", raw_mail=True))
    whole = Literal(b"a\r\nb", raw_mail=True)
    assert check_argument(whole) is whole
