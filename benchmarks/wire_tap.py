"""A TCP relay before a server that notes when connections open and when the server sends certain lines: what the wire itself saw.

Dovecot tells a new mail half a second after its delivery; only the moment of its EXISTS says what Mailroom adds.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass(slots=True)
class Tap:
    """Moments by `time.perf_counter`. `seen` holds those of lines that `wanted` matches."""

    wanted: re.Pattern[bytes]
    port: int = 0
    opened: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def first_seen(self, since: float) -> float | None:
        return next((at for at in self.seen if at >= since), None)

    async def next_opened(self, since: float) -> float:
        """When the first connection after `since` was opened; waits for it."""
        while True:
            self.changed.clear()
            for at in self.opened:
                if at >= since:
                    return at
            await self.changed.wait()


@asynccontextmanager
async def tapped(host: str, port: int, wanted: bytes) -> AsyncIterator[Tap]:
    """A relay to `host:port`, until the block ends."""
    tap = Tap(re.compile(wanted))
    tasks: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tap.opened.append(time.perf_counter())
        tap.changed.set()
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        try:
            answers, orders = await asyncio.open_connection(host, port)
            try:
                await asyncio.gather(_pass(reader, orders, None), _pass(answers, writer, tap))
            finally:
                orders.close()
        except OSError:
            pass  # either side went away, as sides do; the relay ends with them
        finally:
            writer.close()

    server = await asyncio.start_server(relay, HOST, 0)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tap: Tap | None) -> None:
    while data := await reader.read(65536):
        if tap is not None and tap.wanted.search(data):
            tap.seen.append(time.perf_counter())
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
