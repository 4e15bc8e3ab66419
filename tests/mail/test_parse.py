"""parse_mail: the fields of a mail, its promises for any bytes, and the card of a poisonous one."""

import hashlib
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.limits import TooComplex
from mail.parse import parse_headers_only, parse_mail
from mail.values import Address, ParsedMail

FULL = (
    b"Return-Path: <bounces@example.com>\r\nReceived: by a\r\nReceived: by b\r\nFrom: =?utf-8?Q?J=C3=BCrgen?= <J@Example.com>\r\n"
    b"Sender: s@example.com\r\nReply-To: r@example.com\r\nTo: a@example.org, B <b@example.org>\r\nTo: second@example.org\r\n"
    b"Cc: c@example.org\r\nBcc: d@example.org\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n aus\r\nDate: Mon, 2 Jun 2025 12:00:00 +0200\r\n"
    b"Message-ID: <m@example.com>\r\nIn-Reply-To: <p@example.com>\r\nReferences: <r1@example.com>\r\n <p@example.com>\r\n"
    b"X-Custom: =?utf-8?Q?=C3=A9?=\r\nContent-Type: text/plain; charset=utf-8; format=fixed\r\n\r\nHello\r\n\r\n> old\r\n"
)


def test_every_field() -> None:
    mail = parse_mail(FULL)
    assert mail.raw_sha256 == hashlib.sha256(FULL).hexdigest()
    assert mail.size == len(FULL)
    assert mail.message_id == "<m@example.com>"
    assert mail.in_reply_to == ("<p@example.com>",)
    assert mail.references == ("<r1@example.com>", "<p@example.com>")
    assert mail.subject == "Grüße aus"
    assert mail.from_ == Address("J@Example.com", "Jürgen")
    assert mail.sender == Address("s@example.com")
    assert mail.reply_to == (Address("r@example.com"),)
    assert [a.address for a in mail.to] == ["a@example.org", "b@example.org", "second@example.org"]
    assert (mail.cc, mail.bcc) == ((Address("c@example.org"),), (Address("d@example.org"),))
    assert mail.date == datetime(2025, 6, 2, 10, tzinfo=UTC)
    assert mail.return_path == "bounces@example.com"
    assert mail.received_count == 2
    assert mail.header("x-custom") == "é"
    assert mail.header_all("TO") == ("a@example.org, B <b@example.org>", "second@example.org")
    assert mail.content_type == "text/plain"
    assert dict(mail.content_type_params) == {"charset": "utf-8", "format": "fixed"}
    assert mail.body_text == "Hello\n\n> old"
    assert mail.body_visible == "Hello"
    assert mail.body_html is None
    assert mail.defects == ()


def test_return_path_absent_null_and_broken() -> None:
    assert parse_mail(b"Subject: x\r\n\r\n").return_path is None
    assert parse_mail(b"Return-Path: <>\r\n\r\n").return_path == ""
    assert parse_mail(b"Return-Path: \r\n\r\n").return_path == ""


def test_a_report_keeps_its_declared_type_even_without_parts() -> None:
    mail = parse_mail(b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\nno parts\r\n")
    assert mail.content_type == "multipart/report"
    assert dict(mail.content_type_params)["report-type"] == "delivery-status"
    assert mail.body_text == "no parts"


def test_the_new_part_of_an_html_reply() -> None:
    html = b'<div>My answer</div><div class="gmail_quote"><div>On Monday Jane wrote:</div><blockquote>old words</blockquote></div>'
    mail = parse_mail(b"Content-Type: text/html\r\n\r\n" + html)
    assert "old words" in mail.body_text
    assert mail.body_visible == "My answer"


def texts(mail: ParsedMail) -> list[str]:
    found = [mail.subject, mail.body_text, mail.body_html or "", mail.body_visible, mail.content_type, mail.return_path or ""]
    found += [text for pair in mail.headers for text in pair]
    found += [text for pair in mail.content_type_params for text in pair]
    found += [text for a in (mail.from_, mail.sender, *mail.to, *mail.cc, *mail.reply_to, *mail.bcc) if a for text in (a.name, a.address)]
    found += [text for p in mail.parts for text in (p.filename, p.content_type, p.content_id or "")]
    return found


FRAGMENTS = [
    b"From: ", b"To: ", b"Subject: ", b"Date: ", b"Message-ID: <", b"Content-Type: ", b"multipart/mixed", b"multipart/alternative", b"text/html",
    b"text/plain", b"; boundary=b", b"; charset=", b"utf-7", b"utf-16", b"iso-2022-jp", b"\r\n", b"\n", b"\r\n\r\n", b"--b\r\n", b"--b--", b" ", b"\t",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n", b"=?utf-8?B?", b"?=", b"=?x?Q?=00", b"\x00", b"\xff",
    b"\xed\xa0\x80", b"+2AA-", b"<", b">", b'"', b"(", b",", b"@example.com", b"begin 644 x\n", b"end\n", b"<div>", b"<blockquote type=cite>",
    b"On 2 Jun 2025, x wrote:\n> ", b"Content-Disposition: attachment; filename*0*=utf-8''%00", b"application/ms-tnef", b"\x78\x9f\x3e\x22",
    b"text/calendar", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:", b"; format=flowed; delsp=yes", b"message/rfc822", b"\x1b$B",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=12)), max_size=60))
def test_any_bytes_give_values_that_can_be_stored(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    mail = parse_mail(raw)
    card = parse_headers_only(raw)
    for text in texts(mail) + texts(card):
        text.encode()
        assert "\0" not in text
    assert mail == parse_mail(raw)
    assert all(hashlib.sha256(p.content).hexdigest() == p.sha256 for p in mail.parts)
    assert all(p.disposition in {"attachment", "inline"} and p.filename for p in mail.parts)


@given(st.binary(max_size=400))
def test_the_card_survives_anything(raw: bytes) -> None:
    card = parse_headers_only(raw)
    assert card.size == len(raw)
    assert card.parts == ()
    assert card.body_text == ""
    assert "headers_only" in card.defects


def test_the_card_of_a_mail_with_an_endless_header() -> None:
    card = parse_headers_only(b"Subject: ok\r\nX: " + b"y" * 10_000_000)
    assert card.subject == "ok"


BODY = b"Subject: x\r\n\r\n"
HOSTILE = {
    "references": b"References: " + b"<a@b> " * 10_000 + b"\r\n\r\n",
    "subject words": b"Subject: " + b"=?utf-8?q?a?= " * 4_500 + b"\r\n\r\n",
    "from quotes": b"From: " + b'"' * 60_000 + b"\r\n\r\n",
    "quote lines": BODY + b"> " * 50_000,
    "quoted blocks": BODY + b"> a\nb\n" * 16_000,
    "attributions": BODY + b"On 2 Jun 2025, a@b.cd wrote:\n" * 3_000,
    "labels": BODY + b"From: a\n" * 12_000,
    "colons": BODY + b":\n" * 50_000,
    "dashes": BODY + b"-" * 100_000,
    "one word": BODY + b"x" * 100_000,
    "flowed": b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"> a \n" * 20_000,
    "brackets": b"Content-Type: text/html\r\n\r\n" + b"<" * 100_000,
    "quotes in html": b"Content-Type: text/html\r\n\r\n" + b"<blockquote type=cite>" * 4_500,
    "cite classes": b"Content-Type: text/html\r\n\r\nx" + b"<div class=gmail_quote></div>" * 3_500,
    "cids": b"Content-Type: text/html\r\n\r\n" + b"<img src=cid:" * 8_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hundred_kilobytes_of_malice_take_no_time(name: str) -> None:
    started = time.thread_time()
    try:
        parse_mail(HOSTILE[name])
    except TooComplex:
        pytest.fail("these are within the caps")
    assert time.thread_time() - started < 1


def test_an_ordinary_mail_takes_about_a_millisecond() -> None:
    raw = FULL + b"A line of the usual length, as people write them in mails.\r\n" * 100
    parse_mail(raw)
    started = time.thread_time()
    for _ in range(50):
        parse_mail(raw)
    assert (time.thread_time() - started) / 50 < 0.01  # ten times the aim, so that a busy machine does not fail it


def test_ids_that_a_program_encoded_as_words_still_join() -> None:
    """Seen in practice: Python's email package encodes an id that is longer than a line."""
    raw = (
        b"From: a@example.com\r\nMessage-ID: <x@example.com>\r\n"
        b"In-Reply-To: =?utf-8?q?=3C01a1fc0737037410bbf4ef2db697447d=2E1=2Elhjtfi67dxd?=\r\n"
        b" =?utf-8?q?hwjd7i7votr6fzt=40mailroom=2Eexample=2Ecom=3E?=\r\n\r\nhello\r\n"
    )
    parsed = parse_mail(raw)
    assert parsed.in_reply_to == (
        "<01a1fc0737037410bbf4ef2db697447d.1.lhjtfi67dxdhwjd7i7votr6fzt@mailroom.example.com>",
    )
