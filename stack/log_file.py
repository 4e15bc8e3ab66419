"""The log of one part: appended by the child, kept within bounds by the supervisor, quoted when the part fails."""

import os
import shutil
from pathlib import Path

MAX_BYTES = 20_000_000
TAIL_LINES = 20
TAIL_BYTES = 16_000


class LogFile:
    """One log and its predecessor `<name>.1`. `tail` quotes only what was written since `open_for_child`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run_began = 0

    def open_for_child(self) -> int:
        """An append-only descriptor for the child's stdout and stderr; the caller closes its own copy."""
        self.shorten()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._run_began = os.fstat(descriptor).st_size
        return descriptor

    def shorten(self) -> None:
        """Copy a log that grew beyond the bound aside and empty it in place.

        The child goes on with the same open file: append mode puts its next line at the new end. Lines written
        between the copy and the cut are lost, which is accepted for a log.
        """
        try:
            if self.path.stat().st_size <= MAX_BYTES:
                return
        except FileNotFoundError:
            return
        shutil.copyfile(self.path, self.path.with_name(self.path.name + ".1"))
        os.truncate(self.path, 0)
        self._run_began = 0

    def tail(self) -> str:
        """The last lines of this run, at most 20 lines or 16 kB; "" when it wrote nothing."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._run_began, size - TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-TAIL_LINES:])
