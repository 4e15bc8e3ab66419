"""Webhooks that leave the house: where a tenant wants to be told, and what each place was told or still has to be."""

import datetime as dt
import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ChildRow, CreatedAt, Id, TenantRow, one_of, own


class WebhookStatus(StrEnum):
    """`warning`: it has not taken anything for an hour; `disabled`: nothing is sent there until a person says so."""

    ACTIVE = "active"
    WARNING = "warning"
    DISABLED = "disabled"


class WebhookDeliveryStatus(StrEnum):
    """`failed`: given up after the last attempt, or refused for good."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookEndpoint(TenantRow, Base):
    """`secrets_sealed` holds the secret that signs and, until `previous_until`, the one before it. `events` are types of the event
    log that are told without a rule; of `inbox_ids` null is all. `failing_since` is the first failure after the last success,
    `next_attempt_at` when it is asked again, null while nothing stands in the way.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        one_of("status", WebhookStatus),
        CheckConstraint("cardinality(events) <= 50", name="events"),
        CheckConstraint("cardinality(inbox_ids) <= 1000", name="inbox_ids"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    url: Mapped[str]
    secrets_sealed: Mapped[bytes]
    secrets_key_id: Mapped[str]
    previous_until: Mapped[dt.datetime | None]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    inbox_ids: Mapped[list[uuid.UUID] | None] = mapped_column(ARRAY(Uuid))
    status: Mapped[str] = mapped_column(server_default="active")
    disabled_reason: Mapped[str | None]
    failure_count: Mapped[int] = mapped_column(server_default="0")
    failing_since: Mapped[dt.datetime | None]
    next_attempt_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]
    last_success_at: Mapped[dt.datetime | None]
    last_failure_at: Mapped[dt.datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class WebhookDelivery(ChildRow, Base):
    """One thing that one endpoint is told: its id is the `webhook-id`, the same at every attempt. `cause` names what brought it
    about, so that it is written once; `payload` holds ids, statuses and counts. `attempted_at` is the fence of an attempt's result.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        own("webhook_endpoints", "endpoint_id"),
        UniqueConstraint("tenant_id", "endpoint_id", "cause"),
        one_of("status", WebhookDeliveryStatus),
        Index(
            "ix_webhook_deliveries_pending", "tenant_id", "endpoint_id", "id", postgresql_where=text("status = 'pending'")
        ),
        Index("ix_webhook_deliveries_list", "tenant_id", "endpoint_id", text("id desc")),
        Index("ix_webhook_deliveries_event", "tenant_id", "event_id"),
        Index(None, "created_at"),
    )

    id: Mapped[Id]
    endpoint_id: Mapped[uuid.UUID]
    event_id: Mapped[int | None]
    event_type: Mapped[str]
    cause: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    response_status: Mapped[int | None]
    error: Mapped[str | None]
    duration_ms: Mapped[int | None]
    attempted_at: Mapped[dt.datetime | None]
    created_at: Mapped[CreatedAt]
