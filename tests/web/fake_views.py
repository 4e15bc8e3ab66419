"""Saved views of the fake desk, as docs/api.md has them: conditions are kept, and only a status is understood."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row
from tests.web.fake_state import Fake, now

COLORS = {"color": "#64748b", "icon": "list", "shared": False, "sort": "newest"}


def holds(part: Row, row: Row) -> bool:
    if "field" not in part:
        ((way, parts),) = part.items()
        return (all if way == "all" else any)(holds(one, row) for one in parts)
    return part["field"] != "status" or row["status"] in part["value"]


def of_view(fake: Fake, view_id: str) -> list[Row]:
    """The conversations of a view; of one that is not known, none."""
    view = next((one for one in fake.views if one["id"] == view_id), None)
    return [row for row in fake.conversations.values() if view and holds(view["conditions"], row)]


def found_rows(rows: list[Row], words: str) -> list[Row]:
    """Those that have the words in subject, snippet or customer, each with where they stand."""

    def marks(text: str) -> list[list[int]]:
        at = text.casefold().find(words)
        return [] if at < 0 else [[at, at + len(words)]]

    found = [row for row in rows if words in f"{row['subject']} {row['snippet']} {row['customer']}".casefold()]
    return [
        {**row, "match": {"message_id": None, "note_id": None, "field": "body", "snippet": row["snippet"], "marks": marks(row["snippet"]), "subject_marks": marks(row["subject"])}}
        for row in found
    ]


def view_routes(fake: Fake) -> list[Route]:
    def problem(fields: dict[str, str]) -> Response:
        errors = [{"field": field, "message": message} for field, message in fields.items()]
        body = {"type": "/problems/not-valid", "title": "Not valid", "status": 422, "detail": "Some fields are not valid.", "errors": errors}
        return JSONResponse(body, 422, media_type="application/problem+json")

    def tell(kind: str, **payload: Any) -> None:
        fake.emit(kind, None, payload=payload)

    async def views(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"items": sorted(fake.views, key=lambda one: one["position"])})
        body = request.state.body
        if not body["name"].strip():
            return problem({"name": "may not be empty"})
        view = {"id": f"{secrets.token_hex(4)}-0000-7000-8000-{secrets.token_hex(6)}", **COLORS, **body, "mine": True, "may_change": True,
                "position": len(fake.views), "personal": False, "filling": None, "created_at": now(), "updated_at": now()}  # fmt: skip
        fake.views.append(view)
        tell("view.changed", view_id=view["id"])
        return JSONResponse(view, 201)

    async def preview(request: Request) -> Response:
        tree = request.state.body["conditions"]
        return JSONResponse({"count": sum(holds(tree, row) for row in fake.conversations.values()), "capped": False})

    async def view(request: Request) -> Response:
        found = next(one for one in fake.views if one["id"] == request.path_params["id"])
        if request.method == "DELETE":
            fake.views.remove(found)
            tell("view.changed", view_id=found["id"])
            return Response(status_code=204)
        found |= request.state.body
        tell("view.changed", view_id=found["id"])
        return JSONResponse(found)

    async def teams(request: Request) -> Response:
        return JSONResponse({"items": [{"id": "0193b5a0-0000-7000-8000-00000000beef", "name": "Second line"}], "next": None})

    return [
        Route("/v1/views", views, methods=["GET", "POST"]),
        Route("/v1/views/preview", preview, methods=["POST"]),
        Route("/v1/views/{id}", view, methods=["PATCH", "DELETE"]),
        Route("/v1/teams", teams),
    ]
