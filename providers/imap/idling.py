"""Waits for news without holding a thread: IDLE is entered and left in the IMAP lane, the wait itself is on the socket.

An announcement is only a wake-up: what is new is found by looking (RFC 2177; stand-ins show announcements cut in
pieces by the network, and keep-alive lines that announce nothing).
"""

import asyncio
import socket
from collections.abc import Iterable
from typing import Literal

from providers.imap.dialogue import Response, untagged_number

# RFC 2177 wants IDLE renewed within 29 minutes; NAT tables and load balancers forget connections much sooner.
IDLE_RENEWAL = 8.5 * 60

Verdict = Literal["new", "flags", "nothing"]


async def wait_readable(
    sock: socket.socket, seconds: float, stop: asyncio.Event | None
) -> Literal["bytes", "stop", "time"]:
    """Wait until `sock` has something to read, `stop` is set, or `seconds` have passed. Prompt on cancellation."""
    if stop is not None and stop.is_set():
        return "stop"
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    descriptor = sock.fileno()
    if descriptor < 0:
        return "bytes"  # closed under us: the next read tells
    loop.add_reader(descriptor, readable.set)
    waits = [asyncio.ensure_future(readable.wait())]
    if stop is not None:
        waits.append(asyncio.ensure_future(stop.wait()))
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(descriptor)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    if readable.is_set():
        return "bytes"
    return "stop" if stop is not None and stop.is_set() else "time"


def verdict(responses: Iterable[Response]) -> Verdict:
    """What was announced. Dovecot's "* OK Still here" every two minutes is nothing; anything unknown is news."""
    found: Verdict = "nothing"
    for response in responses:
        word = response[0].split(b" ", 2)
        if untagged_number(response, b"EXISTS") is not None:
            return "new"
        if response[0][:3].upper() == b"OK " or untagged_number(response, b"RECENT") is not None:
            continue
        if word[0].upper() in (b"VANISHED", b"FLAGS") or (
            len(word) > 1 and word[1].upper() in (b"EXPUNGE", b"FETCH")
        ):
            found = "flags"
            continue
        return "new"
    return found
