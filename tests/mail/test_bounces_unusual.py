"""Notices that follow no standard, one of each family, and the human mails that must never be taken for one."""

import textwrap
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.classify import ClassifyContext, classify
from mail.parse import parse_mail
from mail.values import BounceClass, MailKind

INBOX = ClassifyContext(own_addresses=frozenset({"support@desk.example.com"}))
DAEMON = "MAILER-DAEMON@mx.example.net"
COPY = textwrap.dedent("""\
    Return-Path: <support@desk.example.com>
    Received: from app (app [192.0.2.4]) by mx.example.net; Fri, 3 Jan 2025 14:05:00 +0000
    From: Support <support@desk.example.com>
    To: ann@example.com
    Subject: Re: hi
    Message-ID: <sent-1@desk.example.com>
    X-Mailroom-Send-ID: 0190f5e2-7a3b-7c11-8d22-1234567890ab

    Hi
""")


def mail(body, *, sender=DAEMON, subject="failure notice", headers=""):
    head = f"{headers}From: {sender}\nTo: support@desk.example.com\nSubject: {subject}\nMessage-ID: <n@mx.example.net>\n"
    return parse_mail(f"{head}Content-Type: text/plain; charset=utf-8\n\n{textwrap.dedent(body)}".encode())


def told(parsed):
    verdict = classify(parsed, INBOX)
    assert verdict.kind is MailKind.BOUNCE, verdict
    return [(r.address, r.action, r.status, r.bounce_class) for r in verdict.reports]


def test_qmail():
    parsed = mail(
        "Hi. This is the qmail-send program at mx.example.net.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        "<ann@example.com>:\n192.0.2.9 does not like recipient.\nRemote host said: 550 5.1.1 unknown user\nGiving up on 192.0.2.9.\n\n"
        "<bob@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        f"--- Below this line is a copy of the message.\n\n{COPY}",
    )
    assert told(parsed) == [
        ("ann@example.com", "failed", "5.1.1", BounceClass.HARD),
        ("bob@example.com", "failed", "5.1.1", BounceClass.HARD),
    ]
    verdict = classify(parsed, INBOX)
    assert verdict.original_message_ids == ("<sent-1@desk.example.com>",)
    assert verdict.original_send_id == "0190f5e2-7a3b-7c11-8d22-1234567890ab"


def test_exim_without_and_with_its_header():
    body = (
        "This message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its\n"
        "recipients. This is a permanent error. The following address(es) failed:\n\n"
        "  ann@example.com\n    SMTP error from remote mail server after RCPT TO:<ann@example.com>:\n"
        "    host mail.example.com [192.0.2.9]: 550 No such user here\n"
        "  bob@example.com\n    mailbox is full: retry timeout exceeded\n\n"
        f"------ This is a copy of the message, including all the headers. ------\n\n{COPY}"
    )
    expected = [
        ("ann@example.com", "failed", "5.0.0", BounceClass.HARD),
        ("bob@example.com", "failed", "5.0.0", BounceClass.SOFT),
    ]
    subject = "Mail delivery failed: returning message to sender"
    assert told(mail(body, subject=subject)) == expected
    header = "X-Failed-Recipients: ann@example.com, bob@example.com\n"
    assert told(mail(body, subject=subject, headers=header)) == expected


def test_old_gmail_failure_and_delay():
    failed = (
        "Delivery to the following recipient failed permanently:\n\n     ann@example.com\n\n"
        "Technical details of permanent failure:\nThe error that the other server returned was:\n"
        f"550 550 5.1.1 unknown user (state 14).\n\n----- Original message -----\n\n{COPY}"
    )
    header = "X-Failed-Recipients: ann@example.com\nReturn-Path: <>\n"
    sender = "Mail Delivery Subsystem <mailer-daemon@googlemail.com>"
    assert told(
        mail(failed, sender=sender, subject="Delivery Status Notification (Failure)", headers=header)
    ) == [
        ("ann@example.com", "failed", "5.1.1", BounceClass.HARD),
    ]
    delayed = (
        "This is an automatically generated Delivery Status Notification\n\nTHIS IS A WARNING MESSAGE ONLY.\n\n"
        "Delivery to the following recipient has been delayed:\n\n     ann@example.com\n\n"
        f"Message will be retried for 2 more day(s)\n\n----- Original message -----\n\n{COPY}"
    )
    assert told(mail(delayed, sender=sender, subject="Delivery Status Notification (Delay)")) == [
        ("ann@example.com", "delayed", "4.0.0", BounceClass.SOFT),
    ]


def test_sendmail_5_transcript():
    parsed = mail(
        "   ----- Transcript of session follows -----\nWhile talking to mail.example.com:\n>>> RCPT To:<ann@example.com>\n"
        "<<< 550 <ann@example.com>... User unknown\n550 <ann@example.com>... User unknown\n"
        "550 nowhere.example (smtp)... 550 Host unknown\n554 <bob@nowhere.example>... 550 Host unknown (Authoritative answer)\n\n"
        f"   ----- Unsent message follows -----\n{COPY}",
        subject="Returned mail: User unknown",
    )
    assert told(parsed) == [
        ("ann@example.com", "failed", "5.0.0", BounceClass.HARD),
        ("bob@nowhere.example", "failed", "5.0.0", BounceClass.HARD),
    ]


def test_exchange_2003_by_postmaster():
    parsed = mail(
        "Your message\n\n  To:      ann@example.com\n  Subject: hi\n\ndid not reach the following recipient(s):\n\n"
        "ann@example.com on Fri, 3 Jan 2025 14:05:00 -0000\n    The recipient name is not recognized\n    MSEXCH:IMS:X:Y:Z 0 (000C05A6)\n",
        sender="System Administrator <postmaster@example.net>",
        subject="Undeliverable: hi",
        headers="Return-Path: <>\n",
    )
    assert told(parsed) == [("ann@example.com", "failed", "5.0.0", BounceClass.HARD)]


def test_gmx_quotes_its_addresses():
    parsed = mail(
        "A message that you sent could not be delivered to one or more of\nits recipients. The following address\nfailed:\n\n"
        '"ann@example.com":\nSMTP error from remote server after RCPT command:\nhost: mail.example.com\n5.2.2 Mailbox Full\n\n\n'
        f"--- The header of the original message is following. ---\n\n{COPY}",
        subject="Mail delivery failed: returning message to sender",
    )
    assert told(parsed) == [("ann@example.com", "failed", "5.2.2", BounceClass.SOFT)]


def test_dragonfly_writes_from_an_empty_address():
    parsed = mail(
        "This is the DragonFly Mail Agent v0.13 at mx.example.net.\n\nThere was an error delivering your mail to <ann@example.com>.\n\n"
        "mail.example.com [192.0.2.25] did not like our RCPT TO:\n550 5.7.0 <ann@example.com>: Spam detected.\n\n"
        f"Message headers follow.\n\n{COPY}",
        sender="MAILER-DAEMON <>",
        subject="Mail delivery failed",
    )
    assert told(parsed) == [("ann@example.com", "failed", "5.7.0", BounceClass.POLICY)]


def test_a_carriers_gateway_from_a_no_reply_address():
    raw = (
        "From: no-reply@carrier.example.jp\nTo: support@desk.example.com\nSubject: =?utf-8?b?44Oh44O844Or44Ko44Op44O86YCa55+l?=\n"
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
        "Your mail sent on: Fri, 3 Jan 2025 14:05:00 +0900\n     Could not be delivered to: <ann@example.com>\n"
        f"     As their mailbox is full.\n--b\nContent-Type: message/rfc822\n\n{COPY}\n--b--\n"
    )
    assert told(parse_mail(raw.encode())) == [("ann@example.com", "failed", "5.0.0", BounceClass.SOFT)]


def test_a_status_pasted_into_the_text():
    parsed = mail(
        "An error occurred while trying to deliver the mail to the following recipients:\nann@example.com\n\nTechnical report:\n\n"
        "Reporting-MTA: dsn; relay.example.net\n\nAction: failed\nFinal-Recipient: rfc822; ann@example.com\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\nStatus: 5.1.1\n",
        subject="Delivery Status Notification (Failure)",
    )
    assert told(parsed) == [("ann@example.com", "failed", "5.1.1", BounceClass.HARD)]


def test_ses_notifications_by_mail():
    message = (
        '{\\"notificationType\\":\\"Bounce\\",\\"bounce\\":{\\"bounceType\\":\\"Permanent\\",\\"bouncedRecipients\\":['
        '{\\"emailAddress\\":\\"ann@example.com\\",\\"action\\":\\"failed\\",\\"status\\":\\"5.1.1\\",'
        '\\"diagnosticCode\\":\\"smtp; 550 5.1.1 user unknown\\"}]},\\"mail\\":{\\"headers\\":['
        '{\\"name\\":\\"Message-ID\\",\\"value\\":\\"<sent-1@desk.example.com>\\"}]}}'
    )
    body = f'{{"Type":"Notification","Message":"{message}"}}\n'
    parsed = mail(
        body,
        sender="AWS <no-reply@sns.amazonaws.com>",
        subject="AWS Notification Message",
        headers="x-amz-sns-message-id: 1\n",
    )
    assert told(parsed) == [("ann@example.com", "failed", "5.1.1", BounceClass.HARD)]
    assert classify(parsed, INBOX).original_message_ids == ("<sent-1@desk.example.com>",)


def test_a_daemon_in_unknown_words_is_a_bounce_without_reports():
    verdict = classify(mail("Das ging leider nicht.\n", subject="Unzustellbar: hi"), INBOX)
    assert verdict.kind is MailKind.BOUNCE
    assert verdict.reports == ()


QMAIL_QUOTED = (
    "> Hi. This is the qmail-send program at mx.example.net.\n> I'm afraid I wasn't able to deliver your message\n"
    "> to the following addresses.\n>\n> <ann@example.com>:\n> 550 5.1.1 unknown user\n"
)
HUMAN = [
    pytest.param(
        "Ann <ann@example.com>",
        "Delivery failed again!",
        "My parcel's delivery failed. Where is it?\n",
        "",
        id="parcel",
    ),
    pytest.param(
        "Ann <ann@example.com>",
        "Undeliverable",
        f"I get this:\n\n{QMAIL_QUOTED}\nWhy?\n",
        "",
        id="quotes-a-bounce",
    ),
    pytest.param(
        "Ann <ann@example.com>",
        "Fwd: failure notice",
        QMAIL_QUOTED.replace("> ", ""),
        "",
        id="forwards-inline",
    ),
    pytest.param(
        "Ann <ann@example.com>",
        "mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\n"
        "A message could not be delivered. The following address(es) failed:\n\n  bob@example.com\n    550 unknown\n",
        "",
        id="pastes-a-bounce",
    ),
    pytest.param(
        "Paul <postmaster@customer.example>",
        "Delivery failure to our users",
        "Hello,\n\nwe could not be delivered to since Monday, please see:\n\n<bob@customer.example>:\n550 5.7.1 blocked\n\nRegards, Paul\n",
        "",
        id="a-human-postmaster",
    ),
    pytest.param(
        "Paul <postmaster@customer.example>",
        "Re: Undeliverable mail",
        f"Fixed now.\n\n{QMAIL_QUOTED}",
        "",
        id="postmaster-answers",
    ),
    pytest.param(
        "Shop <no-reply@shop.example>",
        "Delivery failed",
        "We could not deliver your parcel to bob@example.com: nobody home.\n",
        "",
        id="a-shop",
    ),
    pytest.param(
        "Delivery Team <hello@parcel.example>",
        "delivery status",
        "Your parcel was not delivered.\n\nbob@example.com: absent\n",
        "",
        id="a-courier",
    ),
    pytest.param(
        "Royal Mail Delivery <hello@parcel.example>",
        "Delivery failed",
        "We could not deliver your parcel to:\n\nbob@example.com:\nnobody home\n",
        "",
        id="a-courier-by-name",
    ),
]


@pytest.mark.parametrize(("sender", "subject", "body", "headers"), HUMAN)
def test_a_persons_mail_about_failed_delivery_is_a_message(sender, subject, body, headers):
    verdict = classify(mail(body, sender=sender, subject=subject, headers=headers), INBOX)
    assert verdict.kind is MailKind.MESSAGE, verdict


def test_an_absence_note_that_lists_addresses_is_no_bounce():
    body = "I was not able to deliver the report. For urgent matters:\n\nbob@example.com: +1 555 0100\n"
    verdict = classify(
        mail(
            body,
            sender="Ann <ann@example.com>",
            subject="Automatic reply: Undeliverable invoice",
            headers="Return-Path: <>\n",
        ),
        INBOX,
    )
    assert verdict.kind is MailKind.AUTO_REPLY


def test_an_empty_envelope_alone_makes_no_bounce():
    body = "Delivery failed for my order.\n\nbob@example.com: is my colleague\n\n-----Original Message-----\nFrom: x\n\nold\n"
    verdict = classify(
        mail(body, sender="Ann <ann@example.com>", subject="Delivery failed", headers="Return-Path: <>\n"),
        INBOX,
    )
    assert verdict.kind is MailKind.MESSAGE
    assert verdict.may_answer is False


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(
            ["<ann@example.com>:", "ann@example.com", "550 5.1.1", ">>> RCPT TO:<a@b.example>", "<<< 550 no", "\n", "\n\n", " ", "  ",
             "Final-Recipient: rfc822;", "Action: failed", "following address(es) failed", "transcript of session",
             "did not reach the following recipient(s):", "--- Below this line is a copy of the message.", "Message-ID: <", "\x00", "@", "é"],
        ),
    ),
)  # fmt: skip
def test_any_heap_of_words_from_a_daemon_is_read_without_error(words):
    verdict = classify(mail("delivery failed\n" + "".join(words)), INBOX)
    assert verdict.kind is MailKind.BOUNCE
    assert all("@" in r.address and "\0" not in r.address for r in verdict.reports)


@pytest.mark.parametrize(
    "unit",
    ["-", "> ", "- -", "<a@b.example>:\n", "a@b.example ", "  a@b.example\n", "message-id: \n <", "following address(es) failed\n",
     "Status: 5.1.1\nFinal-Recipient: rfc822;a@b.example\n\n", "recipient: ", "<<< 550 \n", " ", "original message\n", "delivery to "],
)  # fmt: skip
def test_a_hostile_notice_costs_little(unit):
    parsed = mail(unit * (100_000 // len(unit)), headers="Return-Path: <>\n")
    started = time.perf_counter()
    classify(parsed, INBOX)
    assert time.perf_counter() - started < 2.0
