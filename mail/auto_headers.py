"""RFC 3834 as a sender: the headers that every automatic mail of ours carries, and the signed loop header by which we
know our own mail when it comes back. Whether an automatic mail may be sent at all is asked in `mail.auto_replies`.
"""

import hashlib
import hmac
import re

LOOP_HEADER = "X-Mailroom-Loop"
_PURPOSE = b"mailroom loop header v1\0"
_REFERENCE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_TOKEN = re.compile(r"\s*([0-9A-Za-z_-]{1,64})\.([0-9a-f]{32})\s*")


def auto_response_headers(loop_token: str) -> tuple[tuple[str, str], ...]:
    """The headers of an automatic answer (integrity L-2), for `ComposeRequest.extra_headers`.

    `loop_token` comes from `make_loop_token`. The envelope sender should be `<>` where the route allows it.
    """
    return (
        ("Auto-Submitted", "auto-replied"),  # RFC 3834 §5
        ("X-Auto-Response-Suppress", "All"),  # Exchange does not read Auto-Submitted
        ("Precedence", "auto_reply"),  # the word older vacation programs look for
        (LOOP_HEADER, loop_token),
    )


def notification_headers(loop_token: str) -> tuple[tuple[str, str], ...]:
    """The headers of a mail that answers nobody and tells people of their work: as above, but generated (RFC 3834 §5)."""
    return (
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Precedence", "bulk"),
        (LOOP_HEADER, loop_token),
    )


def make_loop_token(reference: str, secret: bytes) -> str:
    """A token that names `reference` (an opaque id of 1-64 letters, digits, `-`, `_`) and that only we can make.

    Raises ValueError for another reference or an empty secret: an unsigned loop header protects from nothing.
    """
    if not _REFERENCE.fullmatch(reference):
        raise ValueError("reference: must be 1 to 64 letters, digits, '-' or '_'; give the id of the send")
    if not secret:
        raise ValueError("secret: is empty; set the key that signs loop headers")
    return f"{reference}.{_signature(reference, secret)}"


def loop_reference(token: str, secret: bytes) -> str | None:
    """The reference in a loop header when the token is genuine, else None. Compares in constant time."""
    found = _TOKEN.fullmatch(token)
    if found is None or not secret:
        return None
    genuine = hmac.compare_digest(found.group(2), _signature(found.group(1), secret))
    return found.group(1) if genuine else None


def _signature(reference: str, secret: bytes) -> str:
    return hmac.new(secret, _PURPOSE + reference.encode(), hashlib.sha256).hexdigest()[:32]
