"""What every part of the stack offers its supervisor, and what the supervisor reports about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from stack.process import PartFailed

State = Literal["starting", "ready", "failed", "stopped"]


class Part(Protocol):
    """A server of the stack. `start` returns when it is ready and raises `PartFailed`; `stop` may be called any time."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def wait_for_crash(self) -> PartFailed: ...


@dataclass(frozen=True, slots=True)
class StackEvent:
    """Progress of one part. `seconds` since its start (or stop) began; `detail` is an address or a reason, no secret."""

    part: str
    state: State
    seconds: float
    detail: str = ""


Progress = Callable[[StackEvent], None]
