"""One raw mail as values: who, to whom, when, about what, the body as text and HTML, and every other part.

Promises the same answer for the same bytes, valid Unicode without NUL, and never an error for bad mail except
`TooComplex`; it needs no clock, no network and no disk, so dying or running twice changes nothing. Time and memory are
limited by the process that calls it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from mail.addresses import parse_addresses
from mail.content_id import content_id
from mail.dates import parse_date
from mail.display_text import displayable, scrubbed
from mail.headers import RawHeaders, decode_value, raw_text, split_headers
from mail.html_text import html_to_text
from mail.limits import DEFAULT_LIMITS, Limits, TooComplex
from mail.message_ids import message_ids_in
from mail.mime_tree import read_tree
from mail.parts import Reading, read_parts
from mail.values import Address, ParsedMail
from mail.visible import split_visible, split_visible_html

_SUBJECT_CHARS = 2_000
_NO_IDS: tuple[str, ...] = ()
_NO_ADDRESSES: tuple[Address, ...] = ()
_T = TypeVar("_T")


class _Fields:
    """The header fields by lower-case name, each list in order of appearance."""

    def __init__(self, headers: RawHeaders) -> None:
        self.by_name: dict[str, list[bytes]] = {}
        for name, value in headers:
            self.by_name.setdefault(name.lower(), []).append(value)

    def first(self, name: str) -> bytes | None:
        values = self.by_name.get(name)
        return values[0] if values else None

    def ids(self, name: str) -> tuple[str, ...]:
        # RFC 2047 §5 forbids encoded words here; seen in practice: Python's email package writes long ids so.
        return message_ids_in(" ".join(decode_value(v) for v in self.by_name.get(name, [])))

    def addresses(self, name: str, at_most: int) -> tuple[Address, ...]:
        """All addresses of all fields of that name: RFC 5322 §3.6 allows one To, real mail has several."""
        found: list[Address] = []
        for value in self.by_name.get(name, []):
            found += parse_addresses(raw_text(value), at_most - len(found))
            if len(found) > at_most:
                break
        return tuple(found)


def parse_mail(raw: bytes, limits: Limits = DEFAULT_LIMITS, *, raw_sha256: str | None = None) -> ParsedMail:
    """Everything a mail says. Raises TooComplex over the caps of `limits`, and nothing else. `raw_sha256` is taken over from
    who has hashed `raw` already.
    """
    source = raw
    if b"\n" not in raw and b"\r" in raw:  # old Macintosh line ends, seen from scripts
        source = raw.replace(b"\r", b"\n")
    root, body_at, defects = read_tree(source, limits)
    fields = _Fields(root.headers)
    reading = read_parts(root, limits)
    if source is not raw:  # other bytes than those that are kept
        reading.parts = [replace(part, place=None) for part in reading.parts]
    defects += reading.defects
    body_text = reading.text.strip("\n")
    return _assembled(
        raw,
        fields,
        root.headers,
        limits,
        defects,
        raw_hash=raw_sha256 or hashlib.sha256(raw).hexdigest(),
        content_hash=content_id(root.headers, source[body_at:]),
        content_type=root.declared_type,
        params=tuple(root.params.items()),
        body_text=body_text,
        body_visible=_visible(body_text, reading),
        reading=reading,
        strict=True,
    )


def parse_headers_only(raw: bytes) -> ParsedMail:
    """The card of a mail that is too complex or poisonous: subject, sender, date and ids as far as they can be read.

    Reads at most the first 256 KB, takes the caps by cutting instead of raising, and survives anything.
    """
    head = raw[: DEFAULT_LIMITS.headers_bytes]
    if b"\n" not in head:
        head = head.replace(b"\r", b"\n")
    headers: RawHeaders = []
    try:
        # Room for one header as long as all that is read: a single absurd line must not hide the others.
        generous = Limits(header_bytes=len(head) + 1, headers_bytes=len(head) + 1)
        headers, _, _ = split_headers(head, 0, len(head), generous, root=True)
    except Exception:  # this is the last resort for mails that broke the parser: an empty card beats none
        headers = []
    headers = [(name, value[: DEFAULT_LIMITS.header_bytes]) for name, value in headers[:2_000]]
    return _assembled(
        raw,
        _Fields(headers),
        headers,
        DEFAULT_LIMITS,
        ["headers_only"],
        raw_hash=hashlib.sha256(raw).hexdigest(),
        content_hash=content_id(headers, raw),
        content_type="",
        params=(),
        body_text="",
        body_visible="",
        reading=Reading(),
        strict=False,
    )


def _assembled(
    raw: bytes,
    fields: _Fields,
    headers: RawHeaders,
    limits: Limits,
    defects: list[str],
    *,
    raw_hash: str,
    content_hash: str,
    content_type: str,
    params: tuple[tuple[str, str], ...],
    body_text: str,
    body_visible: str,
    reading: Reading,
    strict: bool,
) -> ParsedMail:
    left = limits.addresses

    def read(what: Callable[[], _T], instead: _T) -> _T:
        if strict:
            return what()
        try:
            return what()
        except Exception:  # one unreadable field of a poisonous mail must not cost the readable ones
            return instead

    def listed(name: str) -> tuple[Address, ...]:
        nonlocal left
        found = read(partial(fields.addresses, name, left), _NO_ADDRESSES)
        if len(found) > left:
            if strict:
                raise TooComplex("addresses")
            found = found[:left]
        left -= len(found)
        return found

    from_ = listed("from")
    if not from_ and fields.first("from") is not None:
        defects.append("from_unreadable")
    sender = listed("sender")
    reply_to, to, cc, bcc = listed("reply-to"), listed("to"), listed("cc"), listed("bcc")
    date_value = fields.first("date")
    date = read(lambda: parse_date(raw_text(date_value)), None) if date_value is not None else None
    if date is None:
        defects.append("date_missing" if date_value is None else "date_unreadable")
    own_ids = read(partial(fields.ids, "message-id"), _NO_IDS)
    if not own_ids:
        defects.append("message_id_missing" if fields.first("message-id") is None else "message_id_invalid")
    subject = fields.first("subject") or b""
    return ParsedMail(
        raw_sha256=raw_hash,
        size=len(raw),
        message_id=own_ids[0] if own_ids else None,
        content_id=content_hash,
        in_reply_to=read(partial(fields.ids, "in-reply-to"), _NO_IDS),
        references=read(partial(fields.ids, "references"), _NO_IDS),
        subject=read(lambda: displayable(decode_value(subject))[:_SUBJECT_CHARS], ""),
        from_=from_[0] if from_ else None,
        sender=sender[0] if sender else None,
        reply_to=reply_to,
        to=to,
        cc=cc,
        bcc=bcc,
        date=date,
        return_path=read(lambda: _return_path(fields.first("return-path")), None),
        headers=tuple((name, read(partial(decode_value, value), "")) for name, value in headers),
        content_type=content_type,
        content_type_params=params,
        body_text=body_text,
        body_html=reading.html,
        body_visible=body_visible,
        parts=tuple(reading.parts),
        received_count=len(fields.by_name.get("received", [])),
        defects=tuple(dict.fromkeys(defects)),
    )



def _visible(body_text: str, reading: Reading) -> str:
    """What is new in this mail. HTML tells where its quote begins better than the text made from it."""
    if reading.text_is_from_html and reading.html is not None:
        new, quoted = split_visible_html(reading.html)
        if quoted:
            return split_visible(html_to_text(new)).visible
    return split_visible(body_text).visible


def _return_path(value: bytes | None) -> str | None:
    """None without the header, "" for the null sender `<>` of bounces (RFC 5321 §4.5.5)."""
    if value is None:
        return None
    found = parse_addresses(raw_text(value), 1)
    return scrubbed(found[0].address) if found else ""
