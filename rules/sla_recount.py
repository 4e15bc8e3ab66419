"""From a conversation's facts and its policy to the rows of its clocks: what is new, what changes, what goes, and what the
conversation shows of them.

A breach is a fact and stays one. When what is known now would not have made it, it is excused with the reason.
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.sla_arithmetic import MOST_SEGMENTS, PAUSED, Segment, due, segments
from rules.sla_course import Course, Story
from rules.sla_policy import Policy

IN_TIME = "answered in time; this was learned later"
CHANGED = "hours or policy were changed; by the new ones it is not late"
NO_PROMISE = "no policy"
UNDONE = "undone"  # what started it belongs to this conversation no more


@dataclass(frozen=True, slots=True)
class Clock:
    """A row of `sla_clocks`. Instants are aware."""

    target: str
    started_at: dt.datetime
    policy_id: str | None
    target_seconds: int
    business: bool
    warn_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    next_at: dt.datetime | None = None
    paused_at: dt.datetime | None = None
    warned_at: dt.datetime | None = None
    breached_at: dt.datetime | None = None
    met_at: dt.datetime | None = None
    met_by: str | None = None
    ended_at: dt.datetime | None = None
    ended_by: str | None = None
    excused_at: dt.datetime | None = None
    excuse: str | None = None
    segments: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def key(self) -> tuple[str, dt.datetime]:
        return self.target, self.started_at

    @property
    def late(self) -> bool:
        """Breached, and not excused."""
        return self.breached_at is not None and self.excuse is None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the conversation carries: of its open clocks the one that is due next."""

    policy_id: str | None = None
    due_at: dt.datetime | None = None
    warn_at: dt.datetime | None = None
    paused: bool = False
    breached: bool = False


def read_clock(row: Mapping[str, Any]) -> Clock:
    names = {f.name for f in dataclasses.fields(Clock)} - {"segments", "policy_id", "met_by"}
    return Clock(
        **{n: row[n] for n in names},
        policy_id=str(row["policy_id"]) if row["policy_id"] else None,
        met_by=str(row["met_by"]) if row["met_by"] else None,
        segments=tuple(tuple(s) for s in row["segments"]),
    )


def work_out(
    story: Story,
    standing: Sequence[Clock],
    policy: Policy | None,
    policies: Mapping[str, Policy],
    *,
    now: dt.datetime,
    anew: bool = False,
) -> list[Clock]:
    """The clocks of the conversation: those of its story, and those that acted already though it has them no more.

    `standing` are the rows as they are, `policy` what applies now, `policies` all by id. `anew`: hours or policies were
    changed, so clocks that breached are worked out again too.
    """
    known = {c.key: c for c in standing}
    found: list[Clock] = []
    for course in story.courses:
        before = known.pop((course.target, course.started_at), None)
        clock = _clock(course, before, policy, policies, now=now, anew=anew)
        if clock is not None:
            found.append(clock)
        elif before is not None and (before.warned_at or before.breached_at):
            found.append(_ended(before, now, NO_PROMISE))
    found += [_ended(c, now, UNDONE) for c in known.values() if c.warned_at or c.breached_at]
    return found


def _clock(
    course: Course,
    before: Clock | None,
    policy: Policy | None,
    policies: Mapping[str, Policy],
    *,
    now: dt.datetime,
    anew: bool,
) -> Clock | None:
    """None where nothing is promised."""
    if before is not None and before.ended_at is not None and (before.ended_at, before.ended_by) == (
        course.ended_at,
        course.ended_by,
    ):
        own = policies.get(before.policy_id or "")
        if anew or own is None or _pauses_stand(before, course, own):
            return before  # over is over: new hours and policies do not reach back
        policy = own
    elif before is not None and before.breached_at is not None and not anew:
        policy = policies.get(before.policy_id or "", policy)  # it breached by these terms, and keeps them
    promise = policy.promises.get(course.target) if policy is not None else None
    if policy is None or promise is None:
        return None
    hours, pauses = policy.hours_of(business=promise.business), course.pauses(policy.pause_on)
    when = due(course.started_at, promise.seconds, policy.warn_percent, pauses, hours)
    open_pause = pauses[-1].start if pauses and pauses[-1].end is None else None
    until = course.ended_at or max([course.started_at, *(at for at, _ in course.statuses)])
    clock = Clock(
        target=course.target,
        started_at=course.started_at,
        policy_id=policy.id,
        target_seconds=promise.seconds,
        business=promise.business and hours is not None,
        warn_at=when.warn_at,
        due_at=when.due_at,
        paused_at=open_pause if course.ended_at is None else None,
        warned_at=before.warned_at if before else None,
        breached_at=before.breached_at if before else None,
        met_at=course.met_at,
        met_by=course.met_by,
        ended_at=course.ended_at,
        ended_by=course.ended_by,
        excused_at=before.excused_at if before else None,
        excuse=before.excuse if before else None,
        segments=pack(segments(course.started_at, until, pauses, hours)),
    )
    return _scheduled(_excused(clock, now, anew=anew))


def _pauses_stand(clock: Clock, course: Course, policy: Policy) -> bool:
    """Whether the clock knows all pauses of its course: one may be learned of after the end."""
    known = [(s.start, s.end, s.why) for s in unpack(clock.segments) if s.kind == PAUSED]
    return known == [(p.start, p.end, p.status) for p in course.pauses(policy.pause_on)]


def _excused(clock: Clock, now: dt.datetime, *, anew: bool) -> Clock:
    if clock.breached_at is None:
        return clock
    in_time = clock.due_at is None or (clock.ended_at or now) <= clock.due_at
    if not in_time:
        return dataclasses.replace(clock, excuse=None, excused_at=None) if anew else clock
    if clock.excuse is not None:
        return clock
    if anew:
        return dataclasses.replace(clock, excuse=CHANGED, excused_at=now)
    # What was paused or ended before it was due, as the desk learned too late. Running on, it is as late as it was.
    learned = clock.ended_at is not None or clock.due_at is None
    return dataclasses.replace(clock, excuse=IN_TIME, excused_at=now) if learned else clock


def _scheduled(clock: Clock) -> Clock:
    """With the instant at which there is something to do next."""
    late = clock.due_at is not None and (clock.ended_at is None or clock.ended_at > clock.due_at)
    breach = clock.due_at if late and not clock.late else None
    warn = None
    if clock.ended_at is None and clock.warned_at is None and clock.breached_at is None and breach is not None:
        warn = clock.warn_at if clock.warn_at is not None and clock.warn_at < breach else None
    return dataclasses.replace(clock, next_at=warn or breach)


def _ended(clock: Clock, now: dt.datetime, why: str) -> Clock:
    if clock.ended_at is not None:
        return dataclasses.replace(clock, next_at=None)
    return dataclasses.replace(clock, next_at=None, paused_at=None, ended_at=now, ended_by=why)


def shown(clocks: Sequence[Clock], policy: Policy | None) -> Shown:
    running = [c for c in clocks if c.ended_at is None]
    due_next = min((c for c in running if c.due_at is not None), key=lambda c: (c.due_at, c.target), default=None)
    return Shown(
        policy_id=policy.id if policy else None,
        due_at=due_next.due_at if due_next else None,
        warn_at=due_next.warn_at if due_next else None,
        paused=due_next is None and any(c.paused_at is not None for c in running),
        breached=any(c.late for c in clocks),
    )


def pack(found: Sequence[Segment]) -> tuple[tuple[str, str, str, str], ...]:
    """As they are stored: kind, start, end, why. Only the newest of very many are kept one by one."""
    return tuple((s.kind, s.start.isoformat(), s.end.isoformat(), s.why) for s in found[-MOST_SEGMENTS:])


def unpack(stored: Sequence[Sequence[str]]) -> list[Segment]:
    return [Segment(k, dt.datetime.fromisoformat(a), dt.datetime.fromisoformat(b), why) for k, a, b, why in stored]
