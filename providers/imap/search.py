"""Which UIDs are in the open folder. Never by date or by what was seen: both lie (time zones, other mail programs)."""

import re
from collections.abc import Iterator, Sequence

from providers.errors import ProtocolBroken
from providers.imap.arguments import uid_sets
from providers.imap.connection import ImapConnection
from providers.imap.dialogue import Answer
from providers.imap.uid_ranges import UidRanges

_NUMBER = re.compile(rb"\d+")
_NUMBERS = re.compile(rb"[\d\s]*")
_ESEARCH_ALL = re.compile(rb"ESEARCH(?: \(TAG \"[^\"]*\"\))?(?: UID)?(?: ALL ([\d:,]+))?\s*\Z", re.IGNORECASE)
_MOST_UIDS = 20_000_000


def uids_after(connection: ImapConnection, after: int = 0) -> list[int]:
    """All UIDs above `after`, ascending, of the examined folder. Blocks.

    `n:*` always names at least the last mail, even if its UID is below n (RFC 3501 §6.4.8): that echo is dropped.
    """
    criteria = b"ALL" if after <= 0 else b"UID %d:*" % (after + 1)
    return [uid for uid in _search(connection, criteria) if uid > after]


def uid_ranges(connection: ImapConnection) -> UidRanges:
    """All UIDs of the examined folder, for folders of any size: no number is an object of its own. Blocks."""
    try:
        return UidRanges.of(searched(_asked(connection, b"ALL")))
    except OverflowError:
        raise ProtocolBroken("search_unreadable") from None  # a UID has 32 bits (RFC 3501 §2.3.1.1)


def search_uids(connection: ImapConnection, uids: Sequence[int]) -> list[int]:
    """Those of `uids` that are still in the folder. Blocks."""
    present: list[int] = []
    for set_text, members in uid_sets(uids):
        asked = frozenset(members)
        present.extend(uid for uid in _search(connection, b"UID " + set_text) if uid in asked)
    return present


def _search(connection: ImapConnection, criteria: bytes) -> list[int]:
    return sorted(set(searched(_asked(connection, criteria))))


def _asked(connection: ImapConnection, criteria: bytes) -> Answer:
    if "ESEARCH" in connection.capabilities:
        # RFC 4731: ranges instead of a number per mail; a million UIDs fit into a few octets.
        return connection.dialogue.run("UID SEARCH", b"RETURN (ALL)", criteria)
    return connection.dialogue.run("UID SEARCH", criteria)


def searched(answer: Answer) -> Iterator[int]:
    """The numbers of SEARCH and ESEARCH responses. Raises ProtocolBroken if there is none or it cannot be read."""
    told = False
    for response in answer.untagged:
        line = response[0]
        if line[:6].upper() == b"SEARCH":
            told = True
            numbers = line[6:].partition(b"(")[0]  # "(MODSEQ n)" may follow (RFC 7162 §3.1.5)
            if _NUMBERS.fullmatch(numbers) is None:
                raise ProtocolBroken("search_unreadable")
            for found_number in _NUMBER.finditer(numbers):  # not split(): a million octet strings are 50 MB
                yield int(found_number[0])
        elif line[:7].upper() == b"ESEARCH":
            told = True
            found = _ESEARCH_ALL.match(line)
            if found is None:
                raise ProtocolBroken("search_unreadable")
            if found.group(1):
                yield from expand_set(found.group(1))
    if not told:
        # OK without a SEARCH line says nothing; taking it for "no mails" would report every mail as deleted.
        raise ProtocolBroken("search_unanswered")


def expand_set(set_text: bytes) -> Iterator[int]:
    """The numbers of a sequence set such as `41,43:116`. Raises ProtocolBroken if it is none or absurdly large."""
    count = 0
    for item in set_text.split(b","):
        first, _colon, last = item.partition(b":")
        if not first.isdigit() or (last and not last.isdigit()):
            raise ProtocolBroken("set_unreadable")
        low, high = sorted((int(first), int(last or first)))
        count += high - low + 1
        if count > _MOST_UIDS:
            raise ProtocolBroken("set_unreadable")
        yield from range(low, high + 1)
