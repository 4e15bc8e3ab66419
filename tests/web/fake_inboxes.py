"""The fake API's routes for inboxes, the ledger and quarantine."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.web import fake_data as data
from tests.web.fake_data import Row
from tests.web.fake_state import Fake, now


def invalid(detail: str, **fields: str) -> Response:
    errors = [{"field": name.replace("__", "."), "message": message} for name, message in fields.items()]
    body = {"type": "/problems/invalid", "title": "invalid", "status": 422, "detail": detail, "errors": errors}
    return JSONResponse(body, 422, media_type="application/problem+json")


def inbox_routes(fake: Fake) -> list[Route]:
    def shown(row: Row) -> Row:
        hidden = {"password", "access_token"}
        settings = {name: {key: value for key, value in server.items() if key not in hidden} for name, server in row["settings"].items()}
        return {**row, "settings": settings}

    def missing() -> Response:
        return JSONResponse({"type": "/problems/not-found", "title": "Not found", "status": 404, "detail": "There is no such thing."}, 404)

    async def inboxes(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"items": [shown(row) for row in fake.inboxes.values()], "next": None})
        body = request.state.body
        if body["imap"]["host"].endswith(".invalid"):
            return invalid("The IMAP server cannot be found.", imap__host="no such host; check the spelling")
        settings = {"imap": body.pop("imap"), "smtp": body.pop("smtp")}
        row = data.inbox(secrets.token_hex(8), body["name"], body["email_address"]) | body | {"settings": settings, "health": "connecting", "connected_at": None, "last_sync_at": None}
        fake.inboxes[row["id"]] = row
        fake.extras[row["id"]] = {"folders": [], "backfills": [], "ledger": dict.fromkeys(("seen", "stored", "ingested", "skipped", "quarantined", "vanished"), 0), "lag_seconds": None}
        fake.emit("inbox.updated", None, None, row["id"])
        return JSONResponse(shown(row), 201)

    async def inbox(request: Request) -> Response:
        row = fake.inboxes.get(request.path_params["id"])
        if row is None:
            return missing()
        if request.method == "PATCH":
            body: dict[str, Any] = request.state.body
            for name in ("imap", "smtp"):
                server = body.pop(name, None)
                if server is None:
                    continue
                moved = any(server[key] != row["settings"][name][key] for key in ("host", "port", "username"))
                if moved and not server.get("password"):
                    return invalid("The password is needed again.", **{f"{name}__password": "give the password again, since host, port or user name changed"})
                row["settings"][name] |= server
            row |= body
            fake.emit("inbox.updated", None, None, row["id"])
        return JSONResponse(shown(row))

    async def status(request: Request) -> Response:
        row = fake.inboxes.get(request.path_params["id"])
        return JSONResponse({**shown(row), **fake.extras[row["id"]]}) if row else missing()

    async def test(request: Request) -> Response:
        return JSONResponse({"ok": False, "checks": [
            {"name": "imap_connect", "ok": True, "detail": "mail.desk.example.com:993, TLS 1.3", "remedy": None},
            {"name": "imap_sign_in", "ok": True, "detail": "4 folders", "remedy": None},
            {"name": "smtp_sign_in", "ok": False, "detail": "535 5.7.8 Authentication failed", "remedy": "Check the SMTP user name and password; some providers need an app password."}]})

    async def pause(request: Request) -> Response:
        return await switch(request.path_params["id"], paused=True)

    async def resume(request: Request) -> Response:
        return await switch(request.path_params["id"], paused=False)

    async def switch(id_: str, *, paused: bool) -> Response:
        row = fake.inboxes[id_]
        row |= {"paused": paused, "health": "paused" if paused else "ok"}
        fake.emit("inbox.health", None, None, id_)
        return JSONResponse(shown(row))

    async def resync(request: Request) -> Response:
        row = fake.inboxes[request.path_params["id"]]
        row["last_sync_at"] = now()
        fake.emit("inbox.updated", None, None, row["id"])
        return JSONResponse({"workflow_id": f"inbox-sync/{row['id']}"}, 202)

    async def backfill(request: Request) -> Response:
        body = request.state.body
        state = {"pause": "paused", "resume": "running", "cancel": "cancelled", "start": "running"}[body["action"]]
        for one in fake.extras[request.path_params["id"]]["backfills"]:
            if body.get("folder_id") in {None, one["folder_id"]}:
                one["state"] = state
        fake.emit("backfill.progress", None, None, request.path_params["id"])
        return JSONResponse({}, 202)

    async def ledger(request: Request) -> Response:
        if request.path_params["id"] != data.INBOX_SUPPORT:
            return JSONResponse({"items": [], "next": None})
        rows = [row for row in fake.ledger if all(not request.query_params.get(key) or row[key] == request.query_params[key] for key in ("classification", "state"))]
        return JSONResponse({"items": rows, "next": None})

    async def quarantine(request: Request) -> Response:
        resolved = request.query_params.get("state") == "resolved"
        return JSONResponse({"items": [row for row in fake.quarantine if bool(row["resolved_at"]) == resolved], "next": None})

    def held(request: Request) -> Row:
        return next(row for row in fake.quarantine if row["id"] == request.path_params["id"])

    async def text(request: Request) -> Response:
        return PlainTextResponse("From: odd@sender.example.net\nSubject: <script>alert(1)</script>\n\nThe readable part of the mail.")

    async def raw(request: Request) -> Response:
        return Response(b"raw", media_type="message/rfc822", headers={"Content-Disposition": "attachment; filename=mail.eml"})

    def settle(outcome: str) -> Any:
        async def handler(request: Request) -> Response:
            held(request).update(resolved_at=now(), resolution=outcome)
            fake.emit("quarantine.resolved", None, None, data.INBOX_SUPPORT)
            return JSONResponse({}, 202 if outcome == "ingested" else 200)

        return handler

    posts = {"test": test, "pause": pause, "resume": resume, "resync": resync, "backfill": backfill}
    return [
        Route("/v1/inboxes", inboxes, methods=["GET", "POST"]),
        Route("/v1/inboxes/{id}", inbox, methods=["GET", "PATCH"]),
        Route("/v1/inboxes/{id}/status", status),
        Route("/v1/inboxes/{id}/ledger", ledger),
        *(Route(f"/v1/inboxes/{{id}}/{name}", handler, methods=["POST"]) for name, handler in posts.items()),
        Route("/v1/quarantine", quarantine),
        Route("/v1/quarantine/{id}/raw", raw),
        Route("/v1/quarantine/{id}/text", text),
        Route("/v1/quarantine/{id}/retry", settle("ingested"), methods=["POST"]),
        Route("/v1/quarantine/{id}/dismiss", settle("dismissed"), methods=["POST"]),
    ]
