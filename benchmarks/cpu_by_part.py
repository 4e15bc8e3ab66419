"""Processor time and memory of every process of a running stack, summed for each part: worker, parser children, PostgreSQL, S3, ...

Processes that ended are in their parent's account once it has waited for them, so nothing short-lived is missed.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

LOOK_EVERY = 2.0
# By what stands in the command line of a direct child of `mailroom up`.
PARTS = {
    "worker": "worker",
    "api.app": "api",
    "bin/postgres": "postgres",
    "weed": "s3",
    "temporal": "temporal",
}


@dataclass(slots=True)
class CpuByPart:
    """Seconds of CPU of each part since the beginning, and the peak of the worker's memory with its children, in octets.

    `others` are processes outside the stack that are measured with it, by name, each with all its children.
    """

    supervisor: psutil.Process
    others: Mapping[str, psutil.Process] = field(default_factory=dict)
    worker_peak: int = 0
    _begin: dict[str, float] = field(default_factory=dict)
    _worker: list[psutil.Process] = field(default_factory=list)
    _looked: float = 0.0

    @classmethod
    def of_stack(cls, pid: int, others: Mapping[str, int]) -> "CpuByPart":
        """Raises SystemExit when no worker runs below `pid`: without it there is nothing to measure."""
        watch = cls(psutil.Process(pid), {name: psutil.Process(p) for name, p in others.items()})
        roots = watch._roots()
        if "worker" not in roots:
            raise SystemExit("no worker process below the stack: the benchmark cannot measure it")
        watch._begin = watch._used()
        return watch

    def sample(self) -> None:
        """Look at the worker's memory; call it a few times a second."""
        if time.monotonic() - self._looked > LOOK_EVERY:  # finding children reads the whole process table
            worker = self._roots()["worker"]
            self._worker = [worker, *worker.children(recursive=True)]
            self._looked = time.monotonic()
        self.worker_peak = max(self.worker_peak, sum(_memory(p) for p in self._worker))

    def seconds(self) -> dict[str, float]:
        """CPU of each part since the beginning."""
        return {name: used - self._begin.get(name, 0.0) for name, used in self._used().items()}

    def _roots(self) -> dict[str, psutil.Process]:
        roots = {}
        for child in self.supervisor.children():
            line = " ".join(child.cmdline()[:3])
            name = next((part for mark, part in PARTS.items() if mark in line), "other")
            roots[name] = child
        return roots | dict(self.others)

    def _used(self) -> dict[str, float]:
        used = {}
        for name, root in self._roots().items():
            family = root.children(recursive=True)
            if name == "worker":
                used["parsers"] = sum(_cpu(p) for p in family)
                used[name] = _cpu(root, alone=True)
            else:
                used[name] = _cpu(root) + sum(_cpu(p) for p in family)
        used["supervisor"] = _cpu(self.supervisor, alone=True)
        used["looking on"] = _cpu(psutil.Process(), alone=True)
        return used


def _cpu(process: psutil.Process, *, alone: bool = False) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    own: float = times.user + times.system
    return own if alone else own + times.children_user + times.children_system


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
