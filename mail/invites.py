"""Calendar parts (RFC 5545) as facts to read: what, when, where, from whom.

Every field is text and nothing but text: calendar HTML and properties have carried scripts before (CVE-2022-24682). The
calendar file itself stays an attachment; answering invitations is not done here.
"""

import re
from dataclasses import dataclass

from mail.charsets import decode_text
from mail.display_text import displayable, scrubbed

_FOLD = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r'([A-Za-z0-9-]{1,60})((?:;[^:;"=]{1,60}=(?:"[^"]*+"|[^:;"]*+))*):(.*)')
_TZID = re.compile(r';TZID="?([^:;"]{1,100})', re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)")
_INSTANT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})?(Z)?)?$")
_MAX_CHARS = 500_000
_MAX_FIELD = 10_000


@dataclass(frozen=True, slots=True)
class Invite:
    """The first event of a calendar part. Times are as the sender wrote them, made readable, with their zone's name."""

    method: str  # REQUEST, CANCEL, REPLY … (RFC 5546), or ""
    uid: str
    summary: str
    starts: str
    ends: str
    location: str
    organizer: str
    description: str

    def as_text(self) -> str:
        """A few lines for a mail that has no other text."""
        lines = [self.summary]
        when = f"{self.starts} – {self.ends}" if self.ends else self.starts
        lines += [line for line in (when, self.location, self.organizer) if line]
        if self.method == "CANCEL":
            lines.insert(0, "[cancelled]")
        return "\n".join(lines) + (f"\n\n{self.description}" if self.description else "")


def read_invite(content: bytes, charset: str | None = None) -> Invite | None:
    """The first VEVENT (or VTODO), or None when there is none."""
    text = decode_text(content, charset or "utf-8")[0][:_MAX_CHARS]
    method = ""
    inside: list[str] = []
    found: dict[str, tuple[str, str]] = {}
    for raw in _FOLD.sub("", text).splitlines():
        match = _LINE.match(raw)
        if match is None:
            continue
        name, parameters, value = match[1].upper(), match[2], match[3].strip()
        if name == "BEGIN":
            inside.append(value.upper())
        elif name == "END":
            if inside:
                closed = inside.pop()
                if closed in {"VEVENT", "VTODO"} and found:
                    break
        elif name == "METHOD" and inside == ["VCALENDAR"]:
            method = displayable(value)[:40].upper()
        elif inside and inside[-1] in {"VEVENT", "VTODO"}:
            found.setdefault(name, (parameters, value))
    if not found:
        return None

    def text_of(name: str) -> str:
        return displayable(_plain(found.get(name, ("", ""))[1]))[:998]

    return Invite(
        method=method,
        uid=text_of("UID"),
        summary=text_of("SUMMARY"),
        starts=_when(*found.get("DTSTART", ("", ""))),
        ends=_when(*(found.get("DTEND") or found.get("DUE") or ("", ""))),
        location=text_of("LOCATION"),
        organizer=re.sub(r"(?i)^mailto:", "", text_of("ORGANIZER")),
        description=scrubbed(_plain(found.get("DESCRIPTION", ("", ""))[1])[:_MAX_FIELD]).strip(),
    )


def _plain(value: str) -> str:
    """TEXT escapes of RFC 5545 §3.3.11."""
    return _ESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], value[: _MAX_FIELD * 2])


def _when(parameters: str, value: str) -> str:
    match = _INSTANT.match(value)
    if match is None:
        return displayable(value)[:60]
    day = f"{match[1]}-{match[2]}-{match[3]}"
    if match[4] is None:
        return day
    zone = _TZID.search(parameters)
    return f"{day} {match[4]}:{match[5]}" + (" UTC" if match[7] else f" {displayable(zone[1])}" if zone else "")
