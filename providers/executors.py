"""Sized thread pools for blocking client libraries, one per kind of destination.

The default `to_thread` pool has six threads on two cores, so one slow mail server would starve everything else;
here a slow destination can only fill its own lane.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """A named pool of `size` threads. Work beyond that waits in line without blocking the event loop.

    Cancelling the caller does not stop a thread: whoever hands over work that can hang also knows how to break it
    (for example by shutting down the socket).
    """

    def __init__(self, name: str, size: int) -> None:
        if size < 1:
            raise ValueError(f"a lane needs at least one thread, {name} was given {size}")
        self.name = name
        self.size = size
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))

    def hand_over(self, work: Callable[[], None]) -> None:
        """Have `work` done some time, for what nobody waits for and which deals with its own errors."""
        self._pool.submit(work)

    def close(self) -> None:
        """Take no more work. Running work ends by itself; what still waits in line is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@cache
def imap_lane() -> Lane:
    """IMAP commands. Waiting in IDLE takes no thread, so this bounds commands under way, not open connections. Twice what
    may fetch at a time, so that servers which hang do not keep the others from being asked.
    """
    return Lane("imap", 64)


@cache
def smtp_lane() -> Lane:
    """SMTP steps. A reply to the final dot may take ten minutes (RFC 5321 §4.5.3.2.6) and holds its thread.
    As many as may submit at a time: a mail that has its turn must not wait behind others' silence.
    """
    return Lane("smtp", 128)


@cache
def s3_lane() -> Lane:
    """Object storage. Eight concurrent requests were the fastest with boto3 on two cores; 32 were slower."""
    return Lane("s3", 8)


@cache
def resolver_lane() -> Lane:
    """Name resolution, which blocks for as long as the resolver's own timeout."""
    return Lane("resolver", 8)


@cache
def google_lane() -> Lane:
    """Calls of the Gmail API. Each holds its thread until the answer is there, a batch of big mails for seconds."""
    return Lane("google", 32)


@cache
def graph_lane() -> Lane:
    """Taking large mails apart for Graph, for which nobody else on the event loop should wait."""
    return Lane("graph", 2)
