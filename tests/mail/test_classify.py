"""The order of the questions, and when an automatic answer may go out (integrity L-1, L-5, L-7)."""

import pytest

from mail.auto_headers import LOOP_HEADER, make_loop_token
from mail.classify import ClassifyContext, classify
from mail.parse import parse_mail
from mail.values import MailKind

OURS = "support@desk.example.com"
SECRET = b"s" * 32
INBOX = ClassifyContext(
    own_addresses=frozenset({"Support@desk.example.com", "help@desk.example.com"}), loop_secret=SECRET
)


def mail(
    headers="",
    *,
    sender="Ann <ann@example.com>",
    to=OURS,
    subject="Printer on fire",
    path="<ann@example.com>",
    body="Help!",
):
    head = f"Return-Path: {path}\n" if path is not None else ""
    return parse_mail(
        f"{head}From: {sender}\nTo: {to}\nSubject: {subject}\nMessage-ID: <m@example.com>\n{headers}\n{body}\n".encode()
    )


def test_a_persons_mail_is_a_message_that_may_be_answered():
    verdict = classify(mail(), INBOX)
    assert (verdict.kind, verdict.reason, verdict.may_answer, verdict.silence_reason) == (
        MailKind.MESSAGE,
        "ordinary",
        True,
        "",
    )


def test_one_of_our_aliases_in_any_case_is_enough():
    assert classify(mail(to="other@example.org\nCc: HELP@DESK.EXAMPLE.COM"), INBOX).may_answer is True


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ("Auto-Submitted: auto-replied\n", "auto-submitted: auto-replied"),
        ("Auto-Submitted: auto-generated (rejected)\n", "auto-submitted: auto-generated"),
        ("X-Autoreply: yes\n", "x-autoreply"),
        ("X-Autorespond: x\n", "x-autorespond"),
        ("X-Autoresponder: x\n", "x-autoresponder"),
        ("Precedence: auto_reply\n", "precedence: auto_reply"),
        ("Precedence: bulk\n", "precedence: bulk"),
        ("Precedence: junk\n", "precedence: junk"),
    ],
)
def test_automatic_answers_are_marked_and_never_answered(headers, reason):
    verdict = classify(mail(headers), INBOX)
    assert (verdict.kind, verdict.reason, verdict.may_answer) == (MailKind.AUTO_REPLY, reason, False)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ("X-Auto-Response-Suppress: All\n", "x-auto-response-suppress"),
        ("X-Auto-Response-Suppress: DR, OOF\n", "x-auto-response-suppress"),
        ("X-Auto-Response-Suppress: AutoReply\n", "x-auto-response-suppress"),
        ("List-Id: <users.example.com>\nPrecedence: list\n", "precedence"),
        ("List-Id: <users.example.com>\nPrecedence: bulk\n", "precedence"),
        ("List-Unsubscribe: <mailto:u@example.com>\n", "list-unsubscribe"),
        ("List-Post: <mailto:p@example.com>\n", "list-post"),
        ("X-Loop: somebody\n", "x-loop"),
        ("Feedback-ID: 1:2:3\n", "feedback-id"),
        (
            "Authentication-Results: mx; dmarc=fail (p=REJECT dis=NONE) header.from=example.com\n",
            "dmarc-fail",
        ),
        ("Authentication-Results: mx; dmarc=fail action=quarantine header.from=example.com\n", "dmarc-fail"),
        (
            "".join(f"Received: from a{i} by b{i}; Fri, 3 Jan 2025 14:05:00 +0000\n" for i in range(21)),
            "too-many-hops",
        ),
        (f"{LOOP_HEADER}: {make_loop_token('abc', SECRET)}\n", "own-loop-header"),
    ],
)
def test_a_request_for_silence_leaves_the_mail_a_message(headers, reason):
    verdict = classify(mail(headers), INBOX)
    assert (verdict.kind, verdict.may_answer, verdict.silence_reason) == (MailKind.MESSAGE, False, reason)


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: no\n",
        "X-Auto-Response-Suppress: RN, NRN\n",
        "X-Autoreply: no\n",
        "Authentication-Results: mx; dmarc=pass (p=REJECT) header.from=example.com\n",
        "Authentication-Results: mx; dmarc=fail (p=NONE dis=NONE) header.from=example.com\n",
        f"{LOOP_HEADER}: abc.{'0' * 32}\n",
        "Precedence: normal\n",
    ],
)
def test_these_forbid_nothing(headers):
    assert classify(mail(headers), INBOX).may_answer is True


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"path": "<>"}, "null-return-path"),
        ({"path": "<bounces+123@example.com>"}, "robot-address"),
        ({"sender": "noreply@example.com"}, "robot-address"),
        ({"sender": "no-reply@example.com"}, "robot-address"),
        ({"sender": "Do-Not-Reply@example.com"}, "robot-address"),
        ({"sender": "MAILER-DAEMON@example.com"}, "robot-address"),
        ({"sender": "abuse@example.com"}, "robot-address"),
        ({"sender": "list-bounces@example.com"}, "robot-address"),
        ({"sender": "SUPPORT@desk.example.com"}, "own-address"),
        ({"to": "somebody@example.org"}, "not-addressed-to-us"),
        ({"to": "undisclosed-recipients:;"}, "not-addressed-to-us"),
        ({"path": None, "sender": "alerts@monitoring.example"}, "unknown-envelope-sender"),
        ({"sender": ""}, "no-sender"),
    ],
)
def test_addresses_that_get_no_automatic_answer(change, reason):
    verdict = classify(mail(**change), INBOX)
    assert (verdict.kind, verdict.may_answer, verdict.silence_reason) == (MailKind.MESSAGE, False, reason)


@pytest.mark.parametrize(
    "change",
    [
        {"path": None},
        {"sender": "Reply Noonan <noonan.reply@example.com>"},
        {"sender": "replyall@example.com"},
    ],
)
def test_people_are_answered(change):
    assert classify(mail(**change), INBOX).may_answer is True


@pytest.mark.parametrize(
    ("headers", "subject", "path", "kind"),
    [
        ("X-Auto-Response-Suppress: All\n", "Automatic reply: hi", "<ann@example.com>", MailKind.AUTO_REPLY),
        ("", "Automatic reply: hi", "<>", MailKind.AUTO_REPLY),
        ("In-Reply-To: <x@desk.example.com>\n", "I am away", "<>", MailKind.AUTO_REPLY),
        ("", "Out of office: can you help?", "<ann@example.com>", MailKind.MESSAGE),
        ("X-Auto-Response-Suppress: All\n", "Re: Automatic reply: hi", "<ann@example.com>", MailKind.MESSAGE),
        ("", "A form without envelope", "<>", MailKind.MESSAGE),
    ],
)
def test_absence_notes_without_auto_submitted(headers, subject, path, kind):
    assert classify(mail(headers, subject=subject, path=path), INBOX).kind is kind


def test_a_read_receipt_is_automatic():
    raw = (
        "From: Ann <ann@example.com>\nTo: support@desk.example.com\nSubject: Read: hi\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nread\n--b\nContent-Type: message/disposition-notification\n\nDisposition: x\n--b--\n"
    )
    verdict = classify(parse_mail(raw.encode()), INBOX)
    assert (verdict.kind, verdict.reason) == (MailKind.AUTO_REPLY, "multipart/report")


@pytest.mark.parametrize(
    ("headers", "context", "reason"),
    [
        ("", ClassifyContext(frozenset(), folder_role="junk"), "junk-folder"),
        ("", ClassifyContext(frozenset(), labels=("INBOX", "SPAM")), "spam-label"),
        ("", ClassifyContext(frozenset(), labels=("$Junk",)), "spam-label"),
        ("X-Spam-Flag: YES\n", INBOX, "x-spam-flag"),
        ("X-Spam-Status: Yes, score=9.1\n", INBOX, "x-spam-status"),
        ("X-Forefront-Antispam-Report: CIP:1.2.3.4;SFV:SPM;SCL:5\n", INBOX, "x-forefront-antispam-report"),
        ("X-MS-Exchange-Organization-SCL: 6\n", INBOX, "x-ms-exchange-organization-scl"),
        ("X-Spam: Yes\n", INBOX, "x-spam"),
        ("X-Spam-Flag: YES\nAuto-Submitted: auto-replied\n", INBOX, "x-spam-flag"),
    ],
)
def test_spam_by_the_word_of_others(headers, context, reason):
    verdict = classify(mail(headers), context)
    assert (verdict.kind, verdict.reason, verdict.may_answer) == (MailKind.SPAM, reason, False)


@pytest.mark.parametrize(
    ("headers", "context"),
    [
        ("X-Spam-Flag: NO\nX-Spam-Status: No, score=1\n", INBOX),
        ("X-Spam-Flag: NO\nX-Spam-Flag: YES\n", INBOX),  # the nearest filter is the topmost header
        ("X-Spam-Flag: YES\n", ClassifyContext(frozenset(), labels=("$NotJunk",))),
        ("X-MS-Exchange-Organization-SCL: -1\n", INBOX),
        ("X-Forefront-Antispam-Report: SFV:NSPM;SCL:1\n", INBOX),
    ],
)
def test_not_spam(headers, context):
    assert classify(mail(headers), context).kind is MailKind.MESSAGE


def test_a_mail_of_nothing_is_a_message():
    verdict = classify(parse_mail(b""), INBOX)
    assert (verdict.kind, verdict.may_answer) == (MailKind.MESSAGE, False)


@pytest.mark.parametrize(
    ("words", "kept"), [("550 a\0b", "550 a\ufffdb"), (r"550 a\x{d800}b", None), ("550 \udc80".encode("utf-8", "surrogatepass"), None)]
)
def test_what_a_report_says_can_be_stored(words: str | bytes, kept: str | None) -> None:
    said = words if isinstance(words, bytes) else words.encode()
    raw = (
        b"From: MAILER-DAEMON@example.com\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n\r\nSorry\r\n"
        b"--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@example.com\r\n"
        b"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; " + said + b"\r\n\r\n--r--\r\n"
    )
    (report,) = classify(parse_mail(raw), ClassifyContext(frozenset())).reports
    assert "\0" not in report.diagnostic
    report.diagnostic.encode()
    assert kept is None or report.diagnostic == kept
