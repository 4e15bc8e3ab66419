"""Vectors of mail clients past and present, against the allow-list."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.html_scan import Tag, tags_and_text
from mail.sanitise import SANITISER_VERSION, misleading_host, sanitise_html
from tests.mail.vectors import VECTORS

ALLOWED_TAG = re.compile(r"(?:a|abbr|address|b|bdi|bdo|blockquote|br|caption|center|code|col|colgroup|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|s|section|small|span|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|figure|mark|article|wbr|del)")
DANGER = re.compile(r"javascript:|vbscript:|<script|<svg|<math|<style|<iframe|<object|<embed|<form|<input|<meta|<base|<link|srcset|srcdoc|url\(", re.IGNORECASE)

def assert_safe(clean: str) -> None:
    for token in tags_and_text(clean):
        if not isinstance(token, Tag):
            continue
        assert not DANGER.search(clean[token.start : token.end]), clean
        assert ALLOWED_TAG.fullmatch(token.name), token.name
        if token.closing:
            continue
        for name in re.findall(r'([a-zA-Z-]+)="', token.inner):
            assert not name.lower().startswith("on")
            assert name in {"href", "src", "alt", "title", "style", "width", "height", "target", "rel", "referrerpolicy", "align", "valign", "bgcolor",
                            "border", "color", "face", "size", "dir", "lang", "colspan", "rowspan", "start", "type", "data-goes-to"}  # fmt: skip
        assert token.attribute("href")[:7].lower() in {"", "http://", "https:/", "mailto:"}
        assert token.attribute("src") == "" or token.attribute("src").startswith(("https://images.example/", "data:image/"))


@pytest.mark.parametrize("vector", VECTORS)
def test_vectors(vector: str) -> None:
    result = sanitise_html(f"before {vector} after", cid_urls={})
    assert_safe(result.html)
    assert "before" in result.html
    assert "data-goes-to" not in result.html
    again = sanitise_html(result.html, cid_urls={}).html  # the order of attributes is not part of the promise
    assert sorted(re.split(r"[ >]", again)) == sorted(re.split(r"[ >]", result.html))


PIECES = ["<", ">", "</", "/>", '"', "'", "=", " ", "svg", "math", "style", "script", "img", "a", "p", "table", "td", "noscript", "textarea", "title",
          "src", "href", "onerror", "javascript:", "https://example.com", "<!--", "-->", "--!>", "<![CDATA[", "]]>", "mglyph", "mtext", "x", "&#x3c;", "\x00"]  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_html_is_safe(pieces: list[str]) -> None:
    assert_safe(sanitise_html("".join(pieces), cid_urls={}).html)


def test_honest_mail_survives() -> None:
    mail = '<p style="color:#333;font-family:Arial">Hi <b>you</b> <a href="https://example.com/a?b=1">link</a></p><table><tbody><tr><td bgcolor="#fff" width="50%">x</td></tr></tbody></table>'
    clean = sanitise_html(mail, cid_urls={}).html
    assert 'style="color:#333;font-family:Arial"' in clean
    assert '<a href="https://example.com/a?b=1"' in clean
    assert 'target="_blank"' in clean
    assert 'rel="noopener noreferrer"' in clean
    assert '<td bgcolor="#fff" width="50%">' in clean


def test_inline_pictures_get_our_addresses() -> None:
    urls = {"A@b": "https://images.example/1", "c d": "https://images.example/2"}
    clean = sanitise_html('<img src="cid:A@b"><img src="CID:%61%40B"><img src="cid:c%20d"><img src="cid:other">', cid_urls=urls).html
    assert re.findall(r'src="([^"]*)"', clean) == ["https://images.example/1", "https://images.example/1", "https://images.example/2"]


def test_remote_loads_are_counted_and_come_back_on_request() -> None:
    mail = '<img src="https://example.com/a"><img src="//example.com/b"><table background="http://example.com/c"></table><p style="background:url(x)">t</p>'
    blocked = sanitise_html(mail, cid_urls={})
    assert blocked.remote_blocked == 4
    assert "example.com" not in blocked.html
    shown = sanitise_html(mail, cid_urls={}, remote_images=True).html
    assert re.findall(r'src="([^"]*)"', shown) == ["https://example.com/a", "https://example.com/b"]
    proxied = sanitise_html(mail, cid_urls={}, remote_images=True, image_proxy=lambda url: f"https://images.example/p?{len(url)}").html
    assert re.findall(r'src="([^"]*)"', proxied) == ["https://images.example/p?21", "https://images.example/p?21"]


@pytest.mark.parametrize(
    ("text", "href", "host"),
    [
        ("https://bank.example/login", "https://evil.test/x", "evil.test"),
        ("www.bank.example", "https://bank.example.evil.test", "bank.example.evil.test"),
        ("bank.example", "https://bänk.example/", "xn--bnk-qla.example"),
        ("bank.example", "https://bank.example@evil.test/", "evil.test"),
        ("bank.example", "https://www.bank.example/a", ""),
        ("example.com", "https://mail.example.com", ""),
        ("click here", "https://evil.test", ""),
        ("jane@example.com", "mailto:jane@example.com", ""),
        ("version 1.2", "https://evil.test", ""),
    ],
)
def test_misleading_links(text: str, href: str, host: str) -> None:
    assert misleading_host(text, href) == host
    marked = f'data-goes-to="{host}"' in sanitise_html(f'<a href="{href}"><b>{text}</b></a>', cid_urls={}).html
    assert marked == bool(host)


def test_the_version_is_a_number_for_cache_keys() -> None:
    assert isinstance(SANITISER_VERSION, int)


@pytest.mark.parametrize(
    "html",
    [
        '<svg><path d="M0 0"/></svg> after',
        "before <svg viewBox='0 0 1 1'><g><circle/><path/></g></svg> after",
        "<math><mi/></math> after",
        "<svg><path/> <p>after</p>",
        "<svg/> after",
        "<svg><svg><path/></svg> after",
    ],
)
def test_text_behind_a_drawing_is_kept(html: str) -> None:
    """Seen in practice: newsletters draw their icons inline, and the rest of the mail must not vanish with them."""
    clean = sanitise_html(html, cid_urls={}).html
    assert "after" in clean
    assert "<path" not in clean
    assert "svg" not in clean
