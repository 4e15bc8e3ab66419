"""Plain text as HTML: escaped first, linked by words."""

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.linkify import text_to_html

LINK = re.compile(r'<a href="([^"]*)" target="_blank" rel="noopener noreferrer">([^<]*)</a>')


def links(text: str) -> list[str]:
    return [html.unescape(m[1]) for m in LINK.finditer(text_to_html(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://example.com/a?b=1&c=2.", ["https://example.com/a?b=1&c=2"]),
        ("(https://example.com/a_(b))", ["https://example.com/a_(b)"]),
        ("<https://example.com>", ["https://example.com"]),
        ("www.example.com, ok", ["https://www.example.com"]),
        ("mail jane@example.com!", ["mailto:jane@example.com"]),
        ("<mailto:jane@example.com>", ["mailto:jane@example.com"]),
        ("javascript://example.com/%0aalert(1)", []),
        ("data:text/html,x.y/z", []),
        ("file.txt and/or a.b", []),
        ("https://", []),
        ('https://example.com/"onmouseover="alert(1)', ["https://example.com/"]),
        ("https://example.com/'><script>", ["https://example.com/"]),
        ("https://ünï.example/ä", ["https://ünï.example/ä"]),
    ],
)
def test_links(text: str, expected: list[str]) -> None:
    assert links(text) == expected


@given(st.text(alphabet="htps:/w.exam<>\"'&() \n@;#=", max_size=120))
def test_any_text_is_only_text_and_links(text: str) -> None:
    out = text_to_html(text)
    assert out.startswith('<div class="plain-text">')
    inner = out.removeprefix('<div class="plain-text">').removesuffix("</div>")
    without = LINK.sub(lambda m: m[2], inner)
    assert "<" not in without
    assert ">" not in without
    assert '"' not in without
    assert html.unescape(without) == html.unescape(html.escape(text))
    assert all(u.startswith(("http://", "https://", "mailto:", "HTTP")) or u[:4].lower() == "http" for u in links(text))


@pytest.mark.parametrize("hostile", ["https://" * 12_500, "a@" * 50_000, "(" * 100_000, "www." * 25_000, "http://a)" * 11_000, "a.b " * 25_000, "a@b.c" * 20_000])
def test_stays_linear(hostile: str) -> None:
    started = time.thread_time()
    text_to_html(hostile)
    assert time.thread_time() - started < 0.3
