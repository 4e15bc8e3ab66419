"""Reads mails in a few limited child processes, so that a mail that kills, hangs or bloats its parser costs itself only.

Promises one answer for each mail, in order, whatever happens in the children. Limits are those of integrity I-5:
512 MB of memory and 10 s of CPU for a mail, 30 s of wall time for a chunk. One inbox's poison does not keep another's mail
waiting: `parser_seats` has the rule.
"""

import asyncio
import multiprocessing
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType, TracebackType
from typing import Self

from activities.parser_child import READY, Answer, ReadOrder, Unread, configure, serve
from activities.parser_seats import ParserSeats, Seat
from activities.tray import Tray

MEMORY = 512 * 1024 * 1024
CHUNK = 16
CHUNK_BYTES = 4 * 1024 * 1024
CHUNKS_PER_CHILD = 400  # a child is renewed now and then, whatever the libraries may leak
START_SECONDS = 60.0
TOO_MUCH_CPU = -24  # ended by SIGXCPU
PATIENCE = 2.0  # seconds after which a chunk is called slow
LESS_URGENT = 10  # niceness of a child that is slow
LEFT = Unread("not_tried", "too many mails of its batch could not be read; it waits for its next attempt")

Begin = Callable[[int, int, bytes], None]
_main_lock = threading.Lock()


class ChildrenDoNotStart(Exception):
    """A parser process did not come up, or there is no memory for what it shall read: the machine is out of memory or
    processes. No mail is to blame.
    """


class _Died(Exception):
    def __init__(self, why: Unread) -> None:
        super().__init__(why.reason)
        self.why = why


class _Deaths:
    """How many children one call has cost, and whether that is enough."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self.seen = 0

    @property
    def enough(self) -> bool:
        return self._most is not None and self.seen >= self._most


class _Child:
    """One process and our end of its pipe. Used by one thread at a time; `kill` may come from any."""

    def __init__(self, begin: Begin, limits: tuple[int, int, bytes], wall_seconds: float) -> None:
        # A fork server: children are copies of a small process without threads, and there in milliseconds.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["activities.parser_child"])
        ours, theirs = context.Pipe()
        self._pipe: Connection = ours
        self._tray = Tray()
        self._wall_seconds = wall_seconds
        self._ending = threading.Lock()
        self.chunks = 0
        self._process: BaseProcess = context.Process(
            target=serve, args=(theirs, self._tray, begin, limits, wall_seconds), daemon=True
        )
        try:
            with _hidden_main():
                self._process.start()
        except BaseException:
            self._tray.close()
            raise
        theirs.close()
        # Ready before its first chunk, so that a slow start on a busy machine is not taken for a slow mail.
        if not ours.poll(START_SECONDS) or ours.recv() != READY:
            self.kill()
            raise ChildrenDoNotStart

    def ask(self, chunk: Sequence[ReadOrder]) -> list[Answer]:
        """Blocks until the child has answered. Raises _Died or ChildrenDoNotStart; then it is gone."""
        self.chunks += 1
        try:
            laid = self._tray.lay(list(chunk))
        except OSError as error:
            self.kill(after=0)
            raise ChildrenDoNotStart from error
        try:
            self._pipe.send(laid)
            if not self._pipe.poll(self._wall_seconds):
                self.kill(after=0)
                raise _Died(Unread("parser_timeout", "reading it takes longer than a parser may take"))
            answers: list[Answer] = self._pipe.recv()
        except (EOFError, OSError):
            code = self.kill()
            if code == TOO_MUCH_CPU:
                raise _Died(
                    Unread("parser_timeout", "reading it takes more processor time than a parser may take")
                ) from None
            raise _Died(Unread("parser_died", f"the parser process ended with code {code}")) from None
        return answers

    def make_way(self) -> None:
        """Let others have the processor first, until it is renewed: nobody may take niceness back."""
        self.chunks = CHUNKS_PER_CHILD
        pid = self._process.pid
        if pid is not None:
            with suppress(OSError):  # it may have ended just now
                os.setpriority(os.PRIO_PROCESS, pid, LESS_URGENT)

    def kill(self, *, after: float = 0.2) -> int | None:
        """End it; its exit code. It holds nothing, so nothing is lost. May be called twice.

        Waits `after` seconds, since a child that dies by itself says more by its own exit code.
        """
        with self._ending:  # who asked it and who gave up on it may both come: a pipe closed twice may be somebody else's
            self._process.join(after)
            self._process.kill()
            self._process.join(5)
            self._pipe.close()
            self._tray.close()
            return self._process.exitcode


class ParserPool:
    """`workers` children, and as many more for work that takes long; `secret` signs reply tokens and loop headers; `begin`
    is each child's first act. Close it when done.
    """

    def __init__(
        self,
        *,
        workers: int = 2,
        secret: bytes,
        memory_bytes: int = MEMORY,
        cpu_seconds: int = 10,
        wall_seconds: float = 30.0,
        begin: Begin = configure,
        patience: float = PATIENCE,
    ) -> None:
        self._begin = begin
        self._limits = (memory_bytes, cpu_seconds, secret)
        self._wall_seconds = wall_seconds
        self._patience = patience
        self._workers = workers
        self._seats = ParserSeats(workers, beside=workers)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._threads = ThreadPoolExecutor(workers * 2, thread_name_prefix="parser")
        self.deaths: Counter[str] = Counter()  # children that a mail has ended, by reason

    async def warm(self) -> None:
        """Start the children ahead: the first mail would wait half a second for them. Raises ChildrenDoNotStart; they are
        started again when there is mail.
        """
        while len(self._idle) + len(self._busy) < self._workers:
            self._idle.append(await self._start())

    async def read(
        self, orders: Sequence[ReadOrder], who: Hashable = None, *, most_deaths: int | None = None
    ) -> list[Answer]:
        """Read all, in chunks over the children; those of `who` (an inbox) take turns with those of others. After
        `most_deaths` of children what is left is answered with LEFT. Cancelling it kills the children that are at it;
        others take over.
        """
        deaths = _Deaths(most_deaths)
        tasks = [asyncio.create_task(self._chunk(chunk, who, deaths)) for chunk in _chunks(orders)]
        try:
            answers = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)  # nothing of it goes on behind our back
            raise
        return [answer for chunk in answers for answer in chunk]

    async def read_alone(self, order: ReadOrder, who: Hashable = None) -> Answer:
        """Read one mail in a child of its own for the time."""
        return (await self._chunk([order], who, _Deaths(None)))[0]

    def close(self) -> None:
        """End the children, also those that are reading."""
        for child in (*self._idle, *self._busy):
            child.kill(after=0)
        self._idle.clear()
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _chunk(self, chunk: Sequence[ReadOrder], who: Hashable, deaths: "_Deaths") -> list[Answer]:
        try:
            async with self._seats.seat(who) as seat:
                if deaths.enough:
                    return [LEFT] * len(chunk)
                return await self._ask(chunk, seat)
        except _Died as death:
            deaths.seen += 1
            self.deaths[death.why.reason] += 1
            if len(chunk) == 1:
                return [death.why]
        # One of them did it: each alone, and only the guilty one is lost.
        return [(await self._chunk([order], who, deaths))[0] for order in chunk]

    async def _ask(self, chunk: Sequence[ReadOrder], seat: Seat) -> list[Answer]:
        loop = asyncio.get_running_loop()
        child = self._idle.pop() if self._idle else await self._start()
        self._busy.add(child)
        asking = loop.run_in_executor(self._threads, child.ask, chunk)
        alive = False
        try:
            while not (await asyncio.wait((asking,), timeout=self._patience))[0]:
                seat.slow()
                child.make_way()
            answers = asking.result()
            alive = child.chunks < CHUNKS_PER_CHILD
            return answers
        finally:
            self._busy.discard(child)
            if alive:
                self._idle.append(child)
            else:
                child.kill(after=0)
                await asyncio.gather(asking, return_exceptions=True)

    async def _start(self) -> _Child:
        starting = asyncio.get_running_loop().run_in_executor(
            self._threads, _Child, self._begin, self._limits, self._wall_seconds
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_end_late)
            raise


def _end_late(starting: "asyncio.Future[_Child]") -> None:
    """A child that came up after its caller had gone."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result().kill(after=0)


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Multiprocessing imports the parent's main module into each child; ours would load the whole worker there."""
    with _main_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _chunks(orders: Sequence[ReadOrder]) -> Iterator[list[ReadOrder]]:
    chunk: list[ReadOrder] = []
    size = 0
    for order in orders:
        if chunk and (len(chunk) >= CHUNK or size + len(order.raw) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(order)
        size += len(order.raw)
    if chunk:
        yield chunk
