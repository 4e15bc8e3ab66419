"""Suppressed addresses, as the API lists and lifts them."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row
from tests.web.fake_state import Fake

PAGE = 2


def suppressed(address: str, reason: str, *, created_at: str, expires_at: str | None = None) -> Row:
    return {"address": address, "reason": reason, "message_id": None, "created_at": created_at, "expires_at": expires_at}


def suppression_routes(fake: Fake) -> list[Route]:
    async def listed(request: Request) -> Response:
        start = int(request.query_params.get("after", "0"))
        rows = fake.suppressions[start : start + PAGE]
        more = start + PAGE < len(fake.suppressions)
        return JSONResponse({"items": rows, "next": str(start + PAGE) if more else None})

    async def lift(request: Request) -> Response:
        address = request.state.body["address"]
        left = [row for row in fake.suppressions if row["address"] != address]
        if len(left) == len(fake.suppressions):
            return JSONResponse({"type": "/problems/not-valid", "title": "Not valid", "status": 422, "detail": "Correct address and send it again."}, 422)
        fake.suppressions = left
        return Response(status_code=204)

    return [Route("/v1/suppressions", listed), Route("/v1/suppressions/lift", lift, methods=["POST"])]
