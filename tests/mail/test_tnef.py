"""winmail.dat, sound, broken and hostile."""

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.tnef import read_tnef

SIGNATURE = struct.pack("<IH", 0x223E9F78, 1)


def attribute(level: int, number: int, data: bytes) -> bytes:
    return struct.pack("<BHHI", level, number, 6, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def prop(kind: int, number: int, data: bytes) -> bytes:
    return struct.pack("<HHII", kind, number, 1, len(data)) + data + b"\0" * (-len(data) % 4)


def props(*items: bytes) -> bytes:
    return struct.pack("<I", len(items)) + b"".join(items)


def attached(name: str, data: bytes, *more: bytes) -> bytes:
    return (
        attribute(2, 0x9002, b"\0" * 14)
        + attribute(2, 0x8010, b"SHORT~1.DAT\0")
        + attribute(2, 0x800F, data)
        + attribute(2, 0x9005, props(prop(0x1F, 0x3707, (name + "\0").encode("utf-16-le")), *more))
    )


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="\0", codec="utf-16"), min_size=1, max_size=20), st.binary(max_size=100)), max_size=5))
def test_files_come_out_byte_for_byte(files: list[tuple[str, bytes]]) -> None:
    found = read_tnef(SIGNATURE + b"".join(attached(n, d) for n, d in files))
    assert found is not None
    assert [(f.name, f.content) for f in found.files] == files


def test_bodies_types_and_content_ids() -> None:
    message = attribute(1, 0x9003, props(prop(0x1E, 0x1000, b"plain\0"), prop(0x102, 0x1013, b"<p>\xfc</p>\0"), struct.pack("<HHI", 3, 0x3FDE, 1252)))
    file = attached("a.png", b"\x89PNG", prop(0x1E, 0x370E, b"image/png\0"), prop(0x1E, 0x3712, b"<cid@x>\0"))
    found = read_tnef(SIGNATURE + message + file)
    assert found is not None
    assert (found.text, found.html) == ("plain", "<p>ü</p>")
    assert (found.files[0].content_type, found.files[0].content_id) == ("image/png", "cid@x")


def test_an_attached_mail_is_opened() -> None:
    inner = SIGNATURE + attribute(1, 0x9003, props(prop(0x1E, 0x1000, b"inner words\0"))) + attached("deep.txt", b"deep")
    data = bytes.fromhex("0703020000000000c000000000000046") + inner
    outer = attribute(2, 0x9002, b"\0" * 14) + attribute(2, 0x9005, props(prop(0x1F, 0x3001, "Old mail\0".encode("utf-16-le")), prop(0x0D, 0x3701, data)))
    found = read_tnef(SIGNATURE + outer + attached("after.txt", b"after"))
    assert found is not None
    assert [(f.name, f.content) for f in found.files if f.name] == [("Old mail.txt", b"inner words"), ("deep.txt", b"deep"), ("after.txt", b"after")]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"no tnef at all",
        SIGNATURE + attached("a", b"data")[:-9],
        SIGNATURE + attribute(2, 0x800F, b"data without an attachment"),
        SIGNATURE + attribute(2, 0x9002, b"") + attribute(2, 0x9005, struct.pack("<I", 0xFFFFFFFF)),
        SIGNATURE + attribute(1, 0x9003, struct.pack("<IHHI", 1, 0x101E, 0x1000, 0xFFFFFFFF)),
        SIGNATURE + attribute(1, 0x9003, props(prop(0x1E, 0x1000, b"four")[:-2])),
        SIGNATURE + attribute(1, 0x9003, props(prop(0x102, 0x1009, b"broken rtf"))),
    ],
)
def test_a_broken_stream_is_not_opened_half(broken: bytes) -> None:
    assert read_tnef(broken) is None


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    read_tnef(SIGNATURE + data)
    read_tnef(SIGNATURE + attribute(2, 0x9002, b"") + attribute(2, 0x9005, data))
    read_tnef(SIGNATURE + attribute(1, 0x9003, data))


def test_stays_linear() -> None:
    hostile = [
        SIGNATURE + attribute(1, 0x9999, b"") * 9_000,
        SIGNATURE + attribute(2, 0x9002, b"") * 9_000,
        SIGNATURE + attribute(1, 0x9003, struct.pack("<I", 25_000) + struct.pack("<HH", 1, 1) * 25_000),
        SIGNATURE + attribute(1, 0x9003, struct.pack("<I", 1) + struct.pack("<HHI", 0x1001, 1, 25_000) + b"\0" * 100_000),
    ]
    started = time.thread_time()
    for data in hostile:
        read_tnef(data)
    assert time.thread_time() - started < 0.5
