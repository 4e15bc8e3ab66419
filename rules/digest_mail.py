"""What a digest of notices says: a mail to one of the team, in our own words, with links to the conversations. Pure.

Subjects and names are customers' words: they are shown as one plain line each, and an address in them is no link.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mail.display_text import displayable

WORDS = {
    "assigned": "was assigned to you",
    "mentioned": "mentions you in a note",
    "reply": "has a new message",
    "sla_warned": "is due soon",
    "sla_breached": "is overdue",
    "send_unknown": "has a message of which nobody knows whether it was sent",
    "send_failed": "has a message that could not be sent",
    "rule": "is told to you by a rule",
}
LONGEST_SUBJECT, LONGEST_SNIPPET = 120, 160
MOST_SHOWN = 50
# A mail program makes links of what looks like one; a stranger's words may not become a link in our mail (integrity X-6).
_LINK = re.compile(r"(?i)(https?|ftp)://|www\.|\b(mailto|javascript):")


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One conversation with the kinds of its notices, in order, each once. `snippet` "" where it is not wanted."""

    conversation_id: str
    number: int
    subject: str
    kinds: tuple[str, ...]
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class DigestMail:
    subject: str
    text: str
    html: str


def digest_mail(items: Sequence[DigestItem], *, base_url: str, org_name: str) -> DigestMail:
    """The mail; `base_url` is where people open Mailroom, without a slash at its end."""
    count = len(items)
    subject = "1 conversation waits for you" if count == 1 else f"{count} conversations wait for you"
    shown, lines, rows = items[:MOST_SHOWN], [], []
    for item in shown:
        what = ", ".join(WORDS.get(kind, kind) for kind in item.kinds)
        about = _line(item.subject, LONGEST_SUBJECT) or "without a subject"
        link = f"{base_url}/c/{item.conversation_id}"
        lines.append(f"#{item.number} {about}\n  {what}\n  {link}")
        quoted = ""
        if item.snippet:
            snippet = _line(item.snippet, LONGEST_SNIPPET)
            lines[-1] += f"\n  > {snippet}"
            quoted = f"<br><i>{html.escape(snippet)}</i>"
        rows.append(
            f'<p><a href="{html.escape(link)}">#{item.number}</a> {html.escape(about)}<br>{html.escape(what)}{quoted}</p>'
        )
    if count > len(shown):
        lines.append(f"and {count - len(shown)} more")
        rows.append(f"<p>and {count - len(shown)} more</p>")
    foot = (
        f"You get this mail because your preferences in Mailroom ask for it ({base_url}/preferences)."
        " Do not answer it: your answer would be taken for a customer's mail."
    )
    head = f"{subject} at {_line(org_name, LONGEST_SUBJECT)}."
    return DigestMail(
        subject=f"{subject} (Mailroom)",
        text="\n\n".join([head, *lines, foot]),
        html="".join([f"<p>{html.escape(head)}</p>", *rows, f"<p>{html.escape(foot)}</p>"]),
    )


def _line(text: str, longest: int) -> str:
    """One line of a stranger's words in which nothing is a link."""
    plain = _LINK.sub(lambda found: found.group(0).replace(":", ": ").replace(".", ". "), displayable(text))
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"
