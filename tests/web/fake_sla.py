"""Business hours, policies of service levels, previews and clocks, as the API answers them, from memory."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row, stamp
from tests.web.fake_state import Fake, now

COUNTRIES = [{"code": "DE", "subdivisions": ["BE", "BY"]}, {"code": "FR", "subdivisions": []}]
NOTHING = {"policy": None, "first_response_seconds": None, "avg_response_seconds": None, "first_response_business_seconds": None, "avg_response_business_seconds": None}
COUNTS = {"conversations": 0, "started": 0, "ended": 0, "moved": 0, "newly_breached": 0, "excused": 0, "complete": True}


class Levels:
    """What one test has set; made anew with each desk."""

    def __init__(self) -> None:
        self.hours: list[Row] = []
        self.policies: list[Row] = []
        self.recount: Row | None = None
        self.preview: Row = {"counts": COUNTS, "items": [], "next": None}
        self.clocks: dict[str, Row] = {}


def levels(fake: Fake) -> Levels:
    """Of this desk since its last reset, which makes its conversations anew."""
    desk: Any = fake
    if getattr(desk, "levels_of", None) is not fake.conversations:
        desk.levels, desk.levels_of = Levels(), fake.conversations
    found: Levels = desk.levels
    return found


def at(minutes: float) -> str:
    return stamp(datetime.now(UTC) + timedelta(minutes=minutes))


def due(fake: Fake, conversation: Row, *, warn: float, due_in: float, breached: bool = False) -> None:
    """The clock of a conversation, in minutes from now, and the event that tells of it."""
    conversation["sla"] = {"due_at": at(due_in), "warn_at": at(warn), "paused": False, "breached": breached}
    fake.emit("sla.breached" if breached else "sla.updated", conversation)


def clock(**values: Any) -> Row:
    """A first answer of which two hours ran, a night lay outside and three hours were pending."""
    pieces = [("running", 30, ""), ("outside", 960, ""), ("running", 30, ""), ("paused", 180, "pending"), ("running", 60, "")]
    segments, start = [], -1260.0
    for kind, minutes, why in pieces:
        segments.append({"kind": kind, "start": at(start), "end": at(start + minutes), "seconds": minutes * 60, "why": why})
        start += minutes
    return {
        "id": str(uuid.uuid4()), "target": "first_response", "policy": "Everybody", "hours": "Office", "state": "warned", "target_seconds": 9000,
        "business": True, "started_at": at(-1260), "warn_at": at(-10), "due_at": at(30), "warned_at": at(-10), "breached_at": None, "met_at": None,
        "ended_at": None, "ended_by": None, "excuse": None, "running_seconds": 7200, "segments": segments,
        "sentence": "2 h running, 16 h outside hours, 3 h pending",
    } | values  # fmt: skip


def sla_routes(fake: Fake) -> list[Route]:
    def found(rows: list[Row], request: Request) -> Row:
        return next(row for row in rows if row["id"] == request.path_params["id"])

    async def hours(request: Request) -> Response:
        rows = levels(fake).hours
        if request.method == "GET":
            return JSONResponse({"items": rows, "countries": COUNTRIES})
        made = {"id": str(uuid.uuid4()), "policies": [], "created_at": now(), "updated_at": now(), **request.state.body}
        rows.append(made)
        return JSONResponse(made, 201)

    async def one_hours(request: Request) -> Response:
        rows = levels(fake).hours
        row = found(rows, request)
        if request.method == "DELETE":
            rows.remove(row)
            return Response(status_code=204)
        row.update(request.state.body)
        return JSONResponse(row)

    async def policies(request: Request) -> Response:
        rows = levels(fake).policies
        if request.method == "GET":
            return JSONResponse({"items": rows, "recount": levels(fake).recount})
        made = {"id": str(uuid.uuid4()), "position": len(rows) + 1, "created_at": now(), "updated_at": now(), **request.state.body}
        rows.append(made)
        fake.emit("sla.settings", payload={"what": "policy", "id": made["id"]})
        return JSONResponse(made, 201)

    async def one_policy(request: Request) -> Response:
        rows = levels(fake).policies
        row = found(rows, request)
        if request.method == "DELETE":
            rows.remove(row)
            return Response(status_code=204)
        row.update(request.state.body)
        return JSONResponse(row)

    async def preview(_request: Request) -> Response:
        return JSONResponse(levels(fake).preview)

    async def clocks(request: Request) -> Response:
        known = levels(fake).clocks.get(request.path_params["id"], {**NOTHING, "clocks": []})
        return JSONResponse({"at": now(), **known})

    return [
        Route("/v1/business-hours", hours, methods=["GET", "POST"]),
        Route("/v1/business-hours/{id}", one_hours, methods=["PATCH", "DELETE"]),
        Route("/v1/business-hours/{id}/preview", preview, methods=["POST"]),
        Route("/v1/sla-policies", policies, methods=["GET", "POST"]),
        Route("/v1/sla-policies/preview", preview, methods=["POST"]),
        Route("/v1/sla-policies/{id}", one_policy, methods=["PATCH", "DELETE"]),
        Route("/v1/sla-policies/{id}/preview", preview, methods=["POST"]),
        Route("/v1/conversations/{id}/sla", clocks),
    ]
