"""Exim and the systems that took over its `X-Failed-Recipients` header (Gmail before 2016, Google Groups, Mail.Ru).
Addresses come from the header, or from the indented list behind "address(es) failed"; reasons from the text below.
"""

import re

from mail.bounce_dialects.notice import ADDRESS, Notice, addresses_in, report
from mail.bounces import words_about
from mail.values import RecipientReport

_LIST_FOLLOWS = re.compile(r"following address(?:\(es\)|es)? (?:has |have )?(?:failed|had)", re.IGNORECASE)
_INDENTED = re.compile(rf"^[ \t]{{1,8}}<?({ADDRESS})>?:?[ \t]*$")

_MOST_RECIPIENTS = 1_000


def read(notice: Notice) -> tuple[RecipientReport, ...]:
    """One report per failed recipient of the header or the list."""
    listed = _listed(notice)
    named = addresses_in(", ".join(notice.mail.header_all("X-Failed-Recipients")))[:_MOST_RECIPIENTS]
    if not named:
        return tuple(report(notice, address, words) for address, words in listed.items())
    low = {address.lower(): words for address, words in listed.items()}
    only = len(named) == 1
    return tuple(
        report(notice, address, low.get(address.lower()) or _words(notice, address, only=only))
        for address in named
    )


def _words(notice: Notice, address: str, *, only: bool) -> str:
    # Gmail gives the address its own paragraph and the reason another one ("Technical details of …").
    return notice.text if only else words_about(address, notice.text)


def _listed(notice: Notice) -> dict[str, str]:
    opening = _LIST_FOLLOWS.search(notice.text)
    found: dict[str, list[str]] = {}
    address = ""
    for line in notice.text[opening.end() :].splitlines() if opening else []:
        head = _INDENTED.match(line)
        if head:
            address = head.group(1)
            found.setdefault(address, [])
        elif address and line[:1] in {" ", "\t"} and line.strip():
            found[address].append(line.strip())
        elif line.strip():
            address = ""
    return {a: "\n".join(words) for a, words in found.items() if words}
