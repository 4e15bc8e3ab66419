"""One POST to an address that a tenant chose: through the egress rule, without redirects, within fifteen seconds (integrity X-20, X-41).

What the receiver says beyond its status is read to at most 64 KB, so that the connection can be used again, and thrown
away: nothing of it is kept or shown.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from providers.egress import EgressPolicy, blur
from providers.egress_http import web_client
from providers.errors import EgressBlocked, ProtocolBroken, ProviderError, TlsFailed

SECONDS = 15.0
MOST_OCTETS = 64 * 1024


@dataclass(frozen=True, slots=True)
class Posted:
    """`status` is the receiver's, None where none came; then `error` is one of `blocked`, `tls`, `timeout`, `not_http`,
    `unreachable`. `milliseconds` are told only beside a status: without one their length would tell a tenant about networks.
    """

    status: int | None = None
    error: str | None = None
    milliseconds: int | None = None


class WebhookPost:
    """A connection to one receiver for as long as the block lasts, shared with nobody: who hangs keeps only himself waiting."""

    def __init__(self, policy: EgressPolicy, tls: ssl.SSLContext, *, seconds: float = SECONDS) -> None:
        self._client = web_client(policy, seconds=seconds, tls=tls)
        self._seconds = seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Never raises for what the other side does. A status that came counts, whatever the rest of the answer does."""
        began, error = time.monotonic(), "unreachable"
        status: int | None = None
        took: int | None = None
        try:
            async with asyncio.timeout(self._seconds):
                request = self._client.build_request("POST", url, content=body, headers=dict(headers))
                answer = await self._client.send(request, stream=True, follow_redirects=False)
                status, took = answer.status_code, int((time.monotonic() - began) * 1000)
                try:
                    await _read_to_the_cap(answer)
                finally:
                    with contextlib.suppress(Exception):
                        await answer.aclose()
        except TimeoutError:
            error = "timeout"
        except (ProviderError, httpx.HTTPError, httpx.InvalidURL) as wrong:
            error = _word(wrong)
        if status is not None:
            return Posted(status, None, took)
        await blur()  # how soon it failed must not tell what is behind the name (integrity X-22)
        return Posted(error=error)


async def _read_to_the_cap(answer: httpx.Response) -> None:
    octets = 0
    async for piece in answer.aiter_raw():
        octets += len(piece)
        if octets > MOST_OCTETS:
            return


def _word(wrong: Exception) -> str:
    if isinstance(wrong, EgressBlocked | httpx.InvalidURL):
        return "blocked"
    if isinstance(wrong, TlsFailed):
        return "tls"
    if isinstance(wrong, ProtocolBroken):
        return "not_http"
    timed_out = isinstance(wrong, httpx.TimeoutException) or getattr(wrong, "reason", "") in ("answer_timeout", "connect_timeout")
    return "timeout" if timed_out else "unreachable"
