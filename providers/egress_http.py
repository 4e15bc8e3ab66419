"""HTTP through the egress rule: httpx clients whose every connection, also after a redirect, goes to a checked address.

Errors are those of `providers/errors.py`. Proxies and credentials of the process's environment are not used: a proxy would
resolve the name once more, unchecked.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpcore
import httpx

from providers.egress import Address, EgressPolicy, Purpose, resolve, resolve_checked, tls_context
from providers.errors import EgressBlocked, ProtocolBroken, ProviderError, TlsFailed, Unreachable

DEFAULT_SECONDS = 20.0


def web_client(
    policy: EgressPolicy, *, seconds: float = DEFAULT_SECONDS, tls: ssl.SSLContext | None = None
) -> httpx.AsyncClient:
    """An asynchronous client; close it. `seconds` bounds each connect, write and read. Redirects are not followed unless a
    call says so, and each hop is checked anew then.
    """
    return httpx.AsyncClient(transport=EgressTransport(policy, tls), timeout=seconds, trust_env=False)


def blocking_web_client(
    policy: EgressPolicy, *, seconds: float = DEFAULT_SECONDS, tls: ssl.SSLContext | None = None
) -> httpx.Client:
    """The same for libraries that block; use it on an executor's thread."""
    return httpx.Client(transport=BlockingEgressTransport(policy, tls), timeout=seconds, trust_env=False)


class EgressTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient(transport=…, trust_env=False)`. Raises EgressBlocked, Unreachable, TlsFailed, ProtocolBroken."""

    def __init__(self, policy: EgressPolicy, tls: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or tls_context(), network_backend=_CheckedBackend(policy), max_connections=20
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = _asked(request, request.stream)
        try:
            answer = await self._pool.handle_async_request(asked)
        except Exception as error:
            raise _told(error) from None
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class BlockingEgressTransport(httpx.BaseTransport):
    """For `httpx.Client(transport=…, trust_env=False)`. Raises as above. Blocks."""

    def __init__(self, policy: EgressPolicy, tls: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or tls_context(), network_backend=_BlockingCheckedBackend(policy), max_connections=20
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = _asked(request, request.stream)
        try:
            answer = self._pool.handle_request(asked)
        except Exception as error:
            raise _told(error) from None
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_BlockingBody(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that were checked. TLS on top keeps the host's name: httpcore takes it from the request."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        deadline = time.monotonic() + (timeout or DEFAULT_SECONDS)
        addresses = await resolve(host, port, self._policy, Purpose.WEB)
        for tried, address in enumerate(addresses):
            share = _share(deadline, len(addresses) - tried)
            try:
                return await self._backend.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        raise _unreached(addresses)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _BlockingCheckedBackend(httpcore.NetworkBackend):
    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        deadline = time.monotonic() + (timeout or DEFAULT_SECONDS)
        addresses = resolve_checked(host, port, self._policy, Purpose.WEB)
        for tried, address in enumerate(addresses):
            share = _share(deadline, len(addresses) - tried)
            try:
                return self._backend.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        raise _unreached(addresses)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    """An answer's octets, with our words for what breaks while they come."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.aiter_stream():
                yield piece
        except Exception as error:
            raise _told(error) from None

    async def aclose(self) -> None:
        await self._answer.aclose()


class _BlockingBody(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.iter_stream()
        except Exception as error:
            raise _told(error) from None

    def close(self) -> None:
        self._answer.close()


def _asked(request: httpx.Request, content: Any) -> httpcore.Request:
    port = request.url.port
    if request.url.scheme == "http" and port == 443:  # the port is fine, the missing TLS is not
        raise EgressBlocked("not_encrypted", "This address is only reached by https.")
    target = httpcore.URL(
        scheme=request.url.raw_scheme, host=request.url.raw_host, port=port, target=request.url.raw_path
    )
    return httpcore.Request(
        request.method, target, headers=request.headers.raw, content=content, extensions=request.extensions
    )


def _share(deadline: float, addresses: int) -> float:
    """Seconds for the next address, so that a dead one leaves time for the others."""
    return max((deadline - time.monotonic()) / addresses, 0.05)


def _unreached(addresses: tuple[Address, ...]) -> Unreachable:
    return Unreachable("unreachable") if addresses else Unreachable("host_unknown")


def _told(error: Exception) -> Exception:
    """Errors of httpcore in the house's words, without what the server or resolver said."""
    if isinstance(error, ProviderError):
        return error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TlsFailed("certificate_invalid")
        if isinstance(cause, ssl.SSLError):
            return TlsFailed("tls_handshake_failed")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.TimeoutException):
        return Unreachable("answer_timeout", "The server did not answer in time.")
    lost = isinstance(error, httpcore.RemoteProtocolError) and "disconnected" in str(error)  # a kept connection that had ended
    if isinstance(error, httpcore.ProtocolError) and not lost:
        return ProtocolBroken("not_http")
    if lost or isinstance(error, httpcore.NetworkError):
        return Unreachable("answer_lost", "The server closed the connection before its answer was complete.")
    return error
