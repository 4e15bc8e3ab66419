"""What syncing and sending need of a mailbox behind a web API (Gmail, Graph), as protocols and frozen values.

Such a mailbox names each mail by an id of its own and tells changes since an opaque cursor. IMAP has numbers and folders
instead and keeps its own words (`providers/imap`). Errors are those of `providers/errors.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from providers.errors import ProviderError
from providers.imap.values import RemoteFolder, Role


class CursorExpired(ProviderError):
    """The provider no longer knows our cursor (Gmail 404, Graph 410 or `syncStateNotFound`): list again, and open a gap."""

    reason = "cursor_expired"
    sentence = "The provider no longer remembers our place in the mailbox. The mailbox is listed again; nothing is lost."
    transient = False


@dataclass(frozen=True, slots=True)
class RemoteMail:
    r"""A mail by its id at the provider. `flags` are IMAP's words (`\Seen`, `\Flagged`, `\Draft`); `labels` the provider's
    ids of labels or categories; `thread_id` the provider's conversation. None: the provider did not say here.
    """

    id: str
    thread_id: str | None = None
    flags: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MailPage:
    """One page of a listing. `after` asks for the next one, None at the end; the last page carries the `cursor` from which
    `changes` goes on, taken early enough that nothing between listing and replaying is missed. A provider that knows it from the
    beginning (Gmail) tells it with every page. `total` is an estimate.
    """

    mails: tuple[RemoteMail, ...]
    after: str | None
    cursor: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class MailChanges:
    """What happened since a cursor: ids that came or changed (the same may come twice, in any order), ids that left.
    `more`: ask again with the new `cursor` at once.
    """

    changed: tuple[RemoteMail, ...]
    gone: tuple[str, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class RawMail:
    """The octets of one mail, or why there are none: `gone` is normal, `unreadable` is counted and then quarantined."""

    mail: RemoteMail
    raw: bytes | None
    missing: Literal["gone", "unreadable", "too_large"] | None = None


@dataclass(frozen=True, slots=True)
class RemoteState:
    """A mail as it stands in the mailbox now. `role` says where it lies: INBOX, JUNK, TRASH, ARCHIVE where it is filed for good,
    or another. `folder` is the `RemoteFolder.path` of its folder, None where a mail lies in none (Gmail).
    """

    mail: RemoteMail
    role: Role
    folder: str | None = None


class MailApiState(Protocol):
    """The state of mails, to be written. Each call says what shall be true afterwards, so twice is once, and answers with the mail
    as it is then: what the mailbox tells of it later is the echo. Raises NotThere where the mail is gone, Refused where this
    cannot be, else ProviderError.
    """

    async def now(self, mail_id: str) -> RemoteState:
        """What an intent is compared with before anything is written."""

    async def set_read(self, mail_id: str, *, read: bool) -> RemoteState:
        """Read or unread."""

    async def place(self, mail_id: str, role: Role) -> RemoteState:
        """Into INBOX, ARCHIVE, JUNK or TRASH; never deleted for good. The mail keeps its id."""

    async def set_label(self, mail_id: str, name: str, *, on: bool) -> RemoteState:
        """With or without the label of this name, which is made where it is missing; other labels stay."""


class MailApiSource(Protocol):
    """A mailbox to be read. `folder` is a `RemoteFolder.path`, or None where the mailbox is synced as a whole (Gmail)."""

    async def addresses(self) -> frozenset[str]:
        """The mailbox's own addresses, folded: those by which its owner may have named it."""

    async def folders(self) -> tuple[RemoteFolder, ...]:
        """Folders or labels, with their roles."""

    async def listing(
        self, folder: str | None, after: str | None = None, *, states: bool = False
    ) -> MailPage:
        """One page, from the beginning or where another ended; newest first where the provider can. `states`: with flags,
        labels and dates, even where that costs a call for each mail.
        """

    async def changes(self, folder: str | None, cursor: str) -> MailChanges:
        """What happened since. Raises CursorExpired."""

    async def fetch(self, ids: Sequence[str]) -> tuple[RawMail, ...]:
        """One answer for each id, in their order. Raises only what concerns all of them."""

    def state(self) -> MailApiState:
        """The same mailbox, to be written to. It lives as long as this source."""

    async def close(self) -> None:
        """Let go of connections."""


class SubmitStage(StrEnum):
    """How far a draft got. From `SUBMITTING` on, silence means that the outcome has to be looked up."""

    PREPARING = "preparing"
    PREPARED = "prepared"
    SUBMITTING = "submitting"


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that the provider took. `message_id_header` is what it really sent, read back: it may differ from ours."""

    id: str
    thread_id: str | None
    message_id_header: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """What looking for a submitted draft found. `sent`: it went out. `draft`: it lies there unsent, so submitting it again is
    safe. `nowhere`: neither; an index may lag, so this proves nothing until the caller's schedule has run out.
    """

    state: Literal["sent", "draft", "nowhere"]
    mail: SentMail | None = None


class MailApiSender(Protocol):
    """Sending in two calls, so that the outcome can be decided: a draft is kept under an id first, then sent by that id."""

    async def prepare(self, raw: bytes, *, thread_id: str | None = None) -> str:
        """Keep the frozen octets as a draft; its id is stored before `submit`. Dying before that leaves a draft unsent."""

    async def submit(self, draft_id: str) -> SentMail:
        """Send the draft. An error with `transient` after the request left says nothing about the outcome: see `trace`."""

    async def trace(self, draft_id: str, message_id_header: str) -> Trace:
        """Where the draft is now, by its id and by our Message-ID."""

    async def discard(self, draft_id: str) -> None:
        """Throw an unsent draft away; one that is gone already is fine."""

    async def close(self) -> None:
        """Let go of connections."""
