"""The qmail family and its many imitators: a line that holds the address and a colon, the reason behind or below it.
Read so far: qmail, indimail, Yahoo, MX Logic, OpenSMTPD, GMX and Kundenserver, Postini, Amazon's and others' copies.
"""

import re

from mail.bounce_dialects.notice import ADDRESS, Notice, report
from mail.values import RecipientReport

# `<a@b>:`, `"a@b":`, `a@b:` at the start of a line. The colon is required: without it the line is prose.
_HEAD = re.compile(rf"^[ \t]{{0,8}}(?:<({ADDRESS})>|\"({ADDRESS})\"|({ADDRESS}))[ \t]*:(?:[ \t]+(.*)|)$")


def read(notice: Notice) -> tuple[RecipientReport, ...]:
    """One report per address line; the reason runs to the next address line, or to the blank line behind it."""
    reports: list[RecipientReport] = []
    address, words, begun = "", [""], False
    for line in [*notice.lines, ""]:
        head = _HEAD.match(line)
        if head:
            if address:
                reports.append(report(notice, address, "\n".join(words)))
            address = next(group for group in head.groups()[:3] if group)
            words, begun = [head.group(4) or ""], bool((head.group(4) or "").strip())
        elif address and line.strip():
            words.append(line.strip())
            begun = True
        elif address and begun:
            reports.append(report(notice, address, "\n".join(words)))
            address = ""
    if address:
        reports.append(report(notice, address, "\n".join(words)))
    return tuple(reports)
