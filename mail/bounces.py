"""Reads standard delivery reports (RFC 3464, internationalised by RFC 6533) into one value per recipient. It reads what
the report says and judges it by `mail.status_codes`; other forms of bounce belong to `mail.bounces_unusual`.
"""

import re
from collections.abc import Sequence

from mail.bounce_causes import cause_of
from mail.status_codes import bounce_class, settle_status
from mail.values import ParsedMail, RecipientReport

_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
_RECIPIENT_FIELDS = frozenset({"final-recipient", "original-recipient", "x-actual-recipient"})
_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]{0,60})[ \t]*:[ \t]*(.*)$")
_LINE_END = re.compile(r"\r\n|\r|\n")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_UNICODE_ESCAPE = re.compile(r"\\x\{(1?[0-9A-Fa-f]{2,5})\}")
_ADDRESS = re.compile(r"<([^<>\s]{1,320})>|([^\s<>;,]{1,320})")
_MOST_RECIPIENTS = (
    1_000  # a report is bounded by RCPT limits (RFC 5321 §4.5.3.1.8 asks for 100); more is an attack
)
_LONGEST_DIAGNOSTIC = 1_000
_LONGEST_NOTICE = 32_000


def has_status_part(mail: ParsedMail) -> bool:
    """True when `mail` has a machine-readable delivery status part, at whatever depth its writer put it."""
    return any(part.content_type in _STATUS_TYPES for part in mail.parts)


def status_texts(mail: ParsedMail) -> tuple[str, ...]:
    """The text of each delivery status part."""
    return tuple(p.content.decode("utf-8", "replace") for p in mail.parts if p.content_type in _STATUS_TYPES)


def field_groups(text: str) -> tuple[dict[str, str], ...]:
    """The groups of fields in `text`, in order: blank lines part them, names in lower case, folded lines joined.

    Lines that are no field are passed over, so a status pasted into prose is read too.
    """
    groups: list[dict[str, str]] = []
    for block in _BLANK_LINE.split(_LINE_END.sub("\n", text)):
        group: dict[str, str] = {}
        name = ""
        for line in block.split("\n"):
            field = _FIELD.match(line)
            if field:
                name = field.group(1).lower()
                group.setdefault(name, field.group(2).strip())
            elif name and line[:1] in {" ", "\t"}:
                group[name] = f"{group[name]} {line.strip()}"
            else:
                name = ""
        if group:
            groups.append(group)
    return tuple(groups)


def recipient_reports(
    text: str,
    *,
    notice: str = "",
    returned_to: Sequence[str] = (),
) -> tuple[RecipientReport, ...]:
    """One value per recipient of a delivery status `text`; recipients told twice are kept once.

    `notice` is the part for people: its words near the address explain a status that has no diagnostic.
    `returned_to` are the recipients of the returned mail: they settle which address *we* wrote to.
    """
    reports: dict[str, RecipientReport] = {}
    notice = notice[:_LONGEST_NOTICE]  # it is searched once per recipient
    for group in field_groups(text):
        if len(reports) >= _MOST_RECIPIENTS or not _RECIPIENT_FIELDS & group.keys():
            continue
        address = _address_of(group, returned_to)
        if address and address.lower() not in reports:
            reports[address.lower()] = _report(address, group, notice, only=len(returned_to) <= 1)
    return tuple(reports.values())


def _report(address: str, group: dict[str, str], notice: str, *, only: bool) -> RecipientReport:
    action = _action(group)
    stated = group.get("status", "")
    diagnostic = group.get("diagnostic-code", "")
    # "smtp; 550 …" (§2.3.6): the type is cut off, a diagnostic without a type (seen: SendGrid, Notes) stays whole.
    kind, semicolon, rest = diagnostic.partition(";")
    if semicolon and re.fullmatch(r"[A-Za-z0-9-]{1,20}", kind.strip()):
        diagnostic = rest.strip()
    status = settle_status(stated, diagnostic, action=action)
    # The remote's own sentence explains; the comment in Status is only what the reporting system makes of the code
    # ("5.2.1 (mailbox disabled)" over a remote's "User unknown"). Without both, the part for people has to.
    explanation = diagnostic or stated.partition("(")[2].rstrip(" )")
    if not explanation:
        explanation = words_about(address, notice)
        if only and cause_of(explanation) is None:
            explanation = notice
    return RecipientReport(
        address=address,
        action=action,
        status=status,
        bounce_class=bounce_class(status, explanation, action=action),
        diagnostic=" ".join((diagnostic or explanation).split())[:_LONGEST_DIAGNOSTIC],
    )


def _action(group: dict[str, str]) -> str:
    word = re.split(r"[^a-z]", group.get("action", "").strip().lower(), maxsplit=1)[0]
    if word in _ACTIONS:
        return word
    # The field is required (§2.3.3) but some leave it out: the class of the status tells the same.
    return {"2": "delivered", "4": "delayed"}.get(group.get("status", "").strip()[:1], "failed")


def _address_of(group: dict[str, str], returned_to: Sequence[str]) -> str:
    """The final recipient, or the original one where that is the address the returned mail was sent to.

    A forwarder reports the address behind it, which we never wrote to; a local delivery may report a file name
    (both seen in practice). Then Original-Recipient, X-Actual-Recipient or a lone recipient of the mail stands in.
    """
    names = ("final-recipient", "original-recipient", "x-actual-recipient")
    told = [a for a in (mailbox_in(group.get(name, "")) for name in names) if a]
    known = {a.lower(): a for a in returned_to}
    ours = next((a for a in told if a.lower() in known), "")
    if ours or told:
        return ours or told[0]
    return returned_to[0] if len(returned_to) == 1 else ""


def mailbox_in(value: str) -> str:
    """The address in a recipient field: type `rfc822;`/`utf-8;`, brackets, source route and escapes removed; or ""."""
    kind, semicolon, rest = value.partition(";")
    text = (rest if semicolon else kind).strip()
    if kind.strip().lower() == "utf-8":
        # RFC 6533 §3: utf-8-addr-xtext, \x{HEX} for what must not stand bare.
        text = _UNICODE_ESCAPE.sub(_unescape, text)
    found = _ADDRESS.search(text)
    address = (found.group(1) or found.group(2)) if found else ""
    if address.startswith("@") and ":" in address:
        address = address.partition(":")[2]  # RFC 5321 §4.1.1.3: a source route says nothing of the mailbox
    local, at, domain = address.rpartition("@")
    return address if at and local and domain and not address.startswith("/") else ""


def _unescape(found: re.Match[str]) -> str:
    number = int(found.group(1), 16)
    surrogate = 0xD800 <= number <= 0xDFFF
    return found.group(0) if surrogate or number < 0x20 or number > 0x10FFFF else chr(number)


def words_about(address: str, notice: str) -> str:
    """What the paragraph of `notice` that names `address` says besides the address; "" when it says nothing."""
    low = address.lower()
    lines = notice.splitlines()
    for start, line in enumerate(lines):
        if low in line.lower():
            end = start + 1
            while end < len(lines) and lines[end].strip():
                end += 1
            paragraph = re.sub(re.escape(address), " ", " ".join(lines[start:end]), flags=re.IGNORECASE)
            words = paragraph.strip(" <>:;,.()\t")
            if words:
                return words[:_LONGEST_DIAGNOSTIC]
    return ""
