"""The fake API's routes for re-ingest: one finished dry run with changes of every kind, and runs that are asked for."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web import fake_data as data
from tests.web.fake_data import Row, ago, ident
from tests.web.fake_state import Fake, now

RUN = ident("reingest 1")
NOTHING: Row = {
    "inbox": [], "folder": [], "since": None, "until": None, "classification": [], "quarantine_reason": [], "message": [], "older_parser": False,
    "has_defects": False, "everything": False,
}
VISIBLE = (
    "@@ -1,7 +1,7 @@\n Hello,\n \n-the b?ckets arrived dented. I?d like two new ones.\n+the bückets arrived dented. I’d like two new ones.\n \n"
    "-On Monday somebody wrote:\n-> What is the matter?\n Kind regards\n@@ -40,3 +38,4 @@\n Anna\n+Northwind <script>alert(1)</script>\n end"
)


def run(**values: Any) -> Row:
    return {
        "id": RUN, "state": "planned", "paused": False, "selection": {**NOTHING, "inbox": [data.INBOX_SUPPORT], "older_parser": True},
        "asked_by": {"id": data.USER_MAYA, "name": "Maya Lind"}, "parser_version": 2, "total": 1840, "done": 1840, "changed": 4, "outdated": 1834, "to_apply": 1838,
        "applied": 0, "failed": 2, "failures": {"blob_missing": 2}, "error": None, "created_at": ago(minutes=6), "planned_at": ago(minutes=2), "apply_asked_at": None,
        "ended_at": None, "links": {"temporal": f"http://127.0.0.1:8233/namespaces/default/workflows/reingest%2F{RUN}"}, **values,
    }


def change(number: int, subject: str, kinds: list[str], detail: Row, **values: Any) -> Row:
    return {
        "ledger_id": ident(f"ledger {number}"), "message_id": ident(f"message {number}"), "conversation_id": None, "inbox": {"id": data.INBOX_SUPPORT, "name": "Support"},
        "subject": subject, "from": "Anna Berg <anna@customer.example.com>", "received_at": ago(days=number), "kinds": kinds, "state": "planned", "reason": None,
        "settled_at": None, "detail": {**detail, "parser_version": {"old": 1, "new": 2}}, **values,
    }


def file(name: str) -> Row:
    return {"filename": name, "content_type": "application/pdf", "size_bytes": 48_213, "sha256": "9f2c", "disposition": "attachment"}


def changes() -> list[Row]:
    judged = {"reports": False, "kept": None}
    return [
        change(1, "B?ckets", ["body", "headers", "parts"], {
            "body": {"body_visible": {"old_length": 412, "new_length": 398, "diff": VISIBLE, "cut": False}, "body_html": {"old_length": 20, "new_length": None, "diff": "@@ -1 +0,0 @@\n-<p>x</p>", "cut": True}},
            "headers": [{"field": "subject", "old": "B?ckets", "new": "Bückets"}, {"field": "from_name", "old": "", "new": "Anna Berg"}],
            "parts": {"added": [file("order.pdf")], "removed": [], "renamed": [{"sha256": "1", "old": file("part-2"), "new": file("Rechnung März.pdf")}], "reordered": False}}),
        change(2, "Undelivered mail", ["classification", "thread"], {
            "classification": {"old": "message", "new": "bounce", "old_rule": "ordinary", "new_rule": "multipart/report", **judged},
            "thread": {"old": ident("conversation 1036"), "new": None, "by": "outside", "kept": None}}, **{"from": "MAILER-DAEMON@mx.example.org"}),
        change(3, "Re: Two quotes", ["thread"], {"thread": {"old": ident("conversation 1036"), "new": ident("conversation 1037"), "by": "references", "kept": "answered"}}),
        change(4, "A broken one", ["quarantine", "defects"], {"quarantine": {"old": "parser_error", "new": None}, "defects": {"added": [], "removed": ["headers_only"]}}),
        change(5, "Lost", [], {}, state="unread", reason="blob_missing"),
    ]


def reingest_routes(fake: Fake) -> list[Route]:
    def found(request: Request) -> Row | None:
        return next((one for one in fake.reingests if one["id"] == request.path_params["id"]), None)

    def missing() -> Response:
        return JSONResponse({"type": "/problems/not-found", "title": "Not found", "status": 404, "detail": "There is no such thing."}, 404)

    async def preview(request: Request) -> Response:
        asked = request.query_params
        bounded = any(asked.getlist(name) for name in NOTHING if name != "everything")
        messages = 0 if asked.get("classification") == "complaint" else 1840
        return JSONResponse({"parser_version": 2, "older": 1840, "messages": messages, "size_bytes": 48_213_000, "quarantined": 3, "bounded": bounded})

    async def runs(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"items": fake.reingests, "next": None})
        made = run(id=ident("reingest 2"), state="planning", done=0, changed=0, outdated=0, to_apply=0, failed=0, failures={}, selection={**NOTHING, **request.state.body}, created_at=now())
        fake.reingests.insert(0, made)
        return JSONResponse(made, 201)

    async def one(request: Request) -> Response:
        row = found(request)
        return JSONResponse(row) if row else missing()

    async def list_changes(request: Request) -> Response:
        row, kind = found(request), request.query_params.get("kind", "any")
        if row is None:
            return missing()
        items = [c for c in changes() if row["id"] == RUN and (kind == "any" or kind in c["kinds"])]
        return JSONResponse({"items": items, "next": None})

    async def one_change(request: Request) -> Response:
        return JSONResponse(next(c for c in changes() if c["ledger_id"] == request.path_params["mail"]))

    def order(**values: Any) -> Any:
        async def handler(request: Request) -> Response:
            row = found(request)
            if row is None:
                return missing()
            row |= values
            return JSONResponse(row, 202)

        return handler

    orders = {"apply": order(state="applying"), "pause": order(paused=True), "resume": order(paused=False), "cancel": order(state="cancelled", paused=False)}
    return [
        Route("/v1/reingests/preview", preview),
        Route("/v1/reingests", runs, methods=["GET", "POST"]),
        Route("/v1/reingests/{id}", one),
        Route("/v1/reingests/{id}/changes", list_changes),
        Route("/v1/reingests/{id}/changes/{mail}", one_change),
        *(Route(f"/v1/reingests/{{id}}/{name}", handler, methods=["POST"]) for name, handler in orders.items()),
    ]
