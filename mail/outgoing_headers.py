"""The headers of an outgoing mail as folded ASCII lines. Written by hand because the standard library's folding breaks
what must not break: it wraps long Message-IDs into encoded words and has mis-split address lists (CVE-2025-1795).
"""

import re
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

from mail.display_text import displayable
from mail.message_ids import valid_message_id
from mail.outgoing_addresses import address_header
from mail.outgoing_errors import ComposeError, refuse_injection
from mail.values import Address, ComposeRequest

_CRLF = "\r\n"
_LINE = 76
_HARD_LINE = 998  # octets without CRLF, RFC 5322 §2.1.1
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
# What the mail's own fields say may not be said again, and what belongs to the body's structure may not be claimed.
_RESERVED = re.compile(
    r"(?:from|sender|reply-to|to|cc|bcc|resent-.*|date|message-id|in-reply-to|references|subject|mime-version|content-.*"
    r"|return-path|received|dkim-.*|arc-.*|x-mailroom-send-id)",
    re.IGNORECASE,
)
# RFC 5322 §3.6.4 wants all ancestors; servers and readers cut long headers at worse places than we do.
_LAST_REFERENCES = 20
_LONGEST_REFERENCES = 2_000


def header_lines(request: ComposeRequest, people: dict[str, tuple[Address, ...]]) -> list[str]:
    """Every header but those of the MIME structure, each folded, without line ends; there is never a Bcc.

    `people` are the checked addresses by header name. Raises ComposeError or HeaderInjection naming the field.
    """
    lines = [
        f"Date: {_date(request.date)}",
        f"Message-ID: {_message_id(request.message_id)}",
        *(
            address_header(name, people[name])
            for name in ("From", "Reply-To", "To", "Cc")
            if people.get(name)
        ),
        text_header("Subject", refuse_injection("subject", request.subject)),
    ]
    chain = reference_chain(request)
    if request.in_reply_to is not None and request.in_reply_to in chain:
        lines.append(f"In-Reply-To: {request.in_reply_to}")
    if chain:
        lines.append(_folded("References", list(chain)))
    send_id = refuse_injection("send_id", request.send_id)
    if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", send_id):
        raise ComposeError("send_id", "must be a UUID")
    lines.append(f"X-Mailroom-Send-ID: {send_id}")
    for index, (name, value) in enumerate(request.extra_headers):
        lines.append(_extra(f"extra_headers[{index}]", name, value))
    return lines


def reference_chain(request: ComposeRequest) -> tuple[str, ...]:
    """The References of a mail: the first ancestor and the last ones, the parent at the end, each once.

    Ids that are malformed are left out: they come from other people's mails and must not stop an answer. So are our
    stand-ins for a missing id, which mean nothing to anybody else.
    """
    named = [refuse_injection(f"references[{i}]", value) for i, value in enumerate(request.references)]
    if request.in_reply_to is not None:
        parent = refuse_injection("in_reply_to", request.in_reply_to)
        named = [*(i for i in named if i != parent), parent]
    chain = [
        i
        for i in dict.fromkeys(named)
        if valid_message_id(i) and i != request.message_id and not i.endswith("@missing.invalid>")
    ]
    if len(chain) > _LAST_REFERENCES + 1:
        chain = [chain[0], *chain[-_LAST_REFERENCES:]]
    while len(chain) > 2 and sum(len(i) + 1 for i in chain) > _LONGEST_REFERENCES:
        del chain[1]
    return tuple(chain)


def text_header(name: str, value: str) -> str:
    """`Name: value` of unstructured text, as encoded words (RFC 2047) where it is not ASCII or has too long a word."""
    value = displayable(value)  # other line ends (U+2028, form feed, …) would be cut by the encoder
    plain = value.isascii() and "=?" not in value and value.isprintable()
    if plain and all(len(word) < _HARD_LINE - len(name) - 3 for word in value.split(" ")):
        return _folded(name, value.split(" "))
    return f"{name}: {Header(value, 'utf-8', maxlinelen=_LINE, header_name=name).encode(linesep=_CRLF)}"


def _folded(name: str, words: list[str]) -> str:
    """Words in lines of at most 76 characters where they fit; a longer word has a line of its own and stays whole."""
    lines = [f"{name}:"]
    for word in words:
        # An empty word is a second blank: it may not begin a line, a line of white space only ends the headers for some.
        if len(lines[-1]) + 1 + len(word) > _LINE and lines[-1].strip() and word and lines[-1] != f"{name}:":
            lines.append(f" {word}")
        else:
            lines[-1] += f" {word}"
    return _CRLF.join(lines)


def _date(date: datetime) -> str:
    if date.tzinfo is None:
        raise ComposeError("date", "has no time zone; give an aware instant")
    return format_datetime(date)


def _message_id(value: str) -> str:
    if not valid_message_id(refuse_injection("message_id", value)) or "@" not in value:
        raise ComposeError("message_id", "is not a Message-ID; write it as <left@right> in printable ASCII")
    return value


def _extra(field: str, name: str, value: str) -> str:
    refuse_injection(f"{field}.name", name)
    refuse_injection(f"{field}.value", value)
    if not _NAME.fullmatch(name):
        raise ComposeError(f"{field}.name", "is not a header name; use letters, digits and hyphens")
    if _RESERVED.fullmatch(name):
        raise ComposeError(
            f"{field}.name", "is written by the mail itself; leave it out of the extra headers"
        )
    return text_header(name, value)
