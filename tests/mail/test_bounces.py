"""Standard delivery reports (RFC 3464) as Postfix, Exchange, Exim, Gmail and forwarders write them."""

import textwrap

import pytest

from mail.bounces import field_groups, mailbox_in, recipient_reports
from mail.classify import ClassifyContext, classify
from mail.parse import parse_mail
from mail.values import BounceClass, MailKind

INBOX = ClassifyContext(own_addresses=frozenset({"support@desk.example.com"}))
SENT = "<0190f5e27a3b7c118d221234567890ab.1042.abcdefghijklmnopqrstuvwxyz@desk.example.com>"
SEND_ID = "0190f5e2-7a3b-7c11-8d22-1234567890ab"


def report(
    status,
    *,
    text="I'm sorry.",
    returned=None,
    sender="MAILER-DAEMON@mx.example.net (Mail Delivery System)",
    line_end="\n",
):
    returned = returned if returned is not None else (
        f"From: support@desk.example.com\nTo: ann@example.com\nSubject: Re: hi\nMessage-ID: {SENT}\nX-Mailroom-Send-ID: {SEND_ID}\n\nHi\n"
    )  # fmt: skip
    raw = textwrap.dedent("""\
        Return-Path: <>
        From: {sender}
        To: support@desk.example.com
        Subject: Undelivered Mail Returned to Sender
        Message-ID: <report@mx.example.net>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="b"

        --b
        Content-Type: text/plain

        {text}
        --b
        Content-Type: message/delivery-status

        {status}
        --b
        Content-Type: message/rfc822

        {returned}
        --b--
    """)
    return (
        raw.format(sender=sender, text=text, status=status, returned=returned)
        .replace("\n", line_end)
        .encode()
    )


POSTFIX = """\
Reporting-MTA: dns; mx.example.net
X-Postfix-Queue-ID: 3E47A1BC025

Final-Recipient: rfc822; ann@example.com
Original-Recipient: rfc822;ann@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; mail.example.com
Diagnostic-Code: smtp; 550 5.1.1 <ann@example.com>: Recipient address
    rejected: User unknown in virtual mailbox table
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_postfix_names_the_dead_address_and_the_mail_it_is_about(line_end):
    verdict = classify(parse_mail(report(POSTFIX, line_end=line_end)), INBOX)
    assert verdict.kind is MailKind.BOUNCE
    assert verdict.reason == "multipart/report"
    assert verdict.may_answer is False
    assert verdict.original_message_ids == (SENT,)
    assert verdict.original_send_id == SEND_ID
    (told,) = verdict.reports
    assert (told.address, told.action, told.status, told.bounce_class) == (
        "ann@example.com",
        "failed",
        "5.1.1",
        BounceClass.HARD,
    )
    assert told.diagnostic.endswith("rejected: User unknown in virtual mailbox table")


def test_exchange_full_mailbox_and_policy_are_not_hard():
    status = (
        "Reporting-MTA: dns;edge.example.org\n\n"
        "Final-recipient: RFC822;full@example.com\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp;550 5.2.2 STOREDRV; quota exceeded\n\n"
        "Final-recipient: RFC822;strict@example.com\nAction: failed\nStatus: 5.7.26\nDiagnostic-Code: smtp;550 5.7.26 unauthenticated\n"
    )
    reports = classify(parse_mail(report(status)), INBOX).reports
    assert [(r.address, r.bounce_class) for r in reports] == [
        ("full@example.com", BounceClass.SOFT),
        ("strict@example.com", BounceClass.POLICY),
    ]


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_good_news_is_a_bounce_without_a_class(action):
    status = f"Reporting-MTA: dns; a\n\nFinal-Recipient: rfc822; ann@example.com\nAction: {action}\nStatus: 2.0.0\n"
    verdict = classify(parse_mail(report(status)), INBOX)
    assert verdict.kind is MailKind.BOUNCE
    assert [(r.action, r.bounce_class) for r in verdict.reports] == [(action, None)]


def test_a_delay_is_a_soft_bounce():
    status = "Reporting-MTA: dns; a\n\nFinal-Recipient: rfc822; ann@example.com\nAction: delayed\nStatus: 4.4.1\nWill-Retry-Until: x\n"
    (told,) = classify(parse_mail(report(status)), INBOX).reports
    assert (told.action, told.status, told.bounce_class) == ("delayed", "4.4.1", BounceClass.SOFT)


def test_a_status_without_diagnostic_is_explained_by_the_part_for_people():
    status = (
        "Reporting-MTA: dns; a\n\nFinal-Recipient: rfc822; ann@example.com\nAction: failed\nStatus: 5.0.0\n"
    )
    text = "The following address failed:\n\n  ann@example.com\n    Unrouteable address\n"
    (told,) = classify(parse_mail(report(status, text=text)), INBOX).reports
    assert told.bounce_class is BounceClass.HARD
    assert "Unrouteable address" in told.diagnostic


def test_a_forwarders_address_gives_way_to_the_one_we_wrote_to():
    status = (
        "Reporting-MTA: dns; a\n\nFinal-Recipient: rfc822; behind@elsewhere.example.org\n"
        "Original-Recipient: rfc822; ann@example.com\nAction: failed\nStatus: 5.1.1\n"
    )
    assert [r.address for r in classify(parse_mail(report(status)), INBOX).reports] == ["ann@example.com"]


def test_a_file_name_as_recipient_gives_way_to_the_lone_recipient_of_the_mail():
    status = (
        "Reporting-MTA: dns; a\n\nAction: failed\nFinal-Recipient: rfc822;/var/mail/a/ann\nStatus: 5.0.0\n"
    )
    assert [r.address for r in classify(parse_mail(report(status)), INBOX).reports] == ["ann@example.com"]


def test_a_report_without_groups_is_a_bounce_without_reports():
    verdict = classify(parse_mail(report("Reporting-MTA: dns; a\n", returned="REDACTED")), INBOX)
    assert verdict.kind is MailKind.BOUNCE
    assert verdict.reports == ()


def test_a_bounce_in_the_junk_folder_is_still_a_bounce():
    context = ClassifyContext(own_addresses=frozenset(), folder_role="junk", labels=("SPAM",))
    assert classify(parse_mail(report(POSTFIX)), context).kind is MailKind.BOUNCE


def test_a_forwarded_report_in_a_persons_mail_is_a_message():
    inner = report(POSTFIX).decode()
    raw = (
        "Return-Path: <ann@example.com>\nFrom: Ann <ann@example.com>\nTo: support@desk.example.com\n"
        "Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="outer"\n\n--outer\nContent-Type: text/plain\n\nWhat does this mean?\n'
        f"--outer\nContent-Type: message/rfc822\n\n{inner}\n--outer--\n"
    )
    assert classify(parse_mail(raw.encode()), INBOX).kind is MailKind.MESSAGE


def test_a_status_part_that_a_person_attached_is_a_message():
    raw = (
        "From: Ann <ann@example.com>\nTo: support@desk.example.com\nSubject: your bounce\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="o"\n\n--o\nContent-Type: text/plain\n\nlook\n'
        f"--o\nContent-Type: message/delivery-status\n\n{POSTFIX}\n--o--\n"
    )
    assert classify(parse_mail(raw.encode()), INBOX).kind is MailKind.MESSAGE


def test_the_same_recipient_told_twice_is_one_report():
    assert len(recipient_reports(POSTFIX + "\n" + POSTFIX)) == 1


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("rfc822; ann@example.com", "ann@example.com"),
        ("RFC822;<ann@example.com>", "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("rfc822;@relay.example.com:ann@example.com", "ann@example.com"),
        (r"utf-8; j\x{F6}rg@example.com", "jörg@example.com"),
        ("utf-8; jörg@example.com", "jörg@example.com"),
        ("rfc822;/var/spool/x@y", ""),
        ("x-unix; |/usr/bin/vacation", ""),
        ("rfc822; unknown", ""),
        ("", ""),
    ],
)
def test_mailbox_in(value, address):
    assert mailbox_in(value) == address


def test_field_groups_join_folds_and_skip_prose():
    assert field_groups(
        "Hello there\r\nAction : failed\r\nStatus: 5.1.1\r\n (user\r\n\tunknown)\r\n\r\nX: y\r\n"
    ) == (
        {"action": "failed", "status": "5.1.1 (user unknown)"},
        {"x": "y"},
    )


def test_a_report_of_a_million_recipients_is_cut():
    group = "Final-Recipient: rfc822; a{}@example.com\nAction: failed\nStatus: 5.1.1\n"
    assert len(recipient_reports("\n".join(group.format(i) for i in range(5_000)))) == 1_000
