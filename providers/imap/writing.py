"""The few things that change a mailbox: file a copy, set flags, move. Only on a person's explicit action (I-10)."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from providers.errors import ProtocolBroken
from providers.imap.arguments import date_time, flag_list, mailbox, uid_sets
from providers.imap.connection import ImapConnection
from providers.imap.dialogue import as_literal

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


def move(connection: ImapConnection, uids: Sequence[int], path: str) -> None:
    """Move mails from the selected folder to `path`. UIDs that are no longer there are skipped by the server. Blocks.

    Without MOVE (RFC 6851): COPY, then flag as deleted, then UID EXPUNGE of exactly these. Without UIDPLUS the mails
    stay flagged as deleted, because a plain EXPUNGE would also remove what others flagged. Dying between the steps
    leaves a copy in both folders: doubled on the server, never lost.
    """
    capabilities = connection.capabilities
    target = mailbox(path)
    for set_text, _members in uid_sets(uids):
        if "MOVE" in capabilities:
            connection.dialogue.run("UID MOVE", set_text, target)
            continue
        connection.dialogue.run("UID COPY", set_text, target)
        connection.dialogue.run("UID STORE", set_text, b"+FLAGS.SILENT", b"(\\Deleted)")
        if "UIDPLUS" in capabilities:
            connection.dialogue.run("UID EXPUNGE", set_text)


def check_alive(connection: ImapConnection) -> None:
    """A NOOP that must be answered. Raises Unreachable if the connection is dead. Blocks."""
    answer = connection.dialogue.run("NOOP", check=False)
    if answer.status == "BAD":
        raise ProtocolBroken("noop_refused")
