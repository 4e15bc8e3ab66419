"""What can be made to go wrong at the Gmail stand-in, and the error bodies in Google's form."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

STATUS_WORDS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    410: "NOT_FOUND", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 502: "UNAVAILABLE",
    503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_REASONS = {
    400: "invalidArgument", 401: "authError", 403: "forbidden", 404: "notFound", 409: "aborted", 410: "gone",
    413: "uploadTooLarge", 429: "rateLimitExceeded", 500: "backendError", 502: "backendError", 503: "backendError",
    504: "backendError",
}  # fmt: skip


class ApiError(Exception):
    """An answer in Google's form. `reason` is the word of `errors[0]`, `domain` its domain."""

    def __init__(
        self,
        status: int,
        message: str,
        reason: str | None = None,
        *,
        domain: str = "global",
        headers: dict[str, str] | None = None,
        details: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        error: dict[str, Any] = {
            "code": status,
            "message": message,
            "errors": [{"message": message, "domain": domain, "reason": reason or _REASONS.get(status, "unknown")}],
            "status": STATUS_WORDS.get(status, "UNKNOWN"),
        }
        if details:
            error["details"] = details
        self.body = {"error": error}

    def encoded(self) -> bytes:
        return json.dumps(self.body, indent=2).encode()


def rate_limited(status: int = 403, reason: str = "rateLimitExceeded", retry_after: int | None = None) -> ApiError:
    words = "User-rate limit exceeded." if reason == "userRateLimitExceeded" else "Rate Limit Exceeded"
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return ApiError(status, words, reason, domain="usageLimits", headers=headers)


@dataclass(slots=True)
class Fault:
    """One planned failure of `operation` (`drafts.send`, `messages.get`, `batch`, `token`, ... or `*`).

    `item` restricts it to calls with that id in their path. `after_accept`: the call is done first, then it fails.
    `reset`: the connection is reset instead of an answer. `hang`: seconds of silence before the answer.
    """

    operation: str
    status: int = 500
    reason: str | None = None
    retry_after: int | None = None
    item: str | None = None
    after_accept: bool = False
    reset: bool = False
    hang: float = 0.0
    body: bytes | None = None

    def error(self) -> ApiError:
        if self.status == 429 or (self.reason or "").lower().endswith("ratelimitexceeded"):
            return rate_limited(self.status, self.reason or "rateLimitExceeded", self.retry_after)
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return ApiError(self.status, "Planned failure with secret words.", self.reason, headers=headers)


@dataclass(slots=True)
class Faults:
    """Planned failures, each used up after `times` calls."""

    _planned: list[tuple[Fault, list[int]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, operation: str, *, times: int = 1, **how: Any) -> None:
        with self._lock:
            self._planned.append((Fault(operation, **how), [times]))

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    def take(self, operation: str, item: str | None = None) -> Fault | None:
        with self._lock:
            for fault, left in self._planned:
                if left[0] > 0 and fault.operation in ("*", operation) and fault.item in (None, item):
                    left[0] -= 1
                    return fault
        return None
