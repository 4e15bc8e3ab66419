"""One line for each answer: method, path without query or token, status, time. No address, no name, no token."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("mailroom.api.access")
QUIET = ("/healthz", "/readyz", "/metrics", "/web/")


class AccessLog:
    """Writes it when the answer is complete; health checks and files only when they fail."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            path = str(scope["path"])
            quiet = path.startswith(QUIET) and status < 500
            log.log(
                logging.DEBUG if quiet else logging.INFO,
                "%s %s %s %.0f ms",
                scope["method"],
                shown_path(path),
                status or "aborted",
                (time.perf_counter() - began) * 1000,
            )


def shown_path(path: str) -> str:
    """Without signed tokens, which open what they name. Ids stay: they are opaque, and how a person finds a call."""
    if path.startswith("/v1/inline/"):
        return "/v1/inline/…"
    return "".join(c if c.isprintable() else "?" for c in path)[:200]
