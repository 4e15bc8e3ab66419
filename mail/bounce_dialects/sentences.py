"""Systems that tell one address in one fixed sentence, with the reason in or behind it: DragonFly, IMail, Zoho,
MailMarshal, Exchange 5.5 and 2003, Lotus Notes, Japanese carriers, older list servers. One pattern each.
"""

import re

from mail.bounce_dialects.notice import ADDRESS, Notice, addresses_in, report
from mail.values import RecipientReport

_A = rf"<?({ADDRESS})>?"
# Each pattern ends behind the address; the reason is looked for in the text from there on.
_TOLD_IN = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"there was an error delivering your mail to {_A}",  # DragonFly Mail Agent
        rf"^(?:delivery failed \d{{1,3}} attempts|unknown user|user mailbox exceeds allowed size): {_A}",  # IMail
        rf"\[status: \w{{1,20}}, address: {_A}",  # Zoho
        rf"could not be delivered to: {_A}",  # KDDI and au
        rf"^[ \t]{{0,8}}recipient: {_A}",  # ezweb
        rf"message could not be delivered to {_A}",
    )
)
# A list of addresses stands behind the opening; the reason stands around it.
_LIST_AFTER = re.compile(
    r"did not reach the following recipient\(s\):"  # Exchange 5.5, 2003
    r"|the following recipients were affected:"  # MailMarshal
    r"|^[ \t]{0,8}-{2,20}[ \t]{0,8}failure reasons\b.*"  # Lotus Notes
    r"|delivery to the following recipients? (?:failed|has been|was)[^:\n]{0,60}:"  # Gmail, Microsoft SMTP
    r"|unable to deliver (?:the |your )?message to the following (?:address|recipient)[^:\n]{0,20}[:.]",
    re.IGNORECASE | re.MULTILINE,
)
_LONGEST_LIST = 6_000


def read(notice: Notice) -> tuple[RecipientReport, ...]:
    """The reports of whichever sentence occurs."""
    heads = sorted(
        ((found.end(), found.group(1)) for pattern in _TOLD_IN for found in pattern.finditer(notice.text)),
    )
    if heads:
        ends = [start for start, _ in heads[1:]] + [len(notice.text)]
        # The sentence itself may hold the reason ("User mailbox exceeds allowed size: …"): take its whole line.
        starts = [notice.text.rfind("\n", 0, position) + 1 for position, _ in heads]
        told: dict[str, str] = {}
        for (_, address), start, end in zip(heads, starts, ends, strict=True):
            told.setdefault(address, notice.text[start:end].replace(address, " "))
        return tuple(report(notice, address, words) for address, words in told.items())
    opening = _LIST_AFTER.search(notice.text)
    if opening is None:
        return ()
    rest = notice.text[opening.end() : opening.end() + _LONGEST_LIST]
    own = {a.address.lower() for a in (*notice.mail.to, *notice.mail.cc)}
    listed = [a for a in addresses_in(rest) if a.lower() not in own]
    if len(listed) == 1:
        return (report(notice, listed[0], notice.text),)
    return tuple(report(notice, a, _own_paragraph(a, rest)) for a in listed[:100])


def _own_paragraph(address: str, text: str) -> str:
    start = text.find(address)
    following = re.search(r"\n[ \t]*\n", text[start:])
    return text[start : start + following.start()] if following else text[start:]
