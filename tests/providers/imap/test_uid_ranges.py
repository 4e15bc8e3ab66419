"""UIDs of any number and order in a few octets, and the listing that makes them."""

import random
import tracemalloc
from types import SimpleNamespace

import pytest

from providers.errors import ProtocolBroken
from providers.imap import search
from providers.imap.dialogue import Answer
from providers.imap.uid_ranges import UidRanges


def answered(line: bytes, *capabilities: str) -> SimpleNamespace:
    """A connection whose server answers every search with one line."""
    told = Answer("OK", b"done", [[line]])
    return SimpleNamespace(capabilities=frozenset(capabilities), dialogue=SimpleNamespace(run=lambda *_: told))


def test_order_and_doubles_do_not_matter() -> None:
    wanted = sorted(random.Random(7).sample(range(1, 3000), 900))
    mixed = [*wanted, *wanted[:50]]
    random.Random(8).shuffle(mixed)
    for given in (wanted, mixed, list(reversed(wanted)), [*wanted[450:], *wanted[:450]]):
        ranges = UidRanges.of(given)
        assert list(ranges) == wanted
        assert (len(ranges), ranges.first, ranges.last) == (900, wanted[0], wanted[-1])
    assert [len(w) for w in UidRanges.of(wanted).windows(400)] == [400, 400, 100]
    empty = UidRanges.of([])
    assert (len(empty), empty.first, empty.last, list(empty.windows(5))) == (0, 0, 0, [])


@pytest.mark.parametrize("capability", ["ESEARCH", ""])
def test_a_large_folder_is_listed_in_little_memory(capability) -> None:
    """Every second UID is the worst case for ranges: two arrays and the server's line, no object that lasts for a number."""
    numbers = range(1, 100_000, 2)
    line = b'ESEARCH (TAG "A1") UID ALL ' + b",".join(b"%d" % n for n in numbers) if capability else b"SEARCH " + b" ".join(b"%d" % n for n in numbers)
    connection = answered(line, capability)
    tracemalloc.start()
    try:
        ranges = search.uid_ranges(connection)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(ranges) == 50_000
    assert peak < 5_000_000, f"{peak / 1e6:.0f} MB"


@pytest.mark.parametrize("line", [b"SEARCH 1 2 x", b"SEARCH 1 -2", b"SEARCH 5000000000", b"ESEARCH UID ALL 5000000000"])
def test_what_is_no_uid_is_refused(line) -> None:
    with pytest.raises(ProtocolBroken):
        search.uid_ranges(answered(line, "ESEARCH"))


def test_a_modification_sequence_behind_the_numbers_is_no_uid() -> None:
    assert list(search.uid_ranges(answered(b"SEARCH 1 2 5 (MODSEQ 917)"))) == [1, 2, 5]
