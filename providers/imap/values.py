"""What an IMAP mailbox tells us, as frozen values. UIDs are only meaningful within one UIDVALIDITY."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Role(StrEnum):
    """What a folder is for (RFC 6154)."""

    INBOX = "inbox"
    SENT = "sent"
    ARCHIVE = "archive"
    JUNK = "junk"
    TRASH = "trash"
    DRAFTS = "drafts"
    ALL = "all"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """`path` is the server's own name on the wire (modified UTF-7) and goes back unchanged; `name` is for people."""

    path: str
    name: str
    delimiter: str | None
    role: Role
    selectable: bool


@dataclass(frozen=True, slots=True)
class FolderState:
    r"""What EXAMINE said. `uidnext` is None where missing or nonsense, `highest_modseq` where the folder has none.

    `permanent_flags` are those that stay when they are stored, `\\*` for any new one; None where the server does not say, which
    means all (RFC 3501 §7.1).
    """

    path: str
    uidvalidity: int
    uidnext: int | None
    exists: int
    highest_modseq: int | None
    uids_sticky: bool = True
    permanent_flags: frozenset[str] | None = None

    def keeps(self, keyword: str) -> bool:
        """Whether a keyword that is stored here stays."""
        kept = self.permanent_flags
        return kept is None or "\\*" in kept or keyword.casefold() in {one.casefold() for one in kept}


@dataclass(frozen=True, slots=True)
class MailMeta:
    """A mail without its body. `size` is RFC822.SIZE in octets, `internal_date` aware UTC; None where not told.

    `email_id` survives moves between folders (RFC 8474 EMAILID, or Gmail's X-GM-MSGID as `gm-<number>`).
    """

    uid: int
    size: int
    internal_date: datetime | None
    flags: frozenset[str]
    email_id: str | None = None


@dataclass(frozen=True, slots=True)
class FetchedMail:
    """A whole mail, bytes exactly as the server sent them (some send bare LF). `size` is the length of `raw`."""

    uid: int
    raw: bytes
    internal_date: datetime | None
    flags: frozenset[str]
    size: int


@dataclass(frozen=True, slots=True)
class BrokenFetch:
    """A mail that is on the server but could not be had whole, twice. `reason`: not_returned, nil, empty, short."""

    uid: int
    reason: str


@dataclass(frozen=True, slots=True)
class FetchBatch:
    """Every UID asked for is in exactly one of the three (integrity I-4)."""

    mails: list[FetchedMail]
    vanished: list[int]
    broken: list[BrokenFetch]


@dataclass(frozen=True, slots=True)
class FlagCursor:
    """What is known of a folder's flags: up to which modification sequence, and for which UIDs (inclusive)."""

    highest_modseq: int | None
    first_uid: int
    last_uid: int


@dataclass(frozen=True, slots=True)
class FlagChanges:
    """`flags` of changed mails (of all mails in the range, where the server keeps no modification sequences).

    `vanished` lists UIDs that are gone, where the server can say so (QRESYNC). Otherwise it is None and `present`
    lists every UID of the range that is still there; what the caller knows beyond it is gone. A mail with
    the Deleted flag counts as gone although it is listed. `highest_modseq` was taken before the flags were read, so that
    nothing falls between; some changes may come twice.
    """

    flags: dict[int, frozenset[str]]
    vanished: list[int] | None
    present: frozenset[int] | None
    highest_modseq: int | None


@dataclass(frozen=True, slots=True)
class IdleWake:
    """Why waiting ended: new mail, flags or deletions, the time was up (or stop was set), or the server left."""

    reason: Literal["new", "flags", "timeout", "closed"]
