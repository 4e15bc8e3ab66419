"""What Amazon SNS posts to an HTTPS endpoint, read strictly, and the octets that its signature covers.

Nothing here is believed yet: that is `sns_door.py`. Hosts are those of AWS only, in the topic's own region (integrity §5.6).
"""

import base64
import binascii
import datetime as dt
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{1,30}):[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9A-Za-z]{1,100}\.pem")
SIGNED_OF_NOTICES = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
SIGNED_OF_SUBSCRIPTIONS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class SnsKind(StrEnum):
    """The values of `Type`."""

    NOTIFICATION = "Notification"
    SUBSCRIBE = "SubscriptionConfirmation"
    UNSUBSCRIBE = "UnsubscribeConfirmation"


class NotSns(ValueError):
    """The octets are no message of the documented form. The text names the defect and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """One message. `signed` is what the signature covers; `confirm_url` stands on subscriptions only. `body` is the
    publisher's text: for SES a JSON document.
    """

    kind: SnsKind
    id: str
    topic: str
    sent_at: dt.datetime
    body: str
    signed: bytes
    signature: bytes
    certificate_url: str
    confirm_url: str | None = None


def read_sns(raw: bytes) -> SnsMessage:
    """The message in `raw` (UTF-8 JSON). Raises NotSns for anything that SNS would not write, SignatureVersion 1 among it."""
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError):
        raise NotSns("not JSON") from None
    if not isinstance(given, dict):
        raise NotSns("not an object")
    try:
        kind = SnsKind(_text(given, "Type"))
    except ValueError:
        raise NotSns("unknown type") from None
    if _text(given, "SignatureVersion") != "2":
        raise NotSns("not signed with SHA-256: set the topic's attribute SignatureVersion to 2")
    topic = _text(given, "TopicArn")
    if TOPIC.fullmatch(topic) is None:
        raise NotSns("TopicArn is none")
    certificate_url = _text(given, "SigningCertURL")
    if not is_certificate_url(certificate_url, topic):
        raise NotSns("the certificate does not lie at the topic's SNS")
    subscription = kind is not SnsKind.NOTIFICATION
    confirm_url = _text(given, "SubscribeURL") if subscription else None
    if confirm_url is not None and not is_confirm_url(confirm_url, topic):
        raise NotSns("the address to confirm does not lie at the topic's SNS")
    return SnsMessage(
        kind=kind,
        id=_text(given, "MessageId"),
        topic=topic,
        sent_at=_instant(_text(given, "Timestamp")),
        body=_text(given, "Message"),
        signed=_signed(given, SIGNED_OF_SUBSCRIPTIONS if subscription else SIGNED_OF_NOTICES),
        signature=_decoded(_text(given, "Signature")),
        certificate_url=certificate_url,
        confirm_url=confirm_url,
    )


def region_of(topic: str) -> str:
    """The region in a topic's ARN."""
    return topic.split(":")[3]


def host_of(topic: str) -> str:
    """The only host from which this topic's certificates and confirmations come."""
    ending = ".cn" if topic.startswith("arn:aws-cn:") else ""
    return f"sns.{region_of(topic)}.amazonaws.com{ending}"


def is_certificate_url(url: str, topic: str) -> bool:
    return _at_sns(url, topic) and CERTIFICATE_PATH.fullmatch(urlsplit(url).path) is not None and not urlsplit(url).query


def is_confirm_url(url: str, topic: str) -> bool:
    return _at_sns(url, topic) and urlsplit(url).path in ("", "/") and "Action=ConfirmSubscription" in urlsplit(url).query.split("&")


def _at_sns(url: str, topic: str) -> bool:
    """https, exactly the topic's host, no port, no user: what a URL parser may read in two ways is refused."""
    if not url.isascii() or any(c <= " " or c in "\\@#" for c in url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and parts.netloc == host_of(topic) and port is None


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise NotSns(f"{name} is missing")
    return value


def _signed(given: dict[str, Any], names: tuple[str, ...]) -> bytes:
    """Name and value in turn, each on a line of its own, in the order of the names; a missing Subject is left out."""
    lines = [line for name in names if isinstance(given.get(name), str) for line in (name, given[name])]
    try:
        return ("\n".join(lines) + "\n").encode()
    except UnicodeEncodeError:
        raise NotSns("half a character") from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotSns("the signature is not base64") from None


def _instant(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise NotSns("Timestamp is none") from None
    if at.tzinfo is None:
        raise NotSns("Timestamp has no zone")
    return at
