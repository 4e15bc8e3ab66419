"""The scanner sees the tags that browsers see."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.html_scan import Tag, pictured_content_ids, tags_and_text, unescaped


def seen(source: str) -> list[str]:
    return [("/" if t.closing else "") + t.name if isinstance(t, Tag) else repr(t[0]) for t in tags_and_text(source)]


@pytest.mark.parametrize(
    ("source", "tokens"),
    [
        ("<p>a</P>b", ["p", "'a'", "/p", "'b'"]),
        ('<a title="x>y">z', ["a", "'z'"]),
        ('<font color="red"">text</font>', ["font", "'text'", "/font"]),
        ('<div a"><div b">', ["div", "div"]),
        ("<a href=x/y>z", ["a", "'z'"]),
        ("<br/>x", ["br", "'x'"]),
        ("1 < 2", ["'1 < 2'"]),
        ("<!-- <p> -->x", ["'x'"]),
        ("<!--><p>", ["p"]),
        ("<!--x--!><p>", ["p"]),
        ("<!doctype html><?xml v?>x", ["'x'"]),
        ("<style>p{} </p></style>x", ["style", "/style", "'x'"]),
        ("<script>'</p>'</SCRIPT >x", ["script", "/script", "'x'"]),
        ("<textarea><b></textarea>", ["textarea", "'<b>'", "/textarea"]),
        ("<!-- never closed <p>", []),
        ("", []),
    ],
)
def test_tokens(source: str, tokens: list[str]) -> None:
    assert seen(source) == tokens


def test_attributes() -> None:
    tag = next(iter(tags_and_text("<IMG alt='a &amp; b' SRC = cid:x@y title=\"t\" hidden>")))
    assert isinstance(tag, Tag)
    assert [tag.attribute(n) for n in ("alt", "src", "title", "hidden", "none")] == ["a & b", "cid:x@y", "t", "", ""]
    assert tag.attribute_count() == 4


def test_only_pictures_count_as_shown() -> None:
    source = '<img src="cid:a%40b"><IMG SRC=CID:c><a href="cid:d">cid:e</a><!-- <img src="cid:f"> --><td background="cid:g">'
    assert pictured_content_ids(source) == {"a@b", "c"}


def test_absurd_character_references() -> None:
    assert unescaped("&#" + "9" * 6_000 + "; &#0; &#xD800; &lt;") == "\ufffd \ufffd \ufffd <"


@given(st.text(alphabet="<>/!-a\"'= \n&;", max_size=80))
def test_any_text_ends_and_nothing_overlaps(source: str) -> None:
    last = 0
    for token in tags_and_text(source):
        start = token.start if isinstance(token, Tag) else token[1]
        assert start >= last
        last = token.end if isinstance(token, Tag) else start + len(token[0])
    assert last <= len(source)


HOSTILE = ["<" * 100_000, "<a " * 33_000, '<a "' * 25_000, "<a b='" * 17_000, "<!--" * 25_000, "<style>" * 14_000, "</" * 50_000, "<a" + " b" * 50_000, "<a b=" * 20_000, "&#" * 50_000, "&a" * 50_000]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_stays_linear(hostile: str) -> None:
    started = time.thread_time()
    for token in tags_and_text(hostile):
        if isinstance(token, Tag):
            token.attribute("zz")
        else:
            unescaped(token[0])
    pictured_content_ids(hostile + "cid:")
    assert time.thread_time() - started < 0.6
