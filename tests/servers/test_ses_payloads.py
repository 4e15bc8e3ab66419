"""What we let SES publish has the fields that AWS documents: "Contents of event data that Amazon SES publishes to Amazon SNS", "Amazon SNS
notification contents for Amazon SES" and "Contents of notifications for Amazon SES email receiving". The names are copied from there by
hand, required ones first; a name that no page knows fails.
"""

from typing import Any

import pytest

from tests.servers.ses_payloads import event, receipt, ses_id

ANN = "ann@customer.example.com"
MAIL = {"timestamp", "messageId", "source", "sourceArn", "sendingAccountId", "destination"}
WITH_HEADERS = {"headersTruncated", "headers", "commonHeaders"}

# of each event: its object's name, the fields that are always there, those that may be
DOCUMENTED: dict[str, tuple[str, set[str], set[str]]] = {
    "Bounce": ("bounce", {"bounceType", "bounceSubType", "bouncedRecipients", "timestamp", "feedbackId"}, {"reportingMTA", "remoteMtaIp"}),
    "Complaint": ("complaint", {"complainedRecipients", "timestamp", "feedbackId", "complaintSubType"}, {"userAgent", "complaintFeedbackType", "arrivalDate"}),
    "Delivery": ("delivery", {"timestamp", "processingTimeMillis", "recipients", "smtpResponse", "reportingMTA"}, {"remoteMtaIp"}),
    "Send": ("send", set(), set()),
    "Reject": ("reject", {"reason"}, set()),
    "Open": ("open", {"ipAddress", "timestamp", "userAgent"}, set()),
    "Click": ("click", {"ipAddress", "timestamp", "userAgent", "link", "linkTags"}, set()),
    "Rendering Failure": ("failure", {"templateName", "errorMessage"}, set()),
    "DeliveryDelay": ("deliveryDelay", {"delayType", "delayedRecipients", "expirationTime", "timestamp"}, {"reportingMTA"}),
    "Subscription": ("subscription", {"contactList", "timestamp", "source", "newTopicPreferences", "oldTopicPreferences"}, set()),
}
RECIPIENTS: dict[str, tuple[str, set[str]]] = {
    "Bounce": ("bouncedRecipients", {"emailAddress", "action", "status", "diagnosticCode"}),
    "Complaint": ("complainedRecipients", {"emailAddress"}),
    "DeliveryDelay": ("delayedRecipients", {"emailAddress", "status", "diagnosticCode"}),
}


def checked(given: dict[str, Any], always: set[str], sometimes: set[str]) -> None:
    assert always <= set(given), f"missing: {always - set(given)}"
    assert set(given) <= always | sometimes, f"not documented: {set(given) - always - sometimes}"


@pytest.mark.parametrize("kind", list(DOCUMENTED))
def test_event_publishing(kind: str) -> None:
    name, always, sometimes = DOCUMENTED[kind]
    told = event(kind, ses_id(), ANN, send_id="s-1")
    assert set(told) == {"eventType", "mail", name}
    checked(told["mail"], MAIL | WITH_HEADERS | {"tags"}, set())
    assert all(isinstance(values, list) for values in told["mail"]["tags"].values())
    checked(told[name], always, sometimes)
    if kind in RECIPIENTS:
        people, fields = RECIPIENTS[kind]
        for one in told[name][people]:
            checked(one, {"emailAddress"}, fields)


@pytest.mark.parametrize("kind", ["Bounce", "Complaint", "Delivery"])
def test_notifications_of_an_identity(kind: str) -> None:
    name, always, sometimes = DOCUMENTED[kind]
    told = event(kind, ses_id(), ANN, send_id="s-1", style="notificationType")
    assert set(told) == {"notificationType", "mail", name}
    checked(told["mail"], MAIL | {"sourceIp", "callerIdentity"}, set())
    checked(told[name], always, sometimes)


def test_an_identity_publishes_nothing_else() -> None:
    with pytest.raises(ValueError, match="configuration set"):
        event("Open", ses_id(), ANN, style="notificationType")


def test_the_notice_of_a_mail_in_the_bucket() -> None:
    told = receipt(ses_id(), ANN)
    assert set(told) == {"notificationType", "receipt", "mail"}
    verdicts = {"spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict"}
    checked(told["receipt"], {"action", "processingTimeMillis", "recipients", "timestamp"} | verdicts, {"dmarcPolicy"})
    # The page's S3 action has no prefix; SES writes it all the same.
    checked(told["receipt"]["action"], {"type", "topicArn", "bucketName", "objectKey"}, {"objectKeyPrefix"})
    checked(told["mail"], {"destination", "messageId", "source", "timestamp"} | WITH_HEADERS, set())
    common = {"returnPath", "from", "to", "cc", "bcc", "replyTo", "sender", "messageId", "date", "subject"}
    checked(told["mail"]["commonHeaders"], {"from", "to", "subject"}, common)
