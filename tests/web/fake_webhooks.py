"""Webhooks and what they were told, as the API keeps, rotates, tests and tells them again."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row, ago, ident
from tests.web.fake_state import Fake, now


def webhook(name: str, url: str = "https://tickets.example.com/hooks", **more: Any) -> Row:
    return {
        "id": ident(f"webhook {name}"), "name": name, "url": url, "events": [], "inbox_ids": None, "status": "active", "disabled_reason": None, "failure_count": 0,
        "failing_since": None, "next_attempt_at": None, "last_error": None, "last_success_at": ago(minutes=3), "last_failure_at": None, "previous_until": None,
        "waiting": 0, "created_at": ago(minutes=9000), **more,
    }  # fmt: skip


def delivery(of: Row, name: str, **more: Any) -> Row:
    return {
        "id": ident(f"delivery {name}"), "webhook": of["id"], "event_id": 4711, "event_type": "rule.matched", "payload": {"rule": {"name": name}}, "status": "delivered", "attempts": 1,
        "response_status": 200, "error": None, "duration_ms": 84, "attempted_at": ago(minutes=4), "created_at": ago(minutes=5), **more,
    }  # fmt: skip


def webhook_routes(fake: Fake) -> list[Route]:
    def of(request: Request) -> Row:
        return next(row for row in fake.webhooks if row["id"] == request.path_params["id"])

    def shown(row: Row) -> Row:
        return {name: value for name, value in row.items() if name != "webhook"}

    async def listed(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"items": sorted(fake.webhooks, key=lambda row: row["name"].casefold()), "next": None})
        body = request.state.body
        if not body["url"].startswith("https://"):
            errors = [{"field": "url", "message": "begins with https://; nothing is sent without encryption"}]
            return JSONResponse({"type": "/problems/not-valid", "title": "Not valid", "status": 422, "detail": "Correct url.", "errors": errors}, 422)
        made = webhook(**body, last_success_at=None)
        fake.webhooks.append(made)
        return JSONResponse({**made, "secret": "whsec_" + secrets.token_urlsafe(24)}, 201)

    async def one(request: Request) -> Response:
        row = of(request)
        if request.method == "DELETE":
            fake.webhooks.remove(row)
            return Response(status_code=204)
        body = request.state.body
        row.update(body)
        if "status" in body:
            row["disabled_reason"] = "person" if body["status"] == "disabled" else None
            row["failing_since"] = row["next_attempt_at"] = None
        return JSONResponse(row)

    async def rotate(request: Request) -> Response:
        row = of(request)
        row["previous_until"] = "2031-01-01T09:00:00Z"
        return JSONResponse({**row, "secret": "whsec_" + secrets.token_urlsafe(24)})

    async def test(request: Request) -> Response:
        waiting = {"event_type": "webhook.test", "payload": {"test": True}, "status": "pending", "attempts": 0, "response_status": None, "duration_ms": None, "created_at": now()}
        made = delivery(of(request), secrets.token_hex(4), **waiting)
        fake.deliveries.insert(0, made)
        return JSONResponse(shown(made), 202)

    async def deliveries(request: Request) -> Response:
        rows = [shown(row) for row in fake.deliveries if row["webhook"] == of(request)["id"]]
        return JSONResponse({"items": rows, "next": None})

    async def redeliver(request: Request) -> Response:
        row = next(row for row in fake.deliveries if row["id"] == request.path_params["delivery"])
        row.update(status="pending", attempts=0, response_status=None, error=None, duration_ms=None)
        return JSONResponse(shown(row), 202)

    at = "/v1/webhooks/{id}"
    return [
        Route("/v1/webhooks", listed, methods=["GET", "POST"]),
        Route(at, one, methods=["PATCH", "DELETE"]),
        Route(f"{at}/rotate", rotate, methods=["POST"]),
        Route(f"{at}/test", test, methods=["POST"]),
        Route(f"{at}/deliveries", deliveries),
        Route(f"{at}/deliveries/{{delivery}}/redeliver", redeliver, methods=["POST"]),
    ]
