"""Reads the attributes of one FETCH response (RFC 3501 §7.4.2) by a small tokenizer.

Knows the attributes that we ask for and skips none silently: a response with anything else is reported as unreadable
and left to the caller's slower way.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from providers.imap.dialogue import Response

_FETCH = re.compile(rb"(\d+) FETCH \(", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""\ *(?:
      UID\ (?P<uid>\d+)
    | FLAGS\ \((?P<flags>[^)]*)\)
    | INTERNALDATE\ "(?P<date>[^"]*)"
    | INTERNALDATE\ (?P<nodate>NIL)
    | RFC822\.SIZE\ (?P<size>\d+)
    | MODSEQ\ \((?P<modseq>\d+)\)
    | EMAILID\ (?:\(+(?P<email>[^()]*)\)+|NIL)  # pymap writes two pairs of brackets
    | X-GM-MSGID\ (?P<gmail>\d+)
    | (?:BODY\[[^\]]*\]|RFC822(?:\.HEADER)?)(?:<\d+>)?\ (?:(?P<nil>NIL)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<literal>\Z))
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_DATE = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}


@dataclass(slots=True)
class FetchItem:
    """What one response told. `None` means not told; `body_nil` means told to be NIL."""

    uid: int | None = None
    flags: frozenset[str] | None = None
    internal_date: datetime | None = None
    size: int | None = None
    modseq: int | None = None
    email_id: str | None = None
    body: bytes | None = None
    body_nil: bool = False


def is_fetch(response: Response) -> bool:
    return _FETCH.match(response[0]) is not None


def read_fetch(response: Response) -> FetchItem | None:
    """The attributes of a FETCH response, or None if it holds something that we do not read."""
    start = _FETCH.match(response[0])
    if start is None:
        return None
    item = FetchItem()
    position = start.end()
    for index in range(0, len(response), 2):
        text = response[index]
        last = index == len(response) - 1
        end = len(text)
        if last:
            if not text.rstrip().endswith(b")"):
                return None
            end = text.rindex(b")")
        wants_literal = _read_text(text, position, end, item)
        if wants_literal is None or wants_literal == last:
            return None
        if not last:
            item.body = response[index + 1]
        position = 0
    return item


def _read_text(text: bytes, position: int, end: int, item: FetchItem) -> bool | None:
    """Read attributes up to `end`. True if the last one continues in a literal, None if something is unknown."""
    while position < end:
        found = _ATTRIBUTE.match(text, position, end)
        if found is None:
            return None if text[position:end].strip() else False
        kind = found.lastgroup
        if kind == "literal":
            return True
        if kind is not None:
            _store(item, kind, found.group(kind))
        position = found.end()
    return False


def _store(item: FetchItem, kind: str, value: bytes) -> None:
    match kind:
        case "uid":
            item.uid = int(value)
        case "flags":
            # Recent belongs to a session, not to the mail; kept, it would read as a change each time.
            item.flags = frozenset(value.decode("utf-8", "replace").split()) - {"\\Recent"}
        case "date":
            item.internal_date = read_internal_date(value)
        case "size":
            item.size = int(value)
        case "modseq":
            item.modseq = int(value)
        case "email":
            item.email_id = value.decode("ascii", "replace")
        case "gmail":
            item.email_id = item.email_id or f"gm-{int(value)}"
        case "nil":
            item.body_nil = True
        case "quoted":
            item.body = re.sub(rb"\\(.)", rb"\1", value, flags=re.DOTALL)


def read_internal_date(value: bytes) -> datetime | None:
    """An INTERNALDATE in UTC, or None if it is no date. Servers do hold the 31st of February."""
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        at = datetime(
            int(year),
            _MONTHS[month.lower()],
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),  # a leap second is a legal time of day that datetime does not know
            tzinfo=timezone(-offset if sign == b"-" else offset),
        )
        return at.astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None
