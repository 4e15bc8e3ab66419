"""Re-ingest: runs that read stored mails again from their raw bytes, and what each run would change at each message."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, one_of, own
from models.enums import ReingestChangeState, ReingestState


class Reingest(TenantRow, Base):
    """One run over a selection of messages. `epoch` fences its steps, `planned_to` is the last ledger id that was
    compared, `newest` the last that belongs to it: mail that comes later does not.
    """

    __tablename__ = "reingests"
    __table_args__ = (
        own("users", "asked_by", ondelete="SET NULL"),
        one_of("state", ReingestState),
        CheckConstraint("total >= 0 and done >= 0", name="counts"),
        Index(
            "ix_reingests_under_way",
            "id",
            postgresql_where=text("state in ('planning', 'applying') and paused_at is null"),
        ),
    )

    id: Mapped[Id]
    selection: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="planning")
    paused_at: Mapped[dt.datetime | None]
    asked_by: Mapped[uuid.UUID | None]
    actor: Mapped[str] = mapped_column(server_default="system")
    parser_version: Mapped[int]
    epoch: Mapped[int] = mapped_column(server_default="0")
    newest: Mapped[uuid.UUID]
    planned_to: Mapped[uuid.UUID | None]
    total: Mapped[int]
    done: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0")
    outdated: Mapped[int] = mapped_column(server_default="0")
    to_apply: Mapped[int] = mapped_column(server_default="0")
    applied: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    error: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    planned_at: Mapped[dt.datetime | None]
    apply_asked_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]


class ReingestChange(TenantRow, Base):
    """What one run says of one mail. `kinds` is empty where only the parser's version differs; `before` and `after` are
    digests of both readings, so that applying can see whether either has changed since; `detail` holds bounded diffs.
    """

    __tablename__ = "reingest_changes"
    __table_args__ = (
        own("reingests", "reingest_id"),
        own("ledger", "ledger_id"),
        one_of("state", ReingestChangeState),
        Index("ix_reingest_changes_ledger", "tenant_id", "ledger_id"),
        Index(
            "ix_reingest_changes_to_apply",
            "tenant_id",
            "reingest_id",
            "ledger_id",
            postgresql_where=text("state = 'planned'"),
        ),
    )

    reingest_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ledger_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    message_id: Mapped[uuid.UUID]
    inbox_id: Mapped[uuid.UUID]
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    before: Mapped[str] = mapped_column(server_default="")
    after: Mapped[str] = mapped_column(server_default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(server_default="planned")
    reason: Mapped[str | None]
    settled_at: Mapped[dt.datetime | None]
