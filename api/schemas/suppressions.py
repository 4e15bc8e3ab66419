"""Addresses that get no mail: what a list says of them, and how one is named."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Answer, Asked, Instant

SuppressionReason = Literal["bounce", "complaint", "unsubscribe", "manual"]


class Suppression(Answer):
    """`message_id` is the mail that bounced or was complained about; `expires_at` null: until somebody lifts it."""

    address: str
    reason: SuppressionReason
    message_id: str | None
    created_at: Instant
    expires_at: Instant | None


class LiftSuppression(Asked):
    """In the body, so that no log holds the address."""

    address: Annotated[str, Field(min_length=1, max_length=320)]
