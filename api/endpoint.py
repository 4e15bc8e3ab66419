"""What a route is: one value that declares its method, path, access and schemas, and the call that its handler gets.

Routing, checking and the OpenAPI document are all driven by these values, so none of them can disagree.
"""

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.auth import Access, Principal
from api.deps import Deps
from api.problems import not_found, not_signed_in

Q = TypeVar("Q")
B = TypeVar("B")


@dataclass(slots=True)
class Call(Generic[Q, B]):
    """One request, checked: `query` and `body` are the endpoint's models."""

    request: Request
    deps: Deps
    principal: Principal | None
    query: Q
    body: B

    @property
    def who(self) -> Principal:
        """The caller of a route that is not public."""
        if self.principal is None:
            raise not_signed_in()
        return self.principal

    @staticmethod
    def now() -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def id(self, name: str) -> uuid.UUID:
        """An id of the path. One that is no UUID is as unknown as any other."""
        try:
            return uuid.UUID(self.request.path_params[name])
        except ValueError:
            raise not_found() from None


Handler = Callable[[Call[Any, Any]], Awaitable[BaseModel | Response | None]]


class Empty(BaseModel, extra="forbid"):
    """No query parameters."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path. `response` None with status 204 has no body; `media_type` names what is not JSON.

    `raw_body` leaves the body to the handler; `endless` lifts the time limit. `conflicts` are the names of its 409s,
    `also` what the answer may be instead of JSON.
    `needs_database` False answers also while PostgreSQL hangs.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    response: type[BaseModel] | None = None
    status: int = 200
    query: type[BaseModel] = Empty
    body: type[BaseModel] | None = None
    body_optional: bool = False
    raw_body: bool = False
    endless: bool = False
    needs_database: bool = True
    media_type: str = "application/json"
    conflicts: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As OpenAPI's operationId: the handler's name."""
        return str(getattr(self.handler, "__name__", "handler"))
