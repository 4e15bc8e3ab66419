"""What SES tells of mail that it received: the notice of a receipt rule's S3 action, and what stands above the stored mail itself.

Bytes in, values out. The notice names the envelope's recipients; where it was lost, SES's own `Received` line names one of them
and the mail's header fields the others that are told to everybody.
"""

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any

from mail.addresses import parse_addresses
from mail.headers import split_headers
from mail.limits import Limits, TooComplex

MOST_RECIPIENTS = 100
LONGEST_ID = 1_200  # S3: 63 octets of bucket, 1,024 of key
SETUP_NOTICE = "AMAZON_SES_SETUP_NOTIFICATION"  # SES writes this object when a rule is made
FOR_WHOM = re.compile(r"\bby inbound-smtp\.[a-z0-9.-]+\.amazonaws\.com\b.*?\bfor <?([^\s<>;]+@[^\s<>;]+?)>?\s*;", re.DOTALL)
NAMING = ("delivered-to", "x-original-to", "to", "cc")


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail that lies at `bucket`/`key`, for `recipients` as the envelope named them."""

    bucket: str
    key: str
    recipients: tuple[str, ...]
    received_at: dt.datetime | None

    @property
    def object_id(self) -> str:
        return f"{self.bucket}/{self.key}"


def read_receipt(body: str) -> StoredMail | None:
    """The mail that an SNS message's text tells of, or None: another notice, another action than S3, or a form that is not SES's."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict) or given.get("notificationType") != "Received":
        return None
    receipt = _object(given.get("receipt"))
    action = _object(receipt.get("action"))
    bucket, key = action.get("bucketName"), action.get("objectKey")
    if action.get("type") != "S3" or not isinstance(bucket, str) or not isinstance(key, str):
        return None
    if not bucket or not key or "/" in bucket or len(bucket) + len(key) > LONGEST_ID or "\0" in bucket + key:
        return None
    named = receipt.get("recipients")
    recipients = [r for r in named if isinstance(r, str)] if isinstance(named, list) else []
    return StoredMail(bucket, key, _addresses(recipients), _instant(receipt.get("timestamp")))


def recipients_told(head: bytes) -> tuple[str, ...]:
    """Whom a stored mail was for, from its first octets: SES's own `Received` line, and the fields that name recipients. Forged
    fields may name too many, never fewer than SES's own line.
    """
    end = len(head)
    try:
        fields, _, _ = split_headers(head, 0, end, Limits(), root=True)
    except TooComplex:
        return ()
    found: list[str] = []
    for name, value in fields:
        if name.lower() == "received":
            whom = FOR_WHOM.search(value.decode("ascii", "replace"))
            if whom is not None:
                found.append(whom.group(1))
            break  # the topmost is SES's; what stands below it others may have written
    for name, value in fields:
        if name.lower() in NAMING:
            text = value.decode("utf-8", "replace")
            found += [a.address for a in parse_addresses(text, MOST_RECIPIENTS) if a.address]
    return _addresses(found)


def _addresses(given: list[str]) -> tuple[str, ...]:
    kept = (r.strip().lower().replace("\0", "") for r in given if 3 <= len(r) <= 320 and "@" in r)
    return tuple(dict.fromkeys(kept))[:MOST_RECIPIENTS]


def _object(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _instant(given: Any) -> dt.datetime | None:
    try:
        at = dt.datetime.fromisoformat(given)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None
