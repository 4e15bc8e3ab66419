"""Inboxes: how they are connected, how they fare, their ledger and their quarantine. Passwords go in and never come out."""

import uuid
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from api.schemas.base import (
    Answer,
    Asked,
    Channel,
    Classification,
    Health,
    Instant,
    LedgerState,
    MailAddress,
    Name,
    Named,
    PageQuery,
)
from rules.templates import PLACEHOLDERS, unknown_placeholders

Security = Literal["tls", "starttls", "plain"]
# What happens to an agent's reply of which nobody knows whether it was sent: a person is asked, or it is sent again.
SendPolicy = Literal["ask", "at_least_once"]
# Whose signature stands under a reply.
SignatureChoice = Literal["agent", "inbox", "both", "none"]
# What people do here that the mailbox shall show too. `closed`: closing a conversation archives its mails.
WriteBack = Annotated[
    tuple[Literal["read", "archive", "closed", "spam", "trash", "labels"], ...], Field(max_length=6)
]


def _host(value: str) -> str:
    host = value.strip().rstrip(".")
    if not host or any(c <= " " or c in "/\\@?#\x7f" for c in host):
        raise ValueError("is a host name such as imap.example.com, without spaces, path or port")
    return host


def _no_breaks(value: str) -> str:
    if any(c in value for c in "\r\n\0"):
        raise ValueError("may hold no line break")
    return value


class AskedServer(Asked):
    """One of an inbox's two servers. `none` is another word for `plain`: not encrypted, the operator's choice."""

    host: Annotated[str, AfterValidator(_host), Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)]
    security: Security = "tls"
    username: Annotated[str, AfterValidator(_no_breaks), Field(max_length=320)] = ""
    auth: Literal["password", "xoauth2"] = "password"
    password: Annotated[SecretStr | None, Field(max_length=1024)] = None
    access_token: Annotated[SecretStr | None, Field(max_length=8192)] = None

    @field_validator("security", mode="before")
    @classmethod
    def _other_word(cls, value: object) -> object:
        return "plain" if value == "none" else value

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.password is not None and self.access_token is not None:
            raise ValueError("give `password` or `access_token`, not both")
        return self

    @property
    def secret(self) -> str | None:
        given = self.access_token if self.auth == "xoauth2" else self.password
        value = given.get_secret_value() if given is not None else ""
        return value or None

    @property
    def secret_field(self) -> str:
        return "access_token" if self.auth == "xoauth2" else "password"


def _known_placeholders(value: str) -> str:
    unknown = unknown_placeholders(value)
    if unknown:
        known = ", ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
        raise ValueError(f"holds placeholders that no mail can fill ({', '.join(unknown)}); use {known}")
    return value


class AskedAutoResponse(Asked):
    enabled: bool
    subject: Annotated[
        str, AfterValidator(_no_breaks), AfterValidator(_known_placeholders), Field(max_length=500)
    ] = ""
    body: Annotated[str, AfterValidator(_known_placeholders), Field(max_length=20_000)] = ""

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if self.enabled and not self.body.strip():
            raise ValueError("an automatic answer that is on needs a `body`")
        return self


class NewInbox(Asked):
    name: Name
    email_address: MailAddress
    display_name: Annotated[str, AfterValidator(_no_breaks), Field(max_length=200)] = ""
    imap: AskedServer
    smtp: AskedServer
    verify_tls: bool = True
    backfill_days: Annotated[int, Field(ge=0, le=36_500)] = 90
    undo_send_seconds: Annotated[int, Field(ge=0, le=600)] = 5


class ChangeInbox(Asked):
    """What to change; what is left out stays. A server is given whole."""

    name: Name | None = None
    display_name: Annotated[str, AfterValidator(_no_breaks), Field(max_length=200)] | None = None
    imap: AskedServer | None = None
    smtp: AskedServer | None = None
    verify_tls: bool | None = None
    backfill_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    undo_send_seconds: Annotated[int, Field(ge=0, le=600)] | None = None
    send_policy: SendPolicy | None = None
    write_back: WriteBack | None = None
    auto_response: AskedAutoResponse | None = None
    signature: SignatureChoice | None = None
    signature_html: Annotated[str, Field(max_length=20_000)] | None = None
    signature_in_automatic: bool | None = None


class Server(Answer):
    host: str
    port: int
    security: Security
    username: str
    auth: Literal["password", "xoauth2"]


class InboxSettings(Answer):
    imap: Server | None
    smtp: Server | None
    verify_tls: bool


class AutoResponse(Answer):
    enabled: bool
    subject: str
    body: str


class InboxLinks(Answer):
    temporal: str | None


class Inbox(Answer):
    id: str
    name: str
    channel: Channel
    provider: str
    email_address: str
    display_name: str
    health: Health
    connected_at: Instant | None
    last_sync_at: Instant | None
    last_error: str | None
    last_error_at: Instant | None
    paused: bool
    settings: InboxSettings
    undo_send_seconds: int
    send_policy: SendPolicy
    write_back: WriteBack
    backfill_days: int
    auto_response: AutoResponse
    signature: SignatureChoice
    signature_html: str
    signature_in_automatic: bool
    links: InboxLinks


class Folder(Answer):
    id: str
    name: str
    role: str
    synced: bool
    messages: int
    last_uid: int
    state: str


class Backfill(Answer):
    """`total` is null until the history is counted, `eta_seconds` until a rate is known."""

    folder_id: str
    folder: str
    state: Literal["running", "paused", "done", "cancelled", "waiting"]
    done: int
    total: int | None
    eta_seconds: int | None


class LedgerCounts(Answer):
    seen: int
    stored: int
    ingested: int
    skipped: int
    quarantined: int
    vanished: int


class Pause(Answer):
    """A budget that was used up and what is silent because of it until `until`. `correspondent` is null for whole inboxes;
    `held_back` counts the mails that were not sent, or that came in and started nothing (`incoming-…`).
    """

    budget: Literal["correspondent", "everywhere", "inbox", "tenant", "incoming-sender", "incoming-inbox"]
    correspondent: str | None
    opened_at: Instant
    until: Instant
    held_back: int


class Push(Answer):
    """Whether the provider announces what happens in the mailbox. `since` without a break, `renewed_at` last, `expires_at` as granted,
    `due_at` when it is asked again; `refusal` says why it last said no. Of the `found` mails of the last day, `missed` were announced
    too late or never. `poll_seconds` is how long the sync rests until it looks by itself.
    """

    state: Literal["off", "asking", "on", "refused", "lapsed"]
    since: Instant | None
    renewed_at: Instant | None
    expires_at: Instant | None
    due_at: Instant | None
    refusal: str | None
    last_notice_at: Instant | None
    found: int
    missed: int
    poll_seconds: int | None


class InboxStatus(Inbox):
    """`pauses` is for admins; others get an empty list. `push` is null where the provider announces nothing."""

    folders: list[Folder]
    backfills: list[Backfill]
    ledger: LedgerCounts
    lag_seconds: float | None
    pauses: list[Pause]
    push: Push | None


class Check(Answer):
    name: str
    ok: bool
    detail: str
    remedy: str | None


class Checks(Answer):
    ok: bool
    checks: list[Check]


class Resync(Asked):
    scope: Literal["new", "folder", "all"]
    folder_id: uuid.UUID | None = None

    @model_validator(mode="after")
    def _folder_named(self) -> Self:
        if (self.scope == "folder") != (self.folder_id is not None):
            raise ValueError("`folder_id` goes with the scope `folder`, and only with it")
        return self


class StartedWorkflow(Answer):
    workflow_id: str


class BackfillAction(Asked):
    action: Literal["start", "pause", "resume", "cancel"]
    folder_id: uuid.UUID | None = None


class ChangedBackfills(Answer):
    folder_ids: list[str]


class LedgerQuery(PageQuery):
    classification: Annotated[tuple[Classification, ...], Field(max_length=10)] = ()
    state: Annotated[tuple[LedgerState, ...], Field(max_length=10)] = ()


class ReportedRecipient(Answer):
    """What a bounce or a complaint says of one recipient."""

    address: str
    class_: Annotated[str | None, Field(alias="class")]
    status: str | None
    action: str | None


class LedgerLine(Answer):
    """`from` is written as `Name <address>`."""

    id: str
    folder: str | None
    uidvalidity: int | None
    uid: int | None
    provider_message_id: str | None
    state: LedgerState
    classification: Classification | None
    reason: str | None
    conversation_id: str | None
    message_id: str | None
    subject: str | None
    from_: Annotated[str | None, Field(alias="from")]
    recipients: list[ReportedRecipient]
    attempts: int
    size_bytes: int
    internal_date: Instant | None
    created_at: Instant


class QuarantineQuery(PageQuery):
    state: Literal["open", "resolved"] = "open"


class QuarantineLine(Answer):
    id: str
    ledger_id: str
    inbox: Named
    reason: str
    detail: str
    attempts: int
    first_at: Instant
    last_at: Instant
    resolved_at: Instant | None
    resolution: str | None
    size_bytes: int
