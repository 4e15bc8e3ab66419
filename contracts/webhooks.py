"""Webhooks out: what an endpoint is told is read from its rows and sent in their order. Ids and counts cross the wire."""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class WebhookRef:
    tenant_id: str
    endpoint_id: str


@dataclass(frozen=True, slots=True)
class WebhookReport:
    """`wait_seconds` until there is something to do: 0 at once, None while nothing waits or nothing may be sent."""

    delivered: int = 0
    failed: int = 0
    wait_seconds: float | None = None


class WebhookSteps:
    """Signature of the webhook activity; `activities/webhook_drain.py` overrides it."""

    @activity.defn(name="webhook.drain")
    async def drain(self, ref: WebhookRef) -> WebhookReport:
        """Make the deliveries that wait, a small batch in their order, until one fails."""
        raise NotImplementedError
