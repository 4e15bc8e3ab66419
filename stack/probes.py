"""Questions that tell whether a server is ready. Each answers None for yes, else what is missing."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

Probe = Callable[[], Awaitable[str | None]]
"""Ready: None. Not ready: the reason, shown if the deadline passes. Raises only when waiting cannot help."""

TIMEOUT = 5.0


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):  # a reset while closing says nothing about readiness
        await writer.wait_closed()


def tcp_ready(host: str, port: int) -> Probe:
    """Ready when something accepts connections."""

    async def probe() -> str | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                _, writer = await asyncio.open_connection(host, port)
                await _close(writer)
        except OSError as error:
            return f"{host}:{port} does not accept connections ({type(error).__name__})"
        return None

    return probe


def banner_ready(host: str, port: int, greeting: bytes) -> Probe:
    """Ready when a connection is greeted with `greeting` (IMAP `* OK`, SMTP `220`)."""

    async def probe() -> str | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                reader, writer = await asyncio.open_connection(host, port)
                line = await reader.readline()
                await _close(writer)
        except OSError as error:
            return f"{host}:{port} does not answer ({type(error).__name__})"
        return None if line.startswith(greeting) else f"{host}:{port} sent no greeting"

    return probe


async def http_status(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> int:
    """The status code that `url` (plain http) answers. Raises OSError (TimeoutError included) when it does not."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1"]
    given = {"Host": f"{host}:{port}", **({"Content-Length": str(len(body))} if body else {}), **(headers or {})}
    lines += [f"{name}: {value}" for name, value in given.items()]
    async with asyncio.timeout(TIMEOUT):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("ascii") + body)
            await writer.drain()
            words = (await reader.readline()).split()
        finally:
            await _close(writer)
    if len(words) < 2 or not words[1].isdigit():
        raise ConnectionError(f"{host}:{port} does not speak HTTP")
    return int(words[1])


def http_ready(url: str) -> Probe:
    """Ready when `url` answers 2xx or 3xx."""

    async def probe() -> str | None:
        try:
            status = await http_status(url)
        except OSError as error:
            return f"{url} does not answer ({type(error).__name__})"
        return None if 200 <= status < 400 else f"{url} answers {status}"

    return probe
