"""Fetches a picture that a mail shows from elsewhere, once a person has asked for it (integrity X-4).

The sender learns neither who looks nor from where: no cookie, no referrer, our address. Only https, only what the
egress rules allow (each redirect is checked anew), at most 5 MB and ten seconds, and only what is a picture by its bytes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

from api.picture_tokens import picture_type

# (host, port) to a TLS stream to a checked address. Raises OSError-like errors of its own, all meaning: not reached.
Dial: TypeAlias = Callable[[str, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

MOST_BYTES = 5 * 1024 * 1024
MOST_SECONDS = 10.0
MOST_REDIRECTS = 3
MOST_HEADERS = 64 * 1024
AT_ONCE = 8


class NoPicture(Exception):
    """There is no picture at this address for us. The reason is kept from the mail's sender and from the page."""


@dataclass(frozen=True, slots=True)
class FetchedPicture:
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    location: str
    body: bytes


class RemotePictures:
    """Fetches, a few at a time."""

    def __init__(self, dial: Dial, *, port: int | None = None) -> None:
        self._dial = dial
        self._port = port  # of a test's server; the rules allow 443 only
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, url: str) -> FetchedPicture:
        """The picture, or NoPicture."""
        try:
            async with asyncio.timeout(MOST_SECONDS), self._turns:
                for _ in range(MOST_REDIRECTS + 1):
                    answer = await self._get(url)
                    if answer.status in (301, 302, 303, 307, 308) and answer.location:
                        url = urljoin(url, answer.location)
                        continue
                    return self._picture(answer)
        except NoPicture:
            raise
        except Exception as error:  # whatever a hostile server does ends here, and ends the same
            raise NoPicture(type(error).__name__) from None
        raise NoPicture("too many redirects")

    @staticmethod
    def _picture(answer: _Answer) -> FetchedPicture:
        kind = picture_type(answer.body[:16])
        if answer.status != 200 or kind is None:
            raise NoPicture("no picture")
        return FetchedPicture(kind, answer.body)

    async def _get(self, url: str) -> _Answer:
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme not in ("https", "http") or not host or parts.username is not None:
            raise NoPicture("address")
        # A picture given as http is asked for by https: what we fetch for a reader is never open to those on the way.
        port = parts.port if parts.scheme == "https" and parts.port else 443
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        name = f"[{host}]" if ":" in host else host
        request = (
            f"GET {target} HTTP/1.1\r\nHost: {name}\r\nAccept: image/png, image/jpeg, image/gif, image/webp\r\n"
            "Accept-Encoding: identity\r\nUser-Agent: Mailroom\r\nConnection: close\r\n\r\n"
        )
        if any(c <= " " or c == "\x7f" for c in target + name) or not request.isascii():
            raise NoPicture("address")
        reader, writer = await self._dial(host, self._port or port)
        try:
            writer.write(request.encode())
            await writer.drain()
            return await _read_answer(reader)
        finally:
            writer.close()


async def _read_answer(reader: asyncio.StreamReader) -> _Answer:
    """A response of HTTP/1.1 (RFC 9112): status, the headers that matter, and the body within its limit."""
    status_line = await reader.readline()
    version, _, rest = status_line.decode("latin-1").partition(" ")
    if not version.startswith("HTTP/1."):
        raise NoPicture("not HTTP")
    status, seen = int(rest[:3]), len(status_line)
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in (b"\r\n", b"\n", b""):
        seen += len(line)
        if seen > MOST_HEADERS:
            raise NoPicture("headers")
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if status != 200:
        return _Answer(status, headers.get("location", ""), b"")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _read_chunks(reader)
    else:
        length = headers.get("content-length")
        body = await _read_most(reader, int(length) if length is not None else None)
    return _Answer(status, "", body)


async def _read_most(reader: asyncio.StreamReader, length: int | None) -> bytes:
    if length is not None:
        if not 0 <= length <= MOST_BYTES:
            raise NoPicture("size")
        return await reader.readexactly(length)
    pieces: list[bytes] = []
    size = 0
    while piece := await reader.read(64 * 1024):
        size += len(piece)
        if size > MOST_BYTES:
            raise NoPicture("size")
        pieces.append(piece)
    return b"".join(pieces)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """RFC 9112 §7.1; extensions and trailers are read over."""
    pieces: list[bytes] = []
    size = 0
    while True:
        length = int((await reader.readline()).split(b";")[0].strip(), 16)
        size += length
        if length < 0 or size > MOST_BYTES:
            raise NoPicture("size")
        if length == 0:
            return b"".join(pieces)
        pieces.append(await reader.readexactly(length))
        await reader.readexactly(2)
