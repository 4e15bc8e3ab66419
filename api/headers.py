"""Security headers of every answer, and the policy of our own pages (integrity X-3).

An answer that sets one of them itself keeps its own: the frame of a mail and pictures need other ones.
"""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_CSP = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def app_csp(s3_origin: str | None, script_hash: str = "") -> str:
    """The policy of the web client: its own files only, frames of its own mails, the bucket for pictures and uploads.

    `script_hash` (`'sha256-…'`) admits the page's import map, which has to stand in the page itself.
    """
    bucket = f" {s3_origin}" if s3_origin else ""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {script_hash}".rstrip(),
            "style-src 'self'",
            f"img-src 'self' data: blob:{bucket}",
            f"connect-src 'self'{bucket}",
            "font-src 'self'",
            "frame-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "manifest-src 'self'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",  # the client makes no HTML from strings, so it needs no policy
        )
    )


class SecurityHeaders:
    """Adds them as the answer starts."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers: Mapping[str, str] = {
            "Content-Security-Policy": API_CSP,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            **({"Strict-Transport-Security": "max-age=31536000"} if secure else {}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)
