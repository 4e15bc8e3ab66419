"""Cursors of pages come back as they went, and nothing else is one."""

import datetime as dt
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.pages import BadCursor, id_cursor, read_id_cursor, read_time_cursor, time_cursor

ZONES = st.sampled_from(
    [dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=45)), dt.timezone(-dt.timedelta(hours=11))]
)


FIRST, LAST = "1900-01-02T00:00:00", "9998-12-30T00:00:00"
TIMES = st.datetimes(dt.datetime.fromisoformat(FIRST), dt.datetime.fromisoformat(LAST), timezones=ZONES)


@given(
    TIMES,
    st.uuids(),
)
def test_a_cursor_comes_back(at: dt.datetime, row: uuid.UUID) -> None:
    assert read_time_cursor(time_cursor(at, row)) == (at, row)
    assert read_id_cursor(id_cursor(row)) == row


@given(st.one_of(st.text(max_size=80), st.from_regex(r"[A-Za-z0-9_-]{0,80}", fullmatch=True)))
def test_anything_else_is_refused_by_name(text: str) -> None:
    for read in (read_time_cursor, read_id_cursor):
        with pytest.raises(BadCursor):
            read(text)


def test_cursors_of_one_list_are_none_of_another() -> None:
    row = uuid.uuid4()
    with pytest.raises(BadCursor):
        read_time_cursor(id_cursor(row))
    with pytest.raises(BadCursor):
        read_id_cursor(time_cursor(dt.datetime.now(dt.UTC), row))
