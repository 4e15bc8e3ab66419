"""Amazon SES notifications that SNS sends to a mailbox: JSON in the body instead of a report (AWS "Notification contents").
Reads bounces; complaints of the same form are read by `mail.complaints`. SNS signatures are for the HTTP route only.
"""

import json
from typing import Any

from mail.status_codes import bounce_class, settle_status
from mail.values import ParsedMail, RecipientReport

_LENIENT = json.JSONDecoder(strict=False)
_LONGEST = 300_000  # SNS messages end at 256 KB


def notification(mail: ParsedMail) -> dict[str, Any] | None:
    """The SES notification in `mail`, or None. Only mails that SNS marked as its own are looked into."""
    if mail.header("x-amz-sns-message-id") is None or len(mail.body_text) > _LONGEST:
        return None
    outer = _object(mail.body_text)
    # The "email-json" protocol wraps the notification in SNS's own object, the "email" protocol sends it bare.
    inner = _object(outer["Message"]) if outer and "Message" in outer else outer
    return inner if inner and isinstance(inner.get("notificationType"), str) else None


def read(mail: ParsedMail) -> tuple[RecipientReport, ...]:
    """The bounced recipients of an SES bounce notification; () for anything else."""
    told = notification(mail)
    bounce = told.get("bounce") if told else None
    if not told or told["notificationType"] != "Bounce" or not isinstance(bounce, dict):
        return ()
    reports = []
    for recipient in _objects(bounce.get("bouncedRecipients")):
        address = str(recipient.get("emailAddress", ""))
        diagnostic = str(recipient.get("diagnosticCode", "")).removeprefix("smtp;").strip()
        # Transient, Permanent and Undetermined are SES's own words; a Transient bounce is final for this mail.
        action = str(recipient.get("action", "failed"))
        temporary = bounce.get("bounceType") == "Transient" and not recipient.get("status")
        status = (
            "4.0.0"
            if temporary
            else settle_status(str(recipient.get("status", "")), diagnostic, action=action)
        )
        judged = bounce_class(status, diagnostic, action=action)
        if "@" in address:
            reports.append(RecipientReport(address, action, status, judged, diagnostic[:1_000]))
    return tuple(reports)


def complained(mail: ParsedMail) -> tuple[tuple[str, ...], str] | None:
    """The recipients and the feedback type of an SES complaint notification, or None."""
    told = notification(mail)
    complaint = told.get("complaint") if told else None
    if not told or told["notificationType"] != "Complaint" or not isinstance(complaint, dict):
        return None
    addresses = [str(r.get("emailAddress", "")) for r in _objects(complaint.get("complainedRecipients"))]
    return tuple(a for a in addresses if "@" in a), str(complaint.get("complaintFeedbackType") or "abuse")


def original_headers(mail: ParsedMail) -> str:
    """The headers of the original mail as SES repeats them, one `Name: value` per line; "" when it does not."""
    told = notification(mail)
    original = told.get("mail") if told else None
    if not isinstance(original, dict):
        return ""
    pairs = [(str(h.get("name", "")), str(h.get("value", ""))) for h in _objects(original.get("headers"))]
    return "\n".join(f"{name}: {' '.join(value.split())}" for name, value in pairs)


def _object(text: Any) -> dict[str, Any] | None:
    try:
        # Not strict: relays break SNS's one long line with raw line ends inside strings. What follows the object is
        # SNS's own footer.
        value = _LENIENT.raw_decode(text.lstrip())[0] if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None  # not JSON: not a notification, and the mail is judged by the other questions
    return value if isinstance(value, dict) else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)][:1_000] if isinstance(value, list) else []
