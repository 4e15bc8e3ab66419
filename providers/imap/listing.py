"""What is in the mailbox: its folders with their roles, and the state of a folder when it is opened.

Reading opens folders by EXAMINE, so that nothing is marked as seen or recent (integrity I-10).
"""

import re

from imapclient import imap_utf7
from imapclient.exceptions import ProtocolError
from imapclient.response_parser import parse_response

from providers.errors import ProtocolBroken
from providers.imap.arguments import mailbox
from providers.imap.connection import ImapConnection
from providers.imap.dialogue import Answer, Response, untagged_number
from providers.imap.roles import ListedFolder, assign_roles
from providers.imap.values import FolderState, RemoteFolder

_PERMANENT = re.compile(rb"OK \[PERMANENTFLAGS \(([^)]*)\)", re.IGNORECASE)
_CODE_NUMBER = re.compile(rb"OK \[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]", re.IGNORECASE)
_NOT_SELECTABLE = frozenset({"\\noselect", "\\nonexistent"})


def list_folders(connection: ImapConnection) -> list[RemoteFolder]:
    """All folders with their roles. Raises ProtocolBroken if there are none: that is never "all deleted". Blocks."""
    arguments: list[bytes] = [b'""', b'"*"']
    command = "LIST"
    if "SPECIAL-USE" in connection.capabilities and "LIST-EXTENDED" in connection.capabilities:
        arguments.append(b"RETURN (SPECIAL-USE)")  # RFC 6154 §2: a plain LIST need not tell
    elif "XLIST" in connection.capabilities and "SPECIAL-USE" not in connection.capabilities:
        command = "XLIST"
    answer = connection.dialogue.run(command, *arguments)
    listed = [
        folder for response in answer.untagged if (folder := _listed(response, command.encode())) is not None
    ]
    if not listed:
        # Seen in practice: servers under load answer LIST with OK and nothing.
        raise ProtocolBroken("no_folders_listed", "The server listed no folders. It will be asked again.")
    return assign_roles(listed)


def _listed(response: Response, keyword: bytes) -> ListedFolder | None:
    head, _space, rest = response[0].partition(b" ")
    if head.upper() != keyword:
        return None
    # A name sent as literal stands between two texts; IMAPClient's lexer looks for the mark before it.
    data: list[bytes] | list[tuple[bytes, bytes]] = (
        [rest] if len(response) == 1 else [(rest + b"{%d}" % len(response[1]), response[1])]
    )
    try:
        flags, delimiter, name = parse_response(data)[:3]
    except (ProtocolError, ValueError, TypeError):
        return None
    raw = str(name).encode() if isinstance(name, int) else bytes(name)
    words = frozenset(bytes(flag).decode("ascii", "replace").lower() for flag in flags)
    try:
        path = raw.decode("utf-8")
        shown = imap_utf7.decode(raw) if raw.isascii() else path
        addressable = bool(path)
    except (UnicodeError, ValueError):
        # Neither modified UTF-7 nor UTF-8: it can be shown but not addressed.
        path = shown = raw.decode("utf-8", "replace")
        addressable = raw.isascii()
    sign = delimiter.decode("ascii", "replace") if isinstance(delimiter, bytes) else None
    return ListedFolder(path, shown, sign, words, addressable and not words & _NOT_SELECTABLE)


def open_folder(connection: ImapConnection, path: str, *, read_only: bool = True) -> FolderState:
    """EXAMINE (or SELECT) a folder and return its state. Raises FolderGone, ProtocolBroken. Blocks."""
    command = "EXAMINE" if read_only else "SELECT"
    arguments = [mailbox(path)]
    if connection.condstore and not connection.qresync:
        arguments.append(b"(CONDSTORE)")
    connection.mark_selected(False)  # a failed SELECT leaves no folder selected (RFC 3501 §6.3.1)
    answer = connection.dialogue.run(command, *arguments)
    connection.mark_selected(True)
    return _state(path, answer)


def _state(path: str, answer: Answer) -> FolderState:
    numbers: dict[bytes, int] = {}
    exists: int | None = None
    sticky, kept = True, None
    for response in answer.untagged:
        found = _CODE_NUMBER.match(response[0])
        if found is not None:
            numbers[found.group(1).upper()] = int(found.group(2))
        elif response[0].upper().startswith((b"NO [UIDNOTSTICKY]", b"OK [UIDNOTSTICKY]")):
            sticky = False
        elif (flags := _PERMANENT.match(response[0])) is not None:
            kept = frozenset(word.decode("ascii", "replace") for word in flags.group(1).split())
        else:
            count = untagged_number(response, b"EXISTS")
            exists = count if count is not None else exists
    uidvalidity = numbers.get(b"UIDVALIDITY", 0)
    if uidvalidity < 1 or exists is None:
        raise ProtocolBroken(
            "folder_state_missing", "The server did not tell the state of the folder (UIDVALIDITY)."
        )
    uidnext = numbers.get(b"UIDNEXT", 0)
    modseq = numbers.get(b"HIGHESTMODSEQ", 0)
    return FolderState(
        path=path,
        uidvalidity=uidvalidity,
        # UIDNEXT above 2**32 or not above the number of mails cannot be right (each mail has its own UID).
        uidnext=uidnext if exists < uidnext < 1 << 32 else None,
        exists=exists,
        highest_modseq=modseq or None,
        uids_sticky=sticky,
        permanent_flags=kept,
    )
