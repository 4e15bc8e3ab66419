"""Messages, their files and what became of them."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import (
    Addr,
    Answer,
    Asked,
    AskedAddr,
    AskedInstant,
    Direction,
    HeaderLine,
    Instant,
    Named,
)

Decision = Literal["cancel", "retry", "resolve"]
SendStatus = Literal["draft", "scheduled", "queued", "sending", "sent", "unknown", "failed", "cancelled"]


class Attachment(Answer):
    """A file of a message; `url` downloads it."""

    id: str
    filename: str
    content_type: str
    size_bytes: int
    disposition: Literal["attachment", "inline"]
    content_id: str | None
    url: str


class SentTo(Answer):
    address: str
    type: Literal["to", "cc", "bcc"]
    status: str | None
    detail: str | None


class Send(Answer):
    """How an outgoing message fares. `can` names the decisions that are open."""

    status: SendStatus
    stage: str | None
    error: str | None
    attempts: int
    undo_until: Instant | None
    scheduled_at: Instant | None
    can: list[Decision]
    recipients: list[SentTo]


class QuarantineNote(Answer):
    id: str
    reason: str


class Message(Answer):
    id: str
    conversation_id: str | None
    inbox_id: str
    direction: Direction
    kind: Literal["message", "auto_response", "notification"]
    sender_type: Literal["customer", "agent", "system"]
    author: Named | None
    from_: Annotated[Addr, Field(alias="from")]
    to: list[Addr]
    cc: list[Addr]
    bcc: list[Addr]
    subject: str
    message_id_header: str | None
    in_reply_to: str | None
    references: list[str]
    sent_at: Instant
    received_at: Instant
    created_at: Instant
    is_read: bool
    is_auto: str | None
    classification: str | None
    spam: bool
    body_text: str
    body_visible: str
    body_quoted: str
    has_html: bool
    attachments: list[Attachment]
    flags: list[str]
    defects: list[str]
    duplicate_of_id: bool
    bounce_received_at: Instant | None
    quarantine: QuarantineNote | None
    send: Send | None


class NewMessage(Asked):
    """A reply. Recipients left out are those of the conversation's `reply`. Give `html`, `text` or both. The signature that the
    inbox chooses is put under it, unless `signature` is false or it stands there already.
    """

    html: Annotated[str | None, Field(max_length=2_097_152)] = None
    text: Annotated[str | None, Field(max_length=2_097_152)] = None
    to: Annotated[list[AskedAddr] | None, Field(max_length=100)] = None
    cc: Annotated[list[AskedAddr] | None, Field(max_length=100)] = None
    bcc: Annotated[list[AskedAddr] | None, Field(max_length=100)] = None
    subject: HeaderLine | None = None
    attachments: Annotated[tuple[uuid.UUID, ...], Field(max_length=100)] = ()
    seen_version: Annotated[int, Field(ge=0, le=2**62)]
    send_at: AskedInstant | None = None
    signature: bool = True


class Resolve(Asked):
    """What became of an unknown message, as a person found out."""

    outcome: Literal["sent", "send_again"]


class ImagesQuery(Asked):
    images: Literal["0", "1"] = "0"


class FrameQuery(ImagesQuery):
    part: Literal["visible", "quoted", "all"] = "all"


class Html(Answer):
    """A whole document for a sandboxed frame. `quoted`: the mail quotes history that `part=visible` leaves out."""

    document: str
    quoted: bool
    remote_blocked: int


class TimelineItem(Answer):
    """One step of a message. `code` is a server's reply code, `next_at` when what was put off is tried again, `about` another
    message that the step leads to, `link` the Temporal run (for admins).
    """

    at: Instant
    step: str
    kind: Literal["mail", "rule", "send", "report", "webhook", "person", "event"]
    detail: str
    attempt: int
    code: int | None
    next_at: Instant | None
    about: str | None
    actor: str
    link: str | None


class Timeline(Answer):
    items: list[TimelineItem]


class NewUpload(Asked):
    filename: Annotated[str, Field(min_length=1, max_length=1000)]
    content_type: Annotated[str, Field(max_length=200)] = "application/octet-stream"
    size_bytes: Annotated[int, Field(ge=1)]


class UploadSlot(Answer):
    """`PUT` the bytes to `put_url` with these headers, then complete."""

    id: str
    put_url: str
    headers: dict[str, str]


class Uploaded(Answer):
    id: str
    filename: str
    size_bytes: int
