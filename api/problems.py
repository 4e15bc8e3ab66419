"""Errors as people and programs read them: RFC 9457 problem documents whose `detail` says what to do.

A `Problem` is raised anywhere below a handler and rendered in one place. It never carries a secret, an address or a
body that the caller did not send itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

TITLES = {
    400: "Bad request",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not valid",
    429: "Too many requests",
    500: "Internal error",
    503: "A part is away",
    504: "Took too long",
}
NAMES = {
    400: "bad-request",
    401: "not-signed-in",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    422: "not-valid",
    429: "too-many-requests",
    500: "internal-error",
    503: "part-away",
    504: "timeout",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: its path as in the request, such as `to[0].address`, and what to do about it."""

    field: str
    message: str


class Problem(Exception):
    """An answer other than success. `name` is the last part of its type; `extra` holds its extension members."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        name: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name or NAMES[status])
        self.status = status
        self.detail = detail
        self.name = name or NAMES[status]
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.extra = dict(extra or {})

    def response(self) -> JSONResponse:
        headers = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, self.retry_after))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        body = {
            "type": f"/problems/{self.name}",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            "errors": [{"field": e.field, "message": e.message} for e in self.errors],
            **self.extra,
        }
        return JSONResponse(
            body, status_code=self.status, headers=headers, media_type="application/problem+json"
        )


def not_found() -> Problem:
    """The same for ids that do not exist and ids of others (integrity X-45)."""
    return Problem(404, "There is nothing at this address, or it is not yours to see.")


def not_signed_in() -> Problem:
    return Problem(401, "Sign in, or send `Authorization: Bearer` with an API key.")


def not_valid(*errors: FieldError) -> Problem:
    """422 for fields whose value cannot be used."""
    named = ", ".join(dict.fromkeys(e.field for e in errors if e.field))
    return Problem(422, f"Correct {named or 'the request'} and send it again.", errors=errors)


def away(part: str, remedy: str) -> Problem:
    """503 that names the part, so that its runbook can be found."""
    return Problem(503, f"{part} does not answer. {remedy}", retry_after=5, extra={"part": part})
