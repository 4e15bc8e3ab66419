"""Names that are safe to show and to save."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.filenames import MAX_BYTES, safe_filename


@pytest.mark.parametrize(
    ("name", "content_type", "safe"),
    [
        ("report.pdf", "application/pdf", "report.pdf"),
        ("../../etc/passwd", "application/octet-stream", "passwd"),
        ("C:\\Windows\\system32\\cmd.exe", "application/octet-stream", "cmd.exe"),
        ("..\\..\\CON.txt", "application/octet-stream", "_CON.txt"),
        ("com1", "application/octet-stream", "_com1"),
        (".htaccess", "text/plain", "htaccess.txt"),
        (".\u200bhtaccess", "application/octet-stream", "htaccess"),
        ("a\uff0f\u2215.htaccess", "application/octet-stream", "htaccess"),
        ("annual\u202efdp.exe", "application/octet-stream", "annualfdp.exe"),
        ("e\u0301.txt", "text/plain", "é.txt"),
        ("a\r\nX: y.txt", "text/plain", "a X_ y.txt"),
        ("", "text/calendar", "invite.ics"),
        ("meeting", "text/calendar", "meeting.ics"),
        ("   ", "image/png", "image.png"),
        ("...", "application/x-what", "attachment.bin"),
        ("", "message/rfc822", "message.eml"),
        ("v1.2 notes", "text/plain", "v1.2 notes.txt"),
        ('a<b>c:"d".txt', "text/plain", "a_b_c__d_.txt"),
        ("trailing. ", "application/octet-stream", "trailing"),
    ],
)
def test_rules(name: str, content_type: str, safe: str) -> None:
    assert safe_filename(name, content_type) == safe


def test_long_names_keep_their_extension() -> None:
    name = safe_filename("ü" * 500 + ".pdf", "application/pdf")
    assert len(name.encode()) <= MAX_BYTES
    assert name.endswith(".pdf")


@given(st.text(max_size=400), st.sampled_from(["", "text/plain", "message/rfc822", "image/png", "application/octet-stream"]))
def test_any_name(name: str, content_type: str) -> None:
    safe = safe_filename(name, content_type)
    assert safe.strip()
    assert len(safe.encode()) <= MAX_BYTES
    assert not set(safe) & set('/\\\0\r\n\u202e\u200b:*?"<>|')
    assert not safe.startswith(".")
    assert unicodedata.is_normalized("NFC", safe)
    assert safe.partition(".")[0].upper() not in {"CON", "NUL", "PRN", "AUX", "COM1", "LPT1"}
    assert safe_filename(safe, content_type) == safe
