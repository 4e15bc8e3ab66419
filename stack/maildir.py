"""Delivery into maildirs, as a mail server does it: written aside, flushed, then moved into sight at once.

A crash before the move leaves a file in `tmp` that no reader looks at. Lines stay as given (CRLF), so that IMAP hands
out the very bytes that were sent.
"""

import itertools
import os
import time
from datetime import datetime
from pathlib import Path

FOLDERS = ("Sent", "Drafts", "Junk", "Trash", "Archive")
_counter = itertools.count()


def make_maildir(root: Path, folders: tuple[str, ...] = FOLDERS) -> None:
    """Make the maildir `root` and its Maildir++ subfolders (`.Sent`, …). Running it again changes nothing."""
    for directory in (root, *(root / f".{folder}" for folder in folders)):
        for name in ("cur", "new", "tmp"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        if directory != root:
            (directory / "maildirfolder").touch()


def deliver(
    root: Path, raw: bytes, *, folder: str | None = None, received: datetime | None = None, seen: bool = False
) -> Path:
    """Put `raw` into the inbox or `folder` of the maildir and return its file.

    `received` (aware) becomes the IMAP internal date; a mail that is `seen` lies in `cur`, as after a reader's visit.
    """
    place = root if folder is None else root / f".{folder}"
    name = f"{time.time_ns() // 1000}.P{os.getpid()}Q{next(_counter)}.localhost"
    temporary = place / "tmp" / name
    with temporary.open("xb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    if received is not None:
        stamp = received.timestamp()
        os.utime(temporary, (stamp, stamp))
    final = place / "cur" / f"{name}:2,S" if seen else place / "new" / name
    temporary.rename(final)
    return final
