"""One supervised child process: start, wait until ready, notice its crash, stop it for certain.

A child runs in its own session, so a terminal's Ctrl-C reaches only the supervisor, which then stops the parts in order.
It cannot outlive a killed supervisor (`leash.py`, Linux); where it did, or is still ending, the next start finds it by
the lock it holds, waits, and kills it. What to run and when it is ready is said by the parts themselves.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.log_file import LogFile
from stack.probes import Probe

LEASH = Path(__file__).with_name("leash.py")
POLL = 0.05  # seconds between looks while something is awaited
WATCH = 0.25  # seconds between looks at a running child
LEFTOVER_GRACE = 12.0  # seconds for a child of a killed supervisor to end by itself
LEFTOVER_KILL = 5.0


class PartFailed(Exception):
    """A part did not start, or ended unasked. `part`, `why` and `log_tail` for display; `str` has all of them."""

    def __init__(self, part: str, why: str, *, log_path: Path | None = None, log_tail: str = "") -> None:
        self.part = part
        self.why = why
        self.log_path = log_path
        self.log_tail = log_tail
        text = f"{part}: {why}"
        if log_path is not None:
            text += f"\n(log: {log_path})"
        if log_tail:
            text += f"\n{log_tail}"
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a server becomes when the supervisor is root, and the capabilities of which it keeps the first to be had
    (numbers of linux/capability.h, best first; empty: none).
    """

    uid: int
    gid: int
    keep: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `env` is the whole environment. `stop` lists signals with the seconds to wait after each; SIGKILL
    to the process group follows in any case. `orphan_signal` comes when the supervisor dies.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    stop: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 5.0),)
    orphan_signal: signal.Signals = signal.SIGTERM
    run_as: RunAs | None = None


def plain_environment(home: Path) -> dict[str, str]:
    """The environment of a foreign server: nothing of the operator's that could change its behaviour (PGHOST, AWS_…)."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C", "TZ": "UTC", **kept}


class SupervisedProcess:
    """One child at a time under one name. Not thread-safe: the kernel ties the leash to the thread that calls `start`,
    which therefore must live as long as the child (the event loop's thread does).
    """

    def __init__(self, part: str, command: Command, *, log: Path, hold: Path) -> None:
        self.part = part
        self.command = command
        self.log = LogFile(log)
        self._hold = hold
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def failed(self, why: str) -> PartFailed:
        return PartFailed(self.part, why, log_path=self.log.path, log_tail=self.log.tail())

    async def start(self) -> None:
        """Start the child, after any leftover of a killed supervisor has ended. Raises `PartFailed`."""
        if self.running:
            raise RuntimeError(f"{self.part} is already running")
        self._stopping = False
        hold = await self._take_hold()
        try:
            if self._stopping:
                raise self.failed("was stopped before it started")
            self._spawn(hold)
        except OSError as error:
            raise self.failed(f"cannot be started ({error})") from error
        finally:
            os.close(hold)

    def _spawn(self, hold: int) -> None:
        log = self.log.open_for_child()
        try:
            self._child = subprocess.Popen(
                self._leashed(hold),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.command.env),
                cwd=self.command.cwd,
                pass_fds=(hold,),
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _leashed(self, hold: int) -> list[str]:
        command = self.command
        leash = [sys.executable, "-I", "-S", str(LEASH), "--parent", str(os.getpid())]
        leash += ["--signal", str(int(command.orphan_signal)), "--hold", str(hold)]
        if command.run_as is not None:
            leash += ["--user", f"{command.run_as.uid}:{command.run_as.gid}"]
            leash += [word for number in command.run_as.keep for word in ("--keep", str(number))]
        return [*leash, "--", *command.argv]

    async def _take_hold(self) -> int:
        """The locked file that the child inherits. As long as it is locked, a process of an earlier run is alive."""
        hold = os.open(self._hold, os.O_RDWR | os.O_CREAT, 0o600)
        began = time.monotonic()
        killed = False
        while True:
            try:
                fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = time.monotonic() - began
                if not killed and waited > LEFTOVER_GRACE:
                    killed = True
                    # The lock proves that a process of this group lives, so the number is not somebody else's by now.
                    with contextlib.suppress(ValueError, ProcessLookupError):
                        os.killpg(int(os.pread(hold, 32, 0)), signal.SIGKILL)
                if waited > LEFTOVER_GRACE + LEFTOVER_KILL:
                    leftover = os.pread(hold, 32, 0).decode("ascii", "replace")
                    os.close(hold)
                    raise self.failed(f"process {leftover} of an earlier run does not end; stop it by hand") from None
                await asyncio.sleep(POLL)
            except BaseException:
                os.close(hold)
                raise
            else:
                return hold

    async def ready(self, probe: Probe, within: float) -> None:
        """Return when `probe` says yes. Raises `PartFailed` when the child ends first or `within` seconds pass."""
        deadline = time.monotonic() + within
        reason: str | None = "it was never asked"
        while True:
            if self._child is None or self._child.poll() is not None:
                raise self.failed(f"ended while starting ({self._ending()})")
            reason = await probe()
            if reason is None:
                return
            if time.monotonic() > deadline:
                raise self.failed(f"not ready after {within:.0f} s: {reason}")
            await asyncio.sleep(POLL)

    async def finished(self, within: float) -> None:
        """Wait for a child that is meant to end by itself. Raises `PartFailed` unless it ends well in time."""
        deadline = time.monotonic() + within
        while self._child is not None and self._child.poll() is None:
            if time.monotonic() > deadline:
                await self.stop()
                raise self.failed(f"not done after {within:.0f} s")
            await asyncio.sleep(POLL)
        if self._child is None or self._child.returncode != 0:
            raise self.failed(f"did not succeed ({self._ending()})")

    async def wait_for_crash(self) -> PartFailed:
        """Return when the child ends without having been asked to. Also keeps its log within bounds."""
        looks = 0
        while True:
            if self._child is not None and not self._stopping and self._child.poll() is not None:
                return self.failed(f"ended unexpectedly ({self._ending()})")
            looks += 1
            if looks % 240 == 0:
                self.log.shorten()
            await asyncio.sleep(WATCH)

    async def stop(self) -> None:
        """End the child: its signals in turn, then SIGKILL to its group, so nothing it started stays. Idempotent."""
        self._stopping = True
        child = self._child
        if child is None:
            return
        try:
            for number, seconds in self.command.stop:
                if child.poll() is None:
                    child.send_signal(number)
                    await self._gone(child, seconds)
        finally:
            # Also when cancelled half-way (a second Ctrl-C), and for grandchildren whose parent ended well.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    @staticmethod
    async def _gone(child: "subprocess.Popen[bytes]", seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while child.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells of a child's end
            await asyncio.sleep(POLL)

    def _ending(self) -> str:
        code = None if self._child is None else self._child.returncode
        if code is None:
            return "never started"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"
