"""Recognises notices of non-delivery that follow no standard and has the dialects read them. Promises not to take a
person's mail for a notice: the sender must be a mail system *and* the words must say so *and* an address must be told.
"""

import re
from collections.abc import Callable

from mail.bounce_dialects import address_lines, amazon_sns, exim, sentences, transcripts
from mail.bounce_dialects.notice import Notice, addresses_in, report, says_delayed
from mail.bounces import recipient_reports
from mail.machine_senders import is_mail_system, is_mailer_daemon, never_answered
from mail.returned_mail import RETURNED_TYPES, notice_and_copy, returned_mail
from mail.subjects import is_absence_note, is_reply_or_forward
from mail.values import ParsedMail, RecipientReport

# Words of mail systems about their own failure. People use them too: that is why they decide nothing alone.
_SAYS_FAILED = re.compile(
    r"undeliver|unzustellbar|non recapitabile|non remis|no se puede entregar"
    r"|(?:failure|delivery|delivery status|mail delivery) (?:notice|notification|failed|failure|error|report|status)"
    r"|returned (?:mail|to sender)|mail system error|message you sent blocked"
    r"|(?:could not|couldn't|cannot|can't|unable to|wasn't able to|was not|were unable to|error delivering) ?(?:be )?"
    r"(?:deliver|relay|your mail)"
    r"|did not reach the following|delivery (?:to|of) .{0,80}(?:failed|delayed|has been delayed)"
    r"|following address(?:\(es\)|es)? (?:had|have|has|failed)|rejected by a remote\s+mail server"
    r"|transcript of session|permanent (?:fatal )?error|メールエラー",
    re.IGNORECASE,
)
# A copy of a mail has trace headers; the "-----Original Message-----" of a person's quote has not.
_HEADERS_OF_COPY = re.compile(r"^(?:Received|Message-ID|Return-Path)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_HEAD_OF_NOTICE = 4_000
_LONGEST_NOTICE = 64_000  # a notice is short; what comes behind is a copy that nothing announced

# The order is the order of certainty: a header and a pasted status are exact, sentences are read last.
_DIALECTS: tuple[Callable[[Notice], tuple[RecipientReport, ...]], ...] = (
    lambda notice: (
        recipient_reports(notice.text, notice=notice.text) if "final-recipient" in notice.text.lower() else ()
    ),
    exim.read,
    address_lines.read,
    transcripts.read,
    sentences.read,
)


def read_notice(mail: ParsedMail) -> tuple[str, tuple[RecipientReport, ...]] | None:
    """The rule that recognised `mail` as a notice and its reports, or None when it is no notice.

    The reports are empty when a mail system plainly speaks of a failure but names no address that can be read.
    """
    told = amazon_sns.read(mail)
    if told:
        return "ses-notification", told
    daemon = is_mailer_daemon(mail)
    if not daemon and not _could_be_system(mail):
        return None  # most mails end here: who wrote it is asked for a tenth of the price of what it says
    if is_reply_or_forward(mail.subject) or is_absence_note(mail.subject) or not speaks_of_failure(mail):
        return None
    text, copy = notice_and_copy(mail.body_text)
    if not daemon and not _may_be_system(mail, copy):
        return None
    text = text[:_LONGEST_NOTICE]
    notice = Notice(mail, text, says_delayed(mail.subject, text[:_HEAD_OF_NOTICE]))
    for read in _DIALECTS:
        reports = read(notice)
        if reports:
            return "mail-system-notice", reports
    if not daemon:
        return None
    # A known sender in unknown words, with our mail handed back: whoever the mail went to and the notice names.
    returned_to = {a.lower() for a in (*returned_mail(mail).recipients, *addresses_in(copy))}
    own = {a.address.lower() for a in mail.to}
    named = [a for a in addresses_in(text) if a.lower() in returned_to - own]
    return "mail-system-notice", tuple(report(notice, a, text) for a in named)


def _could_be_system(mail: ParsedMail) -> bool:
    """What `_may_be_system` asks of the sender in every case, whatever the mail carries."""
    return is_mail_system(mail) or mail.return_path == "" or never_answered(mail.from_)


def _may_be_system(mail: ParsedMail, copy: str) -> bool:
    """Whether a sender that people use too (postmaster, no-reply, any name with an empty envelope) is a program here.

    It must not be a customer's postmaster who writes about our bounces in his own words, nor an absence note with an
    empty envelope that lists telephone numbers behind addresses.
    """
    returned = (
        any(part.content_type in RETURNED_TYPES for part in mail.parts)
        or _HEADERS_OF_COPY.search(copy) is not None
    )
    unattended = mail.return_path == "" or mail.header("Auto-Submitted") is not None
    if is_mail_system(mail):
        return returned or unattended or sentences.read(Notice(mail, mail.body_text, delayed=False)) != ()
    return returned and (mail.return_path == "" or never_answered(mail.from_))


def speaks_of_failure(mail: ParsedMail) -> bool:
    """True when subject or opening words are those of a notice, or a mail system named the failed recipients."""
    if mail.header("X-Failed-Recipients") is not None or _SAYS_FAILED.search(mail.subject):
        return True
    text, _ = notice_and_copy(mail.body_text)
    return _SAYS_FAILED.search(text[:_HEAD_OF_NOTICE]) is not None
