"""A TCP proxy that breaks connections by rule: hang up, reset, fall silent, delay, cut short, flip a bit.

It runs in a thread of its own and knows no protocol, so that it can stand before IMAP, SMTP, PostgreSQL, S3 and Temporal.

    proxy.on(Reset(), direction="down", after_bytes=500)       # every connection, in the middle of an answer
    proxy.on(HangUp(), nth=3, times=1)                         # the third connection, as soon as it is made
    proxy.on(Silence(), direction="up", after_bytes=10_000)    # a half-open connection: nothing more arrives
"""

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Literal

from tests.servers.loop_end import end_everything

Direction = Literal["up", "down", "both"]  # up: from the client to the server
CHUNK = 1 << 14


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the connection in good order (FIN) to both sides; what came before was forwarded: an answer cut short."""


@dataclass(frozen=True, slots=True)
class Reset:
    """End it rudely (RST) to both sides."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Stay open and forward nothing more in this direction: half-open."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Hold back everything from here on for `seconds` each time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Flip bits of the one octet at the rule's offset, and go on."""

    mask: int = 0x01


Action = HangUp | Reset | Silence | Delay | Corrupt


@dataclass(slots=True)
class Rule:
    """`nth`: the connection's number since the proxy started, from 1 (0: any). `after_bytes`: octets of that direction that
    pass unharmed; 0 with HangUp, Reset or Silence acts before the server is even asked. `times`: how often (0: always).
    """

    action: Action
    direction: Direction = "both"
    nth: int = 0
    after_bytes: int = 0
    times: int = 0
    used: int = 0

    def fits(self, number: int, way: str) -> bool:
        spent = self.times and self.used >= self.times
        return not spent and self.nth in {0, number} and self.direction in {way, "both"}


class _Ended(Exception):
    """A rule ended this connection."""

    def __init__(self, *, rudely: bool) -> None:
        super().__init__()
        self.rudely = rudely


class TcpProxy:
    """Listens on `port` of localhost and forwards to the server. `connections` counts, `struck` counts rules that acted."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._upstream = (host, port)
        self.host = "127.0.0.1"
        self.port = 0
        self.connections = 0
        self.struck = 0
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)

    def on(
        self, action: Action, *, direction: Direction = "both", nth: int = 0, after_bytes: int = 0, times: int = 0
    ) -> None:
        """Add a rule; it holds for connections that are open already, too. The first that fits acts."""
        with self._lock:
            self._rules.append(Rule(action, direction, nth, after_bytes, times))

    def behave(self) -> None:
        """Forget the rules. What was silenced stays silent: such a connection is lost."""
        with self._lock:
            self._rules.clear()

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(end_everything([self._server]), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def cut_all(self) -> None:
        """Reset every open connection now."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cancel_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _rule(self, number: int, way: str, start: int, end: int) -> Rule | None:
        """The first rule whose offset lies within `start` to `end` of this direction, or, for delays, before it."""
        with self._lock:
            for rule in self._rules:
                due = rule.after_bytes <= end if isinstance(rule.action, Delay) else start <= rule.after_bytes <= end
                if due and rule.fits(number, way):
                    rule.used += 1
                    self.struck += 1
                    return rule
        return None

    def _rule_at_once(self, number: int) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                early = rule.after_bytes == 0 and isinstance(rule.action, HangUp | Reset | Silence)
                if early and (rule.fits(number, "up") or rule.fits(number, "down")):
                    rule.used += 1
                    self.struck += 1
                    return rule
        return None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._serve(self.connections, reader, writer)
        finally:
            self._tasks.discard(task)

    async def _serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [(reader, writer)]
        rudely = False
        try:
            rule = self._rule_at_once(number)
            if rule is not None:
                if isinstance(rule.action, Silence):
                    await asyncio.Event().wait()
                raise _Ended(rudely=isinstance(rule.action, Reset))  # noqa: TRY301 - told by the same except as what a pump raises
            answers, server = await asyncio.open_connection(*self._upstream)
            ends.append((answers, server))
            pumps = [
                asyncio.create_task(self._pump(number, "up", reader, server)),
                asyncio.create_task(self._pump(number, "down", answers, writer)),
            ]
            try:
                done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in done:
                    pump.result()
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except _Ended as ended:
            rudely = ended.rudely
        except (OSError, asyncio.CancelledError):
            rudely = True
        finally:
            await asyncio.gather(*(_reset(one) if rudely else _end(source, one) for source, one in ends))

    async def _pump(self, number: int, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while data := await reader.read(CHUNK):
            rule = self._rule(number, way, passed, passed + len(data) - 1)
            if rule is not None:
                data = await self._strike(rule, data, rule.after_bytes - passed, writer)
            passed += len(data)
            writer.write(data)
            await writer.drain()

    async def _strike(self, rule: Rule, data: bytes, at: int, writer: asyncio.StreamWriter) -> bytes:
        """Do what the rule says to a chunk whose octet `at` is the rule's; the bytes that are forwarded."""
        match rule.action:
            case Delay(seconds):
                await asyncio.sleep(seconds)
                return data
            case Corrupt(mask):
                return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
            case _:
                writer.write(data[:at])
                await writer.drain()
                if isinstance(rule.action, Silence):
                    await asyncio.Event().wait()
                raise _Ended(rudely=isinstance(rule.action, Reset))


async def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """FIN, then wait for the other side's for a moment: closing over unread octets would be a reset (RFC 9293 §3.10.4)."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(1):
            writer.write_eof()
            while await reader.read(CHUNK):
                pass
    writer.close()
    with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(writer.wait_closed(), 1)
