"""A program that is told by webhooks: a real HTTP server that answers as it is bidden and keeps what it was told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

HUGE = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """`answers` are used up in order, the last one again and again: a status, `redirect`, `hang`, `huge`, `stall`, `drop` or `babble`."""

    port: int
    answers: list[int | str]
    told: list[Told] = field(default_factory=list)
    sent_octets: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"


@contextlib.asynccontextmanager
async def receiver(*answers: int | str, on_told: Callable[[], None] = lambda: None) -> AsyncIterator[Receiver]:
    made = Receiver(0, list(answers) or [200])
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            talks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                made.told.append(Told(head[0].split(" ")[1], headers, body))
                on_told()
                answer = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
                if not await _answered(made, writer, answer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the loop's next turn


async def _answered(made: Receiver, writer: asyncio.StreamWriter, answer: int | str) -> bool:
    """True while the connection goes on."""
    match answer:
        case int():
            writer.write(f"HTTP/1.1 {answer} Said\r\nContent-Length: 2\r\n\r\nok".encode())
            await writer.drain()
            return True
        case "redirect":
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{made.port}/elsewhere\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return True
        case "huge":
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {HUGE}\r\n\r\n".encode())
            while made.sent_octets < HUGE:
                writer.write(b"x" * 65_536)
                await writer.drain()
                made.sent_octets += 65_536
        case "stall":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsoon")
            await writer.drain()
            await asyncio.Event().wait()
        case "hang":
            await asyncio.Event().wait()
        case "babble":
            writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
            await writer.drain()
    return False
