"""A mail that was read and now waits to become rows: the values that ingest hands to the store."""

import datetime as dt
import uuid
from dataclasses import dataclass

from mail.message_ids import synthetic_message_id
from mail.threads import ThreadHints
from mail.values import Address, EncodedPlace, MailKind, ParsedMail, Verdict
from models.enums import Direction, FolderRole
from store.addresses import address_key
from store.ledger import PendingMail
from store.placing import SNIPPET, Placeable

PARSER_VERSION = 1  # raise it when reading changes, so that rows of an older reading can be found
REFERENCES_KEPT = 50
EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the mail: an object of the bucket under `storage_key`, or still only the `place` in its raw mail."""

    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    storage_key: str
    content_id: str | None
    disposition: str
    place: EncodedPlace | None = None


@dataclass(frozen=True, slots=True)
class Poison:
    """Why a mail could not be read. `detail` is ours and quotes nothing of the mail."""

    reason: str
    detail: str = ""
    stack_hash: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """One mail with its verdict. A poisonous one carries what its headers tell, to be shown as a card.

    `send_id` is what its X-Mailroom-Send-ID claims; anybody can write that header, so it is believed only in Sent or
    from one of our own addresses.
    """

    pending: PendingMail
    mail: ParsedMail
    verdict: Verdict
    hints: ThreadHints
    files: tuple[StoredFile, ...] = ()
    send_id: str | None = None
    authentication: str | None = None
    poison: Poison | None = None

    @property
    def header_id(self) -> str:
        """The Message-ID, or a stand-in made from the bytes (integrity I-8)."""
        return self.mail.message_id or synthetic_message_id(self.mail.raw_sha256)

    @property
    def from_sent(self) -> bool:
        return self.pending.role == FolderRole.SENT

    @property
    def direction(self) -> Direction:
        return Direction.OUTBOUND if self.from_sent else Direction.INBOUND

    @property
    def kind(self) -> MailKind:
        """What it is to the desk. A mail of the Sent folder is ours, whatever its words are."""
        return MailKind.MESSAGE if self.from_sent else self.verdict.kind

    @property
    def threads(self) -> bool:
        """Whether it belongs into a conversation: reports and spam do not."""
        return self.kind in (MailKind.MESSAGE, MailKind.AUTO_REPLY)

    @property
    def sender(self) -> Address:
        return self.mail.from_ or self.mail.sender or Address("")

    def claimed_send(self) -> uuid.UUID | None:
        try:
            return uuid.UUID(self.send_id) if self.send_id else None
        except ValueError:
            return None

    def may_be_ours(self, own: frozenset[str]) -> bool:
        return self.from_sent or address_key(self.sender.address) in own

    def received_at(self, now: dt.datetime) -> dt.datetime:
        """When the server got it; a clock ahead of ours does not put it into the future."""
        return min(self.pending.internal_date or now, now)

    def sent_at(self, now: dt.datetime) -> dt.datetime:
        """The Date header where it is believable: it sorts the conversation, and anybody can write 2099 into it."""
        received = self.received_at(now)
        written = self.mail.date
        if written is None or written.tzinfo is None or written < EARLIEST:
            return received
        return written if written <= received + dt.timedelta(hours=1) else received

    def is_read(self) -> bool:
        return self.pending.historical or self.from_sent or "\\Seen" in self.pending.flags

    def placeable(self, message_id: uuid.UUID, now: dt.datetime) -> Placeable:
        return Placeable(
            message_id=message_id,
            own_key=self.header_id,
            parents=self.hints.parents,
            direction=self.direction,
            sender=self.sender,
            recipients=(*self.mail.to, *self.mail.cc),
            subject=self.mail.subject,
            normalized_subject=self.hints.normalized_subject,
            snippet=snippet_of(self.mail.body_visible or self.mail.body_text),
            at=self.received_at(now),
            unread=not self.is_read(),
            historical=self.pending.historical,
            auto=self.kind is MailKind.AUTO_REPLY,
            token_number=self.hints.reply_token_number,
            ticket_number=self.hints.ticket_number,
        )


def snippet_of(body: str) -> str:
    """The first 200 characters, white space closed up."""
    return " ".join(body[: SNIPPET * 4].split())[:SNIPPET]
