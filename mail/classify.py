"""Asks what a mail is to the desk, always in the same order: bounce, complaint, spam, automatic answer, message.
Every answer names the rule that gave it. Mails of the Sent folder are ours and are not asked about here.
"""

from dataclasses import dataclass, replace

from mail.auto_replies import auto_reply_reason, silence_reason
from mail.bounce_dialects import amazon_sns
from mail.bounces import has_status_part, recipient_reports, status_texts
from mail.bounces_unusual import read_notice
from mail.complaints import read_complaint
from mail.display_text import scrubbed
from mail.machine_senders import is_mail_system
from mail.returned_mail import notice_and_copy, returned_mail
from mail.spam import spam_reason
from mail.values import MailKind, ParsedMail, RecipientReport, Verdict


@dataclass(frozen=True, slots=True)
class ClassifyContext:
    """What the mail itself cannot tell.

    `own_addresses` are all addresses of the inbox and its aliases, any case; without them the rules that need them
    are skipped. `folder_role` is the role of the folder the mail was found in ("inbox", "junk", …), `labels` are the
    provider's labels or IMAP keywords. `loop_secret` is the key of our loop header (`mail.auto_headers`).
    """

    own_addresses: frozenset[str]
    folder_role: str = "inbox"
    labels: tuple[str, ...] = ()
    loop_secret: bytes = b""


def classify(mail: ParsedMail, context: ClassifyContext) -> Verdict:
    """The verdict on one mail. Pure: the same mail and context give the same verdict, however often it is asked.

    Reports of success (delivered, relayed, expanded) and of delay are bounces too, as they belong to a mail that we
    sent and not into a conversation: their reports say so by `action`, with bounce class None and SOFT. A bounce
    whose words cannot be read has no reports. Reports are claims: that we sent such a mail to that address must be
    checked before anything is concluded (integrity L-6).
    """
    verdict = _bounce(mail) or _complaint(mail)
    if verdict is not None:
        return _storable(verdict)
    spam = spam_reason(mail, folder_role=context.folder_role, labels=context.labels)
    if spam:
        return Verdict(MailKind.SPAM, spam, may_answer=False, silence_reason=spam)
    silence = silence_reason(mail, own_addresses=context.own_addresses, loop_secret=context.loop_secret)
    auto = auto_reply_reason(mail)
    kind, reason = (MailKind.AUTO_REPLY, auto) if auto else (MailKind.MESSAGE, "ordinary")
    return Verdict(kind, reason, may_answer=not silence, silence_reason=silence)


def _bounce(mail: ParsedMail) -> Verdict | None:
    is_report = mail.content_type == "multipart/report"
    report_type = dict(mail.content_type_params).get("report-type", "").lower()
    standard = is_report and report_type in {"delivery-status", "global-delivery-status"}
    # Some systems put the status part into a multipart/mixed (Domino, McAfee, OpenSMTPD). A person can do the same by
    # forwarding a report, so then the sender has to be a mail system.
    if standard or (has_status_part(mail) and (is_report or is_mail_system(mail))):
        notice, _ = notice_and_copy(mail.body_text)
        about = returned_mail(mail, extra_text=status_texts(mail))
        reports: dict[str, RecipientReport] = {}
        for text in status_texts(mail):
            for report in recipient_reports(text, notice=notice, returned_to=about.recipients):
                reports.setdefault(report.address.lower(), report)
        found = tuple(reports.values()) or _told_otherwise(mail)
        return _verdict(mail, "multipart/report" if is_report else "message/delivery-status", found)
    told = read_notice(mail)
    return None if told is None else _verdict(mail, told[0], told[1])


def _told_otherwise(mail: ParsedMail) -> tuple[RecipientReport, ...]:
    """What the part for people says when the part for machines is missing or empty (seen: lost boundaries)."""
    told = read_notice(mail)
    return told[1] if told else ()


def _verdict(mail: ParsedMail, reason: str, reports: tuple[RecipientReport, ...]) -> Verdict:
    about = returned_mail(mail, extra_text=(*status_texts(mail), amazon_sns.original_headers(mail)))
    return Verdict(
        MailKind.BOUNCE,
        reason,
        may_answer=False,
        silence_reason=reason,
        reports=reports,
        original_message_ids=about.message_ids,
        original_send_id=about.send_id,
    )


def _complaint(mail: ParsedMail) -> Verdict | None:
    complaint = read_complaint(mail)
    if complaint is None:
        return None
    plain = Verdict(MailKind.COMPLAINT, "feedback-report", may_answer=False, silence_reason="feedback-report")
    return replace(
        plain,
        reports=complaint.reports,
        original_message_ids=complaint.about.message_ids,
        original_send_id=complaint.about.send_id,
        feedback_type=complaint.feedback_type,
    )


def _storable(verdict: Verdict) -> Verdict:
    """Without NUL and half characters: reports are read from bytes and JSON of anybody, and their words go into rows."""
    return replace(
        verdict,
        reports=tuple(
            replace(
                report,
                address=scrubbed(report.address),
                action=scrubbed(report.action),
                status=scrubbed(report.status),
                diagnostic=scrubbed(report.diagnostic),
            )
            for report in verdict.reports
        ),
        original_message_ids=tuple(scrubbed(one) for one in verdict.original_message_ids),
        original_send_id=scrubbed(verdict.original_send_id) if verdict.original_send_id is not None else None,
        feedback_type=scrubbed(verdict.feedback_type),
    )
