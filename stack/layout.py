"""Where everything lives under one data directory, and the lock that keeps two stacks from sharing it."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path


class DataDirectoryBusy(Exception):
    """Another running stack owns the data directory. The sentence names its process."""


class DataDirectoryUnusable(Exception):
    """The data directory cannot be made or written. The sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one data directory. `root` is absolute; nothing exists before `make`."""

    root: Path

    @classmethod
    def at(cls, data_dir: Path) -> "Layout":
        return cls(data_dir.expanduser().resolve())

    @property
    def lock(self) -> Path:
        return self.root / "stack.lock"

    @property
    def manifest(self) -> Path:
        return self.root / "stack.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def temporal(self) -> Path:
        return self.root / "temporal"

    @property
    def s3(self) -> Path:
        return self.root / "s3"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def hold(self, part: str) -> Path:
        return self.run / f"{part}.pid"

    def make(self) -> None:
        """Make the directories, closed to others. Running it again changes nothing.

        For root the top directory may be walked through (not listed), since PostgreSQL runs there as another user.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for directory in (self.logs, self.run, self.temporal, self.s3, self.mail):
                directory.mkdir(exist_ok=True)
                directory.chmod(0o700)
        except OSError as error:
            raise DataDirectoryUnusable(
                f"--data: {self.root} cannot be used ({error.strerror}); choose a directory that you may write"
            ) from error


class DataLock:
    """Holds `stack.lock` while the stack lives. The kernel gives it back however the process ends."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.lock
        self._root = layout.root
        self._descriptor = -1

    def acquire(self) -> None:
        """Raise `DataDirectoryBusy` when another process holds the directory."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise DataDirectoryBusy(
                f"--data: {self._root} is in use by a running stack (process {holder}); stop it first or choose another"
                " directory"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
