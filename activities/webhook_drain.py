"""Tells an endpoint what waits for it: each attempt is counted in a transaction before the POST and settled in one after it.

If it dies between the two, the receiver may have been told; it is told again under the same id. Run twice or late, two
attempts take deliveries one after the other, and the result of one that another has taken since is not written.
"""

import datetime as dt
import json
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from temporalio import activity

from activities._edges import edges
from activities.heartbeat import heartbeats
from contracts.webhooks import WebhookRef, WebhookReport, WebhookSteps
from providers.webhook_post import Posted, WebhookPost
from rules.webhooks import signature, standing, wait_after
from store.sealing import CredentialsUnreadable, Sealer
from store.unit_of_work import Database
from store.webhook_deliveries import Result, Taken, settle, take_next
from store.webhook_endpoints import opened

BATCH = 20
BATCH_SECONDS = 60.0
GONE = 410  # RFC 9110 §15.5.11: likely permanent; Standard Webhooks asks senders to stop
FOR_GOOD = {"gone", "blocked"}


class WebhookDraining(WebhookSteps):
    """`poster` makes the connection of one batch; `public_url` begins the links to the API. `clock` gives aware instants."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        poster: Callable[[], AbstractAsyncContextManager[WebhookPost]],
        *,
        public_url: str,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._poster = poster
        self._links = f"{public_url.rstrip('/')}/v1"
        self._clock = clock

    @activity.defn(name="webhook.drain")
    async def drain(self, ref: WebhookRef) -> WebhookReport:
        with edges():
            async with heartbeats(), self._poster() as door:
                return await self._batch(uuid.UUID(ref.tenant_id), uuid.UUID(ref.endpoint_id), door)

    async def _batch(self, tenant_id: uuid.UUID, endpoint_id: uuid.UUID, door: WebhookPost) -> WebhookReport:
        delivered = failed = 0
        ends = time.monotonic() + BATCH_SECONDS
        while delivered + failed < BATCH and time.monotonic() < ends:
            async with self._database.unit_of_work(tenant_id) as connection:
                look = await take_next(connection, tenant_id, endpoint_id, now=self._clock())
            if look.taken is None:
                return WebhookReport(delivered, failed, look.wait_seconds)
            posted = await self._post(tenant_id, look.taken, door)
            now = self._clock()
            result = judged(look.taken, posted, now)
            async with self._database.unit_of_work(tenant_id) as connection:
                await settle(connection, tenant_id, look.taken, result, now=now)
            delivered, failed = delivered + (result.error is None), failed + (result.error is not None)
        return WebhookReport(delivered, failed, 0.0)

    async def _post(self, tenant_id: uuid.UUID, taken: Taken, door: WebhookPost) -> Posted:
        """`webhook-timestamp` is that of the attempt, so that receivers can refuse old ones; the body stays the same."""
        try:
            secret, previous = opened(
                self._sealer, tenant_id, taken.endpoint_id, taken.secrets_sealed, taken.secrets_key_id
            )
        except CredentialsUnreadable:
            return Posted(error="secret_unreadable")
        signing = [secret]
        if previous is not None and taken.previous_until is not None and taken.taken_at < taken.previous_until:
            signing.append(previous)
        body, stamp = self._body(taken), int(taken.taken_at.timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "Mailroom-Webhooks/1",
            "webhook-id": str(taken.id),
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature(signing, str(taken.id), stamp, body),
        }
        return await door.post(taken.url, body, headers)

    def _body(self, taken: Taken) -> bytes:
        data = dict(taken.payload)
        conversation = data.get("conversation_id") or (data.get("conversation") or {}).get("id")
        paths = {"conversation": ("conversations", conversation), "message": ("messages", data.get("message_id"))}
        data["links"] = {name: f"{self._links}/{room}/{row}" for name, (room, row) in paths.items() if row}
        at = taken.created_at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        told = {"type": taken.event_type, "timestamp": at, "data": data}
        return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def judged(taken: Taken, posted: Posted, now: dt.datetime) -> Result:
    """What an attempt means for the delivery and for its endpoint. Where the endpoint is given up, the delivery waits for the day
    on which a person switches it on again.
    """
    error = posted.error if posted.status is None else _error(posted.status)
    if error is None:
        return Result("delivered", posted.status, None, posted.milliseconds)
    wait, state = wait_after(taken.attempt), standing(taken.failing_since or now, now)
    reason = "failing" if state == "disabled" else None
    if error in FOR_GOOD:
        return Result("pending", posted.status, error, posted.milliseconds, "disabled", error)
    later = None if wait is None or state == "disabled" else now + wait
    status = "failed" if wait is None else "pending"
    return Result(status, posted.status, error, posted.milliseconds, state, reason, later)


def _error(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if status == GONE:
        return "gone"
    if 300 <= status < 400:
        return "redirect"
    return "refused" if status < 500 else "server_error"
