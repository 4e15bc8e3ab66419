"""Reading FETCH responses: known attributes exactly, unknown ones never guessed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.imap.fetch_response import read_fetch, read_internal_date


def test_all_attributes_in_any_order_and_case() -> None:
    item = read_fetch(
        [
            b"7 FETCH (flags (\\Seen \\Recent $A) Uid 5 EMAILID ((M1)) MODSEQ (9) body[] ",
            b"raw (bytes) UID 6",
            b' INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 17)',
        ]
    )
    assert item is not None
    assert (item.uid, item.flags, item.email_id, item.modseq) == (5, frozenset({"\\Seen", "$A"}), "M1", 9)
    assert (item.body, item.size) == (b"raw (bytes) UID 6", 17)
    assert item.internal_date == datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)


def test_quoted_body() -> None:
    item = read_fetch([rb'1 FETCH (UID 5 BODY[] "a \"b\" \\ c")'])
    assert item is not None
    assert item.body == rb'a "b" \ c'


@pytest.mark.parametrize(
    "response",
    [
        [b"1 FETCH (UID 5 X-NEW 7)"],
        [b"1 FETCH (UID 5"],
        [b"1 FETCH (UID 5 BODY[] )"],
        [b"1 FETCH (UID 5 ENVELOPE (", b"x", b"))"],
        [b"1 FETCH (FLAGS (a) UID five)"],
        [b"1 EXPUNGE"],
    ],
)
def test_what_is_not_known_is_not_read(response: list[bytes]) -> None:
    assert read_fetch(response) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"yesterday",
        b"31-Feb-2024 00:00:00 +0000",
        b"01-Foo-2024 00:00:00 +0000",
        b"01-Jan-0001 00:00:00 +1400",
        b"01-Jan-2024 25:00:00 +0000",
        b"01-Jan-2024 00:00:00 +9999",
    ],
)
def test_dates_that_are_none(value: bytes) -> None:
    assert read_internal_date(value) is None


def test_leap_second() -> None:
    assert read_internal_date(b" 1-Jan-2017 00:59:60 +0100") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_garbage_is_refused_quietly(parts: list[bytes]) -> None:
    read_fetch([b"1 FETCH (" + parts[0], *parts[1:]])
