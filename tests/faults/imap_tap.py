"""A relay before an IMAP server that keeps what the client says, and reads it as a strict server would: command by command."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_LITERAL = re.compile(rb"\{(\d+)\+?\}\Z")
_COMMAND = re.compile(rb"([!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+) ((?:UID )?[A-Z]+)(?: (.*))?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `words` are its arguments as sent, literals in their place without their lengths."""

    name: str
    words: bytes
    literals: tuple[bytes, ...]


@dataclass(slots=True)
class ImapTap:
    port: int = 0
    said: list[bytearray] = field(default_factory=list)

    def commands(self) -> list[Command]:
        """Everything that was said on all connections. Raises AssertionError for a line that is no command."""
        return [command for stream in self.said for command in read_commands(bytes(stream))]


def read_commands(stream: bytes) -> list[Command]:
    found: list[Command] = []
    at = 0
    while at < len(stream):
        text, literals = b"", []
        while True:
            end = stream.find(b"\r\n", at)
            assert end >= 0, "the client stopped in the middle of a line"
            line = stream[at:end]
            at = end + 2
            text += line
            mark = _LITERAL.search(line)
            if mark is None:
                break
            size = int(mark.group(1))
            literals.append(stream[at : at + size])
            text = text[: -len(mark.group(0))] + stream[at : at + size]
            at += size
        whole = _COMMAND.match(text)
        assert whole is not None, f"no command: {text[:80]!r}"
        found.append(Command(whole[2].decode(), whole[3] or b"", tuple(literals)))
    return found


@asynccontextmanager
async def tapped(host: str, port: int) -> AsyncIterator[ImapTap]:
    """A relay to `host:port`, until the block ends."""
    tap = ImapTap()
    tasks: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        heard = bytearray()
        tap.said.append(heard)
        answers, orders = await asyncio.open_connection(host, port)
        try:
            await asyncio.gather(_pass(reader, orders, heard), _pass(answers, writer, None))
        except (OSError, asyncio.CancelledError):
            pass  # either side went away, as sides do, or the test is over
        finally:
            orders.close()
            writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray | None) -> None:
    while data := await reader.read(65536):
        if heard is not None:
            heard += data
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
