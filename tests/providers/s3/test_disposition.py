"""File names and types as they are offered to browsers (X-10, X-11)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.s3.disposition import content_disposition, safe_filename, served_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("invoice.pdf", "invoice.pdf"), ("../../etc/passwd", "passwd"), ("C:\\Windows\\x.exe", "x.exe"),
        (".htaccess", "htaccess"), ("\u200b.htaccess", "htaccess"), (".\u200b.htaccess", "htaccess"),
        ("gpj.\u202eexe", "gpj.exe"), ("a\x00b\r\n.txt", "ab.txt"), ("con", "_con"), ("LPT1.txt", "_LPT1.txt"),
        ("console.txt", "console.txt"), ("", "file"), ("...", "file"), ("/", "file"), ("x.txt. .", "x.txt"),
        ("e\u0301.txt", "é.txt"), ('a"b<c>.txt', "a_b_c_.txt"), ("\ud800x", "x"), ("a\u2028b", "ab"),
    ],
)  # fmt: skip
def test_names(name: str, expected: str) -> None:
    assert safe_filename(name) == expected


def test_long_names_keep_their_ending() -> None:
    name = safe_filename("ü" * 300 + ".pdf")
    assert name.endswith("ü.pdf")
    assert len(name.encode()) <= 200
    assert len(safe_filename("x." + "y" * 300).encode()) <= 200


@given(st.text())
def test_any_name_makes_one_safe_header_line(name: str) -> None:
    header = content_disposition(name, inline=False, content_type="text/html")
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert safe_filename(safe_filename(name)) == safe_filename(name)


@pytest.mark.parametrize(
    ("given_type", "served"),
    [
        ("image/PNG; x=y", "image/png"),
        ("image/svg+xml", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_types(given_type: str, served: str) -> None:
    assert served_type(given_type) == served
