"""Domains whose addresses are inboxes: who holds each, what its DNS was last found to say, and what its mail is sent as."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Id, TenantRow


class Domain(TenantRow, Base):
    """One tenant's claim to a domain. Several may claim a name; of those who have shown their `challenge` in its DNS one
    holds it (`verified_at`), which a unique index over all tenants decides. `missing_since` is when a holder's challenge
    was first found gone. `ses_verified`: SES sends as it. `unclaimed_mails` came for addresses that no inbox has, last at
    `unclaimed_at`. `records` is the last check, record by record. `name` is in A-labels and lower case.
    """

    __tablename__ = "domains"
    __table_args__ = (
        CheckConstraint("name = lower(name) and name <> ''", name="name"),
        CheckConstraint("verified_at is not null or missing_since is null", name="missing_since"),
        Index(
            "uq_domains_of_tenant",
            "tenant_id",
            "name",
            unique=True,
            postgresql_where=text("deleted_at is null"),
        ),
        Index(
            "uq_domains_holder",
            "name",
            unique=True,
            postgresql_where=text("verified_at is not null and deleted_at is null"),
        ),
        Index(None, "name"),
        Index("ix_domains_due", "check_due_at", postgresql_where=text("deleted_at is null")),
    )

    id: Mapped[Id]
    name: Mapped[str]
    ses_identity_arn: Mapped[str | None]
    dkim_tokens: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    ses_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    unclaimed_mails: Mapped[int] = mapped_column(server_default="0")
    unclaimed_at: Mapped[dt.datetime | None]
    from_name: Mapped[str | None]
    reply_to_address: Mapped[str | None]
    bounce_address: Mapped[str | None]
    challenge: Mapped[str]
    verified_at: Mapped[dt.datetime | None]
    missing_since: Mapped[dt.datetime | None]
    mx_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    spf_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    dkim_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    dmarc_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    records: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    checked_at: Mapped[dt.datetime | None]
    check_due_at: Mapped[CreatedAt]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    deleted_at: Mapped[dt.datetime | None]
