"""Policies of service levels as values: which one applies to a conversation, and what it promises.

Read from the shapes that their rows and the API hold; the first policy in order whose conditions all fit applies.
"""

import datetime as dt
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.business_hours import MINUTES_OF_DAY, BadPlan, BusinessHours, Interval, Plan

TARGETS = ("first_response", "next_response", "resolution")
MOST_DATES = 400


@dataclass(frozen=True, slots=True)
class About:
    """What the conditions of policies look at. Ids are strings."""

    channel: str
    priority: str
    inbox: str
    tags: frozenset[str] = frozenset()
    vip: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """Each that is given has to fit; of a list one value has to. Without any, every conversation fits."""

    channel: frozenset[str] = frozenset()
    priority: frozenset[str] = frozenset()
    inbox: frozenset[str] = frozenset()
    tag: frozenset[str] = frozenset()
    vip: bool | None = None

    def fit(self, about: About) -> bool:
        return (
            (not self.channel or about.channel in self.channel)
            and (not self.priority or about.priority in self.priority)
            and (not self.inbox or about.inbox in self.inbox)
            and (not self.tag or bool(about.tags & self.tag))
            and (self.vip is None or about.vip is self.vip)
        )


@dataclass(frozen=True, slots=True)
class Promise:
    """`seconds` until a target is due; `business`: only working time counts."""

    seconds: int
    business: bool


@dataclass(frozen=True, slots=True)
class Actions:
    """What happens when a clock warns or breaches, beside telling whoever has the conversation. Ids are strings."""

    notify_users: tuple[str, ...] = ()
    notify_teams: tuple[str, ...] = ()
    priority: str | None = None
    assign_user: str | None = None
    assign_team: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """`hours` None: all time counts. `promises` by target; `actions` by `warn` and `breach`."""

    id: str
    name: str
    conditions: Conditions
    promises: Mapping[str, Promise]
    hours: BusinessHours | None = None
    hours_name: str = ""
    warn_percent: int = 80
    pause_on: frozenset[str] = frozenset({"pending", "snoozed"})
    actions: Mapping[str, Actions] = field(default_factory=dict)

    def hours_of(self, *, business: bool) -> BusinessHours | None:
        return self.hours if business else None


def policy_of(policies: Sequence[Policy], about: About) -> Policy | None:
    return next((p for p in policies if p.conditions.fit(about)), None)


def read_policy(row: Mapping[str, Any], hours: BusinessHours | None, hours_name: str = "") -> Policy:
    """A row of `sla_policies`, or the same shape from elsewhere."""
    given = row["conditions"]
    return Policy(
        id=str(row["id"]),
        name=row["name"],
        conditions=Conditions(
            channel=frozenset(given.get("channel") or ()),
            priority=frozenset(given.get("priority") or ()),
            inbox=frozenset(map(str, given.get("inbox") or ())),
            tag=frozenset(map(str, given.get("tag") or ())),
            vip=given.get("vip"),
        ),
        promises={
            target: Promise(int(p["minutes"]) * 60, p.get("time", "business") == "business")
            for target in TARGETS
            if (p := row["targets"].get(target))
        },
        hours=hours,
        hours_name=hours_name,
        warn_percent=row["warn_percent"],
        pause_on=frozenset(row["pause_on"]),
        actions={when: _actions(row["actions"][when]) for when in ("warn", "breach") if row["actions"].get(when)},
    )


def _actions(given: Mapping[str, Any]) -> Actions:
    return Actions(
        notify_users=tuple(map(str, given.get("notify_users") or ())),
        notify_teams=tuple(map(str, given.get("notify_teams") or ())),
        priority=given.get("priority"),
        assign_user=str(given["assign_user"]) if given.get("assign_user") else None,
        assign_team=str(given["assign_team"]) if given.get("assign_team") else None,
        tags=tuple(map(str, given.get("tags") or ())),
    )


def read_hours(row: Mapping[str, Any]) -> BusinessHours:
    """A row of `business_hours`, or the same shape from elsewhere. Equal ones are made ready once. Raises BadPlan."""
    names = ("time_zone", "week", "country", "subdivision", "dates")
    return _hours(json.dumps({n: row[n] for n in names}, sort_keys=True, default=str))


@functools.lru_cache(maxsize=256)
def _hours(shape: str) -> BusinessHours:
    given = json.loads(shape)
    if len(given["dates"]) > MOST_DATES:
        raise BadPlan("dates", f"at most {MOST_DATES} dates of one's own")
    dates: dict[dt.date, tuple[Interval, ...]] = {}
    for number, date in enumerate(given["dates"]):
        place = f"dates[{number}]"
        try:
            day = dt.date.fromisoformat(date["date"])
        except (ValueError, TypeError):
            raise BadPlan(place, "a date is written like 2026-12-24") from None
        if day in dates:
            raise BadPlan(place, "this date stands there twice")
        dates[day] = _day(place, date.get("intervals") or [])
    return BusinessHours(
        Plan(
            zone=given["time_zone"],
            week=tuple(_day(f"week[{n}]", day) for n, day in enumerate(given["week"])),
            country=given["country"] or "",
            subdivision=given["subdivision"] or "",
            dates=dates,
        )
    )


def _day(place: str, intervals: Sequence[Sequence[str]]) -> tuple[Interval, ...]:
    try:
        return tuple(Interval(_minute(start), _minute(end)) for start, end in intervals)
    except (ValueError, TypeError):
        raise BadPlan(place, 'an interval is written like ["09:00", "17:30"], midnight at its end as "24:00"') from None


def _minute(clock: str) -> int:
    hour, colon, minute = clock.partition(":")
    if not colon or len(hour) != 2 or len(minute) != 2 or not (hour + minute).isdecimal() or int(minute) > 59:
        raise ValueError("not a time of day")
    return min(int(hour) * 60 + int(minute), MINUTES_OF_DAY + 1)
