"""Reads what clocks are worked out from out of its rows, and works a conversation out: the same for the desk, for the timer and for
a preview that writes nothing.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.business_hours import BusinessHours
from rules.sla_course import Fact, Happened, Story, Wait, tell
from rules.sla_policy import About, Policy, policy_of, read_hours, read_policy
from rules.sla_recount import Clock, Shown, shown, work_out

# Of things at one instant: a mail is answered, then the matter is closed.
ORDER = {Happened.CUSTOMER: 0, Happened.ANSWER: 1, Happened.STATUS: 2}


@dataclass(frozen=True, slots=True)
class Settings:
    """The policies in their order, those switched off left out, and the hours that response times are measured by without one."""

    policies: Sequence[Policy] = ()
    default_hours: BusinessHours | None = None
    by_id: Mapping[str, Policy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a conversation's clocks are, what it shows of them, and how long its customers waited in working time."""

    clocks: Sequence[Clock]
    shown: Shown
    first_seconds: int | None
    average_seconds: int | None


def read_settings(policies: Iterable[Mapping[str, Any]], hours: Iterable[Mapping[str, Any]]) -> Settings:
    """From rows of `sla_policies` and `business_hours`. Raises BadPlan for hours that cannot be."""
    plans = {row["id"]: (read_hours(row), row["name"], row["is_default"]) for row in hours}
    found = []
    for row in policies:
        plan, name, _ = plans.get(row["business_hours_id"], (None, "", False))
        if row["enabled"]:
            found.append(read_policy(row, plan, name))
    default = next((plan for plan, _, is_default in plans.values() if is_default), None)
    return Settings(found, default, {p.id: p for p in found})


def read_about(row: Mapping[str, Any]) -> About:
    return About(
        channel=row["channel"],
        priority=row["priority"],
        inbox=str(row["inbox_id"]),
        tags=frozenset(map(str, row["tags"])),
        vip=row["vip"],
    )


def stories(
    ids: Iterable[Any], mails: Iterable[Mapping[str, Any]], statuses: Iterable[Mapping[str, Any]]
) -> dict[Any, Story]:
    """The story of each conversation."""
    facts: dict[Any, list[tuple[dt.datetime, int, Fact]]] = {i: [] for i in ids}
    for mail in mails:
        kind = Happened.CUSTOMER if mail["direction"] == "inbound" else Happened.ANSWER
        fact = Fact(kind, mail["at"], str(mail["id"]), elsewhere=mail["elsewhere"], old=mail["historical"])
        # The desk learns of an answer when it is given, of all others when they are stored.
        learned = mail["created_at"] if kind is Happened.CUSTOMER else max(mail["created_at"], mail["at"])
        facts[mail["conversation_id"]].append((learned, ORDER[kind], fact))
    for change in statuses:
        fact = Fact(Happened.STATUS, change["at"], change["status"])
        facts[change["conversation_id"]].append((change["at"], ORDER[Happened.STATUS], fact))
    return {i: tell([f for *_, f in sorted(known, key=lambda k: (k[0], k[1], k[2].at))]) for i, known in facts.items()}


def outcome(
    row: Mapping[str, Any],
    story: Story,
    standing: Sequence[Clock],
    settings: Settings,
    *,
    now: dt.datetime,
    anew: bool = False,
) -> Outcome:
    """Of one conversation. One that was merged away or deleted has no clocks of its own."""
    gone = row["merged_into"] is not None or row["deleted_at"] is not None
    policy = policy_of(settings.policies, read_about(row)) if not gone else None
    told = Story() if gone else story
    clocks = work_out(told, standing, policy, settings.by_id, now=now, anew=anew)
    hours = policy.hours if policy is not None and policy.hours is not None else settings.default_hours
    first, average = _waited(told.waits, hours)
    return Outcome(clocks, shown(clocks, policy), first, average)


def _waited(waits: Sequence[Wait], hours: BusinessHours | None) -> tuple[int | None, int | None]:
    """Working seconds until the first answer, and on average. Nothing without hours."""
    if hours is None or not waits:
        return None, None
    seconds = [hours.working_seconds(w.since, w.until) for w in waits]
    return int(seconds[0]), int(sum(seconds) / len(seconds))
