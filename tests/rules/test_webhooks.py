"""Signatures that other people's libraries verify, the waits between attempts, and addresses that are taken or refused."""

import base64
import datetime as dt
import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from rules.webhooks import (
    ATTEMPTS,
    EVENTS,
    WebhookUrlProblem,
    check_url,
    make_secret,
    signature,
    standing,
    wait_after,
)

NOW = dt.datetime(2025, 3, 4, 9, 0, tzinfo=dt.UTC)
# The example of the Standard Webhooks specification, as its reference libraries test themselves with it.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DELIVERY, STAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_is_signed_as_published() -> None:
    assert signature([SECRET], DELIVERY, STAMP, BODY) == SIGNED
    assert signature([SECRET.removeprefix("whsec_")], DELIVERY, STAMP, BODY) == SIGNED


@pytest.mark.parametrize("changed", [("msg_other", STAMP, BODY), (DELIVERY, STAMP + 1, BODY), (DELIVERY, STAMP, BODY + b" ")])
def test_whatever_is_changed_changes_the_signature(changed: tuple[str, int, bytes]) -> None:
    assert signature([SECRET], *changed) != SIGNED


def test_during_a_rotation_both_secrets_sign() -> None:
    other = make_secret(b"\x07" * 32)
    both = signature([other, SECRET], DELIVERY, STAMP, BODY).split(" ")
    mac = hmac.new(b"\x07" * 32, b"%s.%d.%s" % (DELIVERY.encode(), STAMP, BODY), hashlib.sha256).digest()
    assert both == [f"v1,{base64.b64encode(mac).decode()}", SIGNED]


def test_the_reference_library_takes_what_either_secret_signs_and_nothing_that_was_changed() -> None:
    secret, before, now = make_secret(b"\x07" * 32), make_secret(b"\x08" * 32), int(time.time())
    body = b'{"type":"rule.matched","data":{"rule":"Gr\xc3\xb6\xc3\x9fe"}}'
    headers = {
        "webhook-id": DELIVERY,
        "webhook-timestamp": str(now),
        "webhook-signature": signature([secret, before], DELIVERY, now, body),
    }
    for known in (secret, before):
        assert Webhook(known).verify(body, headers)["type"] == "rule.matched"
    for changed, about in ((body + b" ", headers), (body, {**headers, "webhook-id": "msg_other"})):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(changed, about)


def test_a_secret_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="base64"):
        signature(["whsec_not base64"], DELIVERY, STAMP, BODY)


def test_ten_attempts_from_five_seconds_to_twelve_hours() -> None:
    waits = [wait_after(n) for n in range(1, ATTEMPTS + 1)]
    assert (ATTEMPTS, waits[0], waits[-2], waits[-1]) == (10, dt.timedelta(seconds=5), dt.timedelta(hours=12), None)
    known = [w for w in waits if w is not None]
    assert known == sorted(known)
    assert wait_after(ATTEMPTS + 3) is None


@pytest.mark.parametrize(
    ("failing", "said"),
    [(dt.timedelta(0), "active"), (dt.timedelta(minutes=59), "active"), (dt.timedelta(hours=1), "warning"),
     (dt.timedelta(days=4, hours=23), "warning"), (dt.timedelta(days=5), "disabled")],
)  # fmt: skip
def test_an_endpoint_is_warned_about_and_then_given_up(failing: dt.timedelta, said: str) -> None:
    assert standing(NOW - failing, NOW) == said


def test_nothing_personal_and_none_of_its_own_can_be_asked_for() -> None:
    assert not [kind for kind in EVENTS if kind.startswith(("webhook.", "notification.", "user.", "api_key."))]


@pytest.mark.parametrize("url", ["https://example.com/hooks", " https://example.com:443/a?b=c ", "https://[2001:db8::1]/x"])
def test_addresses_that_are_taken(url: str) -> None:
    assert check_url(url, plain_allowed=False) == url.strip()


@pytest.mark.parametrize(
    "url",
    ["", "http://example.com/", "ftp://example.com/", "https://", "https://user:pass@example.com/", "https://example.com/#part", "https://example.com/a b",
     "https://example.com:99999/", "https://[::1/", "https://example.com/" + "a" * 2000, "https://exämple.com/", "javascript:alert(1)", "https://example.com:0/"],
)  # fmt: skip
def test_addresses_that_are_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(WebhookUrlProblem) as caught:
        check_url(url, plain_allowed=False)
    assert "exam" not in str(caught.value).replace("https://example.com/hooks", "")


def test_http_is_taken_where_the_operator_has_listed_networks() -> None:
    assert check_url("http://127.0.0.1:8080/x", plain_allowed=True) == "http://127.0.0.1:8080/x"
