"""Subscriptions of the Graph stand-in: both addresses are asked to echo a token, notices wait until a test lets them go.

The granted expiry may be shorter than what was asked; under 45 minutes is raised to 45.
"""

import html
import secrets
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers.graph_faults import GraphError
from tests.servers.graph_mailbox import GraphMailbox, Item
from tests.servers.graph_oauth import TENANT

MAX_MINUTES = 10_080
MIN_MINUTES = 45
# url, body, content type -> status, content type, body
Post = Callable[[str, bytes, str], tuple[int, str, bytes]]


def post_over_http(url: str, body: bytes, content_type: str) -> tuple[int, str, bytes]:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Content-Type", ""), error.read()


@dataclass(slots=True)
class Subscription:
    id: str
    resource: str
    change_type: str
    notification_url: str
    lifecycle_url: str | None
    client_state: str | None
    expires_at: datetime
    owner: str | None
    mailbox: GraphMailbox
    folder: str | None
    immutable: bool
    reauthorized: int = 0


class Subscriptions:
    """`granted_minutes` is the longest life that is given without a word, `refused_over` the longest that may be asked for."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.post: Post = post_over_http
        self.granted_minutes = MAX_MINUTES
        self.refused_over = MAX_MINUTES
        self.limit = 1000
        self.open: dict[str, Subscription] = {}
        self.waiting: list[tuple[str, dict[str, Any]]] = []
        self._lock = threading.RLock()

    def create(self, body: dict[str, Any], owner: str | None, mailbox: GraphMailbox, folder: str | None, *, immutable: bool) -> dict[str, Any]:
        for name in ("changeType", "notificationUrl", "resource", "expirationDateTime"):
            if not body.get(name):
                raise GraphError(400, "InvalidRequest", f"Property {name} is required.")
        if len(body.get("clientState") or "") > 128:
            raise GraphError(400, "InvalidRequest", "clientState must be at most 128 characters.")
        if sum(one.mailbox is mailbox for one in self.open.values()) >= self.limit:
            raise GraphError(403, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: limit reached]")
        expires = self._granted(body["expirationDateTime"])
        self._validate(body["notificationUrl"])
        if body.get("lifecycleNotificationUrl"):
            self._validate(body["lifecycleNotificationUrl"])
        one = Subscription(
            secrets.token_hex(16), body["resource"], body["changeType"], body["notificationUrl"],
            body.get("lifecycleNotificationUrl"), body.get("clientState"), expires, owner, mailbox, folder, immutable,
        )  # fmt: skip
        with self._lock:
            self.open[one.id] = one
            if self.noticed not in mailbox.listeners:
                mailbox.listeners.append(self.noticed)
        return self.shown(one)

    def _granted(self, text: str) -> datetime:
        asked = datetime.fromisoformat(text)
        now = self.now()
        if asked - now > timedelta(minutes=self.refused_over):
            words = f"Subscription expiration can only be {self.refused_over} minutes in the future."
            raise GraphError(400, "ExtensionError", words)
        longest = now + timedelta(minutes=self.granted_minutes)
        return min(max(asked, now + timedelta(minutes=MIN_MINUTES)), longest)

    def _validate(self, url: str) -> None:
        # Escaped and with a tag inside, so that whoever echoes it undecoded or as HTML is seen.
        token = f"Validation: Testing client application reachability <b>{secrets.token_hex(8)}</b> & more"
        query = urllib.parse.urlencode({"validationToken": token})
        try:
            status, kind, body = self.post(f"{url}{'&' if '?' in url else '?'}{query}", b"", "text/plain; charset=utf-8")
        except OSError:
            status, kind, body = 0, "", b""
        escaped = html.escape(token).encode()
        if status != 200 or not kind.startswith("text/plain") or body.strip() not in (token.encode(), escaped):
            raise GraphError(400, "ValidationError", "Subscription validation request failed. Notification endpoint must respond with 200 OK.")

    def shown(self, one: Subscription) -> dict[str, Any]:
        return {
            "id": one.id, "resource": one.resource, "changeType": one.change_type, "notificationUrl": one.notification_url,
            "lifecycleNotificationUrl": one.lifecycle_url, "clientState": None,  # never told again
            "expirationDateTime": one.expires_at.strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
        }  # fmt: skip

    def find(self, subscription_id: str) -> Subscription:
        with self._lock:
            one = self.open.get(subscription_id)
            if one is not None and one.expires_at <= self.now():
                del self.open[subscription_id]
                one = None
        if one is None:
            raise GraphError(404, "ResourceNotFound", "The object was not found.")
        return one

    def renew(self, subscription_id: str, body: dict[str, Any]) -> dict[str, Any]:
        one = self.find(subscription_id)
        if set(body) - {"expirationDateTime", "notificationUrl"}:
            raise GraphError(400, "InvalidRequest", "Only expirationDateTime and notificationUrl can be changed.")
        one.expires_at = self._granted(body["expirationDateTime"])
        return self.shown(one)

    def reauthorize(self, subscription_id: str) -> None:
        self.find(subscription_id).reauthorized += 1

    def delete(self, subscription_id: str) -> None:
        self.find(subscription_id)
        del self.open[subscription_id]

    # --- notices ----------------------------------------------------------------------------------------------------

    def noticed(self, mailbox: GraphMailbox, item: Item, kind: str) -> None:
        change = "deleted" if kind == "moved" else kind  # a move out of a folder looks like a deletion there
        with self._lock:
            for one in self.open.values():
                if one.mailbox is mailbox and change in one.change_type and one.folder in (None, item.folder):
                    self.waiting.append((one.notification_url, {"value": [self.notice(one, item, change)]}))

    def notice(self, one: Subscription, item: Item, change: str) -> dict[str, Any]:
        mail_id = item.immutable_id if one.immutable else item.rest_id
        return {
            "subscriptionId": one.id, "subscriptionExpirationDateTime": one.expires_at.isoformat(), "changeType": change,
            "resource": f"Users/{one.mailbox.user_id}/Messages/{mail_id}", "clientState": one.client_state, "tenantId": TENANT,
            "resourceData": {
                "@odata.type": "#Microsoft.Graph.Message", "@odata.id": f"Users/{one.mailbox.user_id}/Messages/{mail_id}",
                "@odata.etag": f'W/"{item.change_key}"', "id": mail_id,
            },
        }  # fmt: skip

    def lifecycle(self, subscription_id: str, event: str) -> dict[str, Any]:
        """The body of `reauthorizationRequired`, `subscriptionRemoved` (which removes it) or `missed`; queued to be posted."""
        one = self.find(subscription_id)
        body = {
            "value": [{
                "subscriptionId": one.id, "subscriptionExpirationDateTime": one.expires_at.isoformat(), "tenantId": TENANT,
                "organizationId": TENANT, "clientState": one.client_state, "lifecycleEvent": event,
            }]
        }  # fmt: skip
        if event == "subscriptionRemoved":
            del self.open[subscription_id]
        if one.lifecycle_url:
            self.waiting.append((one.lifecycle_url, body))
        return body

    def flush(self, send: Callable[[str, dict[str, Any]], Any]) -> int:
        """Hand each waiting notice to `send`; dropping, doubling and shuffling are done on `waiting` before."""
        with self._lock:
            going, self.waiting = self.waiting, []
        for url, body in going:
            send(url, body)
        return len(going)
