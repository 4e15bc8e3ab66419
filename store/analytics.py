"""Reading the figures: sums over hours, days, inboxes, channels, teams and agents, of the inboxes that the viewer may see.

Every statement reads rows of sums in a range of hours; none reads mail. Days and weekdays are those of the asked time zone.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.visibility import Viewer, seen_inboxes

LOCAL = "h.hour at time zone :zone"
# What a group is called by: an expression over `h` (a row of sums) and `i` (its inbox).
MAIL_GROUPS: Mapping[str, str] = {
    "day": f"to_char({LOCAL}, 'YYYY-MM-DD')",
    "weekday_hour": f"extract(isodow from {LOCAL})::int || ' ' || extract(hour from {LOCAL})::int",
    "inbox": "i.id::text",
    "channel": "i.channel",
    "agent": "h.agent_id::text",
}
DURATION_GROUPS: Mapping[str, str] = {
    "all": "'all'",
    "day": f"to_char({LOCAL}, 'YYYY-MM-DD')",
    "inbox": "i.id::text",
    "team": "h.team_id::text",
    "agent": "h.agent_id::text",
    "target": "substr(h.measure, 5)",
}
WITHIN = "h.tenant_id = :tenant and h.hour >= :since and h.hour < :until"
MAILS = """
select {group} as key, h.flow, sum(h.n)::bigint as n
from mail_hours h join inboxes i on i.tenant_id = h.tenant_id and i.id = h.inbox_id
where {within} group by 1, 2
"""
DURATIONS = """
select {group} as key, h.bucket, sum(h.n)::bigint as n
from duration_hours h join inboxes i on i.tenant_id = h.tenant_id and i.id = h.inbox_id
where {within} and h.measure {measure} group by 1, 2
"""
# The last figures of each day and inbox, and those that held when the first day began.
BACKLOG = """
select distinct on (key, h.inbox_id) greatest(to_char({local}, 'YYYY-MM-DD'), cast(:before as text)) as key, h.inbox_id,
  h.open, h.pending, h.snoozed, h.unassigned
from backlog_hours h where h.tenant_id = :tenant and h.hour < :until{seen} order by key, h.inbox_id, h.hour desc
"""
LOADS = """
select u.id, u.name, u.status, u.capacity, coalesce(b.n, 0)::bigint as assigned, coalesce(s.n, 0)::bigint as sent
from users u
left join (select who, sum(n) as n from (
    select who, n, inbox_id from box_counts where tenant_id = :tenant and box = 'mine'
    union all select who, n, inbox_id from box_deltas where tenant_id = :tenant and box = 'mine') x
  where true{seen} group by who) b on b.who = u.id
left join (select h.agent_id, sum(h.n) as n from mail_hours h where {within} and h.flow = 'sent' group by 1) s on s.agent_id = u.id
where u.tenant_id = :tenant and u.deleted_at is null order by lower(u.name), u.id
"""
NAMES = """
select id::text as key, name from inboxes where tenant_id = :tenant
union all select id::text, name from teams where tenant_id = :tenant
union all select id::text, name from users where tenant_id = :tenant
"""


@dataclass(frozen=True, slots=True)
class Range:
    """From `since` up to, without it, `until`; `zone` is an IANA name. `inbox` narrows it to one."""

    since: dt.datetime
    until: dt.datetime
    zone: str
    inbox: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    day: str
    open: int
    pending: int
    snoozed: int
    unassigned: int


@dataclass(frozen=True, slots=True)
class Load:
    """An agent's share: open and pending conversations that are his now, answers sent in the range."""

    id: uuid.UUID
    name: str
    status: str
    capacity: int
    assigned: int
    sent: int


async def mails(connection: AsyncConnection, viewer: Viewer, asked: Range, *, by: str) -> dict[str, dict[str, int]]:
    """Counts by group and flow (`received`, `sent`, `auto`). `by` is a key of `MAIL_GROUPS`."""
    within, bound = await _within(connection, viewer, asked)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    statement = MAILS.format(group=MAIL_GROUPS[by], within=within)
    for row in await connection.execute(text(statement), _with_zone(statement, bound, asked)):
        found[row.key][row.flow] = row.n
    return dict(found)


async def durations(
    connection: AsyncConnection, viewer: Viewer, asked: Range, *, measure: str, by: str
) -> dict[str, dict[int, int]]:
    """Counts by group and bucket (`rules/durations.py`). `measure` ending in `.` means all that begin so."""
    within, bound = await _within(connection, viewer, asked)
    wanted = "like :measure" if measure.endswith(".") else "= :measure"
    bound["measure"] = measure + "%" if measure.endswith(".") else measure
    found: dict[str, dict[int, int]] = defaultdict(dict)
    statement = DURATIONS.format(group=DURATION_GROUPS[by], within=within, measure=wanted)
    for row in await connection.execute(text(statement), _with_zone(statement, bound, asked)):
        if row.n:
            found[row.key][row.bucket] = row.n
    return dict(found)


async def backlog(
    connection: AsyncConnection, viewer: Viewer, asked: Range, *, first: dt.date, last: dt.date
) -> list[Backlog]:
    """What lay there at the end of each day; a day on which nothing happened has what the day before had."""
    seen, bound = await _seen(connection, viewer, asked, column="h.inbox_id")
    before = (first - dt.timedelta(days=1)).isoformat()
    statement = BACKLOG.format(local=LOCAL, seen=seen)
    rows = await connection.execute(
        text(statement), {**bound, "tenant": viewer.tenant_id, "until": asked.until, "zone": asked.zone, "before": before}
    )
    of_day: dict[str, dict[uuid.UUID, Sequence[int]]] = defaultdict(dict)
    for row in rows:
        of_day[row.key][row.inbox_id] = (row.open, row.pending, row.snoozed, row.unassigned)
    standing = dict(of_day.get(before, {}))
    found = []
    for number in range((last - first).days + 1):
        day = (first + dt.timedelta(days=number)).isoformat()
        standing |= of_day.get(day, {})
        found.append(Backlog(day, *(sum(one) for one in zip(*standing.values(), strict=True))) if standing else Backlog(day, 0, 0, 0, 0))
    return found


async def loads(connection: AsyncConnection, viewer: Viewer, asked: Range) -> list[Load]:
    """Everybody who works here, by name."""
    within, bound = await _within(connection, viewer, asked)
    seen = " and inbox_id = any(:inboxes)" if "inboxes" in bound else ""
    rows = await connection.execute(text(LOADS.format(within=within, seen=seen)), bound)
    return [Load(*row) for row in rows]


async def names(connection: AsyncConnection, viewer: Viewer) -> dict[str, str]:
    """What the ids among the groups are called."""
    return {row.key: row.name for row in await connection.execute(text(NAMES), {"tenant": viewer.tenant_id})}


async def _within(connection: AsyncConnection, viewer: Viewer, asked: Range) -> tuple[str, dict[str, Any]]:
    seen, bound = await _seen(connection, viewer, asked, column="h.inbox_id")
    return WITHIN + seen, {**bound, "tenant": viewer.tenant_id, "since": asked.since, "until": asked.until}


async def _seen(connection: AsyncConnection, viewer: Viewer, asked: Range, *, column: str) -> tuple[str, dict[str, Any]]:
    inboxes = await seen_inboxes(connection, viewer)
    if asked.inbox is not None:
        inboxes = [asked.inbox] if inboxes is None or asked.inbox in inboxes else []
    return ("", {}) if inboxes is None else (f" and {column} = any(:inboxes)", {"inboxes": inboxes})


def _with_zone(statement: str, bound: Mapping[str, Any], asked: Range) -> dict[str, Any]:
    return {**bound, "zone": asked.zone} if ":zone" in statement else dict(bound)
