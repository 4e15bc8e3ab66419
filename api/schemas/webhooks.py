"""Webhooks out: the endpoints that are told, and what each was told."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import Answer, Asked, Instant, Name, PageQuery
from rules.webhooks import EVENTS, LONGEST_URL

WebhookStatus = Literal["active", "warning", "disabled"]
DeliveryStatus = Literal["pending", "delivered", "failed"]


def _known(values: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(values) - set(EVENTS))
    if unknown:
        raise ValueError(f"holds types that no endpoint is told; choose among {', '.join(EVENTS)}")
    return tuple(dict.fromkeys(values))


Events = Annotated[tuple[str, ...], Field(max_length=50), AfterValidator(_known)]
Inboxes = Annotated[list[uuid.UUID], Field(min_length=1, max_length=1000)]
Url = Annotated[str, Field(max_length=LONGEST_URL)]


class NewWebhook(Asked):
    """`events` of the log that are told without a rule; of `inbox_ids` null is all. A rule names the endpoint whatever stands here."""

    name: Name
    url: Url
    events: Events = ()
    inbox_ids: Inboxes | None = None


class ChangeWebhook(Asked):
    """What is left out stays. `status` switches it on or off; switched on, what waits goes out."""

    name: Name | None = None
    url: Url | None = None
    events: Events | None = None
    inbox_ids: Inboxes | None = None
    status: Literal["active", "disabled"] | None = None


class Webhook(Answer):
    """`disabled_reason` is `person`, `gone`, `failing` or `blocked`. `waiting` counts to 1,000. `next_attempt_at`: it failed and is asked
    again then. `previous_until`: the secret before the last rotation signs as well until then.
    """

    id: str
    name: str
    url: str
    events: list[str]
    inbox_ids: list[str] | None
    status: WebhookStatus
    disabled_reason: str | None
    failure_count: int
    failing_since: Instant | None
    next_attempt_at: Instant | None
    last_error: str | None
    last_success_at: Instant | None
    last_failure_at: Instant | None
    previous_until: Instant | None
    waiting: int
    created_at: Instant


class MadeWebhook(Webhook):
    """`secret` is told this once."""

    secret: str


class WebhookDelivery(Answer):
    """`id` is the `webhook-id`. `duration_ms` stands beside a `response_status` only."""

    id: str
    event_id: int | None
    event_type: str
    payload: dict[str, Any]
    status: DeliveryStatus
    attempts: int
    response_status: int | None
    error: str | None
    duration_ms: int | None
    attempted_at: Instant | None
    created_at: Instant


class DeliveryQuery(PageQuery):
    status: DeliveryStatus | None = None
