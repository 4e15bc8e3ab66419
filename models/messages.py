"""Messages with their recipients, references and files, what became of each delivery, and how each send went."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, TsVector, one_of, own
from models.enums import (
    BounceClass,
    ContentType,
    DeliveryStatus,
    Direction,
    Disposition,
    MessageKind,
    RecipientType,
    SenderType,
    SendStage,
    SendStatus,
    SuppressionReason,
)


class Message(ChildRow, Base):
    """One mail in a conversation, either way; spam and reports have no conversation. The unique key keeps a re-used
    Message-ID with other content and ignores an identical one (integrity I-8).

    An outbound row is its own outbox: `send_status` is the lock, `send_attempts` fences concurrent submissions, and
    `raw_*` hold the bytes that every attempt sends (integrity S-1).
    """

    __tablename__ = "messages"
    __table_args__ = (
        own("conversations", "conversation_id"),
        own("inboxes", "inbox_id"),
        own("users", "author_id", ondelete="SET NULL"),
        UniqueConstraint("tenant_id", "inbox_id", "message_id_header", "content_id"),
        Index(
            "uq_messages_idempotency_key",
            "tenant_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key is not null"),
        ),
        one_of("direction", Direction),
        one_of("kind", MessageKind),
        one_of("sender_type", SenderType),
        one_of("content_type", ContentType),
        one_of("send_status", SendStatus),
        one_of("send_stage", SendStage),
        CheckConstraint(
            "message_id_header is null or length(message_id_header) > 2", name="message_id_not_empty"
        ),
        CheckConstraint(
            "(direction = 'outbound' and send_status is not null) or conversation_id is not null or classification is not null",
            name="has_a_place",
        ),
        Index("ix_messages_conversation", "tenant_id", "conversation_id", "sent_at", "id"),
        Index(
            "ix_messages_provider",
            "tenant_id",
            "provider_message_id",
            postgresql_where=text("provider_message_id is not null"),
        ),
        Index(
            "ix_messages_open_sends",
            "send_status",
            "undo_until",
            postgresql_where=text("send_status in ('draft', 'scheduled', 'queued', 'sending', 'unknown')"),
        ),
        Index(
            "ix_messages_outside",
            "tenant_id",
            "inbox_id",
            "classification",
            text("received_at desc"),
            postgresql_where=text("conversation_id is null"),
        ),
        Index(
            "ix_messages_forwards", "tenant_id", "forward_of", postgresql_where=text("forward_of is not null")
        ),
        Index("ix_messages_copy_due", "copy_due_at", postgresql_where=text("copy_due_at is not null")),
        Index("ix_messages_unindexed", "tenant_id", "id", postgresql_where=text("indexed_at is null")),
    )

    id: Mapped[Id]
    conversation_id: Mapped[uuid.UUID | None]
    home_id: Mapped[uuid.UUID | None]  # the conversation that it came from by a merge; null where it stands in its own
    forward_of: Mapped[uuid.UUID | None]  # the message that this one passes on
    inbox_id: Mapped[uuid.UUID]
    message_id_header: Mapped[str | None]
    content_id: Mapped[str] = mapped_column(server_default="")
    direction: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="message")
    classification: Mapped[str | None]
    sender_type: Mapped[str]
    sender_id: Mapped[uuid.UUID | None]
    from_address: Mapped[str] = mapped_column(server_default="")
    from_name: Mapped[str] = mapped_column(server_default="")
    return_path: Mapped[str | None]  # the envelope sender: "" for the null one, null when no server wrote it down
    reply_to: Mapped[list[dict[str, str]]] = mapped_column(JSONB, server_default=text("'[]'"))
    subject: Mapped[str] = mapped_column(server_default="")
    sent_at: Mapped[dt.datetime]
    received_at: Mapped[CreatedAt]
    in_reply_to: Mapped[str | None]
    body_text: Mapped[str] = mapped_column(server_default="")
    body_html: Mapped[str | None]
    body_visible: Mapped[str] = mapped_column(server_default="")
    content_type: Mapped[str] = mapped_column(server_default="text")
    is_read: Mapped[bool] = mapped_column(server_default=text("false"))
    read_at: Mapped[dt.datetime | None]
    is_auto: Mapped[str | None]
    may_answer: Mapped[bool] = mapped_column(server_default=text("false"))
    silence_reason: Mapped[str | None]
    spam_verdict: Mapped[str | None]
    authentication_results: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    provider_message_id: Mapped[str | None]
    raw_key: Mapped[str | None]
    raw_offset: Mapped[int] = mapped_column(server_default="0")
    raw_length: Mapped[int] = mapped_column(server_default="0")
    raw_sha256: Mapped[str | None]
    parser_version: Mapped[int | None]
    defects: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    flags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    duplicate_of_id: Mapped[bool] = mapped_column(server_default=text("false"))
    bounce_received_at: Mapped[dt.datetime | None]
    historical: Mapped[bool] = mapped_column(server_default=text("false"))
    at_version: Mapped[int] = mapped_column(
        server_default="0"
    )  # the conversation's version once this message stood in it
    send_status: Mapped[str | None]
    send_error: Mapped[str | None]
    send_stage: Mapped[str | None]
    send_attempts: Mapped[int] = mapped_column(server_default="0")
    send_round: Mapped[int] = mapped_column(server_default="0")
    first_attempt_at: Mapped[dt.datetime | None]
    unknown_since: Mapped[dt.datetime | None]
    api_draft_id: Mapped[str | None]  # the draft that a provider with a web API keeps of it
    api_submitted_at: Mapped[dt.datetime | None]  # when that draft was last to be sent, in this round
    sent_copy_at: Mapped[dt.datetime | None]
    copy_due_at: Mapped[dt.datetime | None]  # the sweep files the copy in Sent then, if it is still missing
    copy_tries: Mapped[int] = mapped_column(server_default="0")
    idempotency_key: Mapped[str | None]
    undo_until: Mapped[dt.datetime | None]
    scheduled_at: Mapped[dt.datetime | None]
    author_id: Mapped[uuid.UUID | None]
    indexed_at: Mapped[dt.datetime | None]
    created_at: Mapped[CreatedAt]


class MessageRecipient(ChildRow, Base):
    __tablename__ = "message_recipients"
    __table_args__ = (
        own("messages", "message_id"),
        one_of("recipient_type", RecipientType),
        one_of("delivery_status", DeliveryStatus),
        Index(None, "tenant_id", "address_key"),
    )

    message_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    recipient_type: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    address_key: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    delivery_status: Mapped[str | None]
    delivery_detail: Mapped[str | None]


class MessageReference(ChildRow, Base):
    """An id that a message refers to; the index lets children that arrive before their parents still join."""

    __tablename__ = "message_references"
    __table_args__ = (own("messages", "message_id"), Index(None, "tenant_id", "referenced_id"))

    message_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    referenced_id: Mapped[str]


class Attachment(ChildRow, Base):
    """A file of a message, once per tenant and sha256 under `storage_key`. With `encoded_offset` it lies in the raw mail
    alone, from there on, until somebody asks for it; `stored_at` says since when it is an object of its own then.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        own("messages", "message_id"),
        one_of("disposition", Disposition),
        CheckConstraint("num_nulls(encoded_offset, encoded_length, encoding) in (0, 3)", name="place"),
        Index(None, "tenant_id", "message_id", "position"),
        # Whether an object that is to be dropped is still named.
        Index(
            "ix_attachments_stored",
            "tenant_id",
            "storage_key",
            postgresql_where=text("encoded_offset is null or stored_at is not null"),
        ),
    )

    id: Mapped[Id]
    message_id: Mapped[uuid.UUID]
    position: Mapped[int] = mapped_column(server_default="0")
    filename: Mapped[str]
    content_type: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str]
    storage_key: Mapped[str]
    content_id_header: Mapped[str | None]
    disposition: Mapped[str] = mapped_column(server_default="attachment")
    encoded_offset: Mapped[int | None]
    encoded_length: Mapped[int | None]
    encoding: Mapped[str | None]
    stored_at: Mapped[dt.datetime | None]
    scan_status: Mapped[str | None]


class Upload(TenantRow, Base):
    """A file that an agent has put, or is about to put, into the bucket for a message not yet written."""

    __tablename__ = "uploads"
    __table_args__ = (own("users", "user_id", ondelete="SET NULL"), Index(None, "created_at"))

    id: Mapped[Id]
    user_id: Mapped[uuid.UUID | None]
    filename: Mapped[str]
    content_type: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str | None]
    upload_key: Mapped[str]
    storage_key: Mapped[str | None]
    completed_at: Mapped[dt.datetime | None]
    created_at: Mapped[CreatedAt]


class DeliveryEvent(TenantRow, Base):
    """What a server or a report said about one recipient of a message we sent; `provider_event_id` makes it count once."""

    __tablename__ = "delivery_events"
    __table_args__ = (
        own("messages", "message_id"),
        UniqueConstraint("tenant_id", "provider_event_id"),
        one_of("status", DeliveryStatus),
        one_of("bounce_class", BounceClass),
        Index(None, "tenant_id", "message_id"),
    )

    id: Mapped[Id]
    message_id: Mapped[uuid.UUID]
    recipient: Mapped[str] = mapped_column(server_default="")
    provider_event_id: Mapped[str]
    status: Mapped[str]
    bounce_class: Mapped[str | None]
    enhanced_code: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]


class SuppressedAddress(TenantRow, Base):
    __tablename__ = "suppressed_addresses"
    __table_args__ = (one_of("reason", SuppressionReason),)

    address_key: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str]
    reason: Mapped[str]
    message_id: Mapped[uuid.UUID | None]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[dt.datetime | None]


class SendStep(TenantRow, Base):
    """One step of one attempt to send, as it happened: the message's timeline reads them in order."""

    __tablename__ = "send_steps"
    __table_args__ = (own("messages", "message_id"), Index(None, "tenant_id", "message_id", "id"))

    id: Mapped[Id]
    message_id: Mapped[uuid.UUID]
    attempt: Mapped[int]
    step: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default="")
    code: Mapped[int | None]
    workflow_run: Mapped[str | None]
    next_at: Mapped[dt.datetime | None]  # what was put off is tried again then
    at: Mapped[dt.datetime] = mapped_column(server_default=text("clock_timestamp()"))


class AutoResponseClaim(TenantRow, Base):
    """The right to answer one conversation automatically, taken before the answer is made: at most one (integrity L-3)."""

    __tablename__ = "auto_response_claims"
    __table_args__ = (own("conversations", "conversation_id"),)

    conversation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    message_id: Mapped[uuid.UUID | None]
    about_message_id: Mapped[uuid.UUID | None]
    outcome: Mapped[str]
    workflow_run: Mapped[str | None]
    created_at: Mapped[CreatedAt]


class SearchDocument(ChildRow, Base):
    """The searchable form of one message, built in batches a moment after its rows (it costs more than they do)."""

    __tablename__ = "search_documents"
    __table_args__ = (
        own("messages", "message_id"),
        Index("ix_search_documents_document", "document", postgresql_using="gin"),
        Index(None, "tenant_id", "conversation_id"),
        Index("ix_search_documents_older", "tenant_id", "message_id", postgresql_where=text("form < 1")),
    )

    message_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[uuid.UUID | None]
    document: Mapped[str] = mapped_column(TsVector)
    form: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))  # what it is made like (store/search.py)
