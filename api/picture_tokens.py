"""Signed addresses of pictures for the frame of a mail. The frame has an opaque origin, so no cookie reaches us from it:
the signature is what says that somebody who may see the mail was given this address a little while ago.
"""

import base64
import binascii
import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass

STEP = 900  # seconds; an address is good for one to two of them, and the same within one, so that browsers may keep it
TAG_BYTES = 24


@dataclass(frozen=True, slots=True)
class Picture:
    """What a token names: an attachment of this tenant, or a picture from elsewhere by its address."""

    tenant_id: uuid.UUID
    attachment_id: uuid.UUID | None = None
    url: str | None = None


class PictureTokens:
    """Makes and reads them. `now` is in epoch seconds."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, b"pictures of mails", hashlib.sha256).digest()

    def of_attachment(
        self, tenant_id: uuid.UUID, attachment_id: uuid.UUID, *, now: float | None = None
    ) -> str:
        return self._sign(b"a", tenant_id, attachment_id.bytes, now)

    def of_url(self, tenant_id: uuid.UUID, url: str, *, now: float | None = None) -> str:
        return self._sign(b"u", tenant_id, url.encode(), now)

    def read(self, token: str, *, now: float | None = None) -> Picture | None:
        """What it names, or None when it is malformed, forged or too old."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, tag = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
        if len(body) < 26 or not hmac.compare_digest(tag, self._tag(body)):
            return None
        kind, until, tenant, rest = body[:1], int.from_bytes(body[1:9]), body[9:25], body[25:]
        if until < (time.time() if now is None else now):
            return None
        tenant_id = uuid.UUID(bytes=tenant)
        if kind == b"a" and len(rest) == 16:
            return Picture(tenant_id, attachment_id=uuid.UUID(bytes=rest))
        return Picture(tenant_id, url=rest.decode()) if kind == b"u" else None

    def _sign(self, kind: bytes, tenant_id: uuid.UUID, rest: bytes, now: float | None) -> str:
        until = (int(time.time() if now is None else now) // STEP + 2) * STEP
        body = kind + until.to_bytes(8) + tenant_id.bytes + rest
        return base64.urlsafe_b64encode(body + self._tag(body)).decode().rstrip("=")

    def _tag(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()[:TAG_BYTES]


def picture_type(head: bytes) -> str | None:
    """The type that the first bytes prove, of the four that are shown; the sender's word is not asked (integrity X-4)."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None
