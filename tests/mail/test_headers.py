"""Fields of a header block, their words and their parameters."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.headers import decode_value, decode_words, parse_parameters, split_headers
from mail.limits import Limits


def fields(raw: bytes) -> list[tuple[str, bytes]]:
    return split_headers(raw, 0, len(raw), Limits(), root=True)[0]


def test_folded_lines_are_joined_and_the_body_found() -> None:
    raw = b"Subject: one\r\n\ttwo\r\n  three\r\nTo: x\r\n\r\nBody"
    found, body_at, defects = split_headers(raw, 0, len(raw), Limits(), root=True)
    assert found == [("Subject", b"one two three"), ("To", b"x")]
    assert raw[body_at:] == b"Body"
    assert defects == []


def test_a_line_of_white_space_continues_a_header() -> None:
    assert fields(b"To: a,\r\n\t\r\n\tb\r\nCc: c\r\n\r\n") == [("To", b"a,  b"), ("Cc", b"c")]


def test_a_malformed_line_does_not_hide_the_rest() -> None:
    assert fields(b"From: a\r\nquite Delivered-To: x\r\nSubject: s\r\n\r\nB") == [("From", b"a"), ("Subject", b"s")]


def test_a_fold_that_lost_its_space() -> None:
    assert fields(b'Content-Type: multipart/mixed;\r\nboundary="b"\r\nTo: x\r\n\r\n') == [
        ("Content-Type", b'multipart/mixed; boundary="b"'),
        ("To", b"x"),
    ]


def test_text_without_separator_is_body() -> None:
    raw = b"Subject: s\r\nHello you\r\nNote: this is text\r\n"
    _, body_at, defects = split_headers(raw, 0, len(raw), Limits(), root=True)
    assert raw[body_at:] == b"Hello you\r\nNote: this is text\r\n"
    assert defects == ["header_separator_missing"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("=?utf-8?Q?J=C3=BCrgen?= =?utf-8?Q?_G?=", "Jürgen G"),
        ("=?iso-8859-1?Q?a?= =?utf-8?B?w6Q=?=", "aä"),
        ("=?utf-8?B?w?= x", "=?utf-8?B?w?= x"),
        ("=?utf-8?B?8J+?= =?utf-8?B?Zgg?=", "🙂"),
        ("plain =?utf-8?q?=C3=A9?= plain", "plain é plain"),
        ("a=?utf-8?q?b?=c", "abc"),
        ("=?gb2312?B?" + "6dc=?= x", "樽 x"),
        ("=?unknown-8bit?Q?gr=C3=BCn?=", "grün"),
        ("=?utf-8?Q?a=00b?=", "a\ufffdb"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("2 =? 3 ?= 4", "2 =? 3 ?= 4"),
    ],
)
def test_encoded_words(written: str, read: str) -> None:
    assert decode_words(written) == read


def test_raw_bytes_in_headers() -> None:
    assert decode_value("Grüße".encode()) == "Grüße"
    assert decode_value("Grüße".encode("latin-1")) == "Grüße"
    assert decode_value("まみむめも".encode("iso-2022-jp")) == "まみむめも"


@pytest.mark.parametrize(
    ("value", "main", "parameters"),
    [
        ("text/plain; charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ("TEXT/Plain;CHARSET = 'utf-8' ; format=flowed", "text/plain", {"charset": "utf-8", "format": "flowed"}),
        ('a; filename="x;y \\"z\\".txt"', "a", {"filename": 'x;y "z".txt'}),
        ('a; filename="C:\\new\\file.txt"', "a", {"filename": "C:\\new\\file.txt"}),
        ("a; filename=my report.doc", "a", {"filename": "my report.doc"}),
        ("a; filename*=UTF-8''%e2%82%ac%20rates", "a", {"filename": "€ rates"}),
        ("a; filename=fallback; filename*=iso-8859-1'en'%A3", "a", {"filename": "£"}),
        ("a; f*1=c; f*0=ab; f*2=d", "a", {"f": "abcd"}),
        ("a; f*0*=utf-8''%C3; f*1*=%BC", "a", {"f": "ü"}),
        ('a; filename="=?utf-8?B?w7wu?==?utf-8?Q?txt?="', "a", {"filename": "ü.txt"}),
        ('multipart/mixed; boundary="unclosed', "multipart/mixed", {"boundary": "unclosed"}),
        ("", "", {}),
        (";;;=;", "", {}),
    ],
)
def test_parameters(value: str, main: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(value) == (main, parameters)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    found, body_at, _ = split_headers(data, 0, len(data), Limits(), root=True)
    assert 0 <= body_at <= len(data)
    for _, value in found:
        decode_value(value).encode()


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    decode_words(text).encode()
    parse_parameters(text)


HOSTILE = ["=?a?q?" * 17_000, "=?" * 50_000, "=?utf-8?q?" + "a" * 100_000, "=?utf-8?b?abc?= " * 6_000, ';a="' * 25_000, ";" * 100_000, ";a*0=" * 20_000, ";" + " " * 100_000, "; a" + " " * 100_000]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_stays_linear(hostile: str) -> None:
    started = time.thread_time()
    decode_words(hostile)
    parse_parameters(hostile)
    assert time.thread_time() - started < 0.2
