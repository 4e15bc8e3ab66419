"""The one place where values become IMAP arguments (integrity X-30): nothing else may build command text.

CR, LF and NUL are refused in every argument. What a person or a mail chose travels as a quoted string or as a
literal, so that it can never be read as a command.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_FORBIDDEN = re.compile(r"[\r\n\x00]")
_FORBIDDEN_BYTES = re.compile(rb"[\r\n\x00]")
# RFC 3501 §9 flag-keyword is an atom; system flags start with a backslash.
_FLAG = re.compile(r"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,128}\Z")
# Deliberately narrower than RFC 5322 msg-id: what is outside is searched for by no one.
_MESSAGE_ID = re.compile(r"<[!-~]{1,250}@?[!-~]*>\Z")
# RFC 7162 §4 advises to keep command lines within 8192 octets.
_SET_LENGTH = 6000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes that travel counted (RFC 3501 §4.3). `raw_mail` marks a mail, the one argument that may hold CR and LF."""

    data: bytes
    raw_mail: bool = False


Argument = bytes | Literal


def check_argument(argument: Argument) -> Argument:
    """`argument` itself, or ValueError if it could end the command line early. Called for every argument sent."""
    if isinstance(argument, Literal):
        if not argument.raw_mail and _FORBIDDEN_BYTES.search(argument.data):
            raise ValueError("an IMAP argument must not hold CR, LF or NUL")
        if argument.raw_mail and b"\x00" in argument.data:
            raise ValueError("a mail with NUL bytes cannot be stored by APPEND (RFC 3501 §9, CHAR8)")
    elif _FORBIDDEN_BYTES.search(argument):
        raise ValueError("an IMAP argument must not hold CR, LF or NUL")
    return argument


def text(value: str) -> Argument:
    """A user name, password or search text: quoted when plain ASCII, else a literal in UTF-8."""
    if _FORBIDDEN.search(value):
        raise ValueError("an IMAP argument must not hold CR, LF or NUL")
    if value.isascii() and len(value) <= 1000 and value.isprintable():
        return b'"' + value.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'
    return Literal(value.encode("utf-8"))


def mailbox(path: str) -> Argument:
    """A folder's wire name, as the server listed it (modified UTF-7, RFC 3501 §5.1.3)."""
    if not path:
        raise ValueError("the folder path is empty")
    return text(path)


def message_id(value: str) -> Argument:
    """A Message-ID fit for searching, as a literal. ValueError if it is not of the strict form."""
    if len(value) > 998 or not _MESSAGE_ID.match(value) or '"' in value or "\\" in value:
        raise ValueError("this Message-ID cannot be searched for safely; it must look like <something@host>")
    return Literal(value.encode("ascii"))


def flag_list(flags: Iterable[str]) -> bytes:
    """A parenthesised flag list. ValueError for anything that is not a flag."""
    chosen = sorted(set(flags))
    for flag in chosen:
        if not _FLAG.match(flag):
            raise ValueError("an IMAP flag must be one word of ASCII letters, digits and simple signs")
    return b"(" + " ".join(chosen).encode("ascii") + b")"


def date_time(when: datetime) -> bytes:
    """A quoted date-time of RFC 3501 §9, in UTC. Month names are ours: strftime follows the locale."""
    if when.tzinfo is None:
        raise ValueError("the date of a mail to append needs a time zone")
    at = when.astimezone(UTC)
    return f'"{at.day:02d}-{_MONTHS[at.month - 1]}-{at.year:04d} {at:%H:%M:%S} +0000"'.encode("ascii")


def uid_sets(uids: Sequence[int], at_most: int = 1000) -> Iterator[tuple[bytes, list[int]]]:
    """Sequence sets such as `1:3,7` with the UIDs they name, each short enough for one command line."""
    run: list[str] = []
    members: list[int] = []
    length = 0
    for first, last in _runs(uids, at_most):
        item = str(first) if first == last else f"{first}:{last}"
        count = last - first + 1
        if run and (length + len(item) > _SET_LENGTH or len(members) + count > at_most):
            yield ",".join(run).encode("ascii"), members
            run, members, length = [], [], 0
        run.append(item)
        members.extend(range(first, last + 1))
        length += len(item) + 1
    if run:
        yield ",".join(run).encode("ascii"), members


def _runs(uids: Sequence[int], at_most: int) -> Iterator[tuple[int, int]]:
    ordered = sorted(set(uids))
    if ordered and not (ordered[0] > 0 and ordered[-1] < 1 << 32):
        raise ValueError("a UID is a number from 1 to 4294967295 (RFC 3501 §2.3.1.1)")
    start = previous = 0
    for uid in ordered:
        if start and uid == previous + 1 and uid - start < at_most:
            previous = uid
            continue
        if start:
            yield start, previous
        start = previous = uid
    if start:
        yield start, previous
