"""Same mail by two ways: one identity. Another mail under the same Message-ID: another one."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.content_id import content_id
from mail.parse import parse_mail

MAIL = (
    b"Received: from a by b; Mon, 2 Jun 2025 10:00:00 +0000\r\nFrom: a@example.com\r\nTo: b@example.org\r\nSubject: A long\r\n subject\r\n"
    b"Message-ID: <x@example.com>\r\nX-Spam-Status: No\r\n\r\nBody\r\n"
)


@pytest.mark.parametrize(
    "other",
    [
        MAIL.replace(b"\r\n", b"\n"),
        b"Received: from c by d; Tue, 3 Jun 2025 10:00:00 +0000\r\n" + MAIL,
        MAIL.replace(b"Subject: A long\r\n subject", b"Subject: A long subject"),
        MAIL.replace(b"X-Spam-Status: No", b"X-Spam-Status: Yes"),
        MAIL.replace(b"From: a@example.com\r\nTo: b@example.org", b"To: b@example.org\r\nFrom: a@example.com"),
        MAIL[:-2],
        MAIL.replace(b"From:", b"FROM:"),
    ],
    ids=["line ends", "trace", "folding", "spam verdict", "order", "last line break", "case"],
)
def test_the_way_does_not_matter(other: bytes) -> None:
    assert parse_mail(other).content_id == parse_mail(MAIL).content_id
    assert parse_mail(other).raw_sha256 != parse_mail(MAIL).raw_sha256


@pytest.mark.parametrize(
    "other",
    [MAIL.replace(b"Body", b"body"), MAIL.replace(b"subject", b"subjekt"), MAIL.replace(b"b@example.org", b"c@example.org"),
     MAIL.replace(b"\r\n\r\n", b"\r\nContent-Type: text/html\r\n\r\n")],
    ids=["body", "subject", "recipient", "type"],
)  # fmt: skip
def test_the_content_does(other: bytes) -> None:
    assert parse_mail(other).message_id == parse_mail(MAIL).message_id
    assert parse_mail(other).content_id != parse_mail(MAIL).content_id


@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b"\r\r\n", b"\n\r", b""])).map(b"".join))
def test_only_pairs_are_line_ends(body: bytes) -> None:
    """A CR alone says something else than a line break (it may hide what follows), so it counts."""
    evened = re.sub(rb"\r\n", b"\n", body).rstrip(b"\r\n")
    assert content_id([], body) == hashlib.sha256(b"\n" + evened).hexdigest()
