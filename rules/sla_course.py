"""The course of a conversation as its clocks see it: which of them its mails, answers and statuses started, paused and ended.

Pure, and told from all facts each time: whoever reads them late, twice or after a merge comes to the same clocks.

Facts stand in the order in which the desk learned of them, and each carries the instant at which it happened. The two
differ when a mailbox is read late: a mail of 10:00 that came to the desk at 10:30 waits since 10:00, and was not answered by
what somebody sent from the desk at 10:15. An answer that was found in the Sent folder was written in another mail program,
whose author saw the mailbox itself: it answers all mail that lay there.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rules.sla_arithmetic import Pause

FIRST, NEXT, RESOLUTION = "first_response", "next_response", "resolution"
RESOLVED = frozenset({"closed", "archived"})
DISCARDED = frozenset({"spam", "trash"})


class Happened(StrEnum):
    """`customer`: a mail that a person wrote. `answer`: an agent's. `status`: somebody, or the desk, set it."""

    CUSTOMER = "customer"
    ANSWER = "answer"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Fact:
    """`elsewhere`: an answer from another mail program. `old`: history of before the inbox was connected, which starts nothing.
    `what` is the message's id, or the status.
    """

    kind: Happened
    at: dt.datetime
    what: str
    elsewhere: bool = False
    old: bool = False


@dataclass(slots=True)
class Course:
    """One clock of the conversation. `ended_by` is `answer`, or the status that ended it. `statuses` are those it went through."""

    target: str
    started_at: dt.datetime
    met_at: dt.datetime | None = None
    met_by: str | None = None
    ended_at: dt.datetime | None = None
    ended_by: str | None = None
    statuses: list[tuple[dt.datetime, str]] = field(default_factory=list)

    def pauses(self, on: frozenset[str]) -> list[Pause]:
        """The stretches in which the conversation had one of these statuses."""
        found: list[Pause] = []
        for number, (at, status) in enumerate(self.statuses):
            end = self.statuses[number + 1][0] if number + 1 < len(self.statuses) else self.ended_at
            if status not in on or (end is not None and end <= at):
                continue
            if found and found[-1].end == at and found[-1].status == status:
                found[-1] = Pause(found[-1].start, end, status)
            else:
                found.append(Pause(at, end, status))
        return found


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a customer waited for an answer."""

    since: dt.datetime
    until: dt.datetime


@dataclass(slots=True)
class Story:
    """All clocks of a conversation, in the order of their starts, and what its customers waited."""

    courses: list[Course] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    status: str = "open"


def tell(facts: Sequence[Fact]) -> Story:
    """What has happened to the clocks by these facts."""
    teller = _Teller()
    for fact in facts:
        match fact.kind:
            case Happened.CUSTOMER:
                teller.customer(fact)
            case Happened.ANSWER:
                teller.answer(fact)
            case Happened.STATUS:
                teller.status(fact)
    return teller.story


class _Teller:
    def __init__(self) -> None:
        self.story = Story()
        self._running: dict[str, Course] = {}
        self._answered = False
        self._waiting: list[dt.datetime] = []
        self._answered_elsewhere: dt.datetime | None = None

    def customer(self, fact: Fact) -> None:
        """A mail opens what was closed or put aside; spam and trash are out of the desk's sight, mail there starts nothing."""
        if fact.old or self.story.status == "spam":
            return
        self._set_status("open", fact.at)
        if RESOLUTION not in self._running:
            self._start(RESOLUTION, fact.at)
        if self._answered_elsewhere is not None and fact.at <= self._answered_elsewhere:
            return
        self._waiting.append(fact.at)
        self._wait_for_answer(fact.at)

    def answer(self, fact: Fact) -> None:
        if fact.old:
            self._answered = True
            return
        if fact.elsewhere:
            self._answered_elsewhere = max(fact.at, self._answered_elsewhere or fact.at)
        answered = [w for w in self._waiting if w <= fact.at or not fact.elsewhere]
        if self._waiting and not answered:
            return  # it was written before any mail that waits
        self._answered = True
        if answered:
            self.story.waits.append(Wait(min(answered), max(fact.at, min(answered))))
        for target in (FIRST, NEXT):
            course = self._running.pop(target, None)
            if course is not None:
                course.met_at = course.ended_at = max(fact.at, course.started_at)
                course.met_by, course.ended_by = fact.what, "answer"
        self._waiting = [w for w in self._waiting if w not in answered]
        if self._waiting:
            self._wait_for_answer(min(self._waiting))

    def status(self, fact: Fact) -> None:
        before = self.story.status
        self._set_status(fact.what, fact.at)
        if fact.what in RESOLVED or fact.what in DISCARDED:
            for course in self._running.values():
                course.ended_at = max(fact.at, course.started_at)
                course.ended_by = fact.what
                if course.target == RESOLUTION and fact.what in RESOLVED:
                    course.met_at = course.ended_at
            self._running.clear()
            self._waiting.clear()
        elif before in RESOLVED | DISCARDED and self.story.courses:
            self._start(RESOLUTION, fact.at)  # somebody opened it again

    def _wait_for_answer(self, since: dt.datetime) -> None:
        if FIRST not in self._running and NEXT not in self._running:
            self._start(NEXT if self._answered else FIRST, since)

    def _start(self, target: str, at: dt.datetime) -> None:
        if any(c.target == target and c.started_at == at for c in self.story.courses):
            at = max(c.started_at for c in self.story.courses if c.target == target) + dt.timedelta(microseconds=1)
        course = Course(target, at)
        if self.story.status != "open":
            course.statuses.append((at, self.story.status))
        self._running[target] = course
        self.story.courses.append(course)

    def _set_status(self, status: str, at: dt.datetime) -> None:
        self.story.status = status
        for course in self._running.values():
            # What the desk learned late may lie before what it knew: a clock's times only go on.
            last = course.statuses[-1][0] if course.statuses else course.started_at
            if (course.statuses[-1][1] if course.statuses else "open") != status:
                course.statuses.append((max(at, last), status))
