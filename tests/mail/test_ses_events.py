"""SES events in all documented forms, read as values; what SES does not write is no event."""

import json
from typing import Any

import pytest

from mail.ses_events import SesKind, SesRecipient, read_ses_event
from mail.values import BounceClass
from tests.servers.ses_payloads import event, receipt, ses_id

ANN, BOB = "ann@customer.example.com", "bob@customer.example.com"
ID = ses_id()


def read(*args: Any, **details: Any) -> Any:
    return read_ses_event(json.dumps(event(*args, **details)))


@pytest.mark.parametrize("kind", list(SesKind))
def test_every_kind_is_read(kind: SesKind) -> None:
    found = read(kind.value, ID, ANN, send_id="s-1")
    assert (found.kind, found.ses_id, found.send_ids, found.region) == (kind, ID, ("s-1",), "us-east-1")
    assert [r.address for r in found.recipients] == [ANN]
    assert found.at is not None
    assert found.key.startswith(f"ses:{ID}:{kind.value}")


def test_both_styles_tell_the_same_event() -> None:
    told = event("Bounce", ID, ANN)
    other = {"notificationType": "Bounce"} | {k: v for k, v in told.items() if k != "eventType"}
    assert read_ses_event(json.dumps(told)) == read_ses_event(json.dumps(other))


@pytest.mark.parametrize("kind", ["Bounce", "Complaint", "Delivery"])
def test_an_identity_tells_without_tags_and_headers(kind: str) -> None:
    """Only SES's own id then says which mail is meant."""
    found = read(kind, ID, ANN, send_id="s-1", style="notificationType")
    assert (found.kind, found.ses_id, found.send_ids, found.region) == (kind, ID, (), "us-east-1")
    assert [r.address for r in found.recipients] == [ANN]


@pytest.mark.parametrize(
    ("details", "judged"),
    [
        ({}, BounceClass.HARD), ({"status": "5.0.0"}, BounceClass.HARD), ({"bounceSubType": "OnAccountSuppressionList", "status": "5.7.1"}, BounceClass.HARD),
        ({"status": "5.7.1"}, BounceClass.POLICY), ({"status": "5.2.2"}, BounceClass.SOFT), ({"bounceType": "Transient"}, BounceClass.SOFT),
        ({"bounceType": "Transient", "bounceSubType": "ContentRejected"}, BounceClass.POLICY), ({"bounceType": "Undetermined"}, BounceClass.SOFT),
    ],
)  # fmt: skip
def test_what_a_bounce_says_of_the_address(details: dict[str, str], judged: BounceClass) -> None:
    assert [r.bounce for r in read("Bounce", ID, ANN, **details).recipients] == [judged]


def test_only_the_bounced_ones_are_named() -> None:
    assert [r.address for r in read("Bounce", ID, ANN, BOB, named=(BOB,)).recipients] == [BOB]


@pytest.mark.parametrize("kind", ["Complaint", "Open", "Click"])
def test_several_possible_ones_are_nobody(kind: str) -> None:
    assert read(kind, ID, ANN, BOB).recipients == (SesRecipient(""),)


def test_two_clicks_are_two_and_one_click_told_twice_is_one() -> None:
    keys = {read("Click", ID, ANN, link=link).key for link in ("https://a.example.com/", "https://b.example.com/", "https://a.example.com/")}
    assert len(keys) == 2


def test_our_id_is_found_in_the_headers_too() -> None:
    """A relay over SES's SMTP endpoint takes no tags; the events repeat the mail's headers where that is switched on."""
    told = event("Delivery", ID, ANN)
    told["mail"]["headers"].append({"name": "X-Mailroom-Send-ID", "value": " s-2 "})
    found = read_ses_event(json.dumps(told))
    assert found is not None
    assert found.send_ids == ("s-2",)


def test_a_mail_that_could_not_be_rendered_was_refused() -> None:
    told = event("Rendering Failure", ID, ANN)
    found = read_ses_event(json.dumps(told))
    assert found is not None
    assert found.kind is SesKind.REJECT


@pytest.mark.parametrize(
    "body",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.", "", "[]", "null", "{}", '{"eventType": "Bounce"}', "[" * 100_000,
        '{"eventType": "Bounce", "mail": {"messageId": "x y"}}', '{"eventType": "Subscription", "mail": {"messageId": "0100017e-1234"}}',
        json.dumps(receipt(ID, ANN)), json.dumps(event("Subscription", ID, ANN)), '{"eventType": ["Bounce"], "mail": {"messageId": 1}}',
    ],
)  # fmt: skip
def test_what_is_no_event(body: str) -> None:
    assert read_ses_event(body) is None


@pytest.mark.parametrize("odd", [{"bounce": None}, {"bounce": {"bouncedRecipients": [1, {"emailAddress": 2}, {"emailAddress": "\ud800\0@x"}], "timestamp": "soon"}}])
def test_odd_details_never_raise(odd: dict[str, Any]) -> None:
    found = read_ses_event(json.dumps(event("Bounce", ID, ANN) | odd))
    assert found is not None
    assert all("\0" not in r.address for r in found.recipients)
