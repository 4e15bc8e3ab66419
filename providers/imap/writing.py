"""The few things that change a mailbox: file a copy, set flags, move. Only on a person's explicit action (I-10)."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from providers.errors import ProtocolBroken, Refused
from providers.imap.arguments import date_time, flag_list, mailbox, uid_sets
from providers.imap.connection import ImapConnection
from providers.imap.dialogue import Answer, as_literal

MOST_MOVED = 100_000  # of a range that a server tells; we ask for hundreds
_COPYUID = re.compile(rb"\[COPYUID \d+ ([\d:,]+) [\d:,]+\]", re.IGNORECASE)
_APPENDUID = re.compile(r"\[APPENDUID (\d+) (\d+)\]", re.IGNORECASE)


def append(
    connection: ImapConnection, path: str, raw: bytes, flags: Iterable[str] = (), when: datetime | None = None
) -> int | None:
    """Add a mail to a folder and return its UID, or None where the server does not tell (no UIDPLUS). Blocks.

    If the connection dies here the mail may or may not be there: search for its Message-ID before trying again.
    """
    arguments = [mailbox(path), flag_list(flags)]
    if when is not None:
        arguments.append(date_time(when))
    answer = connection.dialogue.run("APPEND", *arguments, as_literal(raw))
    told = _APPENDUID.search(answer.words)
    return int(told.group(2)) if told else None


def store_flags(
    connection: ImapConnection, uids: Sequence[int], add: Iterable[str], remove: Iterable[str]
) -> None:
    """Add and remove flags in the selected folder. Twice is once. Blocks."""
    for sign, flags in ((b"+", sorted(set(add))), (b"-", sorted(set(remove)))):
        if not flags:
            continue
        chosen = flag_list(flags)
        for set_text, _members in uid_sets(uids):
            connection.dialogue.run("UID STORE", set_text, sign + b"FLAGS.SILENT", chosen)


def move(connection: ImapConnection, uids: Sequence[int], path: str) -> frozenset[int] | None:
    """Move mails from the selected folder to `path`. The UIDs that were really moved, where the server tells (COPYUID), else
    None: those that were no longer there are skipped by it. Blocks.

    Without MOVE (RFC 6851): COPY, then flag as deleted, then UID EXPUNGE of exactly these (RFC 4315). Without UIDPLUS too, this
    raises Refused before anything is done, because a plain EXPUNGE would also remove what others flagged. Dying between COPY
    and EXPUNGE leaves a copy in both folders: doubled on the server, never lost.
    """
    capabilities = connection.capabilities
    if not capabilities & {"MOVE", "UIDPLUS"}:
        raise Refused("no_safe_move", "The mail server has neither MOVE nor UIDPLUS: mails cannot be moved there safely.")
    target, moved, told = mailbox(path), set[int](), True
    for set_text, _members in uid_sets(uids):
        if "MOVE" in capabilities:
            found = _copied(connection.dialogue.run("UID MOVE", set_text, target))
        else:
            found = _copied(connection.dialogue.run("UID COPY", set_text, target))
            _expunge(connection, set_text)
        told = told and (found is not None or "UIDPLUS" in capabilities)
        moved |= found or set()
    return frozenset(moved) if told else None


def expunge(connection: ImapConnection, uids: Sequence[int]) -> None:
    """Take exactly these mails out of the selected folder, of which a copy lies elsewhere. Needs UIDPLUS. Blocks."""
    if "UIDPLUS" not in connection.capabilities:
        raise Refused("no_safe_move", "The mail server has no UIDPLUS: single mails cannot be taken out there.")
    for set_text, _members in uid_sets(uids):
        _expunge(connection, set_text)


def _expunge(connection: ImapConnection, uids: bytes) -> None:
    connection.dialogue.run("UID STORE", uids, b"+FLAGS.SILENT", b"(\\Deleted)")
    connection.dialogue.run("UID EXPUNGE", uids)


def _copied(answer: Answer) -> set[int] | None:
    """The source's UIDs of COPYUID, which MOVE tells in an untagged OK (RFC 6851 §4.3). None where there is none: nothing
    was there to be moved, or the server does not tell.
    """
    words = [answer.words.encode("ascii", "replace"), *(response[0] for response in answer.untagged)]
    found: set[int] | None = None
    for word in words:
        for told in _COPYUID.finditer(word):
            found = found or set()
            for piece in told.group(1).split(b","):
                first, _, last = piece.partition(b":")
                ends = sorted((int(first), int(last or first)))
                found.update(range(ends[0], min(ends[1], ends[0] + MOST_MOVED) + 1))
    return found


def check_alive(connection: ImapConnection) -> None:
    """A NOOP that must be answered. Raises Unreachable if the connection is dead. Blocks."""
    answer = connection.dialogue.run("NOOP", check=False)
    if answer.status == "BAD":
        raise ProtocolBroken("noop_refused")
