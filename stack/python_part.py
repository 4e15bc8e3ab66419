"""A part that is a Python process of our own: the worker, the API."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from stack.layout import Layout
from stack.probes import Probe, http_ready
from stack.process import Command, PartFailed, SupervisedProcess

PROJECT = Path(__file__).resolve().parent.parent
READY_WITHIN = 60.0
STOP_WITHIN = 45.0  # the worker's graceful shutdown takes up to 40 s


class PythonPart:
    """`python <argv…>`, e.g. `PythonPart("worker", ("-m", "worker"), env, layout, ready=http_ready(url))`.

    `env` is laid over the operator's own environment. `ready` may be a probe or a URL that must answer 2xx.
    """

    def __init__(
        self,
        name: str,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        layout: Layout,
        *,
        ready: Probe | str,
        stop_within: float = STOP_WITHIN,
        ready_within: float = READY_WITHIN,
    ) -> None:
        self.name = name
        self._probe = http_ready(ready) if isinstance(ready, str) else ready
        self._ready_within = ready_within
        search = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = Command(
            argv=(sys.executable, *argv),
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": search, **env},
            cwd=PROJECT,
            stop=((signal.SIGTERM, stop_within),),
        )
        self._process = SupervisedProcess(name, command, log=layout.log(name), hold=layout.hold(name))

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def start(self) -> None:
        await self._process.start()
        await self._process.ready(self._probe, self._ready_within)

    async def stop(self) -> None:
        await self._process.stop()

    async def wait_for_crash(self) -> PartFailed:
        return await self._process.wait_for_crash()
