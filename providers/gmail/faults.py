"""Google's error answers as our errors: by status and by the word in `errors[].reason`, never with its sentences."""

import json
from collections.abc import Mapping
from typing import Any

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
from providers.retry_after import retry_after

REQUEST_REFUSED = "request_refused"  # an argument of ours was not taken (400)
_LIMITS = frozenset({
    "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "concurrentLimitExceeded", "backendRateLimit",
})  # fmt: skip
_DAILY = frozenset({"dailyLimitExceeded", "dailyLimitExceededUnreg", "sendingLimitExceeded"})
_SCOPES = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientScopes"})
_API_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_POLICY = frozenset({"domainPolicy", "domainCannotUseApis", "appNotAuthorized"})


class TokenRefused(AuthFailed):
    """The access token was not taken (401): expired early, or the grant is revoked. A fresh one decides which."""

    reason = "token_refused"
    sentence = "Google no longer accepts the access to this mailbox. Connect the account again."


class NameTaken(Refused):
    """A label of that name exists already (409)."""

    reason = "name_taken"
    sentence = "There is a label with this name already."


def fault_of(status: int, headers: Mapping[str, str], content: bytes) -> ProviderError:
    """What an answer of `status` 300 or more means. `headers` in lower case."""
    words = _reasons(content)
    wait = retry_after(headers.get("retry-after"))
    if status == 401:
        return TokenRefused()
    if words & _DAILY:
        return Throttled(
            "daily_limit", "Google's limit for a day is used up. It goes on later.", retry_after=wait or 3600
        )
    if status == 429 or words & _LIMITS:
        return Throttled(retry_after=wait)
    if status == 403:
        return _forbidden(words)
    if status in (404, 410):
        return NotThere()
    if status == 409:
        return NameTaken()
    if status == 413 or "uploadTooLarge" in words:
        return TooLarge()
    if status in (408, 500, 502, 503, 504) or status >= 500:
        return Unreachable(
            "server_error", "Google has a problem of its own. It will be tried again.", retry_after=wait
        )
    if 300 <= status < 400:
        return ProtocolBroken("redirected")
    if "failedPrecondition" in words:
        return Refused("mail_service_off", "This Google account has no Gmail. Connect one that has.")
    return Refused(REQUEST_REFUSED)


def _forbidden(words: frozenset[str]) -> ProviderError:
    if words & _SCOPES:
        return AuthFailed(
            "scope_missing",
            "Not all permissions were given. Connect the account again and tick every box that Google shows.",
        )
    if words & _API_OFF:
        return Refused(
            "api_disabled", "The Gmail API is switched off in the Google Cloud project. Enable it there."
        )
    if words & _POLICY:
        return AuthFailed(
            "domain_policy",
            "The administrator of this Google domain does not allow this app. Ask them to trust it, then connect again.",
        )
    return Refused("forbidden")


def _reasons(content: bytes) -> frozenset[str]:
    """The machine words of an error body: `error.errors[].reason`, `error.details[].reason`. Empty where unreadable."""
    try:
        data: Any = json.loads(content)
    except ValueError:
        return frozenset()
    error = data.get("error") if isinstance(data, dict) else None
    if not isinstance(error, dict):
        return frozenset()
    entries = [*_list(error.get("errors")), *_list(error.get("details"))]
    words = (entry.get("reason") for entry in entries if isinstance(entry, dict))
    return frozenset(word for word in words if isinstance(word, str))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
