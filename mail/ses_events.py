"""What Amazon SES publishes about a mail that was sent through it, as values: event publishing (`eventType`) and identity
notifications (`notificationType`) alike (AWS "Event data"). Bytes in, values out; what SES does not write is None.
"""

import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mail.status_codes import bounce_class, is_vague, settle_status
from mail.values import BounceClass

MOST_RECIPIENTS = 100
LONGEST_DIAGNOSTIC = 500
SEND_TAG = "send_id"
SEND_HEADER = "x-mailroom-send-id"
SES_ID = re.compile(r"[A-Za-z0-9._-]{10,120}")
REGION = re.compile(r"arn:[a-z-]+:ses:([a-z0-9-]{1,30}):")
# AWS's own list of dead addresses and its word for a mailbox that does not exist.
DEAD = frozenset({"NoEmail", "Suppressed", "OnAccountSuppressionList"})
ABOUT_THE_MAIL = frozenset({"ContentRejected", "AttachmentRejected", "MessageTooLarge"})


class SesKind(StrEnum):
    """The events that say something of a mail's fate."""

    SEND = "Send"
    DELIVERY = "Delivery"
    BOUNCE = "Bounce"
    COMPLAINT = "Complaint"
    REJECT = "Reject"
    DELAY = "DeliveryDelay"
    OPEN = "Open"
    CLICK = "Click"


@dataclass(frozen=True, slots=True)
class SesRecipient:
    """One that the event is about; "" where SES does not say whom of several it means. `status` is x.y.z (RFC 3463)."""

    address: str
    status: str = ""
    bounce: BounceClass | None = None
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class SesEvent:
    """`key` is the same whenever SES tells the same event again, over whatever topic. `send_ids` are what the mail itself
    carried of ours, as tag or header; `ses_id` is the id that SES gave it; `region` where it was sent, where SES says so.
    """

    kind: SesKind
    key: str
    ses_id: str
    send_ids: tuple[str, ...]
    region: str | None
    at: dt.datetime | None
    recipients: tuple[SesRecipient, ...]
    detail: str = ""


def read_ses_event(body: str) -> SesEvent | None:
    """The event in an SNS message's text, or None: a text for people, an event of another kind, a receipt."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    mail, word = given.get("mail"), given.get("eventType") or given.get("notificationType")
    if not isinstance(mail, dict) or not isinstance(word, str):
        return None
    # A mail whose template could not be filled was never made: the same end as one that was refused.
    word = "Reject" if word == "Rendering Failure" else word
    ses_id = mail.get("messageId")
    if word not in list(SesKind) or not isinstance(ses_id, str) or SES_ID.fullmatch(ses_id) is None:
        return None
    kind = SesKind(word)
    told = _object(given.get(kind.value[0].lower() + kind.value[1:]))
    recipients, detail = _told(kind, told, mail)
    found = REGION.match(_text(mail.get("sourceArn")))
    return SesEvent(
        kind=kind,
        key=f"ses:{ses_id}:{kind.value}{_which(kind, told)}",
        ses_id=ses_id,
        send_ids=_send_ids(mail),
        region=found.group(1) if found else None,
        at=_instant(told.get("timestamp")) or _instant(mail.get("timestamp")),
        recipients=recipients,
        detail=detail,
    )


def _told(kind: SesKind, told: dict[str, Any], mail: dict[str, Any]) -> tuple[tuple[SesRecipient, ...], str]:
    match kind:
        case SesKind.DELIVERY:
            return _all(told.get("recipients")), ""
        case SesKind.BOUNCE:
            words = f"{_text(told.get('bounceType'))} {_text(told.get('bounceSubType'))}"
            return tuple(_bounced(r, told) for r in _people(told.get("bouncedRecipients"))), words.strip()
        case SesKind.DELAY:
            late = [SesRecipient(_address(r), _status(r, "delayed"), None, _diagnostic(r)) for r in _people(told.get("delayedRecipients"))]
            return tuple(late), _text(told.get("delayType"))
        case SesKind.COMPLAINT:
            # SES lists everybody of that provider who *may* have complained; only a single one is surely meant.
            people = tuple(SesRecipient(_address(r)) for r in _people(told.get("complainedRecipients")))
            return (people if len(people) == 1 else (SesRecipient(""),)), _text(told.get("complaintFeedbackType")) or "abuse"
        case SesKind.OPEN | SesKind.CLICK:
            everybody = _all(mail.get("destination"))
            return (everybody if len(everybody) == 1 else (SesRecipient(""),)), ""
        case _:
            return _all(mail.get("destination")), _text(told.get("reason"))


def _bounced(recipient: dict[str, Any], bounce: dict[str, Any]) -> SesRecipient:
    diagnostic, stated = _diagnostic(recipient), _status(recipient, "failed")
    subtype = bounce.get("bounceSubType")
    judged = bounce_class(stated, diagnostic, action="failed")
    if bounce.get("bounceType") == "Permanent":
        if subtype in DEAD or is_vague(stated):
            judged = BounceClass.HARD
    else:
        # Transient and Undetermined: final for this mail, and no word against the address. Absence notes come so too.
        judged = BounceClass.POLICY if subtype in ABOUT_THE_MAIL else BounceClass.SOFT
    return SesRecipient(_address(recipient), stated, judged, diagnostic)


def _status(recipient: dict[str, Any], action: str) -> str:
    return settle_status(_text(recipient.get("status")), _diagnostic(recipient), action=action)


def _diagnostic(recipient: dict[str, Any]) -> str:
    return _text(recipient.get("diagnosticCode")).removeprefix("smtp;").strip()[:LONGEST_DIAGNOSTIC]


def _which(kind: SesKind, told: dict[str, Any]) -> str:
    """What tells two events of one kind about one mail apart."""
    if kind in {SesKind.BOUNCE, SesKind.COMPLAINT}:
        return f":{_text(told.get('feedbackId'))[:100]}"
    if kind in {SesKind.OPEN, SesKind.CLICK, SesKind.DELAY}:
        link = _text(told.get("link"))
        digest = hashlib.sha256(link.encode("utf-8", "replace")).hexdigest()[:12] if link else ""
        return f":{_text(told.get('timestamp'))[:40]}{digest}"
    return ""


def _send_ids(mail: dict[str, Any]) -> tuple[str, ...]:
    tags = _object(mail.get("tags")).get(SEND_TAG)
    found = [t for t in tags if isinstance(t, str)] if isinstance(tags, list) else []
    headers = [h for h in mail["headers"] if isinstance(h, dict)] if isinstance(mail.get("headers"), list) else []
    found += [_text(h.get("value")).strip() for h in headers if _text(h.get("name")).lower() == SEND_HEADER]
    return tuple(dict.fromkeys(found))[:5]


def _all(value: Any) -> tuple[SesRecipient, ...]:
    given = [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
    return tuple(SesRecipient(v.strip().strip("<>")) for v in given[:MOST_RECIPIENTS] if "@" in v)


def _people(value: Any) -> list[dict[str, Any]]:
    given = [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
    return [v for v in given[:MOST_RECIPIENTS] if "@" in _address(v)]


def _address(recipient: dict[str, Any]) -> str:
    return _text(recipient.get("emailAddress")).strip().strip("<>")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A text that PostgreSQL can hold."""
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _instant(value: Any) -> dt.datetime | None:
    try:
        at = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
