"""Compressed RTF, by the examples of MS-OXRTFCP §3."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from mail.rtf_compressed import rtf_decompressed

# MS-OXRTFCP §3.1.1: "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
SIMPLE = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)


def stored(text: bytes) -> bytes:
    return struct.pack("<IIII", len(text) + 12, len(text), 0x414C454D, 0) + text


def test_the_example_of_the_specification() -> None:
    assert rtf_decompressed(SIMPLE) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def literals(text: bytes) -> bytes:
    """LZFu without references, then the end mark: a reference to the write position."""
    body = bytearray()
    for at in range(0, len(text), 8):
        body += b"\0" + text[at : at + 8]
    write = (207 + len(text)) % 4_096
    if len(text) % 8 == 0:
        body += b"\1" + struct.pack(">H", write << 4)
    else:
        at = (len(text) // 8) * 9
        body[at] = 1 << (len(text) % 8)
        body += struct.pack(">H", write << 4)
    return struct.pack("<IIII", len(body) + 12, len(text), 0x75465A4C, 0) + bytes(body)


def test_references_into_the_primer() -> None:
    # A reference to offset 0, length 6 gives the first bytes of the primer: `{\rtf1`.
    body = b"\1" + struct.pack(">H", 0 << 4 | 4) + b"abcdefg" + b"\1" + struct.pack(">H", (207 + 13) << 4)
    data = struct.pack("<IIII", len(body) + 12, 13, 0x75465A4C, 0) + body
    assert rtf_decompressed(data) == b"{\\rtf1abcdefg"


def test_stored() -> None:
    assert rtf_decompressed(stored(b"{\\rtf1}")) == b"{\\rtf1}"


@given(st.binary(min_size=1, max_size=200))
def test_round_trip_of_literals(text: bytes) -> None:
    assert rtf_decompressed(literals(text)) == text


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    rtf_decompressed(data)
    rtf_decompressed(struct.pack("<IIII", len(data) + 12, 5_000, 0x75465A4C, 0) + data)


def test_a_bomb_is_refused() -> None:
    assert rtf_decompressed(struct.pack("<IIII", 100, 1_000_000, 0x75465A4C, 0) + b"\xff" * 100) is None
