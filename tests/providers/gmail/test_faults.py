"""Google's error answers, by status and machine word."""

import json

import pytest

from providers.errors import (
    AuthFailed,
    NotThere,
    ProtocolBroken,
    ProviderError,
    Refused,
    Throttled,
    TooLarge,
    Unreachable,
)
from providers.gmail.faults import NameTaken, TokenRefused, fault_of


def body(reason: str | None, *, detail: str | None = None) -> bytes:
    error: dict[str, object] = {"code": 0, "message": "hush", "errors": [{"reason": reason, "message": "hush"}]}
    if detail:
        error["details"] = [{"reason": detail}]
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "reason", "kind", "word"),
    [
        (401, "authError", TokenRefused, "token_refused"),
        (403, "insufficientPermissions", AuthFailed, "scope_missing"),
        (403, "domainPolicy", AuthFailed, "domain_policy"),
        (403, "accessNotConfigured", Refused, "api_disabled"),
        (403, "rateLimitExceeded", Throttled, "throttled"),
        (403, "userRateLimitExceeded", Throttled, "throttled"),
        (403, "dailyLimitExceeded", Throttled, "daily_limit"),
        (403, "forbidden", Refused, "forbidden"),
        (404, "notFound", NotThere, "not_found"),
        (410, "gone", NotThere, "not_found"),
        (409, "aborted", NameTaken, "name_taken"),
        (413, "uploadTooLarge", TooLarge, "too_large"),
        (400, "invalidArgument", Refused, "request_refused"),
        (429, "rateLimitExceeded", Throttled, "throttled"),
        (500, "backendError", Unreachable, "server_error"),
        (502, None, Unreachable, "server_error"),
        (503, "backendError", Unreachable, "server_error"),
        (307, None, ProtocolBroken, "redirected"),
    ],
)
def test_each_answer_has_its_error(status: int, reason: str | None, kind: type[ProviderError], word: str) -> None:
    fault = fault_of(status, {}, body(reason))
    assert type(fault) is kind
    assert fault.reason == word
    assert "hush" not in f"{fault!r} {fault} {fault.sentence}"


def test_the_newer_form_of_a_missing_scope_is_known_too() -> None:
    assert fault_of(403, {}, body("forbidden", detail="ACCESS_TOKEN_SCOPE_INSUFFICIENT")).reason == "scope_missing"


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"error": "text"}', b'{"error": {"errors": [1, {}]}}', b"\xff"])
def test_a_body_that_is_not_googles_is_read_by_its_status(content: bytes) -> None:
    assert type(fault_of(429, {}, content)) is Throttled
    assert type(fault_of(403, {}, content)) is Refused
