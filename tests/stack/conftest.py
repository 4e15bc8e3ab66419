"""A directory laid out like a data directory, and the stack run as the separate program that an operator runs."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stack.layout import Layout
from stack.private_file import read_json
from stack.python_part import PROJECT

PARTS = ("postgres", "temporal", "s3", "demo-imap", "demo-smtp")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout.at(tmp_path / "data with a space")
    made.make()
    return made


class StackProgram:
    """`python -m stack` on one data directory. `events` grow as it prints them."""

    def __init__(self, data: Path, *, env: Mapping[str, str] | None = None, user: int | None = None) -> None:
        self.layout = Layout.at(data)
        self.events: list[dict[str, Any]] = []
        argv = [sys.executable, "-m", "stack", "--data", str(data), "--demo-mail", "--forgetful"]
        self.child = subprocess.Popen(
            argv,
            cwd=PROJECT,
            env=dict(os.environ if env is None else env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            start_new_session=True,
        )
        self.errors = ""
        self._readers = [threading.Thread(target=self._read_events), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read_events(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.events.append(json.loads(line))

    def _read_errors(self) -> None:
        assert self.child.stderr is not None
        self.errors = self.child.stderr.read()

    def parts(self, state: str) -> set[str]:
        return {event["part"] for event in list(self.events) if event["state"] == state}

    def manifest(self, within: float = 30) -> dict[str, Any]:
        """What the running stack says about itself, as soon as it is ready."""
        deadline = time.monotonic() + within
        while self.child.poll() is None and time.monotonic() < deadline:
            found = read_json(self.layout.manifest)
            # A killed stack leaves its own behind until the next start.
            if found is not None and found["pid"] == self.child.pid:
                return found
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"the stack was not ready in {within} s:\n{self.events}\n{self.errors}")

    def wait(self, within: float = 30) -> int:
        """The exit code, when it ends."""
        code = self.child.wait(within)
        for reader in self._readers:
            reader.join(5)
        return code

    def interrupt(self) -> int:
        self.child.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self) -> None:
        self.child.kill()
        self.wait()

    def close(self) -> None:
        if self.child.poll() is None:
            self.interrupt()
        for stream in (self.child.stdout, self.child.stderr):
            assert stream is not None
            stream.close()

    def part_pid(self, part: str) -> int:
        return int(self.layout.hold(part).read_text())

    def living(self) -> list[str]:
        """The parts of which any process still runs: they hold a lock as long as they live."""
        return [part for part in PARTS if _is_held(self.layout.hold(part))]

    def nothing_left(self, within: float) -> bool:
        deadline = time.monotonic() + within
        while self.living():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@pytest.fixture
def run_stack() -> Iterator[Callable[..., StackProgram]]:
    """Starts stacks and stops those that a test leaves running."""
    programs: list[StackProgram] = []

    def run(data: Path, **options: Any) -> StackProgram:
        programs.append(StackProgram(data, **options))
        return programs[-1]

    yield run
    for program in programs:
        program.close()
