"""RFC 3463 and RFC 5321 codes in real sentences, and what they mean for an address (integrity L-6)."""

import time

import pytest

from mail.bounce_causes import Cause, cause_of
from mail.status_codes import bounce_class, enhanced_code, reply_code, settle_status
from mail.values import BounceClass


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 5.1.1 <a@example.com>: unknown", "5.1.1"),
        ("550-5.7.26 first line\n550 5.7.26 last", "5.7.26"),
        ("rejected with 5.1.1.", "5.1.1"),
        ("(#4.4.3)I'm not going to try again", "4.4.3"),
        ("503 5.0.0 need RCPT; 452 4.2.2 full", "4.2.2"),
        ("host 5.1.1.2 refused", ""),
        ("version 15.1.1 is installed", ""),
        ("host mx [192.5.1.1] said no", ""),
        ("nothing here", ""),
    ],
)
def test_enhanced_code_is_found_and_addresses_are_not_taken_for_one(text, code):
    assert enhanced_code(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 User unknown", "550"),
        ("smtp; 552-5.2.2 full", "552"),
        ("host mx.example.com said: 451 try later", "451"),
        ("<<< 501 no", "501"),
        ("ResponseCode 421, , Host not reachable", "421"),
        ("invoice 550 was paid", ""),
        ("our room 451a", ""),
    ],
)
def test_reply_code_needs_the_place_of_one(text, code):
    assert reply_code(text) == code


@pytest.mark.parametrize(
    ("stated", "diagnostic", "action", "status"),
    [
        ("5.1.1", "550 5.1.1 no", "failed", "5.1.1"),
        ("5.0.0", "550 5.1.1 no", "failed", "5.1.1"),  # the vague one gives way
        ("4.5.0", "550 5.5.0 refused", "failed", "5.5.0"),  # the reporter softened the remote's answer
        ("5.2.0 (transmission failed)", "522 5.2.0 over quota", "failed", "5.2.0"),
        ("", "550 no such user", "failed", "5.0.0"),
        ("", "", "failed", "5.0.0"),
        ("", "", "delayed", "4.0.0"),
        ("", "", "delivered", "2.0.0"),
    ],
)
def test_status_is_settled_between_report_and_remote(stated, diagnostic, action, status):
    assert settle_status(stated, diagnostic, action=action) == status


@pytest.mark.parametrize(
    ("status", "text", "action", "expected"),
    [
        ("5.1.1", "", "failed", BounceClass.HARD),
        ("5.1.2", "", "failed", BounceClass.HARD),
        ("5.1.10", "", "failed", BounceClass.HARD),
        ("5.2.2", "mailbox full", "failed", BounceClass.SOFT),
        ("4.4.7", "expired", "failed", BounceClass.SOFT),
        ("4.1.1", "user unknown", "failed", BounceClass.SOFT),  # L-6: class 4 is soft whatever it says
        ("5.7.1", "user unknown", "failed", BounceClass.POLICY),  # L-6: 5.7.x is policy
        ("5.1.8", "bad sender", "failed", BounceClass.POLICY),
        ("5.0.0", "550 User unknown", "failed", BounceClass.HARD),
        ("5.0.0", "550 blocked using a list", "failed", BounceClass.POLICY),
        ("5.0.0", "", "failed", BounceClass.SOFT),  # only proof disables an address
        ("5.2.1", "account is disabled", "failed", BounceClass.SOFT),
        ("5.2.1", "User Unknown", "failed", BounceClass.HARD),
        ("5.4.1", "Recipient address rejected: Access denied", "failed", BounceClass.HARD),
        ("5.4.4", "Host or domain name not found", "failed", BounceClass.HARD),
        ("5.1.1", "", "delayed", BounceClass.SOFT),
        ("2.0.0", "", "delivered", None),
        ("2.0.0", "", "relayed", None),
        ("2.0.0", "", "expanded", None),
    ],
)
def test_bounce_class(status, text, action, expected):
    assert bounce_class(status, text, action=action) is expected


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("The recipient's mailbox is full", Cause.MAILBOX_FULL),
        ("552 Quota exceeded", Cause.MAILBOX_FULL),
        ("Recipient address rejected: Greylisted", Cause.POLICY),
        ("Relay access denied", Cause.POLICY),
        ("Domain does not exist", Cause.UNKNOWN_HOST),
        ("Unrouteable address", Cause.UNKNOWN_HOST),
        ("no such user here", Cause.UNKNOWN_ADDRESS),
        ("The email account that you tried to reach does not exist", Cause.UNKNOWN_ADDRESS),
        ("vdelivermail: account is locked email bounced", Cause.DISABLED),
        ("retry timeout exceeded", Cause.EXPIRED),
        ("Connection timed out", Cause.NETWORK),
        ("all is well", None),
    ],
)
def test_cause(text, cause):
    assert cause_of(text) is cause


@pytest.mark.parametrize("unit", ["a", "user ", "name x ", "5.", "said: ", "exceed ", "550 ", " "])
def test_sentences_are_searched_in_linear_time(unit):
    text = unit * (100_000 // len(unit))
    started = time.perf_counter()
    cause_of(text)
    enhanced_code(text)
    reply_code(text)
    assert time.perf_counter() - started < 1.0
