"""A non-standard notice as the dialects read it, and the one way in which they turn words into a report."""

import re
from dataclasses import dataclass

from mail.status_codes import bounce_class, enhanced_code, settle_status
from mail.values import ParsedMail, RecipientReport

# An address in running text. The local part is what people and systems really use, not all of RFC 5321's atoms:
# a wider pattern swallows the punctuation around it.
ADDRESS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
_IN_TEXT = re.compile(ADDRESS)
# "Warning", "delayed", "will be retried": the mail is still on its way.
_STILL_TRYING = re.compile(
    r"warning message only|has been delayed|is delayed for|will be retried|still (?:being|trying)|keep trying"
    r"|not yet been delivered|delivery attempts? will (?:continue|be made)|you do not need to re-?send|temporary failure report",
    re.IGNORECASE,
)
_LONGEST_DIAGNOSTIC = 1_000


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail from a mail system. `text` is the notice without the returned copy; `delayed` when it only warns."""

    mail: ParsedMail
    text: str
    delayed: bool

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def says_delayed(subject: str, text: str) -> bool:
    """True when a notice only warns that delivery takes longer."""
    return (
        _STILL_TRYING.search(text) is not None
        or re.search(r"\b(?:delay(?:ed)?|warning)\b", subject, re.IGNORECASE) is not None
    )


def addresses_in(text: str) -> tuple[str, ...]:
    """The addresses in running text, in order, each once."""
    return tuple(dict.fromkeys(found.rstrip(".") for found in _IN_TEXT.findall(text)))


def report(notice: Notice, address: str, words: str) -> RecipientReport:
    """One recipient's report from the notice's own words about it."""
    action = "delayed" if notice.delayed else "failed"
    stated = enhanced_code(words)
    status = settle_status(stated, words, action=action)
    if notice.delayed and not status.startswith("4."):
        status = "4.0.0"
    return RecipientReport(
        address=address,
        action=action,
        status=status,
        bounce_class=bounce_class(status, words, action=action),
        diagnostic=" ".join(words.split())[:_LONGEST_DIAGNOSTIC],
    )
