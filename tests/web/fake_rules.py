"""Routing rules, canned replies and signatures, as the API keeps, tries, fills and explains them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row, ago, ident
from tests.web.fake_state import Fake

NO_SUCH = JSONResponse({"type": "/problems/not-found", "title": "Not found", "status": 404, "detail": "There is no such thing."}, 404)


def rule(name: str, condition: Row, *actions: Row, **more: Any) -> Row:
    return {
        "id": ident(f"rule {name}"), "name": name, "version": 1, "position": 1, "enabled": True, "shadow": False, "stop": False, "trigger": "message", "condition": condition,
        "actions": list(actions), "reads_headers": False, "hits": 12, "changed_at": ago(minutes=5), "changed_by": "system", "created_at": ago(minutes=90), **more,
    }  # fmt: skip


def template(name: str, text: str, shortcut: str | None = None, **more: Any) -> Row:
    return {
        "id": ident(f"template {name}"), "name": name, "shortcut": shortcut, "subject": "", "html": f"<div>{text}</div>", "text": text, "nodes": [["div", None, [text]]], "inbox": None, "team": None,
        "personal": False, "placeholders": [], "attachments": [], "uses": 3, "can_change": True, "updated_at": ago(minutes=60), **more,
    }  # fmt: skip


def trial(state: str, matched: int, looked_at: int) -> Row:
    return {
        "id": ident("trial"), "state": state, "days": 30, "since": ago(minutes=60 * 24 * 30), "looked_at": looked_at, "matched": matched, "unknown": 2,
        "actions": [{"type": "priority", "would": matched - 40, "stands": 40}],
        "conflicts": {"stopped_before": 25, "stopped_by": [{"rule_id": ident("rule Newsletters"), "name": "Newsletters", "count": 25}], "by_hand": 7, "overrides": 0, "replaces": 3},
        "sample": [{"message_id": ident("m"), "conversation_id": ident("conversation 1"), "number": 1042, "subject": "Invoice 4711 is wrong", "from": {"address": "anna@customers.example.com", "name": "Anna"}, "received_at": ago(minutes=50)}],
        "created_at": ago(minutes=0),
    }  # fmt: skip


def rule_routes(fake: Fake) -> list[Route]:
    def found(rows: list[Row], request: Request) -> Row | None:
        return next((row for row in rows if row["id"] == request.path_params["id"]), None)

    async def rules(request: Request) -> Response:
        if request.method == "POST":
            made = rule(**{k: v for k, v in request.state.body.items() if k in ("name", "condition")}) | request.state.body
            fake.rules.append(made)
            return JSONResponse(made, 201)
        return JSONResponse({"items": fake.rules, "next": None})

    async def one_rule(request: Request) -> Response:
        row = found(fake.rules, request)
        if row is None:
            return NO_SUCH
        if request.method == "DELETE":
            fake.rules.remove(row)
            return Response(status_code=204)
        if request.method == "PATCH":
            fake.rule_versions.setdefault(row["id"], []).append(dict(row))
            row.update(request.state.body, version=row["version"] + 1)
        return JSONResponse(row)

    async def order(request: Request) -> Response:
        fake.rules.sort(key=lambda row: request.state.body["ids"].index(row["id"]))
        return JSONResponse({"items": fake.rules, "next": None})

    async def versions(request: Request) -> Response:
        row = found(fake.rules, request)
        return NO_SUCH if row is None else JSONResponse({"items": [row, *reversed(fake.rule_versions.get(row["id"], []))], "next": None})

    async def begin(_: Request) -> Response:
        return JSONResponse(trial("running", 150, 2000), 201)

    async def carry_on(_: Request) -> Response:
        return JSONResponse(trial("done", 312, 4180))

    async def explain(_: Request) -> Response:
        return JSONResponse(fake.explained)

    async def templates(request: Request) -> Response:
        if request.method == "POST":
            body = request.state.body
            fake.templates.append(template(body["name"], body["text"], body["shortcut"], personal=body["personal"]))
            return JSONResponse(fake.templates[-1], 201)
        return JSONResponse({"items": fake.templates, "next": None})

    async def one_template(request: Request) -> Response:
        row = found(fake.templates, request)
        if row is None:
            return NO_SUCH
        if request.method == "DELETE":
            fake.templates.remove(row)
            return Response(status_code=204)
        row.update({k: v for k, v in request.state.body.items() if k in row})
        return JSONResponse(row)

    async def filled(request: Request) -> Response:
        row = found(fake.templates, request)
        if row is None:
            return NO_SUCH
        text = row["text"].replace("{{customer.first_name}}", "Anna")
        missing = ["customer.company"] if "{{customer.company}}" in text else []
        return JSONResponse({"subject": "", "html": f"<div>{text}</div>", "text": text, "nodes": [["div", None, [text]]], "missing": missing, "attachments": []})

    async def signature(_: Request) -> Response:
        text = fake.signature
        return JSONResponse({"html": text, "text": text, "nodes": [text] if text else []})

    async def none_yet(_: Request) -> Response:
        return JSONResponse({"items": [], "next": None})

    return [
        Route("/v1/rules", rules, methods=["GET", "POST"]),
        Route("/v1/rules/order", order, methods=["PUT"]),
        Route("/v1/rules/dry-run", begin, methods=["POST"]),
        Route("/v1/rules/dry-run/{id}/continue", carry_on, methods=["POST"]),
        Route("/v1/rules/{id}", one_rule, methods=["GET", "PATCH", "DELETE"]),
        Route("/v1/rules/{id}/versions", versions),
        Route("/v1/conversations/{id}/rules", explain),
        Route("/v1/conversations/{id}/signature", signature),
        Route("/v1/inboxes/{id}/signature", signature),
        Route("/v1/me/signature", signature),
        Route("/v1/templates", templates, methods=["GET", "POST"]),
        Route("/v1/templates/{id}", one_template, methods=["PATCH", "DELETE"]),
        Route("/v1/templates/{id}/fill", filled, methods=["POST"]),
        Route("/v1/teams", none_yet),
        Route("/v1/business-hours", none_yet),
    ]
