"""Memory that the worker shares with one parser child: mails lie there while their orders go through the pipe.

What goes through a pipe is copied into a pickle, and then some hundred kilobytes at a time with a change of processes for each:
30 of 720 µs that reading a mail of 29 kB took of worker and child. Mails and orders part as in PEP 574, the pickle names its
buffers and they travel beside it. The kernel frees the memory when neither process has it open, however they ended.
"""

import os
import pickle
import threading
from errno import ENOSPC
from multiprocessing.reduction import DupFd
from typing import Any

KEPT = 4 * 1024 * 1024  # octets that stay reserved from one chunk to the next

Laid = tuple[bytes, tuple[int, ...]]  # a pickle without its buffers, and their lengths in octets


class Tray:
    """Both ends of it. The worker lays, the child takes before anything is laid again. Goes to the child with its start."""

    def __init__(self, inherited: Any = None) -> None:
        self._fd: int = os.memfd_create("mailroom-mails") if inherited is None else inherited.detach()
        self._using = threading.Lock()  # closed by another thread in the middle, the number might be somebody else's file

    def __reduce__(self) -> tuple[type["Tray"], tuple[Any]]:
        return Tray, (DupFd(self._fd),)

    def lay(self, what: object) -> Laid:
        """Put down the buffers of `what`, one behind the other. Raises OSError if there is no memory for them, or when closed."""
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(what, protocol=5, buffer_callback=buffers.append)
        raws = [buffer.raw() for buffer in buffers]
        start = 0
        with self._using:
            for raw in raws:
                if os.pwrite(self._fd, raw, start) != len(raw):
                    raise OSError(ENOSPC, "no memory for the mails that a parser shall read")
                start += len(raw)
        return pickled, tuple(map(len, raws))

    def take(self, laid: Laid) -> Any:
        """What was laid, its buffers copied. What an exceptional mail took of memory is given back."""
        pickled, lengths = laid
        buffers: list[bytes] = []
        start = 0
        for length in lengths:
            buffers.append(os.pread(self._fd, length, start))
            start += length
        if start > KEPT:
            os.ftruncate(self._fd, 0)
        return pickle.loads(pickled, buffers=buffers)  # noqa: S301 - our own worker made it

    def close(self) -> None:
        """May be called twice, and by any thread."""
        with self._using:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
