"""format=flowed, by the examples of RFC 3676."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.flowed import unflowed


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("one \ntwo\n", "one two\n"),
        ("> one \n> two\n>> three", "> one two\n>> three"),
        ("> one \nanswer", "> one \nanswer"),
        (" > not a quote", "> not a quote"),
        (" From me", "From me"),
        ("text \n-- \nJane", "text \n-- \nJane"),
        ("a\n\nb", "a\n\nb"),
    ],
)
def test_joins(sent: str, read: str) -> None:
    assert unflowed(sent, delete_space=False) == read


def test_delsp_removes_the_space() -> None:
    assert unflowed("今日は \n良い", delete_space=True) == "今日は良い"


@given(st.text(alphabet="ab >\n-", max_size=200))
def test_keeps_every_word(text: str) -> None:
    letters = [c for c in text if c in "ab"]
    assert [c for c in unflowed(text, delete_space=False) if c in "ab"] == letters
