"""Pictures from elsewhere: fetched without a trace of the reader, and nothing but pictures comes through."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from api.remote_pictures import MOST_BYTES, NoPicture, RemotePictures
from tests.api.world import PNG


class Elsewhere:
    """A web server that answers what it is told and keeps what it was asked."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers = answers
        self.asked: list[bytes] = []
        self.dialled: list[tuple[str, int]] = []
        self.port = 0

    async def dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.dialled.append((host, port))
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(request)
        writer.write(self.answers[request.split(b" ")[1].decode()])
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def elsewhere(**answers: bytes) -> AsyncIterator[tuple[Elsewhere, RemotePictures]]:
    web = Elsewhere({f"/{name}": answer for name, answer in answers.items()})
    server = await asyncio.start_server(web._serve, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    async with server:
        yield web, RemotePictures(web.dial)


def ok(body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def test_a_picture_comes_with_nothing_of_the_reader() -> None:
    async with elsewhere(a=ok(PNG, "Content-Type: text/html\r\nSet-Cookie: id=1\r\n")) as (web, pictures):
        found = await pictures.fetch("http://pictures.example.com/a")
    assert (found.content_type, found.data) == ("image/png", PNG)
    assert web.dialled == [("pictures.example.com", 443)]
    request = web.asked[0].decode().lower()
    assert "cookie" not in request
    assert "referer" not in request
    assert "host: pictures.example.com\r\n" in request


@pytest.mark.parametrize("how", ["chunked", "until the end"])
async def test_ways_to_end_a_body(how) -> None:
    if how == "chunked":
        parts = (PNG[:10], PNG[10:])
        body = b"".join(f"{len(p):x};x=y\r\n".encode() + p + b"\r\n" for p in parts) + b"0\r\n\r\n"
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    else:
        answer = b"HTTP/1.0 200 OK\r\n\r\n" + PNG
    async with elsewhere(a=answer) as (_, pictures):
        assert (await pictures.fetch("https://pictures.example.com/a")).data == PNG


async def test_redirects_are_followed_a_little_and_dialled_anew() -> None:
    def to(place: str) -> bytes:
        return f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()

    async with elsewhere(a=to("https://other.example.com/b"), b=to("/c"), c=ok(PNG), d=to("/d")) as (
        web,
        pictures,
    ):
        assert (await pictures.fetch("https://pictures.example.com/a")).data == PNG
        assert [host for host, _ in web.dialled] == [
            "pictures.example.com",
            "other.example.com",
            "other.example.com",
        ]
        with pytest.raises(NoPicture):
            await pictures.fetch("https://pictures.example.com/d")
        assert len(web.asked) == 3 + 4


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "Content-Type: image/png\r\n"),
        ok(b""),
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6000000\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + PNG + b"x" * (MOST_BYTES + 1),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
        b"",
    ],
)
async def test_everything_else_is_no_picture(answer) -> None:
    async with elsewhere(a=answer) as (_, pictures):
        with pytest.raises(NoPicture):
            await pictures.fetch("https://pictures.example.com/a")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a",
        "https:///a",
        "https://user@example.com/a",
        "https://example.com/a b",
        "https://example.com/\u00e4",
        "x",
        "https://[::1/a",
    ],
)
async def test_addresses_that_are_not_fetched(url) -> None:
    async with elsewhere() as (web, pictures):
        with pytest.raises(NoPicture):
            await pictures.fetch(url)
    assert web.dialled == []


async def test_a_refused_destination_is_no_picture(world) -> None:
    token = world.deps.picture_tokens.of_url(world.tenant_id, "https://169.254.169.254/latest")
    async with world.client(None) as frame:
        answer = await frame.get(f"/v1/inline/{token}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
