"""Whether a call at the push webhook comes from our own Pub/Sub subscription: the OIDC token that Google signs for it.

Anybody with a Google account can make tokens that Google signed, so the audience and the service account's address decide. Keys
are fetched over verified TLS through the egress rule, once for all who wait, and kept for an hour; while Google cannot be asked,
the old ones are believed for some hours more. Running anything here twice repeats a read.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt

from providers.errors import ProtocolBroken, ProviderError, Throttled, Unreachable

GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs"
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
ALGORITHM = "RS256"  # named by us: a token must not choose its own (RFC 8725 §3.1)
LEEWAY_SECONDS = 60  # clocks differ
LONGEST_TOKEN = 8 * 1024
MOST_KEY_OCTETS = 256 * 1024
KEEP_SECONDS = 3600.0
# Google publishes a key days before it signs with it and takes it back after its last token has expired, so keys of some hours
# ago are as good as new; without them an outage of that one address would cost every announcement.
LONGEST_KEPT_SECONDS = 6 * 3600.0
ASK_AGAIN_SECONDS = 60.0  # a forger may name as many unknown keys as he likes
LEAST_KEY_BITS = 2048


class NotOurs(ProviderError):
    """Forged, foreign or expired. The text says which, for the operator's log; the caller is told nothing."""

    reason = "not_ours"
    sentence = "The call does not carry a token of our own push subscription."
    transient = False


class PushTokens:
    """`audience` and `account` (a service account's address) are those of the push subscription; without both nothing is
    believed. `client` goes through the egress rule. `now` gives seconds that only grow.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        audience: str | None,
        account: str | None,
        keys_url: str = GOOGLE_KEYS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._audience = audience
        self._account = account
        self._keys_url = keys_url
        self._now = now
        self._keys: dict[str, Any] = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._fetch: asyncio.Task[ProviderError | None] | None = None

    async def check(self, token: str) -> None:
        """Return where the token is our subscription's. Raises NotOurs; or Unreachable, Throttled and their like when Google's
        keys could not be had, which says nothing about the token.
        """
        if not self._audience or not self._account:
            raise NotOurs("not_configured", "MAILROOM_GOOGLE_PUSH_AUDIENCE and MAILROOM_GOOGLE_PUSH_ACCOUNT are not set.")
        if not token or len(token) > LONGEST_TOKEN:
            raise NotOurs("token_missing", "There is no token, or one longer than any.")
        key = await self._key(_named(token))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=ISSUERS,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "email"], "strict_aud": True},
            )
        except jwt.PyJWTError as error:
            raise NotOurs("token_refused", f"The token is not good ({type(error).__name__}).") from None
        if claims["email"] != self._account or claims.get("email_verified") is not True:
            raise NotOurs("foreign_account", "The token is another account's than MAILROOM_GOOGLE_PUSH_ACCOUNT.")

    async def close(self) -> None:
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.gather(self._fetch, return_exceptions=True)
        await self._client.aclose()

    async def _key(self, name: str) -> Any:
        """The key of that id. Keys are asked for when they are old, or when Google may have a new one; whoever comes meanwhile
        waits for that one answer.
        """
        trouble: ProviderError | None = None
        if self._age() > KEEP_SECONDS or name not in self._keys:
            now = self._now()
            if self._fetch is None and (self._asked_at is None or now - self._asked_at >= ASK_AGAIN_SECONDS):
                self._asked_at = now
                self._fetch = asyncio.create_task(self._renew())
            if self._fetch is not None:
                # Shielded: a caller that goes away does not take the answer from the others.
                trouble = await asyncio.shield(self._fetch)
        if name in self._keys and self._age() <= LONGEST_KEPT_SECONDS:
            return self._keys[name]
        if self._age() > KEEP_SECONDS:
            raise trouble or Throttled("keys_throttled", "Google's keys were asked for less than a minute ago.")
        raise NotOurs("unknown_key", "Google has no such key.")

    def _age(self) -> float:
        return math.inf if self._fetched_at is None else self._now() - self._fetched_at

    async def _renew(self) -> ProviderError | None:
        """Put new keys in the old ones' place, or say why they could not be had."""
        asked_at = self._now()
        try:
            self._keys = await self._fetched()
            self._fetched_at = asked_at
        except ProviderError as error:
            return error
        except httpx.HTTPError:
            return Unreachable("keys_away", "Google's keys cannot be reached just now.")
        finally:
            self._fetch = None
        return None

    async def _fetched(self) -> dict[str, Any]:
        body = b""
        async with self._client.stream("GET", self._keys_url, follow_redirects=False) as answer:
            if answer.status_code != 200:
                raise Unreachable("keys_away", "Google does not give its keys just now.")
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MOST_KEY_OCTETS:
                    raise ProtocolBroken("keys_too_large")
        try:
            keys = jwt.PyJWKSet.from_json(body.decode()).keys
        except (ValueError, TypeError, AttributeError, jwt.PyJWTError):
            raise ProtocolBroken("keys_unreadable") from None
        return {k.key_id: k.key for k in keys if k.key_id and k.key_type == "RSA" and k.key.key_size >= LEAST_KEY_BITS}


def _named(token: str) -> str:
    """The key's id as the token names it. Nothing else of the header is used, and no address in it is ever asked."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise NotOurs("token_malformed", "The token is no JWT.") from None
    name = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(name, str):
        raise NotOurs("token_malformed", "The token is not signed the way Google signs.")
    return name
