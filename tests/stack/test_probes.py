"""Probes answer, they do not raise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stack.ports import HOST, PortBook
from stack.probes import banner_ready, http_ready, tcp_ready


@asynccontextmanager
async def _speaking(content: bytes) -> AsyncIterator[int]:
    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_nobody_there(tmp_path: Path) -> None:
    port = PortBook(tmp_path / "ports.json").port("nobody")
    for probe in (tcp_ready(HOST, port), banner_ready(HOST, port, b"220"), http_ready(f"http://{HOST}:{port}/readyz")):
        assert "ConnectionRefusedError" in (await probe() or "")


async def test_answers_are_judged() -> None:
    async with _speaking(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as port:
        assert await tcp_ready(HOST, port)() is None
        assert await http_ready(f"http://{HOST}:{port}/readyz")() == f"http://{HOST}:{port}/readyz answers 503"
        assert await banner_ready(HOST, port, b"* OK")() == f"{HOST}:{port} sent no greeting"
        assert await banner_ready(HOST, port, b"HTTP")() is None
    async with _speaking(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert await http_ready(f"http://{HOST}:{port}")() is None
    async with _speaking(b"what\r\n") as port:
        assert "ConnectionError" in (await http_ready(f"http://{HOST}:{port}")() or "")
