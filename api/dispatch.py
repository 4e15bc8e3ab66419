"""Takes a request through its endpoint: who calls, may they, are query and body right, run in time, render the answer.

Every error below ends here as a problem document. What is logged holds the kind of error and its place in our code,
never its text, which may quote bodies or addresses (integrity X-52).
"""

import logging
import secrets
import time
import traceback
from typing import Any

from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.auth import Access, check_access, check_origin, find_principal
from api.blobs import BlobMissing, BlobsAway
from api.bodies import read_json, read_query
from api.deps import Deps
from api.endpoint import Call, Endpoint
from api.gateway import OrdersWait, TemporalAway
from api.patience import GivenUp, bounded
from api.problems import FieldError, Problem, away, not_valid
from store.pages import BadCursor

log = logging.getLogger("mailroom.api")
DATABASE_AWAY = "Nothing is lost. Try again in a moment; `mailroom doctor` says what is wrong."
DATABASE_HANGS = (
    "Nothing is lost, but it may have been done. Try again in a moment, a message with the same Idempotency-Key;"
    " `mailroom doctor` says what is wrong."
)


class Dispatcher:
    """Starlette's endpoint for one `Endpoint`."""

    def __init__(self, endpoint: Endpoint, deps: Deps) -> None:
        self._endpoint = endpoint
        self._deps = deps

    async def __call__(self, request: Request) -> Response:
        began = time.perf_counter()
        try:
            response = await self._answer(request)
        except Problem as problem:
            response = problem.response()
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception as error:  # the last resort: whatever it is, the client gets a problem document
            response = problem_of(error, self._endpoint.name).response()
        took = None if self._endpoint.endless else time.perf_counter() - began
        self._deps.metrics.request(self._endpoint.method, self._endpoint.path, response.status_code, took)
        return response

    async def _answer(self, request: Request) -> Response:
        endpoint, deps = self._endpoint, self._deps
        limit = None if endpoint.endless else deps.config.request_seconds
        try:
            if endpoint.needs_database:
                result = await deps.patience.during(self._handled(request), limit=limit)
            else:
                result = await bounded(self._handled(request), deps.config.request_seconds)
        except GivenUp:
            log.warning("PostgreSQL does not answer in %s", endpoint.name)
            raise away("PostgreSQL", DATABASE_HANGS) from None
        except TimeoutError:
            raise Problem(
                504, "It took longer than 30 seconds and was stopped. Ask for less, or try again."
            ) from None
        return self._render(result)

    async def _handled(self, request: Request) -> BaseModel | Response | None:
        return await self._endpoint.handler(await self._checked(request))

    async def _checked(self, request: Request) -> Call[Any, Any]:
        endpoint, deps = self._endpoint, self._deps
        check_origin(request, deps.config)
        principal = None
        if endpoint.access is not Access.PUBLIC:
            principal = await find_principal(request, deps.config, deps.database)
        check_access(principal, endpoint.access)
        if principal is not None:
            deps.limits.call(principal.caller, str(principal.tenant_id))
        query = read_query(request, endpoint.query)
        body: BaseModel | None = None
        if endpoint.body is not None:
            body = await read_json(request, endpoint.body, optional=endpoint.body_optional)
        return Call(request, deps, principal, query, body)

    def _render(self, result: BaseModel | Response | None) -> Response:
        if isinstance(result, Response):
            return result
        headers = {"Cache-Control": "private, no-store"}
        if result is None:
            return Response(status_code=self._endpoint.status, headers=headers)
        return Response(
            result.model_dump_json(by_alias=True),
            status_code=self._endpoint.status,
            media_type="application/json",
            headers=headers,
        )


def problem_of(error: Exception, where: str) -> Problem:
    """What an unforeseen error means to the client, and to the log where it is a defect."""
    if isinstance(error, BadCursor):
        return not_valid(FieldError("after", "is not a cursor that this list gave; start without one"))
    if isinstance(error, BlobsAway):
        return away("The S3 store", "Nothing was changed. Try again in a moment.")
    if isinstance(error, BlobMissing):
        return Problem(
            404,
            "The stored file is gone from the bucket. Ask the operator to restore it.",
            name="blob-missing",
        )
    if isinstance(error, TemporalAway):
        return away(
            "Temporal", "Try again in a moment; sends already accepted wait and go out when it is back."
        )
    if isinstance(error, OrdersWait):
        return away("The worker", "Orders to look again wait for it already and will be done; try again in a moment.")
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout | ConnectionError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        log.warning("PostgreSQL did not do its part in %s (%s)", where, type(error).__name__)
        return away("PostgreSQL", DATABASE_AWAY)
    number = secrets.token_hex(4)
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("defect %s in %s: %s\n%s", number, where, type(error).__name__, frames)
    return Problem(500, f"This is a defect of Mailroom. The log has it under {number}.")
