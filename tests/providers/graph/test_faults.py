"""Statuses and codes of Graph as our errors."""


import httpx
import pytest

from providers.errors import AuthFailed, NotThere, ProtocolBroken, Refused, Throttled, TooLarge, Unreachable
from providers.graph.faults import (
    ChangedMeanwhile,
    SendAsDenied,
    ServerError,
    TokenRefused,
    fault_of,
)
from providers.mail_api import CursorExpired
from tests.servers.graph_faults import GraphError


def fault(status, code="x", **headers):
    return fault_of(status, httpx.Headers(headers), GraphError(status, code, "words of a@example.com").encoded())


@pytest.mark.parametrize(
    ("status", "code", "kind", "reason"),
    [
        (401, "InvalidAuthenticationToken", TokenRefused, "token_refused"),
        (403, "ErrorAccessDenied", AuthFailed, "access_denied"),
        (403, "ErrorSendAsDenied", SendAsDenied, "send_as_denied"),
        (403, "ErrorQuotaExceeded", Refused, "mailbox_full"),
        (403, "ExtensionError", Refused, "subscriptions_refused"),
        (404, "ErrorItemNotFound", NotThere, "not_found"),
        (404, "MailboxNotEnabledForRESTAPI", AuthFailed, "mailbox_unknown"),
        (404, "ErrorInvalidUser", AuthFailed, "mailbox_unknown"),
        (410, "SyncStateInvalid", CursorExpired, "cursor_expired"),
        (410, "", CursorExpired, "cursor_expired"),
        (400, "syncStateNotFound", CursorExpired, "cursor_expired"),
        (404, "SyncStateNotFound", CursorExpired, "cursor_expired"),
        (400, "ErrorInvalidRecipients", Refused, "recipients_invalid"),
        (400, "InefficientFilter", Refused, "filter_inefficient"),
        (400, "ErrorMessageSizeExceeded", TooLarge, "too_large"),
        (413, "", TooLarge, "too_large"),
        (412, "ErrorIrresolvableConflict", ChangedMeanwhile, "changed_meanwhile"),
        (429, "ApplicationThrottled", Throttled, "throttled"),
        (400, "ErrorExceededMessageLimit", Throttled, "throttled"),
        (500, "", ServerError, "server_error"),
        (503, "ErrorServerBusy", ServerError, "server_error"),
        (504, "", Unreachable, "server_error"),
        (302, "", ProtocolBroken, "redirected"),
    ],
)
def test_statuses_and_codes_have_a_meaning(status, code, kind, reason):
    found = fault(status, code)
    assert isinstance(found, kind)
    assert found.reason == reason
    assert "a@example.com" not in str(found)


def test_an_answer_of_another_form_is_judged_by_its_status():
    for content in (b"<html>", b"[]", b'{"error": "x"}', b'{"error": {"code": 7}}', b"\xff"):
        assert isinstance(fault_of(404, {}, content), NotThere)


def test_retry_after_is_taken_over():
    assert fault(429, **{"Retry-After": "120"}).retry_after == 120
    assert fault(429).retry_after is None
