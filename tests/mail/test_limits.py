"""The caps raise one error with a machine-readable reason, which survives the way out of a child process."""

import pickle

import pytest

from mail.limits import DEFAULT_LIMITS, Limits, TooComplex
from mail.parse import parse_headers_only, parse_mail

HEAD = b"From: a@example.com\r\nSubject: Readable\r\nMessage-ID: <x@example.com>\r\n"


def nested(depth: int) -> bytes:
    body, head = b"leaf", b"Content-Type: text/plain\r\n"
    for i in range(depth):
        body = b"--b%d\r\n%s\r\n%s\r\n--b%d--\r\n" % (i, head, body, i)
        head = b"Content-Type: multipart/mixed; boundary=b%d\r\n" % i
    return HEAD + head + b"\r\n" + body


def many_parts(count: int) -> bytes:
    part = b"--b\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n"
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * count + b"--b--\r\n"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (nested(DEFAULT_LIMITS.depth + 1), "depth"),
        (many_parts(DEFAULT_LIMITS.parts + 1), "parts"),
        (HEAD + b"X-Long: " + b"y" * 70_000 + b"\r\n\r\nBody", "header_bytes"),
        (HEAD + b"X-Folded: a\r\n" + b" bbbbbbbbb\r\n" * 7_000 + b"\r\nBody", "header_bytes"),
        (HEAD + b"X-Many: 0123456789\r\n" * 20_000 + b"\r\nBody", "headers_bytes"),
        (HEAD + b"To: " + b"a@example.org," * 2_100 + b"\r\n\r\nBody", "addresses"),
        (HEAD + (b"Cc: " + b"a@example.org," * 900 + b"\r\n") * 3 + b"\r\nBody", "addresses"),
    ],
    ids=["depth", "parts", "one header", "one folded header", "all headers", "addresses", "addresses of several fields"],
)
def test_over_a_cap_the_mail_is_too_complex_and_still_has_a_card(raw: bytes, reason: str) -> None:
    with pytest.raises(TooComplex) as caught:
        parse_mail(raw)
    assert caught.value.reason == reason
    card = parse_headers_only(raw)
    assert card.subject == "Readable"
    assert card.message_id == "<x@example.com>"
    assert card.from_ is not None
    assert card.parts == ()


def test_just_below_the_caps_a_mail_is_read() -> None:
    assert parse_mail(nested(DEFAULT_LIMITS.depth)).body_text == "leaf"
    assert len(parse_mail(many_parts(DEFAULT_LIMITS.parts)).parts) == DEFAULT_LIMITS.parts
    assert len(parse_mail(HEAD + b"To: " + b"a@example.org," * 1_990 + b"\r\n\r\nBody").to) == 1_990


def test_too_complex_crosses_a_process_boundary() -> None:
    copy = pickle.loads(pickle.dumps(TooComplex("depth")))
    assert copy.reason == "depth"
    assert isinstance(copy, ValueError)


def html_mail(html: bytes) -> bytes:
    return HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html


@pytest.mark.parametrize(
    ("html", "limits", "defect"),
    [
        (b"<p>beginning</p>" + b"x" * 5_000, Limits(html_bytes=4_000), "html_too_large"),
        (b"<p>beginning</p>" + b"<a href='https://example.com'>x</a>" * 20, Limits(links=10), "too_many_links"),
        (b"<p>beginning</p>" + b"<div>" * 3_000, Limits(), "html_contorted"),
    ],
)
def test_html_over_a_cap_becomes_a_file_and_stays_readable(html: bytes, limits: Limits, defect: str) -> None:
    mail = parse_mail(html_mail(html), limits)
    assert defect in mail.defects
    assert mail.body_html is None
    assert mail.body_text.startswith("beginning")
    assert [p.content for p in mail.parts] == [html]


def test_text_over_the_cap_is_cut_and_kept_whole_as_a_file() -> None:
    mail = parse_mail(HEAD + b"\r\n" + b"word " * 1_000, Limits(text_chars=100))
    assert len(mail.body_text) <= 100
    assert mail.parts[0].content == b"word " * 1_000
    assert "text_too_large" in mail.defects
