"""Subscriptions: Graph tells our address that something changed in a mailbox. They carry no mail and may be lost: polling stays."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from providers.errors import NotThere, Refused
from providers.graph.account import GraphAccount, Request
from providers.graph.endpoint import quoted
from providers.graph.values import moment, text_of
from providers.secret import Secret

# 10,080 minutes is the longest for mail; some minutes less, so that a clock that goes ahead does not ask for too much.
LONGEST = timedelta(minutes=10_080 - 10)
# What older pages of the documentation say, and what some clouds still hold to.
SHORTER = timedelta(minutes=4_230 - 10)
MAX_CLIENT_STATE = 128
_CHANGES = "created,updated,deleted"


class SubscriptionGone(NotThere):
    """The subscription has ended or was removed: make another one, and look at what changed since."""

    reason = "subscription_gone"
    sentence = "Microsoft has ended the notifications for this mailbox. They are asked for again."


@dataclass(frozen=True, slots=True)
class Subscription:
    """`expires_at` is what was granted, which may be less than what was asked for; aware, UTC."""

    id: str
    expires_at: datetime
    notification_url: str = ""


class GraphWatch:
    """Subscriptions of one account to one mailbox."""

    def __init__(self, account: GraphAccount) -> None:
        self._account = account

    async def create(
        self,
        notification_url: str,
        lifecycle_url: str,
        client_state: Secret,
        *,
        folder: str | None = None,
        now: datetime | None = None,
        wanted: timedelta = LONGEST,
    ) -> Subscription:
        """Ask for notices about one folder (its id or well-known name), None for the whole mailbox.

        Before it answers Graph calls both addresses, which must echo `validationToken` within 10 s; the lifecycle address cannot
        be set later. `client_state` comes back with each notice: 128 random bits, at most 128 characters. Dying before the id is
        stored leaves a subscription that ends by itself, and whose notices bear a client state that nobody knows; `ours` finds it.

        Raises Refused (`notification_url_unreachable`, `subscriptions_refused`: poll), else ProviderError.
        """
        if not 0 < len(client_state.reveal()) <= MAX_CLIENT_STATE:
            raise ValueError(
                f"client_state must have 1 to {MAX_CLIENT_STATE} characters; use secrets.token_hex(16)"
            )
        base = self._account.base
        body = {
            "changeType": _CHANGES,
            "notificationUrl": notification_url,
            "lifecycleNotificationUrl": lifecycle_url,
            "resource": f"{base}/mailFolders('{folder}')/messages" if folder else f"{base}/messages",
            "clientState": client_state.reveal(),
            "latestSupportedTlsVersion": "v1_2",
        }
        return await self._granted("POST", "/subscriptions", body, now or datetime.now(UTC), wanted)

    async def renew(
        self, subscription_id: str, *, now: datetime | None = None, wanted: timedelta = LONGEST
    ) -> Subscription:
        """Ask for a later end; this also reauthorizes. Twice is harmless. Raises SubscriptionGone, else ProviderError."""
        target = f"/subscriptions/{quoted(subscription_id)}"
        try:
            return await self._granted("PATCH", target, {}, now or datetime.now(UTC), wanted)
        except NotThere:
            raise SubscriptionGone from None

    async def reauthorize(self, subscription_id: str) -> None:
        """Answer `reauthorizationRequired` without a later end. Twice is harmless. Raises SubscriptionGone, else ProviderError."""
        try:
            await self._account.read(
                Request("POST", f"/subscriptions/{quoted(subscription_id)}/reauthorize", content=b"")
            )
        except NotThere:
            raise SubscriptionGone from None

    async def delete(self, subscription_id: str) -> None:
        """End it; one that is gone already is fine."""
        try:
            await self._account.read(Request("DELETE", f"/subscriptions/{quoted(subscription_id)}"))
        except NotThere:
            return

    async def ours(self, notification_url: str) -> tuple[Subscription, ...]:
        """This app's subscriptions for this sign-in that call `notification_url`, to find those that nobody knows any more."""
        found: list[Subscription] = []
        target: str | None = "/subscriptions"
        while target:
            page = (await self._account.read(Request("GET", target))).json()
            found += [_read(item) for item in page.get("value") or ()]
            after = page.get("@odata.nextLink")
            target = self._account.endpoint.followed(after) if after else None
        return tuple(one for one in found if one.notification_url == notification_url)

    async def _granted(
        self, method: str, target: str, body: dict[str, str], now: datetime, wanted: timedelta
    ) -> Subscription:
        """Ask for `wanted`; where that is refused as such, for what older pages allow."""
        try:
            return await self._asked(method, target, body, now + wanted)
        except Refused as refused:
            if refused.reason != "request_refused" or wanted <= SHORTER:
                raise
        return await self._asked(method, target, body, now + SHORTER)

    async def _asked(self, method: str, target: str, body: dict[str, str], until: datetime) -> Subscription:
        wanted = {**body, "expirationDateTime": until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        # A renewal may be repeated; a creation would make two.
        call = self._account.write if method == "POST" else self._account.read
        return _read((await call(Request(method, target, json=wanted))).json())


def _read(item: dict[str, object]) -> Subscription:
    return Subscription(
        text_of(item, "id"), moment(item.get("expirationDateTime")), str(item.get("notificationUrl") or "")
    )
