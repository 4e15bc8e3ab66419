"""Notices built from an SMTP session: sendmail version 5 and carriers' gateways print what was said (`>>>` ours, `<<<`
theirs) and the verdict per address. The verdict gives the address, the remote's last words the reason.
"""

import re

from mail.bounce_dialects.notice import ADDRESS, Notice, report
from mail.values import RecipientReport

_OPENING = re.compile(r"transcript of session|rejected by a remote\s+mail server", re.IGNORECASE)
_VERDICT = re.compile(rf"^[ \t]{{0,8}}(?:([245]\d\d)[ \t]+)?<({ADDRESS})>[ \t]*\.\.\.[ \t]*(.*)$")
_TOLD = re.compile(r"^[ \t]{0,8}<<<[ \t]*([245]\d\d.*)$")
_ASKED = re.compile(rf"^[ \t]{{0,8}}>>>[ \t]*RCPT TO:[ \t]*<({ADDRESS})>", re.IGNORECASE)


def read(notice: Notice) -> tuple[RecipientReport, ...]:
    """One report per address that got a verdict, in the order of the session."""
    if not _OPENING.search(notice.text):
        return ()
    words: dict[str, list[str]] = {}
    told, asked = "", ""
    for line in notice.lines:
        if answer := _TOLD.match(line):
            told = answer.group(1)
            if asked:
                words.setdefault(asked, []).append(told)
                asked = ""
        elif question := _ASKED.match(line):
            asked = question.group(1)
        elif verdict := _VERDICT.match(line):
            code, address, text = verdict.groups()
            said = words.setdefault(address, [])
            # "Remote protocol error" says nothing by itself: the remote's own words stand just above.
            said.extend([told, f"{code or ''} {text}".strip()] if told else [f"{code or ''} {text}".strip()])
            told = ""
    return tuple(report(notice, address, "\n".join(said)) for address, said in words.items())
