"""A small IMAP server that says what a test tells it to, down to single bytes and pauses.

Each command is looked up by its first words ("LOGIN", "UID FETCH", "EXAMINE", ...). An answer is a list of pieces:
bytes are sent as they are with `TAG` replaced, floats are pauses, `CUT` closes the connection and `START_TLS` begins
TLS with `server.certificates`.
"""

import asyncio
import re
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.servers.certificates import Certificates

CUT = object()
READ_LINE = object()  # a line that answers a challenge, kept in `continuations`
START_TLS = object()
WAIT_DONE = object()  # read until a DONE line comes

Piece = bytes | float | object
Answer = list[Piece]
Handler = Answer | Callable[[str, int], Answer]

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")

CAPABILITIES = b"IMAP4rev1 IDLE ID UIDPLUS SASL-IR AUTH=PLAIN AUTH=XOAUTH2"


def selected(
    *, exists: int = 3, uidvalidity: int = 7, uidnext: int | None = 100, extra: bytes = b""
) -> Answer:
    """The answer to EXAMINE."""
    told = b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] ok\r\n" % (exists, uidvalidity) + extra
    if uidnext is not None:
        told += b"* OK [UIDNEXT %d] next\r\n" % uidnext
    return [told + b"TAG OK [READ-ONLY] done\r\n"]


RAW = b"Subject: x\r\nMessage-ID: <one@example.com>\r\n\r\nbody\r\n"


def mail(uid: int, raw: bytes = RAW, *, seq: int = 1, size: int | None = None) -> bytes:
    """A FETCH response with a whole mail; `size` is the RFC822.SIZE claimed."""
    size = len(raw) if size is None else size
    return (
        b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE "01-Feb-2024 03:04:05 +0100" RFC822.SIZE %d BODY[] {%d}\r\n'
        % (seq, uid, size, len(raw))
        + raw
        + b")\r\n"
    )


class ScriptedImap:
    """`on(command, answer)` sets the answer; a callable gets the arguments and how often the command came before."""

    def __init__(self, greeting: Answer | None = None) -> None:
        self.greeting = greeting or [b"* OK scripted\r\n"]
        self.capabilities = CAPABILITIES
        self.commands: list[str] = []
        self.continuations: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.certificates: Certificates | None = None
        self._counts: dict[str, int] = {}
        self._handlers: dict[str, Handler] = {
            "CAPABILITY": lambda _args, _n: [b"* CAPABILITY " + self.capabilities + b"\r\nTAG OK done\r\n"],
            "LOGIN": [b"TAG OK in\r\n"],
            "ID": [b"* ID NIL\r\nTAG OK done\r\n"],
            "LOGOUT": [b"* BYE\r\nTAG OK done\r\n", CUT],
            "NOOP": [b"TAG OK done\r\n"],
            "EXAMINE": selected(),
            "SELECT": selected(),
        }
        self._tasks: set[asyncio.Task[None]] = set()

    def on(self, command: str, answer: Handler) -> None:
        self._handlers[command] = answer

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            if await self._say(self.greeting, b"*", reader, writer):
                while line := await self._command(reader, writer):
                    if not await self._answer(line, reader, writer):
                        break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.close()

    async def _command(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        line = await reader.readline()
        while (mark := _LITERAL.search(line)) is not None:
            if not mark.group(2):
                writer.write(b"+ go\r\n")
            line = (
                line[: mark.start()] + await reader.readexactly(int(mark.group(1))) + await reader.readline()
            )
        return line

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        tag, _space, rest = line.rstrip(b"\r\n").partition(b" ")
        text = rest.decode("utf-8", "replace")
        self.commands.append(text)
        name = next(
            (n for n in sorted(self._handlers, key=len, reverse=True) if (text + " ").startswith(n + " ")),
            None,
        )
        if name is None:
            writer.write(tag + b" BAD unknown\r\n")
            return True
        handler = self._handlers[name]
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        answer = handler(text[len(name) + 1 :], count) if callable(handler) else handler
        return await self._say(answer, tag, reader, writer)

    async def _say(
        self, answer: Answer, tag: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        for piece in answer:
            if isinstance(piece, bytes):
                writer.write(piece.replace(b"TAG", tag))
                await writer.drain()
            elif isinstance(piece, float):
                await asyncio.sleep(piece)
            elif piece is READ_LINE:
                self.continuations.append((await reader.readline()).rstrip(b"\r\n"))
            elif piece is START_TLS:
                assert self.certificates is not None
                await writer.start_tls(self.certificates.server_context())
            elif piece is WAIT_DONE:
                line = b""
                while line.strip().upper() != b"DONE":
                    line = await reader.readline()
                    if not line:
                        return False
            else:
                return False
        return True
