"""What SES tells of received mail: the notice's recipients, and those that the stored mail itself names when the notice was lost."""

import datetime as dt
import json

import pytest

from mail.ses_receipts import MOST_RECIPIENTS, read_receipt, recipients_told
from tests.servers.ses_payloads import SENT, event, receipt, ses_id

BY_SES = b"Received: from mx.example.net (mx.example.net [192.0.2.7])\r\n by inbound-smtp.eu-west-1.amazonaws.com with SMTP id abc\r\n for %s;\r\n Tue, 04 Mar 2025 09:00:00 +0000 (UTC)\r\n"


def test_a_receipt_is_where_the_mail_lies_and_whom_it_is_for() -> None:
    one = ses_id()
    mail = read_receipt(json.dumps(receipt(one, "Desk@Example.org", "desk@example.org", "b@example.org")))
    assert mail is not None
    assert (mail.object_id, mail.recipients, mail.received_at) == (f"inbound/in/{one}", ("desk@example.org", "b@example.org"), SENT)


@pytest.mark.parametrize(
    "body",
    ["", "Successfully validated SNS topic for Amazon SES event publishing.", "[]", "null", "{" * 5000, json.dumps(event("Delivery", ses_id(), "a@example.org"))],
)
def test_what_is_no_receipt_is_none(body: str) -> None:
    assert read_receipt(body) is None


@pytest.mark.parametrize(
    "action",
    [{"type": "SNS"}, {"type": "S3"}, {"type": "S3", "bucketName": "b", "objectKey": ""}, {"type": "S3", "bucketName": 1, "objectKey": "k"},
     {"type": "S3", "bucketName": "a/b", "objectKey": "k"}, {"type": "S3", "bucketName": "b", "objectKey": "k" * 1300}, None, "S3"],
)  # fmt: skip
def test_another_action_or_a_place_that_cannot_be_is_none(action: object) -> None:
    given = receipt(ses_id(), "desk@example.org")
    given["receipt"]["action"] = action
    assert read_receipt(json.dumps(given)) is None


@pytest.mark.parametrize("recipients", [None, "desk@example.org", [], [1, None, "x", "a" * 400 + "@example.org"]])
def test_recipients_that_are_none_leave_a_mail_for_nobody(recipients: object) -> None:
    given = receipt(ses_id())
    given["receipt"]["recipients"] = recipients
    mail = read_receipt(json.dumps(given))
    assert mail is not None
    assert mail.recipients == ()


def test_times_without_zone_or_sense_are_left_to_the_reader() -> None:
    for told in (None, "yesterday", "2025-03-04T09:00:00", 7):
        given = receipt(ses_id(), "desk@example.org")
        given["receipt"]["timestamp"] = told
        mail = read_receipt(json.dumps(given))
        assert mail is not None
        assert mail.received_at is None
    assert dt.datetime.fromisoformat("2025-03-04T09:00:00Z").tzinfo is not None


def test_a_stored_mail_names_whom_ses_took_it_for_before_the_fields() -> None:
    head = BY_SES % b"Desk@example.org" + b"To: Carla <carla@example.net>, team:a@example.org,b@example.org;\r\nCc: c@example.org\r\nSubject: to x@example.org\r\n\r\nTo: body@example.org\r\n"
    assert recipients_told(head) == ("desk@example.org", "carla@example.net", "a@example.org", "b@example.org", "c@example.org")


def test_a_forged_line_below_is_not_believed() -> None:
    head = b"Received: from a by mx.example.net for <other@example.org>; now\r\n" + BY_SES % b"forged@example.org" + b"To: desk@example.org\r\n\r\n"
    assert recipients_told(head) == ("desk@example.org",)


@pytest.mark.parametrize("head", [b"", b"\r\n", b"\0" * 100, b"Received: " + b"x" * 60_000, b"To: " + b"(" * 30_000, b"no header at all"])
def test_any_bytes_have_an_answer(head: bytes) -> None:
    assert isinstance(recipients_told(head), tuple)


def test_there_is_a_most() -> None:
    many = ", ".join(f"p{n}@example.org" for n in range(500))
    assert len(recipients_told(f"To: {many}\r\n\r\n".encode())) == MOST_RECIPIENTS
