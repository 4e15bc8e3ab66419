"""HTML read as text: nothing visible is lost."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.html_text import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello&nbsp;<b>there</b>,</p><p>second</p>", "Hello there,\n\nsecond"),
        ("a<br>b<br/><br>c", "a\nb\n\nc"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<ul><li>a<li>b</ul>", "* a\n* b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<style>p{}</style><title>t</title><script>x()</script>body", "body"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("x<blockquote type=cite>q<br>r<blockquote type='cite'>s</blockquote></blockquote>y", "x\n\n> q\n> r\n>\n> > s\n\ny"),
        ("<blockquote>indented</blockquote>", "indented"),
        ("<div style='display: none'>preview</div>shown", "shown"),
        ("<div style='display:none'>never closed", "never closed"),
        ("<img alt='Our logo'><img alt=''>", "[Our logo]"),
        ("1 &lt; 2 &amp;&#233;", "1 < 2 &é"),
        ("  \n <p> a\n b </p> ", "a b"),
        ("", ""),
        ("<b>bo</b>ld", "bold"),
    ],
)
def test_layout(html: str, text: str) -> None:
    assert html_to_text(html) == text


@given(st.lists(st.tuples(st.sampled_from(["div", "p", "b", "td", "span", "blockquote", "li", "center", "font"]), st.integers(0, 9_999)), max_size=30))
def test_no_word_is_lost(pieces: list[tuple[str, int]]) -> None:
    html = "".join(f"<{tag}>w{number}w" for tag, number in pieces)
    text = html_to_text(html)
    for _, number in pieces:
        assert f"w{number}w" in text


def test_no_depth_loses_the_text() -> None:
    for depth in (300, 5_000, 100_000):
        assert html_to_text("<div>" * depth + "deep" + "</div>" * depth) == "deep"


HOSTILE = ["<div style='display:none'>" * 4_000, "<blockquote type=cite>x" * 5_000, "<p>x" * 25_000, "<br>" * 25_000, "<img alt=" * 11_000, "<li>" * 25_000]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_stays_linear(hostile: str) -> None:
    started = time.thread_time()
    html_to_text(hostile)
    assert time.thread_time() - started < 0.6
