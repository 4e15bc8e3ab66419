"""What SES publishes: event publishing (`eventType`), identity notifications (`notificationType`) and receipt notifications,
in the forms that AWS documents ("Event data", "Notification contents", "Contents of notifications for email receiving").
"""

import datetime as dt
import uuid
from typing import Any

from tests.servers.sns import REGION

SENT = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)
ACCOUNT = "123456789012"


def ses_id() -> str:
    """An id as SES gives it to a mail."""
    return f"0100017e{uuid.uuid4().hex[:8]}-{uuid.uuid4()}-000000"


def instant(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def event(
    kind: str,
    message: str,
    *to: str,
    send_id: str | None = None,
    at: dt.datetime = SENT,
    style: str = "eventType",
    named: tuple[str, ...] | None = None,
    **details: Any,
) -> dict[str, Any]:
    """An event of `kind` about the mail `message` (SES's id) to `to`. `named` are the recipients that the event is about,
    all by default; `details` go into the event's own object.

    `style` notificationType is what an identity tells without a configuration set: Bounce, Complaint and Delivery only, without
    tags, and without the mail's headers as long as the identity is not told to include them.
    """
    if style == "notificationType" and kind not in {"Bounce", "Complaint", "Delivery"}:
        raise ValueError(f"SES publishes no {kind} without a configuration set")
    mail: dict[str, Any] = {
        "timestamp": instant(SENT),
        "source": "desk@example.org",
        "sourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/example.org",
        "sendingAccountId": ACCOUNT,
        "messageId": message,
        "destination": list(to),
        "headersTruncated": False,
        "headers": [{"name": "From", "value": "desk@example.org"}, {"name": "MIME-Version", "value": "1.0"}],
        "commonHeaders": {"from": ["desk@example.org"], "to": list(to), "messageId": message, "subject": "Re: Printer"},
        "tags": {
            "ses:operation": ["SendEmail"], "ses:configuration-set": ["mailroom"], "ses:source-ip": ["192.0.2.1"],
            "ses:from-domain": ["example.org"], "ses:caller-identity": ["mailroom"],
        },
    }  # fmt: skip
    if send_id is not None:
        mail["tags"]["send_id"] = [send_id]
    own = _own(kind, list(to if named is None else named), instant(at), details)
    if style == "notificationType":
        for name in ("tags", "headersTruncated", "headers", "commonHeaders"):
            del mail[name]
        mail |= {"sourceIp": "192.0.2.1", "callerIdentity": "mailroom"}
        if kind != "Complaint":
            own[kind.lower()].setdefault("remoteMtaIp", "192.0.2.3")
    return {style: kind, "mail": mail} | own


def _own(kind: str, people: list[str], at: str, details: dict[str, Any]) -> dict[str, Any]:
    feedback = f"0100017e-{uuid.uuid4()}-000000"
    match kind:
        case "Send":
            return {"send": details}
        case "Delivery":
            body = {"timestamp": at, "processingTimeMillis": 546, "recipients": people, "smtpResponse": "250 2.6.0 Message received", "reportingMTA": "a8-70.smtp-out.amazonses.com"}
            return {"delivery": body | details}
        case "Bounce":
            status = details.pop("status", "5.1.1")
            gone = [{"emailAddress": p, "action": "failed", "status": status, "diagnosticCode": f"smtp; 550 {status} user unknown"} for p in people]
            body = {"feedbackId": feedback, "bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": gone, "timestamp": at, "reportingMTA": "dsn; a8-96.smtp-out.amazonses.com"}
            return {"bounce": body | details}
        case "Complaint":
            body = {"feedbackId": feedback, "complaintSubType": None, "complainedRecipients": [{"emailAddress": p} for p in people], "timestamp": at, "userAgent": "Yahoo!-Mail-Feedback/2.0", "complaintFeedbackType": "abuse", "arrivalDate": at}
            return {"complaint": body | details}
        case "Open":
            return {"open": {"ipAddress": "192.0.2.2", "timestamp": at, "userAgent": "Mozilla/5.0"} | details}
        case "Click":
            body = {"ipAddress": "192.0.2.2", "timestamp": at, "userAgent": "Mozilla/5.0", "link": "https://docs.example.com/", "linkTags": {"samplekey0": ["samplevalue0"]}}
            return {"click": body | details}
        case "Reject":
            return {"reject": {"reason": "Bad content"} | details}
        case "Rendering Failure":
            return {"failure": {"errorMessage": "Attribute 'name' is not present in the rendering data.", "templateName": "letter"} | details}
        case "Subscription":
            wanted, before = ([{"topicName": "news", "subscriptionStatus": word}] for word in ("OptOut", "OptIn"))
            body = {
                "contactList": "readers", "timestamp": at, "source": "UnsubscribeHeader",
                "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": wanted},
                "oldTopicPreferences": {"unsubscribeAll": False, "topicSubscriptionStatus": before},
            }  # fmt: skip
            return {"subscription": body | details}
        case "DeliveryDelay":
            late = [{"emailAddress": p, "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host"} for p in people]
            return {"deliveryDelay": {"timestamp": at, "delayType": "TransientCommunicationFailure", "expirationTime": at, "delayedRecipients": late} | details}
        case _:
            raise ValueError(f"SES has no event {kind}")


def receipt(message: str, *to: str, bucket: str = "inbound", key: str | None = None, at: dt.datetime = SENT) -> dict[str, Any]:
    """A receipt notification of an S3 action: the mail lies in the bucket under `key`."""
    passed = {"status": "PASS"}
    return {
        "notificationType": "Received",
        "receipt": {
            "timestamp": instant(at),
            "processingTimeMillis": 574,
            "recipients": list(to),
            "spamVerdict": passed,
            "virusVerdict": passed,
            "spfVerdict": passed,
            "dkimVerdict": passed,
            "dmarcVerdict": passed,
            "action": {"type": "S3", "topicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:ses-events", "bucketName": bucket, "objectKeyPrefix": "in/", "objectKey": key or f"in/{message}"},
        },
        "mail": {
            "timestamp": instant(SENT),
            "source": "carla@customer.example.com",
            "messageId": message,
            "destination": list(to),
            "headersTruncated": False,
            "headers": [],
            "commonHeaders": {"returnPath": "carla@customer.example.com", "from": ["Carla <carla@customer.example.com>"], "to": list(to), "subject": "Printer on fire"},
        },
    }
