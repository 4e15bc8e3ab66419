"""Mailbox lists, as in the standard and as in the wild."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail import addresses
from mail.addresses import parse_addresses


def pairs(text: str) -> list[tuple[str, str]]:
    return [(a.name, a.address) for a in parse_addresses(text, 100)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@example.com", [("", "jane@example.com")]),
        ("Jane Doe <Jane@Example.com>", [("Jane Doe", "Jane@Example.com")]),
        ('"Doe, Jane" <j@example.com>, b@example.com', [("Doe, Jane", "j@example.com"), ("", "b@example.com")]),
        ("Doe, Jane <j@example.com>", [("Doe, Jane", "j@example.com")]),
        ("j@example.com (Jane (nick) Doe)", [("Jane (nick) Doe", "j@example.com")]),
        ("a@example.com; b@example.com", [("", "a@example.com"), ("", "b@example.com")]),
        ("Team: a@example.com, B <b@example.com>;", [("", "a@example.com"), ("B", "b@example.com")]),
        ("undisclosed-recipients:;", []),
        ("<Undisclosed-Recipient:@example.com;>", []),
        ("<>", []),
        ("<@relay.test,@two.test:a@example.com>", [("", "a@example.com")]),
        ("=?utf-8?Q?J=C3=BCrgen=2C_G=2E?= <j@example.com>", [("Jürgen, G.", "j@example.com")]),
        ('"=?utf-8?Q?J=C3=BCrgen?=" <j@example.com>', [("Jürgen", "j@example.com")]),
        ("=?utf-8?Q?Jane_=3Cj=40example=2Ecom=3E?=", [("Jane", "j@example.com")]),
        ("Jane Doe j@example.com", [("Jane Doe", "j@example.com")]),
        ("<j@example.com", [("", "j@example.com")]),
        ('"Jane <j@example.com>', [("Jane", "j@example.com")]),
        ("'j@example.com' <j@example.com>", [("j@example.com", "j@example.com")]),
        ('"very odd"@example.com', [("", '"very odd"@example.com')]),
        ("MAILER-DAEMON (Mail Delivery System)", [("Mail Delivery System", "MAILER-DAEMON")]),
        ("root, j@example.com", [("", "root"), ("", "j@example.com")]),
        ("Jane Doe", []),
        ("jörg@exämple.test", [("", "jörg@exämple.test")]),
        ("J <j@exa mple.com>", [("J", "j@example.com")]),
        ("a@example.com <b@example.com>", [("a@example.com", "b@example.com")]),
        ("Jane\u202e\u200b <j\u200b@example.com>", [("Jane", "j@example.com")]),
        ("J <j@example.com\r\nBcc: x@example.com>", [("J", "j@example.comBccx@example.com")]),
        ("mailto:j@example.com", [("", "j@example.com")]),
    ],
)
def test_reads(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected


@given(st.text(max_size=300))
def test_any_text_gives_addresses_that_fit_on_one_line(text: str) -> None:
    for name, address in pairs(text):
        assert address
        assert not set(address + name) & set("\r\n\0\t")
        assert "<" not in address or address.startswith('"')


def test_stops_one_above_the_cap() -> None:
    assert len(parse_addresses("a@example.com," * 5_000, 10)) == 11


HOSTILE = ["a b," * 25_000, '"' * 100_000, "(" * 100_000, "<" * 100_000, "<a@b" * 25_000, "a," * 50_000, '"a\\' * 33_333, "a@ " * 33_000, "=?a?q?" * 16_000]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_stays_linear(hostile: str) -> None:
    started = time.thread_time()
    parse_addresses(hostile, 1_000_000)
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize(
    "text",
    ["Ann Lee <ann@example.com>", "<a.b+c@example.org>", "J. R. Doe <x_y-z@a-b.example>", "A  B <a@b>", "x <a.@b.>"],
)
def test_the_short_way_reads_as_the_long_way(text: str) -> None:
    assert addresses._PLAIN.fullmatch(text) is not None
    assert parse_addresses(text, 50) == addresses._split(text, 50)
