"""Message-IDs that prove their own origin: `<{send id}.{ticket number}.{signature}@{domain}>`. A reply that cites one
belongs to that ticket of that tenant, whatever its subject says; nobody without the secret can make one up.
"""

import base64
import hashlib
import hmac
import re
import uuid

from mail.message_ids import valid_message_id

_PURPOSE = b"mailroom reply token v1"
# 26 base32 characters are 130 bits of the MAC. Lower case throughout: some relays lower-case what they pass on.
_OURS = re.compile(r"<([0-9a-f]{32})\.([1-9]\d{0,17})\.([a-z2-7]{26})@[^<>@\s]+>")
_TOKEN_CHARACTERS = 26


def make_message_id(send_id: str, number: int, tenant: str, domain: str, secret: bytes) -> str:
    """The Message-ID of one send. Deterministic: the same send gets the same id, however often it is asked.

    `send_id` is a UUID in any spelling, `number` the ticket number (1 or greater), `domain` ASCII (punycode). Raises
    ValueError naming the field when one of them cannot make a valid id.
    """
    try:
        send = uuid.UUID(send_id).hex
    except ValueError as wrong:
        raise ValueError("send_id: must be a UUID") from wrong
    if not 1 <= number < 10**18:
        raise ValueError("number: a ticket number is 1 or greater")
    if not secret:
        raise ValueError("secret: is empty; set the key that signs reply tokens")
    message_id = f"<{send}.{number}.{_token(send, number, tenant, secret)}@{domain.lower()}>"
    if not valid_message_id(message_id) or _OURS.fullmatch(message_id) is None:
        raise ValueError("domain: must be a short ASCII domain name; convert international names to punycode")
    return message_id


def read_token(message_id: str, tenant: str, secret: bytes) -> int | None:
    """The ticket number in a Message-ID of ours, None for anybody else's. Compares in constant time.

    The domain is not signed: relays rewrite it, and an inbox may change its own.
    """
    found = _OURS.fullmatch(message_id.strip().lower())
    if found is None or not secret:
        return None
    send, digits, token = found.groups()
    number = int(digits)
    return number if hmac.compare_digest(token, _token(send, number, tenant, secret)) else None


def _token(send: str, number: int, tenant: str, secret: bytes) -> str:
    # Lengths in front keep the fields apart: ("a", "bc") and ("ab", "c") must not sign alike.
    fields = (_PURPOSE, tenant.encode(), str(number).encode(), send.encode())
    signed = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    mac = hmac.new(secret, signed, hashlib.sha256).digest()
    return base64.b32encode(mac).decode().lower()[:_TOKEN_CHARACTERS]
