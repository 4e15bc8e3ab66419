"""Ctrl-C, SIGTERM and a closed terminal become one event that the main program waits for.

While it is held, a second Ctrl-C changes nothing: stopping is already bounded in time.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def stop_requested() -> Iterator[asyncio.Event]:
    """An event that is set by the first stop signal. Use it in the main thread's running loop."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    for number in SIGNALS:
        loop.add_signal_handler(number, event.set)
    try:
        yield event
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
