"""What is forgotten: the policy of a tenant, what its runs removed, erasures of people, and what keeps the removed from coming back."""

import datetime as dt
import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow, one_of, own


class ErasureState(StrEnum):
    """`erasing` removes rows, `objects` octets in the bucket."""

    ERASING = "erasing"
    OBJECTS = "objects"
    DONE = "done"


class TombstoneReason(StrEnum):
    """Why a mail was removed: its person asked to be forgotten, or the retention policy had its time."""

    ERASED = "erased"
    EXPIRED = "expired"


DAYS = ("archive_idle_days", "spam_days", "trash_days", "closed_days")


class RetentionPolicy(TenantRow, Base):
    """After how many days what goes; null: never. A tenant without a row loses no mail."""

    __tablename__ = "retention_policies"
    __table_args__ = (
        own("users", "changed_by", ondelete="SET NULL"),
        *(CheckConstraint(f"{days} between 1 and 36500", name=days) for days in DAYS),
        CheckConstraint("notice_days between 1 and 36500", name="notice_days"),
    )

    archive_idle_days: Mapped[int | None]
    spam_days: Mapped[int | None]
    trash_days: Mapped[int | None]
    closed_days: Mapped[int | None]
    notice_days: Mapped[int] = mapped_column(server_default="90")
    changed_by: Mapped[uuid.UUID | None]
    changed_at: Mapped[CreatedAt]


class RetentionRun(TenantRow, Base):
    """One night's work for one tenant: what it removed, by kind. `ended_at` null: under way, or cut short and gone on with by the next."""

    __tablename__ = "retention_runs"
    __table_args__ = (Index(None, "tenant_id", "started_at"),)

    id: Mapped[Id]
    started_at: Mapped[CreatedAt]
    ended_at: Mapped[dt.datetime | None]
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class Erasure(TenantRow, Base):
    """One person who asked to be forgotten. `addresses` are emptied when it is done; `address_hashes` and `counts` are the receipt, and
    hold nothing that names the person.
    """

    __tablename__ = "erasures"
    __table_args__ = (
        own("users", "asked_by", ondelete="SET NULL"),
        one_of("state", ErasureState),
        Index("ix_erasures_open", "id", postgresql_where=text("state <> 'done'")),
        Index(
            "uq_erasures_open", "tenant_id", "contact_id", unique=True, postgresql_where=text("state <> 'done'")
        ),
    )

    id: Mapped[Id]
    contact_id: Mapped[uuid.UUID]
    state: Mapped[str] = mapped_column(server_default="erasing")
    addresses: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    address_hashes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    asked_by: Mapped[uuid.UUID | None]
    actor: Mapped[str] = mapped_column(server_default="system")
    asked_at: Mapped[CreatedAt]
    rows_gone_at: Mapped[dt.datetime | None]
    done_at: Mapped[dt.datetime | None]


class Tombstone(TenantRow, Base):
    """The SHA-256 of a raw mail that was removed: should a mailbox show the same octets again, they are not taken in. `place` is the
    folder for which that holds, "" for all: an erasure holds everywhere, while a mail that a policy removed may be moved elsewhere.
    """

    __tablename__ = "tombstones"
    __table_args__ = (
        one_of("reason", TombstoneReason),
        Index("ix_tombstones_expired", "created_at", postgresql_where=text("reason = 'expired'")),
    )

    raw_sha256: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True, server_default="")
    reason: Mapped[str]
    created_at: Mapped[CreatedAt]


class DroppedObject(TenantRow, Base):
    """Octets in the bucket that a removed row named: a whole object, or with `raw_length` the stretch of one mail in a pack. Written in
    the transaction that removes the row, gone when the octets are.
    """

    __tablename__ = "dropped_objects"
    __table_args__ = (
        UniqueConstraint("tenant_id", "storage_key", "raw_offset"),
        Index(None, "dropped_at"),
    )

    id: Mapped[Id]
    storage_key: Mapped[str]
    raw_offset: Mapped[int] = mapped_column(server_default="0")
    raw_length: Mapped[int | None]
    raw_sha256: Mapped[str | None]
    erasure_id: Mapped[uuid.UUID | None]
    dropped_at: Mapped[CreatedAt]
    refusal: Mapped[str | None]
