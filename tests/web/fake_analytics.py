"""Figures, as the API tells them: the same rows for every range, so that pages can be looked at."""

import datetime as dt

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row
from tests.web.fake_state import Fake

FIRST = dt.date(2026, 3, 2)
PEOPLE = ("Mira Brandt", "Jonas Weber", "Ines <b>O'Hara</b>")


def days(count: int = 30) -> list[str]:
    return [(FIRST + dt.timedelta(days=n)).isoformat() for n in range(count)]


def volume(by: str) -> list[Row]:
    if by == "weekday_hour":
        return [
            {"key": f"{d} {h}", "name": f"{d} {h}", "received": max(0, 12 - abs(h - 11) - (8 if d > 5 else 0)), "sent": 0, "auto": 0}
            for d in range(1, 8) for h in range(24)
        ]
    names = days() if by == "day" else PEOPLE
    return [{"key": n, "name": n, "received": 40 + 7 * (k % 5), "sent": 22 + 5 * (k % 4), "auto": k % 6} for k, n in enumerate(names)]


def durations(by: str) -> list[Row]:
    names = days() if by == "day" else PEOPLE
    return [{"key": n, "name": n, "count": 20 + k, "median_seconds": 1800 + 300 * (k % 5), "p90_seconds": 9000 + 1500 * (k % 4)} for k, n in enumerate(names)]


def attainment(by: str) -> list[Row]:
    names = ("first response", "next response", "resolution") if by == "target" else PEOPLE
    return [{"key": n, "name": n, "kept": kept, "breached": 100 - kept, "attainment": kept / 100} for n, kept in zip(names, (97, 84, 61), strict=True)]


def backlog(_: str) -> list[Row]:
    return [{"day": d, "open": 30 + k % 9, "pending": 12 - k % 5, "snoozed": k % 4, "unassigned": 3} for k, d in enumerate(days())]


def load(_: str) -> list[Row]:
    return [{"key": n, "name": n, "status": "online", "capacity": 20, "assigned": (9, 18, 23)[k], "sent": 40 * k} for k, n in enumerate(PEOPLE)]


def analytics_routes(fake: Fake) -> list[Route]:
    async def rows(request: Request) -> Response:
        name = request.path_params["name"]
        fake.analytics.append((name, dict(request.query_params)))
        read = {"volume": volume, "durations": durations, "sla": attainment, "backlog": backlog, "load": load}[name]
        found = [] if fake.no_figures else read(request.query_params.get("by", ""))
        if request.query_params.get("format") == "csv":
            return Response("key\n", media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}.csv"'})
        return JSONResponse({"rows": found})

    return [Route("/v1/analytics/{name}", rows)]
