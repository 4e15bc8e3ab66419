"""Reads mails in a few limited child processes, so that a mail that kills, hangs or bloats its parser costs itself only.

Promises one answer for each mail, in order, whatever happens in the children. Limits are those of integrity I-5:
512 MB of memory and 10 s of CPU for a mail, 30 s of wall time for a chunk.
"""

import asyncio
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.popen_forkserver import Popen
from types import ModuleType, TracebackType
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from activities.parser_child import ReadMail, ReadOrder, Unread, configure, read_chunk

MEMORY = 512 * 1024 * 1024
CHUNK = 16
CHUNK_BYTES = 4 * 1024 * 1024
TASKS_PER_CHILD = 400  # a child is renewed now and then, whatever the libraries may leak

_main_lock = threading.Lock()


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


class _LeanPopen(Popen):
    def _launch(self, process_obj: Any) -> None:
        with _hidden_main():
            super()._launch(process_obj)  # type: ignore[misc]  # not in the stubs


class _LeanProcess(ForkServerProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Popen:  # noqa: N802  # the standard library's name
        return _LeanPopen(process_obj)


class _LeanContext(ForkServerContext):
    Process = _LeanProcess


class ParserPool:
    """`workers` children; `secret` signs reply tokens and loop headers. Close it when done."""

    def __init__(
        self,
        *,
        workers: int = 2,
        secret: bytes,
        memory_bytes: int = MEMORY,
        cpu_seconds: int = 10,
        wall_seconds: float = 30.0,
    ) -> None:
        # A fork server: children are copies of a small process without threads, and there in milliseconds.
        context = _LeanContext()
        context.set_forkserver_preload(["activities.parser_child"])
        self._wall_seconds = wall_seconds
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=TASKS_PER_CHILD,
            initializer=configure,
            initargs=(memory_bytes, cpu_seconds, secret),
            context=context,
        )

    async def read(self, orders: Sequence[ReadOrder]) -> list[ReadMail | Unread]:
        """Read all, in chunks over the children. Cancelling it kills the children that are at it; others take over."""
        chunks = list(_chunks(orders))
        answers = await asyncio.gather(*(self._chunk(chunk) for chunk in chunks))
        return [answer for chunk in answers for answer in chunk]

    async def read_alone(self, order: ReadOrder) -> ReadMail | Unread:
        """Read one mail in a child of its own for the time."""
        return (await self._chunk([order]))[0]

    def close(self) -> None:
        """End the children, also those that are reading."""
        self._pool.stop()  # type: ignore[no-untyped-call]  # pebble has no types
        self._pool.join()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _chunk(self, chunk: Sequence[ReadOrder]) -> list[ReadMail | Unread]:
        future = self._pool.schedule(read_chunk, args=[list(chunk)], timeout=self._wall_seconds)
        try:
            answers: list[ReadMail | Unread] = await asyncio.wrap_future(future)
        except (FutureTimeout, ProcessExpired) as death:
            if len(chunk) > 1:
                # One of them did it: each alone, and only the guilty one is lost.
                return [await self.read_alone(order) for order in chunk]
            return [_cause(death)]
        return answers


def _cause(death: BaseException) -> Unread:
    if isinstance(death, FutureTimeout):
        return Unread("parser_timeout", "reading it takes longer than a parser may take")
    code = getattr(death, "exitcode", None)
    if code == -24:  # SIGXCPU
        return Unread("parser_timeout", "reading it takes more processor time than a parser may take")
    return Unread("parser_died", f"the parser process ended with code {code}")


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
