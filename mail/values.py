"""The values that mail knowledge speaks in: addresses, parts, a parsed mail, a verdict, a composed mail.

They are plain frozen data so that they can cross a process boundary; what to do with them is decided elsewhere.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of RFC 5322 §3.4. `address` is as written (never lower-cased), `name` may be empty."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class EncodedPlace:
    """Where the encoded bytes of a part lie in its raw mail, in octets. `mail.transfer_encodings` makes its content of them."""

    offset: int
    length: int
    encoding: str  # as the header has it


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME leaf that a person must be able to see or download. `content` is decoded (transfer encoding removed), `size`
    its length. `place` is None for what does not lie in the raw mail as it is, such as a file out of a winmail.dat.
    """

    filename: str
    content_type: str
    content: bytes
    disposition: str  # "attachment" or "inline"
    content_id: str | None  # without angle brackets
    sha256: str
    size: int
    place: EncodedPlace | None = None


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """What one raw mail says. All text is valid Unicode without NUL or surrogates; ids keep their angle brackets.

    `message_id` is None when the mail has none that passes the syntax check; `content_id` is the hash of the stable
    headers and the body (public-inbox's idea: Received and other trace headers excluded). `return_path` is "" for the
    null sender `<>` and None when the header is absent. `received_count` is the number of Received headers.
    """

    raw_sha256: str
    size: int
    message_id: str | None
    content_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    subject: str
    from_: Address | None
    sender: Address | None
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    date: datetime | None
    return_path: str | None
    headers: tuple[tuple[str, str], ...]  # every header, in order, decoded and scrubbed, name as written
    content_type: str  # of the root: "multipart/report" etc., lower case
    content_type_params: tuple[tuple[str, str], ...]
    body_text: str  # the plain text a person reads; made from HTML where the mail has no text part
    body_html: str | None  # scrubbed but NOT sanitised: it must pass `mail.sanitise` before it is shown
    body_visible: str  # body_text without quoted history and signature
    parts: tuple[Part, ...]
    received_count: int
    defects: tuple[str, ...] = ()
    _by_name: dict[str, list[str]] = field(init=False, repr=False, compare=False)  # three dozen questions are asked

    def __post_init__(self) -> None:
        by_name: dict[str, list[str]] = {}
        for name, value in self.headers:
            by_name.setdefault(name.lower(), []).append(value)
        object.__setattr__(self, "_by_name", by_name)

    def header(self, name: str) -> str | None:
        """The first header of that name, case-insensitive, or None."""
        values = self._by_name.get(name.lower())
        return values[0] if values else None

    def header_all(self, name: str) -> tuple[str, ...]:
        return tuple(self._by_name.get(name.lower(), ()))


class MailKind(StrEnum):
    """What a mail is to the desk, in the order in which the questions are asked."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    SPAM = "spam"
    AUTO_REPLY = "auto_reply"
    MESSAGE = "message"


class BounceClass(StrEnum):
    """integrity L-6: hard disables an address, soft and policy do not."""

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What a report says of one recipient. `action` is RFC 3464 §2.3.3 (failed, delayed, delivered, relayed, expanded)."""

    address: str
    action: str
    status: str  # enhanced code x.y.z of RFC 3463, or ""
    bounce_class: BounceClass | None  # None for delivered, relayed, expanded
    diagnostic: str = ""  # the remote's own sentence, for the agent's eyes only: never logged


@dataclass(frozen=True, slots=True)
class Verdict:
    """A mail's kind with the rule that decided it, and, for reports, what they answer.

    `reason` is one short machine-readable word group such as `multipart/report`, `x-spam-flag`, `auto-submitted`.
    `may_answer` is False when RFC 3834 and integrity L-1 forbid an automatic answer; `silence_reason` names the rule.
    """

    kind: MailKind
    reason: str
    may_answer: bool
    silence_reason: str = ""
    reports: tuple[RecipientReport, ...] = ()
    original_message_ids: tuple[str, ...] = ()  # Message-IDs of the mail that a report is about
    original_send_id: str | None = None  # our X-Mailroom-Send-ID, when the report returns our headers
    feedback_type: str = ""


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """One file of an outgoing mail. `content_id` (no brackets) makes it an inline part that the HTML shows as cid:."""

    filename: str
    content_type: str
    content: bytes
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class ComposeRequest:
    """Everything an outgoing mail is made of. Either `text` or `html` must be given; the other is derived."""

    send_id: str
    message_id: str
    date: datetime
    from_: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    subject: str
    text: str | None
    html: str | None
    reply_to: tuple[Address, ...] = ()
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    files: tuple[ComposeFile, ...] = ()
    extra_headers: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ComposedMail:
    """Frozen bytes (CRLF, RFC 5322) and the envelope. Bcc is in the envelope only."""

    raw: bytes
    sha256: str
    message_id: str
    envelope_from: str
    envelope_to: tuple[str, ...]
    needs_smtputf8: bool = False
