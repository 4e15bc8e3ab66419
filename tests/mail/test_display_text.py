"""What is kept and what is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.display_text import displayable, scrubbed

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)


@given(ANY_TEXT)
def test_scrubbed_text_can_be_stored(text: str) -> None:
    clean = scrubbed(text)
    clean.encode()
    assert "\0" not in clean
    assert len(clean) == len(text)


@given(ANY_TEXT)
def test_displayable_text_is_one_line_without_the_unseen(text: str) -> None:
    shown = displayable(text)
    shown.encode()
    forbidden = "\r\n\t\0\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"
    assert not set(shown) & set(forbidden)
    assert displayable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("pay\u200bpal", "paypal"),
        ("e\u0301", "é"),
        ("a\r\nBcc: b", "a Bcc: b"),
        ("🙂 ok", "🙂 ok"),
    ],
)
def test_displayable(text: str, shown: str) -> None:
    assert displayable(text) == shown
