"""What a recorded path is: a workflow, its input and what its steps answer; and the words in which paths are written.

A path ends with its workflow, or is cut where `until` (a step, how many times it was asked for) is reached. `acts` are
(step, times asked for, signal) or (…, "update", name, argument): what people do meanwhile.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio.exceptions import ApplicationError

from contracts.failures import NON_RETRYABLE, SENTENCES

TENANT = str(uuid.UUID(int=1))
STILL = object()  # a step that goes on until it is cancelled or the recording ends


@dataclass(frozen=True, slots=True)
class Path:
    workflow: str
    name: str
    workflow_id: str
    argument: Any
    steps: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    acts: Sequence[tuple[Any, ...]] = ()
    until: tuple[str, int] | None = None


def opaque(name: str) -> str:
    """An id that is the same at each recording."""
    return str(uuid.uuid5(uuid.UUID(int=1), name))


def fails(name: str) -> ApplicationError:
    return ApplicationError(SENTENCES[name], type=name, non_retryable=name in NON_RETRYABLE)
