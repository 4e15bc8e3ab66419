"""Feedback reports (RFC 5965) and SES complaints: who complained, about which of our mails."""

import pytest

from mail.classify import ClassifyContext, classify
from mail.parse import parse_mail
from mail.values import MailKind

INBOX = ClassifyContext(own_addresses=frozenset(), folder_role="junk")
SEND_ID = "0190f5e2-7a3b-7c11-8d22-1234567890ab"


def arf(fields, returned, *, params="; report-type=feedback-report"):
    return parse_mail(
        (
            "From: fbl@provider.example\nTo: fbl@desk.example.com\nSubject: complaint\nMIME-Version: 1.0\n"
            f'Content-Type: multipart/report{params}; boundary="b"\n\n--b\nContent-Type: text/plain\n\nabuse\n'
            f"--b\nContent-Type: message/feedback-report\n\n{fields}\n--b\nContent-Type: message/rfc822\n\n{returned}\n--b--\n"
        ).encode(),
    )


RETURNED = f"From: s@desk.example.com\nTo: ann@example.com\nMessage-ID: <sent-1@desk.example.com>\nX-Mailroom-Send-ID: {SEND_ID}\n\nHi\n"


@pytest.mark.parametrize("params", ["; report-type=feedback-report", ""])
def test_a_complaint_names_recipient_and_mail_even_from_the_junk_folder(params):
    parsed = arf(
        "Feedback-Type: abuse\nUser-Agent: x\nVersion: 1\nOriginal-Rcpt-To: <ann@example.com>\n",
        RETURNED,
        params=params,
    )
    verdict = classify(parsed, INBOX)
    assert (verdict.kind, verdict.feedback_type, verdict.may_answer) == (MailKind.COMPLAINT, "abuse", False)
    assert [(r.address, r.bounce_class) for r in verdict.reports] == [("ann@example.com", None)]
    assert verdict.original_message_ids == ("<sent-1@desk.example.com>",)
    assert verdict.original_send_id == SEND_ID


def test_a_redacted_complaint_takes_the_lone_recipient_of_the_mail():
    verdict = classify(arf("Feedback-Type: Fraud\nVersion: 1\n", RETURNED), INBOX)
    assert verdict.feedback_type == "fraud"
    assert [r.address for r in verdict.reports] == ["ann@example.com"]


def test_a_complaint_without_anything_is_still_one():
    verdict = classify(arf("Version: 1\n", "REDACTED"), INBOX)
    assert (verdict.kind, verdict.feedback_type, verdict.reports) == (MailKind.COMPLAINT, "abuse", ())


def test_ses_complaint_by_mail():
    inner = (
        '{\\"notificationType\\":\\"Complaint\\",\\"complaint\\":{\\"complainedRecipients\\":'
        '[{\\"emailAddress\\":\\"ann@example.com\\"}],\\"complaintFeedbackType\\":\\"abuse\\"}}'
    )
    raw = f'From: no-reply@sns.amazonaws.com\nx-amz-sns-message-id: 1\nSubject: n\n\n{{"Type":"Notification","Message":"{inner}"}}\n'
    verdict = classify(parse_mail(raw.encode()), INBOX)
    assert verdict.kind is MailKind.COMPLAINT
    assert [r.address for r in verdict.reports] == ["ann@example.com"]


def test_json_that_is_no_notification_is_left_alone():
    raw = b'From: ann@example.com\nTo: x@desk.example.com\nx-amz-sns-message-id: 1\nSubject: n\n\n{"a": [[[[1]]]]}\n'
    assert classify(parse_mail(raw), ClassifyContext(frozenset())).kind is MailKind.MESSAGE
