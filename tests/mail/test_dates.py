"""Dates as they are written, and as they are not."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.dates import parse_date

NOON = datetime(2025, 6, 2, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "Mon, 02 Jun 2025 12:00:00 +0200",
        "2 Jun 2025 12:00 +0200",
        "Mon, 02 Jun 2025 12:00:00 +0200 (CEST)",
        "Mon, 2 Jun 2025 10:00:00 GMT",
        "Mon, 2 Jun 2025 10:00:00 -0000",
        "Mon Jun  2 10:00:00 2025",
        "2025-06-02T12:00:00+02:00",
        "2025-06-02 10:00:00",
        "Mon, 02 Jun 25 06:00:00 EDT",
    ],
)
def test_reads(written: str) -> None:
    assert parse_date(written) == NOON


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "Wed, 15 Dec 2010    59:10 -0500", "Mon, 32 Jun 2025 12:00:00 +0200", "Thu, 01 Jan 1601 00:00:00 +0000",
     "Mon, 02 Jun 2025 12:00:00 +9999999", "Mon, 02 Jun 99999 12:00:00 +0000", "(" * 5_000],
)  # fmt: skip
def test_refuses(written: str) -> None:
    assert parse_date(written) is None


@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    found = parse_date(text)
    assert found is None or found.tzinfo is UTC
