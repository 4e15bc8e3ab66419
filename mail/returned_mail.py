"""Finds, in a delivery report or a complaint, the mail it is about: its Message-IDs, our send id and its recipients.
Whether we ever issued such an id is for the caller to check (a report can be forged, integrity L-6).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.utils import getaddresses

from mail.message_ids import message_ids_in, valid_message_id
from mail.values import ParsedMail, Part

SEND_ID_HEADER = "X-Mailroom-Send-ID"

# RFC 3462 §2 and RFC 6522: the third part of a report; RFC 6533 adds the internationalised twins.
RETURNED_TYPES = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
)

# The line with which a notice in plain text hands back our mail. Each is the wording of a widespread system:
# qmail, Exim, GMX/Kundenserver, sendmail v5, Notes, Gmail, DragonFly, OpenSMTPD, IMail, MX Logic, Yahoo.
_COPY_FOLLOWS = re.compile(
    r"^[ \t>-]*(?:"
    r"below this line is (?:a copy of|the original)"
    r"|enclosed is a copy of the message"
    r"|this is a copy of (?:the|your) message"
    r"|the header of the original message is following"
    r"|(?:included|below|attached|here) is a copy of (?:the|your) (?:original )?(?:message|mail)"
    r"|(?:original|returned|unsent|undelivered) (?:message|mail)(?: header[s]?)?(?: follows)?"
    r"|message headers? follows?"
    r"|message text follows"
    r")\b.{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)
# Where nothing introduces the copy, its own first header does (Zoho, reports that lost their boundaries).
_COPY_BEGINS = re.compile(r"^(?:Return-Path:|Received:[ \t]*(?:from|by)\b|DKIM-Signature:)", re.MULTILINE)
_FIELD = re.compile(
    r"^[ \t>]*(message-id|x-original-message-id|x-mailroom-send-id)[ \t]*:[ \t]*(.*(?:\r?\n[ \t>]+<[^\n]*)?)$",
    re.IGNORECASE | re.MULTILINE,
)
_SEND_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_MOST_IDS = 8  # a report answers one mail; aliases of its id are few


@dataclass(frozen=True, slots=True)
class ReturnedMail:
    """What a report gives back of the mail it is about; everything is empty when it gives back nothing."""

    message_ids: tuple[str, ...] = ()
    send_id: str | None = None
    recipients: tuple[str, ...] = ()


def notice_and_copy(text: str) -> tuple[str, str]:
    """`text` of a notice split in front of the copy of the original mail; the second half is "" without a copy."""
    mark = _COPY_FOLLOWS.search(text) or _COPY_BEGINS.search(text)
    return (text, "") if mark is None else (text[: mark.start()], text[mark.start() :])


def returned_mail(mail: ParsedMail, *, extra_text: Iterable[str] = ()) -> ReturnedMail:
    """The mail that report `mail` is about, from its embedded part, else from text that quotes its headers.

    `extra_text` are further texts to look into, such as the per-message fields of the report.
    """
    fields = [
        pair for part in mail.parts if part.content_type in RETURNED_TYPES for pair in _part_headers(part)
    ]
    ids = [i for name, value in fields if name == "message-id" for i in message_ids_in(value)]
    send_ids = [value for name, value in fields if name == SEND_ID_HEADER.lower()]
    recipients = [
        a for name, value in fields if name in {"to", "cc"} for _, a in getaddresses([value]) if "@" in a
    ]
    # messagingserver returns the headers as text/plain; many carriers and old systems return them in the notice.
    texts = [*extra_text, *_loose_texts(mail)]
    for text in texts:
        for name, value in _FIELD.findall(text):
            if name.lower() == SEND_ID_HEADER.lower():
                send_ids.append(value)
            else:
                ids += message_ids_in(value)
    if not ids:
        # Google threads its reports under the mail they are about.
        ids = list(mail.in_reply_to)
    send_id = next((value.strip() for value in send_ids if _SEND_ID.fullmatch(value.strip())), None)
    genuine = [i for i in dict.fromkeys(ids) if valid_message_id(i)]
    return ReturnedMail(tuple(genuine[:_MOST_IDS]), send_id, tuple(dict.fromkeys(recipients)))


def _part_headers(part: Part) -> list[tuple[str, str]]:
    try:
        message = message_from_bytes(part.content.lstrip(b"\r\n"), policy=policy.compat32)
        return [(name.lower(), str(value)) for name, value in message.items()]
    except (MessageError, ValueError, LookupError, RecursionError):
        return []  # a damaged copy tells nothing; the report itself still counts


def _loose_texts(mail: ParsedMail) -> list[str]:
    """Texts that may quote the original's headers: the copy in the notice and further plain text parts."""
    _, copy = notice_and_copy(mail.body_text)
    plain = [p.content.decode("utf-8", "replace") for p in mail.parts if p.content_type == "text/plain"]
    return [copy, *plain]
