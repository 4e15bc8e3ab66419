"""Declared first, detected where nothing is declared, replaced at worst."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.charsets import codec_for, decode_text, detect_text


@pytest.mark.parametrize(
    ("text", "encode", "declared"),
    [
        ("镕基", "gb18030", "gb2312"),
        ("똠방각하", "cp949", "ks_c_5601-1987"),
        ("똠방각하", "cp949", "euc-kr"),
        ("①髙﨑", "cp932", "shift_jis"),
        ("“€”", "cp1252", "iso-8859-1"),
        ("Łódź", "iso-8859-2", "ISO-8859-2"),
        ("שלום", "iso-8859-8", "iso-8859-8-i"),
        ("お問い合わせ", "iso-2022-jp", "ISO-2022-JP"),
        ("Grüße", "utf-8", '"UTF8"'),
        ("Grüße", "utf-16", "utf-16"),
        ("香港嘅", "big5hkscs", "big5"),
        ("Привет", "koi8-r", "koi8-r"),
    ],
)
def test_a_declared_charset_is_believed(text: str, encode: str, declared: str) -> None:
    assert decode_text(text.encode(encode), declared) == (text, "")


def test_a_declared_charset_wins_over_what_a_detector_would_say() -> None:
    # Valid UTF-8 by accident, and three other plausible readings: the sender said windows-1251, so it is.
    assert decode_text("Р°РЅ".encode("cp1251"), "windows-1251") == ("Р°РЅ", "")
    assert decode_text("Ã©".encode("latin-1"), "iso-8859-1") == ("Ã©", "")


@pytest.mark.parametrize("declared", ["us-ascii", "x-unknown", "unknown-8bit", "", None, "no-such-charset", "zlib_codec", "idna", "\0"])
def test_a_label_that_says_nothing_leaves_it_to_the_bytes(declared: str | None) -> None:
    assert decode_text("Grüße aus Köln".encode(), declared)[0] == "Grüße aus Köln"


def test_utf8_that_is_not_is_read_as_what_it_is() -> None:
    text = "Schöne Grüße aus Österreich, die Müllers"
    assert decode_text(text.encode("latin-1"), "utf-8") == (text, "charset_wrong")


def test_one_broken_byte_does_not_change_the_charset() -> None:
    text, defect = decode_text(("Größe und Übermaß " * 5).encode() + b"\xff", "utf-8")
    assert text == "Größe und Übermaß " * 5 + "\ufffd"
    assert defect == "charset_replacement"


def test_detects_cyrillic_without_any_label() -> None:
    text = "Здравствуйте, я хотел бы узнать, когда будет отправлен мой заказ. С уважением, Иван."
    assert detect_text(text.encode("cp1251")) == text


def test_html_may_name_its_own_charset() -> None:
    page = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">Привет'
    assert decode_text(page.encode("cp1251"), None, html=True)[0] == page


def test_transforms_are_no_charsets() -> None:
    assert [codec_for(x) for x in ("base64", "rot13", "hex", "unicode_escape", "punycode", "mbcs")] == [None] * 6


@given(st.binary(max_size=300), st.one_of(st.none(), st.sampled_from(["utf-8", "utf-7", "utf-16", "hz", "iso-2022-jp", "gb2312", "big5", "cp1252"])))
def test_any_bytes_give_storable_text(data: bytes, declared: str | None) -> None:
    text, _ = decode_text(data, declared, html=True)
    text.encode()
    assert "\0" not in text


def test_detection_is_bounded() -> None:
    started = time.thread_time()
    detect_text(bytes(range(0x80, 0x100)) * 40_000)
    assert time.thread_time() - started < 3
