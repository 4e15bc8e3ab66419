"""What can be made to go wrong at the Graph stand-in, and the error bodies in Microsoft's form."""

import json
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from tests.servers.stand_in_http import Reset


class GraphError(Exception):
    """An answer in Graph's form: `{"error": {"code", "message", "innerError"}}`."""

    def __init__(self, status: int, code: str, message: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.headers = headers or {}
        inner = {"date": "2026-01-01T00:00:00", "request-id": str(uuid.uuid4())}
        self.body: dict[str, Any] = {"error": {"code": code, "message": message or code, "innerError": inner}}

    def encoded(self) -> bytes:
        return json.dumps(self.body).encode()


def not_found() -> GraphError:
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def throttled(retry_after: int | None = None, words: str = "Too many requests") -> GraphError:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return GraphError(429, "ApplicationThrottled", words, headers)


@dataclass(slots=True)
class Fault:
    """One planned failure of `operation` (`messages.send`, `messages.delta`, `token`, ... or `*`), `times` times.

    `item` restricts it to calls with that id in their path. `after_accept`: the call is done first, then it fails.
    `hang`: seconds of silence before. `skip`: so many calls go well first.
    """

    operation: str
    status: int = 500
    code: str = "InternalServerError"
    message: str = "the server's own words: secret@example.com"
    headers: dict[str, str] | None = None
    item: str | None = None
    times: int = 1
    skip: int = 0
    after_accept: bool = False
    reset: bool = False
    hang: float = 0.0

    def error(self) -> Exception:
        return Reset() if self.reset else GraphError(self.status, self.code, self.message, self.headers)


class Faults:
    """The planned failures, used up in their order. Safe from any thread."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []
        self._lock = threading.Lock()

    def plan(self, operation: str, status: int = 500, **more: Any) -> Fault:
        fault = Fault(operation, status, **more)
        with self._lock:
            self._planned.append(fault)
        return fault

    def take(self, operation: str, ids: tuple[str, ...] = ()) -> Fault | None:
        with self._lock:
            for fault in self._planned:
                if fault.operation not in ("*", operation) or (fault.item and fault.item not in ids):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    return None
                fault.times -= 1
                if fault.times <= 0:
                    self._planned.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    @property
    def left(self) -> int:
        return len(self._planned)
