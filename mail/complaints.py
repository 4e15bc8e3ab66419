"""Reads complaints: feedback reports in the Abuse Reporting Format (RFC 5965, RFC 6591) and SES complaint notifications.
It tells who complained and about which mail; suppressing automation for them is the caller's (integrity L-7).
"""

from dataclasses import dataclass

from mail.bounce_dialects import amazon_sns
from mail.bounces import field_groups, mailbox_in
from mail.returned_mail import ReturnedMail, returned_mail
from mail.values import ParsedMail, RecipientReport


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint. `feedback_type` is RFC 5965 §3.1's (abuse, fraud, auth-failure, not-spam, …), lower case."""

    feedback_type: str
    reports: tuple[RecipientReport, ...]
    about: ReturnedMail


def read_complaint(mail: ParsedMail) -> Complaint | None:
    """The complaint in `mail`, or None. A report of type feedback-report counts even when its parts are damaged."""
    told = amazon_sns.complained(mail)
    if told is not None:
        return _complaint(
            told[1], told[0], returned_mail(mail, extra_text=(amazon_sns.original_headers(mail),))
        )
    texts = [
        p.content.decode("utf-8", "replace")
        for p in mail.parts
        if p.content_type == "message/feedback-report"
    ]
    report_type = dict(mail.content_type_params).get("report-type", "").lower()
    if mail.content_type != "multipart/report" or (report_type != "feedback-report" and not texts):
        return None
    fields: dict[str, str] = {}
    for text in texts:
        for group in field_groups(text):
            fields = {**group, **fields}
    about = returned_mail(mail)
    # RFC 5965 §3.2: Original-Rcpt-To is optional and often redacted; then the returned mail's recipient is the one
    # that complained, as long as there was only one.
    redacted = mailbox_in(fields.get("original-rcpt-to", ""))
    named = [redacted] if redacted else list(about.recipients[:1]) if len(about.recipients) == 1 else []
    return _complaint(fields.get("feedback-type", ""), tuple(named), about)


def _complaint(feedback_type: str, addresses: tuple[str, ...], about: ReturnedMail) -> Complaint:
    kind = feedback_type.split(";", maxsplit=1)[0].strip().lower()[:40] or "abuse"
    # The mail itself was delivered: that is what the recipient complains of. No class, nothing is disabled by it.
    reports = tuple(RecipientReport(address, "delivered", "", None) for address in addresses)
    return Complaint(kind, reports, about)
