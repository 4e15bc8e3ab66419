"""Seconds or a date, never more than a day, and nothing from nonsense."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from providers.retry_after import retry_after


def test_retry_after_as_seconds_and_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after("12") == 12
    assert retry_after(soon) == pytest.approx(90, abs=2)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("9" * 40) == 86_400
    for nonsense in (None, "", "soon", "-5", "²"):
        assert retry_after(nonsense) is None
