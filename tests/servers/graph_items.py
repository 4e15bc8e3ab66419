"""Mails as Graph writes them: MIME read into JSON, JSON drafts rendered as MIME, with the properties that were asked for."""

import base64
import email
import email.message
import email.policy
import email.utils
import hashlib
import re
import secrets
from datetime import UTC
from typing import Any

from tests.servers.graph_faults import GraphError
from tests.servers.graph_mailbox import GraphMailbox, Item

# What "Get message" of the documentation shows without $select.
DEFAULT = (
    "createdDateTime", "lastModifiedDateTime", "changeKey", "categories", "receivedDateTime", "sentDateTime", "hasAttachments",
    "internetMessageId", "subject", "bodyPreview", "importance", "parentFolderId", "conversationId", "conversationIndex",
    "isDeliveryReceiptRequested", "isReadReceiptRequested", "isRead", "isDraft", "webLink", "inferenceClassification", "body",
    "sender", "from", "toRecipients", "ccRecipients", "bccRecipients", "replyTo", "flag",
)  # fmt: skip
MAPI_IDS = {"0x1042": "In-Reply-To", "0x1039": "References", "0x1035": "Message-ID"}
MAX_X_HEADERS = 5
INTERNET_HEADERS = "String {00020386-0000-0000-C000-000000000046} Name "


def parsed(raw: bytes) -> email.message.EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def header(raw: bytes, name: str) -> str | None:
    """One header as it is written, unfolded."""
    value = email.message_from_bytes(raw, policy=email.policy.compat32).get(name)
    return None if value is None else re.sub(r"\r?\n\s+", " ", str(value)).strip()


def with_header(raw: bytes, name: str, value: str) -> bytes:
    """The octets with one header replaced, the rest untouched."""
    head, gap, body = raw.partition(b"\r\n\r\n" if b"\r\n\r\n" in raw else b"\n\n")
    end = b"\r\n" if gap == b"\r\n\r\n" else b"\n"
    pattern = re.compile(rb"(?im)^" + re.escape(name.encode()) + rb":[^\n]*(\n[ \t][^\n]*)*\n?")
    kept = pattern.sub(b"", head + end).rstrip(b"\r\n")
    return f"{name}: {value}".encode() + end + kept + gap + body


def addresses(raw: bytes, *names: str) -> list[dict[str, Any]]:
    # Without empty ones: newer Pythons, and Debian's 3.11, then take all of them for malformed (CVE-2023-27043).
    values = [value for name in names if (value := header(raw, name))]
    return [
        {"emailAddress": {"name": name or address, "address": address}}
        for name, address in email.utils.getaddresses(values)
        if address
    ]


def recipients(raw: bytes) -> tuple[str, ...]:
    return tuple(one["emailAddress"]["address"] for one in addresses(raw, "To", "Cc", "Bcc"))


def message_id(raw: bytes) -> str:
    return header(raw, "Message-ID") or f"<{hashlib.sha256(raw).hexdigest()[:32]}@mail.example.com>"


def conversation(raw: bytes) -> str:
    """As Exchange: by the first reference, else by the mail itself."""
    root = (header(raw, "References") or header(raw, "In-Reply-To") or message_id(raw)).split()[0]
    return "AAQkADAA" + base64.urlsafe_b64encode(hashlib.sha256(root.encode()).digest()).decode()


def stamp(moment: Any) -> str:
    return str(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def shown(
    item: Item, *, immutable: bool, select: tuple[str, ...] | None = None, expand: str | None = None
) -> dict[str, Any]:
    """The JSON of a mail. `internetMessageHeaders` come only when selected, extended properties only when expanded."""
    wanted = select or DEFAULT
    answer: dict[str, Any] = {
        "@odata.etag": f'W/"{item.change_key}"',
        "id": item.immutable_id if immutable else item.rest_id,
    }
    for name in wanted:
        if name != "id":
            answer[name] = _value(item, name)
    if expand and "0x0E07" in expand:
        # PidTagMessageFlags: mfUnsent 0x8, mfSubmitted 0x4 (MS-OXCMSG 2.2.1.6)
        flags = (0x8 if item.is_draft else 0) | (0x4 if item.submitted and item.is_draft else 0)
        answer["singleValueExtendedProperties"] = [{"id": "Integer 0xe07", "value": str(flags)}]
    return answer


def _value(item: Item, name: str) -> Any:
    raw = item.raw
    if name == "body":
        body = parsed(raw).get_body(("html", "plain"))
        kind = "html" if body is not None and body.get_content_subtype() == "html" else "text"
        return {"contentType": kind, "content": body.get_content() if body is not None else ""}
    if name == "internetMessageHeaders":
        message = email.message_from_bytes(raw, policy=email.policy.compat32)
        return [{"name": key, "value": str(value)} for key, value in message.items()]
    if name in ("from", "sender"):
        return next(iter(addresses(raw, "From" if name == "from" else "Sender")), None) or next(iter(addresses(raw, "From")), None)
    if name in ("toRecipients", "ccRecipients", "bccRecipients", "replyTo"):
        return addresses(raw, {"toRecipients": "To", "ccRecipients": "Cc", "bccRecipients": "Bcc", "replyTo": "Reply-To"}[name])
    if name == "bodyPreview":
        return preview(raw)
    simple: dict[str, Any] = {
        "createdDateTime": stamp(item.received_at),
        "importance": (header(raw, "Importance") or "normal").lower(),
        "conversationIndex": base64.b64encode(hashlib.sha256(raw).digest()[:22]).decode(),
        "isDeliveryReceiptRequested": False,
        "isReadReceiptRequested": header(raw, "Disposition-Notification-To") is not None,
        "webLink": f"https://outlook.office365.com/owa/?ItemID={item.rest_id}&exvsurl=1&viewmodel=ReadMessageItem",
        "inferenceClassification": "focused",
        "subject": str(parsed(raw)["Subject"] or ""),
        "internetMessageId": message_id(raw),
        "conversationId": conversation(raw),
        "isRead": item.is_read,
        "isDraft": item.is_draft,
        "categories": list(item.categories),
        "flag": {"flagStatus": item.flag},
        "parentFolderId": item.folder,
        "changeKey": item.change_key,
        "receivedDateTime": stamp(item.received_at),
        "sentDateTime": stamp(item.received_at),
        "lastModifiedDateTime": stamp(item.received_at),
        # "This property doesn't include inline attachments" (message resource type).
        "hasAttachments": any(not one["isInline"] for one in attached(item)),
    }
    if name not in simple:
        raise GraphError(400, "RequestBroker--ParseUri", f"Could not find a property named '{name}'.")
    return simple[name]


def preview(raw: bytes) -> str:
    """The first 255 characters of the body as text."""
    body = parsed(raw).get_body(("plain", "html"))
    text = "" if body is None else body.get_content()
    return (re.sub(r"<[^>]*>", "", text) if body is not None and body.get_content_subtype() == "html" else text)[:255]


def attached(item: Item) -> list[dict[str, Any]]:
    """The attachments of a mail as "List attachments" shows them; their ids are good as long as the mail stays what it is."""
    message = parsed(item.raw)
    shown_ones = []
    for number, part in enumerate(message.iter_attachments() if message.is_multipart() else ()):
        whole = part.get_content_maintype() == "message"
        data = part.get_payload(decode=True)
        octets = part.get_payload(0).as_bytes() if whole else data if isinstance(data, bytes) else b""
        about = {
            "@odata.type": f"#microsoft.graph.{'itemAttachment' if whole else 'fileAttachment'}",
            "@odata.mediaContentType": part.get_content_type(), "id": f"{item.immutable_id}-{number}", "lastModifiedDateTime": stamp(item.received_at),
            "name": part.get_filename() or str(part["Subject"] or ""), "contentType": part.get_content_type(), "size": len(octets),
            "isInline": part.get_content_disposition() == "inline",
        }  # fmt: skip
        if not whole:
            about |= {"contentId": (part["Content-ID"] or "").strip("<>") or None, "contentBytes": base64.b64encode(octets).decode()}
        shown_ones.append(about)
    return shown_ones


def from_mime(raw: bytes, mailbox: GraphMailbox) -> bytes:
    """A draft made of MIME: what From says is ignored, the mailbox itself is the sender."""
    named = addresses(raw, "From")
    if not named or named[0]["emailAddress"]["address"].lower() != mailbox.address.lower():
        raw = with_header(raw, "From", mailbox.address)
    return raw


def from_json(body: dict[str, Any], attachments: list[dict[str, Any]], mailbox: GraphMailbox) -> bytes:
    """A draft made of JSON, as MIME: one body, at most five own headers that begin with x-."""
    headers = body.get("internetMessageHeaders", [])
    if len(headers) > MAX_X_HEADERS:
        raise GraphError(400, "InvalidInternetMessageHeaderCollection", "Maximum number of headers in one message should be less than or equal to 5.")
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    sender = (body.get("from") or {}).get("emailAddress", {}).get("address", mailbox.address)
    name = (body.get("from") or {}).get("emailAddress", {}).get("name", "")
    message["From"] = email.utils.formataddr((name, sender))
    for key, target in (("toRecipients", "To"), ("ccRecipients", "Cc"), ("bccRecipients", "Bcc"), ("replyTo", "Reply-To")):
        people = [one["emailAddress"] for one in body.get(key, [])]
        if people:
            message[target] = ", ".join(email.utils.formataddr((one.get("name", ""), one["address"])) for one in people)
    message["Subject"] = body.get("subject", "")
    message["Message-ID"] = body.get("internetMessageId") or f"<{secrets.token_hex(12)}@mail.example.com>"
    for one in body.get("singleValueExtendedProperties", []):
        known = MAPI_IDS.get(one["id"].split()[-1].lower())
        if known and known != "Message-ID":
            message[known] = one["value"]
        if one["id"].startswith(INTERNET_HEADERS):
            message[one["id"].rpartition(" ")[2]] = one["value"]
    for one in headers:
        if not one["name"].lower().startswith("x-"):
            raise GraphError(400, "InvalidInternetMessageHeader", f"The internet message header name '{one['name']}' should start with 'x-' or 'X-'.")
        message[one["name"]] = one["value"]
    content = body.get("body", {})
    message.set_content(content.get("content", ""), subtype="html" if content.get("contentType") == "html" else "plain")
    for one in attachments:
        kind, _, subtype = (one.get("contentType") or "application/octet-stream").partition("/")
        message.add_attachment(
            base64.b64decode(one["contentBytes"]), maintype=kind, subtype=subtype or "octet-stream", filename=one.get("name"),
            disposition="inline" if one.get("isInline") else "attachment",
            cid=f"<{one['contentId']}>" if one.get("contentId") else None,
        )  # fmt: skip
    return message.as_bytes()
