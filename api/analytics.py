"""Pages of figures, as JSON or CSV. Everybody sees the figures of the inboxes that he may see."""

import csv
import datetime as dt
import io
import zoneinfo
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Access
from api.endpoint import Call, Endpoint
from api.problems import FieldError, not_valid
from api.schemas.analytics import (
    Attainment,
    AttainmentQuery,
    AttainmentRow,
    BacklogRow,
    Backlogs,
    DurationQuery,
    DurationRow,
    Durations,
    LoadRow,
    Loads,
    RangeQuery,
    Volume,
    VolumeQuery,
    VolumeRow,
)
from rules.durations import quantile
from rules.figures import BUSINESS, FIRST_RESPONSE, SLA
from store import analytics
from store.analytics import Range
from store.box_counts import NOBODY

A = TypeVar("A")
DAYS, DAYS_MOST = 30, 800
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run (OWASP, “CSV Injection”)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


async def volume(call: Call[VolumeQuery, None]) -> Volume | Response:
    query = call.query
    asked, _, _ = _range(call, query)
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        found = await analytics.mails(connection, call.who.viewer, asked, by=query.by)
        named = _namer(query.by, await analytics.names(connection, call.who.viewer))
    rows = [
        VolumeRow(key=key, name=named(key), **{flow: n.get(flow, 0) for flow in ("received", "sent", "auto")})
        for key, n in sorted(found.items(), key=lambda item: _order(query.by, item[0]))
    ]
    return _answered(query, "volume", Volume(rows=rows), rows)


async def durations(call: Call[DurationQuery, None]) -> Durations | Response:
    query = call.query
    business = query.clock == "business"
    if business and query.measure != FIRST_RESPONSE:
        raise not_valid(FieldError("clock", "is `calendar` for resolutions: only first responses are measured in business hours"))
    asked, _, _ = _range(call, query)
    measure = query.measure + (BUSINESS if business else "")
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        found = await analytics.durations(connection, call.who.viewer, asked, measure=measure, by=query.by)
        named = _namer(query.by, await analytics.names(connection, call.who.viewer))
    rows = [
        DurationRow(
            key=key,
            name=named(key),
            count=sum(counts.values()),
            median_seconds=quantile(counts, 0.5) or 0,
            p90_seconds=quantile(counts, 0.9) or 0,
        )
        for key, counts in sorted(found.items())
        if sum(counts.values()) > 0
    ]
    return _answered(query, "durations", Durations(rows=rows), rows)


async def attainment(call: Call[AttainmentQuery, None]) -> Attainment | Response:
    query = call.query
    asked, _, _ = _range(call, query)
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        found = await analytics.durations(connection, call.who.viewer, asked, measure=SLA, by=query.by)
        named = _namer(query.by, await analytics.names(connection, call.who.viewer))
    rows = []
    for key, counts in sorted(found.items()):
        kept, breached = counts.get(1, 0), counts.get(0, 0)
        if kept + breached > 0:
            share = round(kept / (kept + breached), 4)
            rows.append(AttainmentRow(key=key, name=named(key), kept=kept, breached=breached, attainment=share))
    return _answered(query, "sla", Attainment(rows=rows), rows)


async def backlog(call: Call[RangeQuery, None]) -> Backlogs | Response:
    asked, first, last = _range(call, call.query)
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        found = await analytics.backlog(connection, call.who.viewer, asked, first=first, last=last)
    rows = [
        BacklogRow(day=one.day, open=one.open, pending=one.pending, snoozed=one.snoozed, unassigned=one.unassigned)
        for one in found
    ]
    return _answered(call.query, "backlog", Backlogs(rows=rows), rows)


async def load(call: Call[RangeQuery, None]) -> Loads | Response:
    asked, _, _ = _range(call, call.query)
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        found = await analytics.loads(connection, call.who.viewer, asked)
    rows = [
        LoadRow(
            key=str(one.id), name=one.name, status=one.status, capacity=one.capacity, assigned=one.assigned, sent=one.sent
        )
        for one in found
    ]
    return _answered(call.query, "load", Loads(rows=rows), rows)


def _range(call: Call[Any, None], query: RangeQuery) -> tuple[Range, dt.date, dt.date]:
    """The asked days as instants, and the first and the last of them. Raises 422 for days in the wrong order or too many."""
    zone = zoneinfo.ZoneInfo(query.zone)
    last = query.until or call.now().astimezone(zone).date()
    first = query.since or last - dt.timedelta(days=DAYS - 1)
    if first > last:
        raise not_valid(FieldError("since", "lies behind `until`"))
    if (last - first).days >= DAYS_MOST:
        raise not_valid(FieldError("since", f"asks for more than {DAYS_MOST} days; ask for fewer"))
    if last.year >= dt.MAXYEAR or first.year <= dt.MINYEAR:
        raise not_valid(FieldError("since", "is no day of ours"))
    since, until = (dt.datetime.combine(day, dt.time(), zone) for day in (first, last + dt.timedelta(days=1)))
    return Range(since, until, query.zone, query.inbox), first, last


def _namer(by: str, names: dict[str, str]) -> Callable[[str], str]:
    """What people call a group. An id that nobody has any more was somebody's who is removed."""

    def named(key: str) -> str:
        if by == "weekday_hour":
            weekday, hour = key.split()
            return f"{WEEKDAYS[int(weekday) - 1]} {int(hour):02d}:00"
        if by in ("inbox", "team", "agent"):
            return "nobody" if key == str(NOBODY) else names.get(key, "removed")
        return key.replace("_", " ")

    return named


def _order(by: str, key: str) -> tuple[Any, ...]:
    return tuple(int(part) for part in key.split()) if by == "weekday_hour" else (key,)


def _answered(query: RangeQuery, name: str, answer: A, rows: Sequence[BaseModel]) -> A | Response:
    """The answer itself, or its rows as a file."""
    if query.format == "json":
        return answer
    text = io.StringIO()
    writer = csv.writer(text)
    if rows:
        writer.writerow(type(rows[0]).model_fields)
        writer.writerows([_cell(value) for value in row.model_dump().values()] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "private, no-store"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


AT = "/v1/analytics"
CSV = ("text/csv",)
ENDPOINTS = (
    Endpoint(
        "GET", f"{AT}/volume", volume, Access.VIEWER, "How much mail came and went", response=Volume, query=VolumeQuery, also=CSV
    ),
    Endpoint(
        "GET", f"{AT}/durations", durations, Access.VIEWER, "How long it took", response=Durations, query=DurationQuery, also=CSV
    ),
    Endpoint(
        "GET", f"{AT}/sla", attainment, Access.VIEWER, "How often promises were kept", response=Attainment, query=AttainmentQuery, also=CSV
    ),
    Endpoint(
        "GET", f"{AT}/backlog", backlog, Access.VIEWER, "What lay there each evening", response=Backlogs, query=RangeQuery, also=CSV
    ),
    Endpoint("GET", f"{AT}/load", load, Access.VIEWER, "Who has how much", response=Loads, query=RangeQuery, also=CSV),
)
