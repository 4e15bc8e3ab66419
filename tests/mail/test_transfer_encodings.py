"""base64, quoted-printable and uuencode, sound and broken."""

import base64
import binascii
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.transfer_encodings import decode_transfer, extract_uuencoded


@given(st.binary(max_size=400))
def test_sound_encodings_come_back_whole(data: bytes) -> None:
    assert decode_transfer(base64.encodebytes(data), "Base64")[0] == data
    assert decode_transfer(binascii.b2a_qp(data, istext=False), "quoted-printable")[0] == data
    assert decode_transfer(data, "8bit") == (data, "")


@given(st.binary(max_size=400), st.sampled_from(["base64", "quoted-printable", "x-uuencode", "7bit", "x-what", ""]))
def test_nothing_raises(data: bytes, encoding: str) -> None:
    content, defect = decode_transfer(data, encoding)
    assert isinstance(content, bytes)
    assert isinstance(defect, str)


@pytest.mark.parametrize(
    ("data", "expected", "defect"),
    [
        (b"VGhlIHBhZGRpbmc", b"The padding", "base64_repaired"),
        (b"VGhl\r\nIHBh!ZGRp\r\nbmc=", b"The padding", ""),
        (b"VGhlIHBhZGRpbmcgA", b"The padding ", "base64_repaired"),
        (b"This was never encoded, it is a plain sentence.", b"This was never encoded, it is a plain sentence.", "base64_undecodable"),
        (b"", b"", ""),
    ],
)
def test_broken_base64(data: bytes, expected: bytes, defect: str) -> None:
    assert decode_transfer(data, "base64") == (expected, defect)


def uuencoded(name: str, data: bytes) -> str:
    lines = [binascii.b2a_uu(data[i : i + 45]).decode() for i in range(0, len(data), 45)]
    return f"begin 644 {name}\n{''.join(lines)}`\nend\n"


@given(st.binary(min_size=1, max_size=300))
def test_uuencoded_blocks_are_taken_out(data: bytes) -> None:
    files, text = extract_uuencoded("before\n" + uuencoded("a b.bin", data) + "after\n")
    assert files == [("a b.bin", data)]
    assert text == "before\nafter\n"


@pytest.mark.parametrize("text", ["begin 644 x\nplain words that are no code at all, really\nend\n", "begin 644 x\n#0V%T\n", "begin at nine\nend"])
def test_what_is_no_block_stays_text(text: str) -> None:
    assert extract_uuencoded(text) == ([], text)


@pytest.mark.parametrize("hostile", ["begin 644 x\n" * 8_000, "begin 644 x\nend y\n" * 6_000, "begin 644 x\n" + "#0V%T\n" * 16_000])
def test_stays_linear(hostile: str) -> None:
    started = time.thread_time()
    extract_uuencoded(hostile)
    assert time.thread_time() - started < 1
