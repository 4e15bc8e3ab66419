"""From what the rows and the header lines say of a mail to the facts that rules ask about. Pure."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from mail.parse import parse_headers_only
from rules.business_hours import SECOND, BadPlan, Hour
from rules.language import language_of
from rules.routing import Facts, declared_languages
from rules.sla_policy import read_hours

HEAD_OCTETS = 65_536  # of a raw mail that are read for its header lines
_MOST_VALUES = 200


class MailOfDesk(Protocol):
    """A mail with its conversation, as a query gives it."""

    @property
    def inbox_id(self) -> UUID: ...
    @property
    def from_address(self) -> str: ...
    @property
    def from_name(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def visible(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def priority(self) -> str: ...
    @property
    def category(self) -> str | None: ...
    @property
    def vip(self) -> bool: ...
    @property
    def custom(self) -> dict[str, Any]: ...
    @property
    def first(self) -> bool: ...
    @property
    def recipients(self) -> list[str]: ...
    @property
    def files(self) -> list[str]: ...
    @property
    def file_types(self) -> list[str]: ...
    @property
    def tags(self) -> list[str]: ...


def facts_of(
    mail: MailOfDesk,
    *,
    headers: Mapping[str, Sequence[str]] | None = None,
    hours: Mapping[str, bool | None] | None = None,
    language: bool = False,
) -> Facts:
    """`headers` None: they could not be read, or no rule asks. `hours` by calendar, "" the usual one. With `language`, that of the
    text is looked for where the header lines declare none.
    """
    domain = mail.from_address.rpartition("@")[2]
    texts = {
        "sender": (mail.from_address,),
        "sender_name": (mail.from_name,),
        "sender_domain": (domain,) if domain else (),
        "recipient": mail.recipients,
        "subject": (mail.subject,),
        "body": (mail.body,),
        "attachment_name": mail.files,
        "attachment_type": mail.file_types,
        "category": (mail.category,) if mail.category else (),
        "tag": mail.tags,
        "inbox": (str(mail.inbox_id),),
        "channel": (mail.channel,),
        "priority": (mail.priority,),
        "status": (mail.status,),
    }
    flags = {
        "has_attachment": bool(mail.files),
        "contact_vip": mail.vip,
        "is_new": mail.first,
        "is_reply": not mail.first,
    }
    custom = {str(name): _custom(value) for name, value in mail.custom.items()}
    undeclared = language and headers is not None and not declared_languages(headers)
    spoken = language_of(mail.visible) if undeclared else None
    return Facts(texts=texts, flags=flags, hours=hours or {}, headers=headers, custom=custom, spoken=spoken)


def hours_at(
    calendars: Sequence[Mapping[str, Any]], wanted: Iterable[str], at: dt.datetime
) -> dict[str, bool | None]:
    """Whether each of the wanted calendars ("" the usual one) is open at an instant; None for one that is gone or cannot be
    read. `calendars` are rows of `business_hours`.
    """
    known = {str(row["id"]): row for row in calendars}
    usual = next((row for row in calendars if row["is_default"]), None)
    known |= {} if usual is None else {"": usual}
    return {name: _is_open(known.get(name), at) for name in wanted}


def _is_open(row: Mapping[str, Any] | None, at: dt.datetime) -> bool | None:
    if row is None:
        return None
    try:
        return read_hours(row).elapsed(at, at + SECOND)[0].kind is Hour.OPEN
    except BadPlan:
        return None


def header_lines(head: bytes) -> dict[str, list[str]]:
    """The decoded header lines by name without capitals, from the first octets of a raw mail. Never raises."""
    lines: dict[str, list[str]] = {}
    for name, value in parse_headers_only(head).headers:
        held = lines.setdefault(name.casefold(), [])
        if len(held) < _MOST_VALUES:
            held.append(value)
    return lines


def _custom(value: Any) -> tuple[str, ...]:
    """A custom field's values as text: yes and no for a switch, each entry of a list."""
    if isinstance(value, list):
        return tuple(text for one in value[:_MOST_VALUES] for text in _custom(one))
    if isinstance(value, bool):
        return ("yes" if value else "no",)
    return () if value is None or isinstance(value, dict) else (str(value),)
