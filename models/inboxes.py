"""Inboxes, their folders and the ledger: what is connected, how far it is read, and each mail's fate."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, one_of, own
from models.enums import (
    BackfillState,
    Channel,
    Classification,
    FolderRole,
    FolderState,
    GapCause,
    Health,
    LedgerState,
    Provider,
)


class Inbox(TenantRow, Base):
    """One mailbox or channel account. `connected_at` null means: do not sync. `lease_epoch` fences every write of a
    sync (integrity T-7): a step that lost its lease finds another epoch and writes nothing.
    """

    __tablename__ = "inboxes"
    __table_args__ = (
        own("workspaces", "workspace_id", ondelete="SET NULL"),
        own("domains", "domain_id", ondelete="NO ACTION"),
        one_of("channel", Channel),
        one_of("provider", Provider),
        one_of("health", Health),
        CheckConstraint("undo_send_seconds between 0 and 600", name="undo_send_seconds"),
        CheckConstraint("backfill_days >= 0", name="backfill_days"),
        CheckConstraint("max_syncs_per_hour between 1 and 3600", name="max_syncs_per_hour"),
        CheckConstraint(
            "(domain_id is null) = (local_part is null) and (domain_id is not null or not is_catchall)",
            name="domain",
        ),
        # A key, so that a new epoch takes the row's strongest lock: see `store/inbox_state.py`.
        UniqueConstraint("tenant_id", "id", "lease_epoch"),
        Index(None, "connected_at", postgresql_where=text("deleted_at is null")),
        # Whom an announcement means.
        Index(
            "ix_inboxes_gmail_address",
            text("lower(email_address)"),
            postgresql_where=text("provider = 'gmail' and deleted_at is null"),
        ),
        Index(
            "uq_inboxes_graph_subscription_id",
            "graph_subscription_id",
            unique=True,
            postgresql_where=text("graph_subscription_id is not null"),
        ),
        # RFC 5321 §2.4 lets a host tell local parts apart by case; nobody's mail should depend on it.
        Index(
            "uq_inboxes_local_part",
            "tenant_id",
            "domain_id",
            text("lower(local_part)"),
            unique=True,
            postgresql_where=text("domain_id is not null and deleted_at is null"),
        ),
        Index(
            "uq_inboxes_catchall",
            "tenant_id",
            "domain_id",
            unique=True,
            postgresql_where=text("is_catchall and deleted_at is null"),
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[uuid.UUID | None]
    domain_id: Mapped[uuid.UUID | None]
    channel: Mapped[str] = mapped_column(server_default="email")
    provider: Mapped[str] = mapped_column(server_default="imap")
    name: Mapped[str]
    email_address: Mapped[str]
    aliases: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))  # also this mailbox's, as its provider tells
    local_part: Mapped[str | None]
    is_catchall: Mapped[bool] = mapped_column(server_default=text("false"))
    display_name: Mapped[str] = mapped_column(server_default="")
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    credentials_sealed: Mapped[bytes | None]
    credentials_key_id: Mapped[str | None]
    health: Mapped[str] = mapped_column(server_default="connecting")
    connected_at: Mapped[dt.datetime | None]
    paused_at: Mapped[dt.datetime | None]
    last_sync_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]
    last_error_at: Mapped[dt.datetime | None]
    auth_failures: Mapped[int] = mapped_column(server_default="0")
    refused_since: Mapped[dt.datetime | None]
    audit_due_at: Mapped[dt.datetime | None]
    audit_asked: Mapped[bool] = mapped_column(server_default=text("false"))
    lease_epoch: Mapped[int] = mapped_column(server_default="0")
    gmail_history_id: Mapped[str | None]
    gmail_watch_expires_at: Mapped[dt.datetime | None]
    graph_subscription_id: Mapped[str | None]
    graph_subscription_expires_at: Mapped[dt.datetime | None]
    graph_client_state_hash: Mapped[str | None]
    watch_due_at: Mapped[dt.datetime | None]
    watch_failures: Mapped[int] = mapped_column(server_default="0")
    watch_since: Mapped[dt.datetime | None]
    watch_renewed_at: Mapped[dt.datetime | None]
    watch_refusal: Mapped[str | None]
    push_counted_to: Mapped[dt.datetime | None]
    poll_seconds: Mapped[int | None]
    auto_response_enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    auto_response_subject: Mapped[str] = mapped_column(server_default="")
    auto_response_body: Mapped[str] = mapped_column(server_default="")
    auto_response_html: Mapped[str | None]
    signature_html: Mapped[str | None]
    undo_send_seconds: Mapped[int] = mapped_column(server_default="5")
    max_syncs_per_hour: Mapped[int] = mapped_column(server_default="60")
    backfill_days: Mapped[int] = mapped_column(server_default="90")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[dt.datetime | None]


class Folder(TenantRow, Base):
    """One folder. `last_uid` is the end of the contiguous stored range and never goes back within a UIDVALIDITY
    (integrity I-3; a trigger refuses it). `first_uid` is where live sync began: what lies below is the backfill's.
    """

    __tablename__ = "folders"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        UniqueConstraint("tenant_id", "inbox_id", "path"),
        UniqueConstraint("tenant_id", "id", "backfill_epoch"),
        one_of("role", FolderRole),
        one_of("state", FolderState),
        one_of("backfill_state", BackfillState),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    name: Mapped[str]
    path: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="other")
    synced: Mapped[bool] = mapped_column(server_default=text("false"))
    uidvalidity: Mapped[int | None]
    first_uid: Mapped[int] = mapped_column(server_default="0")
    last_uid: Mapped[int] = mapped_column(server_default="0")
    highest_modseq: Mapped[int | None]
    flags_at: Mapped[dt.datetime | None]
    graph_delta_link: Mapped[str | None]
    listing_after: Mapped[str | None]
    backfill_state: Mapped[str] = mapped_column(server_default="none")
    backfill_uid: Mapped[int | None]
    backfill_total: Mapped[int] = mapped_column(server_default="0")
    backfill_done: Mapped[int] = mapped_column(server_default="0")
    backfill_started_at: Mapped[dt.datetime | None]
    backfill_horizon: Mapped[dt.datetime | None]
    backfill_epoch: Mapped[int] = mapped_column(server_default="0")
    resets: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str] = mapped_column(server_default="active")
    state_reason: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class LedgerEntry(ChildRow, Base):
    """One row for each provider identity ever seen; integrity I-2 and I-4. `raw_*` say where its bytes lie (many mails may
    share one object). `attempts` is committed before each parse, so that a mail that kills the process is counted.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        own("folders", "folder_id"),
        UniqueConstraint("tenant_id", "inbox_id", "folder_id", "uidvalidity", "uid"),
        Index(
            "uq_ledger_provider_message_id",
            "tenant_id",
            "inbox_id",
            "provider_message_id",
            unique=True,
            postgresql_where=text("provider_message_id is not null"),
        ),
        CheckConstraint(
            "(uid is not null and uidvalidity is not null) or provider_message_id is not null",
            name="identity",
        ),
        CheckConstraint(
            "state in ('seen', 'vanished', 'skipped', 'quarantined') or raw_key is not null",
            name="stored_has_raw",
        ),
        one_of("state", LedgerState),
        one_of("classification", Classification),
        Index(
            "ix_ledger_pending",
            "tenant_id",
            "inbox_id",
            "id",
            postgresql_where=text("state in ('seen', 'stored')"),
        ),
        # Whether what came to a mailbox behind a web API was announced.
        Index(
            "ix_ledger_api_created",
            "tenant_id",
            "inbox_id",
            "created_at",
            postgresql_where=text("provider_message_id is not null and not historical"),
        ),
        Index(
            "ix_ledger_message", "tenant_id", "message_id", postgresql_where=text("message_id is not null")
        ),
        Index("ix_ledger_raw_sha256", "tenant_id", "inbox_id", "raw_sha256"),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    folder_id: Mapped[uuid.UUID | None]
    uidvalidity: Mapped[int | None]
    uid: Mapped[int | None]
    provider_message_id: Mapped[str | None]
    provider_thread: Mapped[str | None]
    raw_sha256: Mapped[str | None]
    raw_key: Mapped[str | None]
    raw_offset: Mapped[int] = mapped_column(server_default="0")
    raw_length: Mapped[int] = mapped_column(server_default="0")
    internal_date: Mapped[dt.datetime | None]
    flags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    historical: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[str] = mapped_column(server_default="seen")
    reason: Mapped[str | None]
    classification: Mapped[str | None]
    classification_reason: Mapped[str | None]
    threaded_by: Mapped[str | None]
    reports: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(server_default="0")
    parser_version: Mapped[int | None]
    message_id: Mapped[uuid.UUID | None]
    fetch_run: Mapped[str | None]
    ingest_run: Mapped[str | None]
    ingested_at: Mapped[dt.datetime | None]
    gone_at: Mapped[dt.datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class Quarantine(TenantRow, Base):
    """A mail that could not be fetched or parsed, with its reason, until a person or a newer parser resolves it."""

    __tablename__ = "quarantine"
    __table_args__ = (
        own("ledger", "ledger_id"),
        UniqueConstraint("tenant_id", "ledger_id"),
        Index("ix_quarantine_open", "first_at", postgresql_where=text("resolved_at is null")),
    )

    id: Mapped[Id]
    ledger_id: Mapped[uuid.UUID]
    reason: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default="")
    stack_hash: Mapped[str | None]
    first_at: Mapped[CreatedAt]
    last_at: Mapped[CreatedAt]
    resolved_at: Mapped[dt.datetime | None]
    resolution: Mapped[str | None]


class Gap(TenantRow, Base):
    """A stretch in which mail may have been missed: why, since when, and what refilling it found. Of `listed` mails at the
    provider `missing` had no row; `refilled` and `quarantined` have one now, the rest went away meanwhile.
    """

    __tablename__ = "gaps"
    __table_args__ = (
        own("inboxes", "inbox_id"),
        own("folders", "folder_id"),
        one_of("cause", GapCause),
        Index("ix_gaps_open", "opened_at", postgresql_where=text("closed_at is null")),
        Index(
            "uq_gaps_open",
            "tenant_id",
            "inbox_id",
            "folder_id",
            "cause",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("closed_at is null"),
        ),
        Index("ix_gaps_inbox", "tenant_id", "inbox_id", "id"),
    )

    id: Mapped[Id]
    inbox_id: Mapped[uuid.UUID]
    folder_id: Mapped[uuid.UUID | None]
    cause: Mapped[str]
    since: Mapped[dt.datetime | None]
    opened_at: Mapped[CreatedAt]
    closed_at: Mapped[dt.datetime | None]
    listed: Mapped[int] = mapped_column(server_default="0")
    missing: Mapped[int] = mapped_column(server_default="0")
    refilled: Mapped[int] = mapped_column(server_default="0")
    quarantined: Mapped[int] = mapped_column(server_default="0")
