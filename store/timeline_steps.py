"""One line of a message's timeline, whichever table it comes from."""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum

MOST = 500


class StepKind(StrEnum):
    """What a step is about, so that a reader can group and filter."""

    MAIL = "mail"  # the mail itself: where it lay, its bytes, its folder
    RULE = "rule"  # something was judged: classified, threaded, answered or not
    SEND = "send"  # an attempt of ours to hand it over, and what became of it
    REPORT = "report"  # what others told about it: bounces, deliveries, complaints
    WEBHOOK = "webhook"  # another program was told of it
    PERSON = "person"  # somebody decided
    EVENT = "event"  # told by the event log alone


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """`actor` is `system`, `api` or `user:<id>`. `run` is the Temporal run that did it, `flow` what kind of workflow it was
    (`sync`, `backfill`, `send` or `answer`) and `flow_id` the folder or conversation that it is named by, where that is not
    the message. `about` is another message that the step leads to, `next_at` when what was put off is tried again.
    """

    at: dt.datetime
    step: str
    kind: StepKind
    detail: str = ""
    attempt: int = 0
    code: int | None = None
    actor: str = "system"
    next_at: dt.datetime | None = None
    about: uuid.UUID | None = None
    run: str | None = None
    flow: str | None = None
    flow_id: uuid.UUID | None = None
