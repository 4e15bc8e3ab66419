"""A frozen mail taken apart into Graph's JSON, for where MIME will not do: another From than the mailbox's own, or size.

JSON keeps one body (HTML before text), at most five headers of one's own, and no other header by name. What threads and
automatic answers need goes along as MAPI properties (MS-OXPROPS); the Message-ID has a property of its own.
"""

import email
import email.policy
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

from providers.errors import Refused

MAX_OWN_HEADERS = 5
# PidTagInReplyToId, PidTagInternetReferences
_PROPERTIES = {"In-Reply-To": "String 0x1042", "References": "String 0x1039"}
# PS_INTERNET_HEADERS (MS-OXCMAIL 2.2.3.2.27): headers that say "do not answer this" must not get lost.
_NAMED = "String {00020386-0000-0000-C000-000000000046} Name "
_NAMED_HEADERS = ("Auto-Submitted", "Precedence", "List-Unsubscribe", "List-Unsubscribe-Post")
# Of more than five these stay: they keep robots from answering each other.
_FIRST = ("x-auto-response-suppress", "x-mailroom")


@dataclass(frozen=True, slots=True)
class DraftFile:
    name: str
    content_type: str
    content: bytes
    inline: bool
    content_id: str | None

    def about(self) -> dict[str, Any]:
        known: dict[str, Any] = {"name": self.name, "contentType": self.content_type, "isInline": self.inline}
        if self.content_id:
            known["contentId"] = self.content_id
        return known


@dataclass(frozen=True, slots=True)
class DraftJson:
    """The draft without its files, and the files, which go up one by one."""

    message: dict[str, Any]
    files: tuple[DraftFile, ...]


def sender_of(raw: bytes) -> str:
    """The address in From, in lower case; empty where there is none to be read."""
    head = raw[: raw.find(b"\r\n\r\n") if b"\r\n\r\n" in raw else None]
    value = email.message_from_bytes(head, policy=email.policy.compat32).get("From")
    people = getaddresses([str(value or "")])
    return people[0][1].casefold() if people else ""


def taken_apart(raw: bytes) -> DraftJson:
    """Raises Refused for a mail that cannot be read; ours can."""
    try:
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)  # noqa: S101  # what this policy makes
        message = _message(parsed)
        html = message["body"]["content"]
        files = tuple(_file(part, number, html) for number, part in enumerate(_file_parts(parsed), 1))
        return DraftJson(message, files)
    except (ValueError, LookupError, AttributeError, TypeError):
        raise Refused(
            "mail_unreadable", "This mail cannot be prepared for Microsoft. Write it anew."
        ) from None


def _message(parsed: EmailMessage) -> dict[str, Any]:
    body = parsed.get_body(("html", "plain"))
    html = body is not None and body.get_content_subtype() == "html"
    message: dict[str, Any] = {
        "subject": str(parsed["Subject"] or ""),
        "body": {"contentType": "html" if html else "text", "content": body.get_content() if body else ""},
        "toRecipients": _people(parsed, "To"),
        "ccRecipients": _people(parsed, "Cc"),
        "bccRecipients": _people(parsed, "Bcc"),
        "replyTo": _people(parsed, "Reply-To"),
    }
    if sender := _people(parsed, "From"):
        message["from"] = sender[0]
    if identity := str(parsed["Message-ID"] or "").strip():
        message["internetMessageId"] = identity
    properties = [
        {"id": key, "value": _text(parsed, name)} for name, key in _PROPERTIES.items() if name in parsed
    ]
    properties += [
        {"id": _NAMED + name, "value": _text(parsed, name)} for name in _NAMED_HEADERS if name in parsed
    ]
    if properties:
        message["singleValueExtendedProperties"] = properties
    if own := _own_headers(parsed):
        message["internetMessageHeaders"] = own
    return message


def _own_headers(parsed: EmailMessage) -> list[dict[str, str]]:
    names = [name for name in dict.fromkeys(parsed.keys()) if name.lower().startswith("x-")]
    names.sort(key=lambda name: not name.lower().startswith(_FIRST))
    return [{"name": name, "value": _text(parsed, name)} for name in names[:MAX_OWN_HEADERS]]


def _text(parsed: EmailMessage, name: str) -> str:
    return " ".join(str(parsed[name]).split())


def _people(parsed: EmailMessage, name: str) -> list[dict[str, Any]]:
    people: list[Address] = [one for header in parsed.get_all(name, []) for one in header.addresses]
    return [
        {"emailAddress": {"name": one.display_name or one.addr_spec, "address": one.addr_spec}}
        for one in people
    ]


def _file_parts(parsed: EmailMessage) -> list[EmailMessage]:
    """Every leaf that is not the body: attachments, and pictures that the HTML shows."""
    bodies = {
        id(part) for part in (parsed.get_body(("html",)), parsed.get_body(("plain",))) if part is not None
    }
    return [part for part in _leaves(parsed) if id(part) not in bodies]


def _leaves(part: EmailMessage) -> list[EmailMessage]:
    if part.get_content_maintype() != "multipart":
        return [part]
    return [leaf for inner in part.iter_parts() if isinstance(inner, EmailMessage) for leaf in _leaves(inner)]


def _file(part: EmailMessage, number: int, html: str) -> DraftFile:
    if part.get_content_type() == "message/rfc822":
        content = part.get_content().as_bytes(policy=email.policy.SMTP)
        name = part.get_filename() or f"message-{number}.eml"
    else:
        content = part.get_payload(decode=True) or b""
        name = part.get_filename() or f"file-{number}"
    content_id = str(part["Content-ID"] or "").strip().strip("<>") or None
    # Seen in practice: pictures that the HTML shows are marked as attachments all the same.
    shown = content_id is not None and f"cid:{content_id}" in html
    inline = shown or part.get_content_disposition() == "inline"
    return DraftFile(name, part.get_content_type(), content, inline, content_id)
