"""Contorted HTML is found out; bad HTML is not mistaken for it; both stay fast in the sanitiser."""

import time

import pytest

from mail.html_contorted import calmed
from mail.sanitise import sanitise_html


@pytest.mark.parametrize(
    "hostile",
    [
        "<div>" * 401,
        "<b><div></b>" * 401,
        "<span><p></span></p>" * 401,
        "<div><table><tr><td></div></table>" * 401,
        "".join(f"<div><font color='#{i:06x}'>x</div>" for i in range(500)),
        "<p " + " ".join(f"a{i}" for i in range(600)) + ">",
        "<svg><div>" * 401,
        '<div a"><div b">' * 300,
    ],
)
def test_contorted(hostile: str) -> None:
    assert calmed(hostile) is None


@pytest.mark.parametrize(
    "bad",
    [
        "<p>unclosed " * 2_000,
        "<ul>" + "<li>item" * 2_000,
        "<table>" + "<tr><td>a<td>b" * 1_000,
        "<div><span>fine</span></div>" * 2_000,
        "<table><tr><td><b>x</b></td></tr></table>" * 1_000,
        "<b>bold <i>both</b> italic</i>" * 1_000,
        "<!--[if mso]><table><tr><td><![endif]--><p>x</p><!--[if mso]></td></tr></table><![endif]-->" * 500,
        "<br>" * 5_000,
    ],
)
def test_bad_but_honest(bad: str) -> None:
    assert calmed(bad) is not None


def test_nothing_that_was_hidden_becomes_a_tag() -> None:
    calm = calmed("<textarea><img src=x onerror=alert(1)></textarea><<!-- -->script>x")
    assert calm is not None
    assert "<img" not in calm
    assert "<script" not in calm


HOSTILE = {
    "nested": "<div>",
    "misnested": "<b><div></b>",
    "span over paragraph": "<span><p></span></p>",
    "table fence": "<div><table><tr><td></div></table>",
    "marquee fence": "<div><marquee></div></marquee>",
    "comment tricks": "<!--><div>-->",
    "script tricks": "<div><script><!--<script></script></div>--></script>",
    "foreign content": "<svg><desc><div><svg><![CDATA[></svg></div>]]>",
    "textarea": "<textarea><div></textarea>",
    "links over paragraphs": "<a href=x><p></a>",
    "headings": "<h1><h2>",
    "lists": "<ul><li></ul>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_sanitiser_stays_quick(name: str) -> None:
    unit = HOSTILE[name]
    source = unit * (200_000 // len(unit))
    started = time.thread_time()
    sanitise_html(source, cid_urls={})
    assert time.thread_time() - started < 1.5
