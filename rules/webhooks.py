"""Webhooks that leave the house: the signature, when a failed one is tried again, and when an endpoint is given up. Pure.

The signature is that of Standard Webhooks 1.0 (integrity X-41), so that receivers verify it with the libraries they have.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

PREFIX = "whsec_"
SECRET_OCTETS = 32  # Standard Webhooks asks for 24 to 64
PREVIOUS_SIGNS = dt.timedelta(hours=24)  # after a rotation both secrets sign, so that a receiver can change over

# Waits after each failed attempt but the last, about a day in all; the tenth failure is the end (integrity X-41).
WAITS = tuple(dt.timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200))
ATTEMPTS = len(WAITS) + 1
WARN_AFTER = dt.timedelta(hours=1)
DISABLE_AFTER = dt.timedelta(days=5)

LONGEST_URL = 2000
# Types of the event log that an endpoint may ask for. Their payloads hold ids, statuses and counts; what concerns one person
# alone, and what an endpoint's own troubles say, is not among them.
EVENTS = (
    "conversation.created",
    "conversation.updated",
    "conversation.merged",
    "conversation.unmerged",
    "conversation.deleted",
    "message.received",
    "message.sent",
    "message.failed",
    "message.unknown",
    "message.bounced",
    "note.added",
    "sla.warned",
    "sla.breached",
    "inbox.health",
)


class WebhookUrlProblem(ValueError):
    """The address cannot be one of an endpoint. The text is a remedy and does not quote it."""


def check_url(url: str, *, plain_allowed: bool) -> str:
    """The address as it is kept. `plain_allowed`: the operator has listed networks, within which http may do. Raises
    WebhookUrlProblem. Whether the host may be reached is the egress rule's to say, at each connection.
    """
    text = url.strip()
    if not text or len(text) > LONGEST_URL or any(c <= " " or c >= "\x7f" for c in text):
        raise WebhookUrlProblem(f"is an address of at most {LONGEST_URL} plain characters, without spaces")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise WebhookUrlProblem("is no address; write it like https://example.com/hooks") from None
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise WebhookUrlProblem("is no address; write it like https://example.com/hooks")
    if parts.scheme == "http" and not plain_allowed:
        raise WebhookUrlProblem("begins with https://; nothing is sent without encryption")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise WebhookUrlProblem("holds a user name, a password or a fragment; leave it out, the signature proves who sends")
    return text


def make_secret(octets: bytes) -> str:
    """Random octets as the secret that receivers are given."""
    return PREFIX + base64.b64encode(octets).decode()


def signature(secrets: Iterable[str], delivery_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one `v1,…` for each secret, parted by spaces. `timestamp` counts seconds since 1970.
    Raises ValueError for a secret that is none.
    """
    signed = b"%s.%d.%s" % (delivery_id.encode(), timestamp, body)
    made = (hmac.new(_key(secret), signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in made)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret is not base64") from None


def wait_after(attempt: int) -> dt.timedelta | None:
    """How long to wait after that attempt, counted from 1, has failed; None after the last."""
    return WAITS[attempt - 1] if attempt < ATTEMPTS else None


def standing(failing_since: dt.datetime, now: dt.datetime) -> str:
    """The status of an endpoint that has failed since then: active, warning or disabled."""
    failing = now - failing_since
    if failing >= DISABLE_AFTER:
        return "disabled"
    return "warning" if failing >= WARN_AFTER else "active"
