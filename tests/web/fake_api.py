"""A Starlette app that speaks docs/api.md from memory, event stream included, and serves web/ like the real API does.

For the web client's tests only. It checks what the real one checks: cookie, `X-Mailroom`, `Origin`, unknown fields, limits.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from api.headers import SecurityHeaders
from api.static import WebClient
from mail.frame import FRAME_CSP, frame_document
from tests.web import fake_data as data
from tests.web import fake_timelines
from tests.web.fake_access import access_routes
from tests.web.fake_analytics import analytics_routes
from tests.web.fake_balance import balance_routes
from tests.web.fake_data import Row
from tests.web.fake_domains import domain_routes
from tests.web.fake_inboxes import inbox_routes
from tests.web.fake_life import life_routes
from tests.web.fake_notices import notice_routes
from tests.web.fake_people import people_routes
from tests.web.fake_reingests import reingest_routes
from tests.web.fake_rules import rule_routes
from tests.web.fake_shape import shape_routes
from tests.web.fake_sla import sla_routes
from tests.web.fake_state import Fake
from tests.web.fake_suppressions import suppression_routes
from tests.web.fake_views import found_rows, of_view, view_routes
from tests.web.fake_webhooks import webhook_routes

WEB = Path(__file__).parents[2] / "web"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c6360a8ff0f00022d018098e1b8f20000000049454e44ae426082"
)
SEND_FIELDS = {"html", "text", "to", "cc", "bcc", "subject", "attachments", "seen_version", "send_at"}
PATCH_FIELDS = {"status", "snoozed_until", "assigned_to", "category", "priority", "subject", "tags", "version"}
Handler = Callable[[Request], Awaitable[Response]]


def problem(status: int, kind: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    body = {"type": f"/problems/{kind}", "title": kind.replace("-", " "), "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json", headers=headers)


NOT_FOUND = ("not-found", "There is no such thing, or it is not yours to see.")


def build(fake: Fake) -> Starlette:
    client = WebClient(WEB, fake.s3_origin, "mr_session")

    def me(user: Row) -> Row:
        return {"user": user, "tenant": data.TENANT, "links": {"temporal_ui": "http://127.0.0.1:8233"}, "limits": data.LIMITS}

    async def guard(request: Request, call_next: Handler) -> Response:
        path = request.url.path
        if not path.startswith("/v1/") or path.startswith("/v1/inline/"):
            response = await call_next(request)
            if path.startswith("/v1/"):
                response.headers["Cache-Control"] = "no-cache"
            return response
        raw = await request.body()
        body = json.loads(raw) if raw else None
        if path != "/v1/events/stream":
            fake.calls.append((request.method, path, json.loads(raw) if raw else None))
        for failure in list(fake.failures):
            method, pattern, status, answer, headers = failure
            if method == request.method and pattern.fullmatch(path):
                fake.failures.remove(failure)
                return JSONResponse(answer, status, media_type="application/problem+json", headers=headers)
        request.state.body = body
        request.state.user = fake.sessions.get(request.cookies.get("mr_session", ""))
        if path not in {"/v1/session", "/v1/invitations"} and request.state.user is None:
            return problem(401, "signed-out", "Sign in first.")
        if request.method != "GET" and (request.headers.get("x-mailroom") != "1" or request.headers.get("origin") != fake.origin):
            return problem(403, "cross-site", "Send X-Mailroom: 1 and a matching Origin.")
        return await call_next(request)

    # --- session ---------------------------------------------------------------------------------------------

    async def session(request: Request) -> Response:
        if request.method == "GET":
            user = request.state.user
            return JSONResponse(me(user)) if user else problem(401, "signed-out", "Sign in first.")
        if request.method == "DELETE":
            fake.sessions.pop(request.cookies.get("mr_session", ""), None)
            return Response(status_code=204)
        if fake.wrong_passwords >= 5:
            return problem(429, "too-many", "Too many attempts.", {"Retry-After": "120"})
        user = next((one for one in fake.users if one["email"] == request.state.body["email"]), None)
        if user is None or request.state.body["password"] != data.PASSWORD:
            fake.wrong_passwords += 1
            return problem(401, "wrong-password", "Email and password do not match.")
        token = fake.open_session(user["email"])
        response = JSONResponse(me(user))
        response.set_cookie("mr_session", token, httponly=True, samesite="lax", path="/")
        return response

    async def keys(request: Request) -> Response:
        if request.method == "POST":
            key = {"id": secrets.token_hex(8), **request.state.body, "last_used_at": None}
            fake.keys.append(key)
            return JSONResponse({**key, "key": "mr_" + secrets.token_urlsafe(24)}, 201)
        return JSONResponse({"items": fake.keys, "next": None})

    async def drop_key(request: Request) -> Response:
        fake.keys = [key for key in fake.keys if key["id"] != request.path_params["id"]]
        return Response(status_code=204)

    # --- conversations ---------------------------------------------------------------------------------------

    async def conversations(request: Request) -> Response:
        asked = request.query_params
        rows = of_view(fake, view) if (view := asked.get("view")) else list(fake.conversations.values())
        if statuses := asked.getlist("status"):
            rows = [row for row in rows if row["status"] in statuses]
        if inbox := asked.get("inbox"):
            rows = [row for row in rows if row["inbox"]["id"] == inbox]
        if owner := asked.get("assigned_to"):
            wanted = {"me": request.state.user["id"], "none": None}.get(owner, owner)
            rows = [row for row in rows if (row["assigned_to"] or {}).get("id") == wanted]
        if asked.get("unread") == "true":
            rows = [row for row in rows if row["unread_count"]]
        if words := asked.get("search", "").casefold():
            if words.startswith("before:") and not words[7:8].isdigit():
                errors = [{"field": "search", "message": "`before:` is followed by a day as in 2025-01-31"}]
                return problem(422, "not-valid", "search `before:` is followed by a day as in 2025-01-31", errors=errors)
            rows = found_rows(rows, words)
        rows.sort(key=lambda row: (row["last_message_at"], row["id"]), reverse=asked.get("sort") != "oldest")
        limit = int(asked.get("limit", 50))
        if fake.crowd and not words:
            return JSONResponse(fake.crowd.page_behind(rows, asked.get("after"), limit))
        start = int(asked.get("after") or 0)
        more = str(start + limit) if start + limit < len(rows) else None
        return JSONResponse({"items": rows[start : start + limit], "next": more})

    async def counts(request: Request) -> Response:
        rows = list(fake.conversations.values())
        live = [row for row in rows if row["status"] in {"open", "pending"}]
        by_status = {name: sum(row["status"] == name for row in rows) for name in ("open", "pending", "closed")}
        by_status["open"] += fake.crowd.amount if fake.crowd else 0
        owners = [(row["assigned_to"] or {}).get("id") for row in live]
        waiting = sum(row["resolved_at"] is None for row in fake.quarantine)
        spam = sum(row["classification"] == "spam" and not row["conversation_id"] for row in fake.ledger)
        return JSONResponse({**by_status, "unread": sum(row["unread_count"] > 0 for row in live), "mine": owners.count(request.state.user["id"]),
                             "unassigned": owners.count(None), "spam": spam, "quarantined": waiting,
                             "views": {view["id"]: len(of_view(fake, view["id"])) for view in fake.views}})

    async def conversation(request: Request) -> Response:
        row = fake.conversations.get(request.path_params["id"]) or (fake.crowd and fake.crowd.find(request.path_params["id"]))
        if row is None:
            return problem(404, *NOT_FOUND)
        if request.method == "PATCH":
            body = request.state.body
            if unknown := set(body) - PATCH_FIELDS:
                return problem(422, "invalid", "Unknown field.", errors=[{"field": one, "message": "is not known"} for one in unknown])
            if "assigned_to" in body:
                owner = next((user for user in fake.users if user["id"] == body["assigned_to"]), None)
                body["assigned_to"] = owner and {"id": owner["id"], "name": owner["name"]}
            if "tags" in body:
                colors = {tag["name"]: tag["color"] for tag in fake.tags}
                body["tags"] = [{"name": name, "color": colors.get(name, "#64748b")} for name in body["tags"]]
            if "snoozed_until" in body:
                body["status"] = "snoozed"
            elif "status" in body:
                body["snoozed_until"] = None
            row |= body
            row["version"] += 1
            fake.emit("conversation.updated", row)
        return JSONResponse(row)

    async def read(request: Request) -> Response:
        row = fake.conversations[request.path_params["id"]]
        for message in fake.thread(row["id"]):
            message["is_read"] = True
        row["unread_count"] = 0
        row["version"] += 1
        fake.emit("conversation.updated", row)
        return JSONResponse(row)

    async def thread(request: Request) -> Response:
        row = fake.conversations.get(request.path_params["id"])
        if row is None:
            return problem(404, *NOT_FOUND)
        if request.method == "GET":
            return JSONResponse({"items": fake.thread(row["id"]), "next": None})
        key, body = request.headers.get("idempotency-key"), request.state.body
        if unknown := set(body) - SEND_FIELDS:
            return problem(422, "invalid", "Unknown field.", errors=[{"field": one, "message": "is not known"} for one in unknown])
        if key in fake.answers:
            before, message = fake.answers[key]
            return JSONResponse(message, 201) if before == body else problem(409, "key-reused", "This key was used for another text.")
        for index, person in enumerate(body.get("to", [])):
            if person["address"].endswith(".invalid"):
                return problem(422, "invalid", "One recipient cannot be used.", errors=[{"field": f"to[{index}].address", "message": "has a domain that receives no mail"}])
        newer = [one for one in fake.thread(row["id"]) if one.get("arrived_version", 0) > body["seen_version"]]
        changes = [one for one in fake.changes if one["version"] > body["seen_version"]]
        if newer or changes:
            return problem(409, "stale-view", "The conversation moved on.", current_version=row["version"], newer_messages=newer, changes=changes)
        message = fake.queue(row, body, request.state.user)
        fake.drafts.pop((row["id"], request.state.user["id"]), None)
        if key:
            fake.answers[key] = (body, message)
        return JSONResponse(message, 201)

    # --- messages --------------------------------------------------------------------------------------------

    async def message(request: Request) -> Response:
        row = fake.messages.get(request.path_params["id"])
        return JSONResponse(row) if row else problem(404, *NOT_FOUND)

    async def html(request: Request) -> Response:
        row = fake.messages[request.path_params["id"]]
        return JSONResponse({"document": fake.documents[row["id"]], "quoted": bool(row["body_quoted"]), "remote_blocked": row["remote_blocked"]})

    async def frame(request: Request) -> Response:
        row = fake.messages[request.path_params["id"]]
        pictures = f"{fake.origin}/v1/inline/"
        policy = FRAME_CSP(image_origin=pictures, remote_images=False)
        headers = {"Content-Security-Policy": f"{policy}; sandbox allow-popups allow-popups-to-escape-sandbox",
                   "X-Mailroom-Remote-Blocked": str(row["remote_blocked"]), "X-Frame-Options": "SAMEORIGIN"}
        # The real document around a mail that nobody sanitised.
        return Response(frame_document(fake.documents[row["id"]], image_origin=pictures, remote_images=False), media_type="text/html", headers=headers)

    async def raw(request: Request) -> Response:
        return Response(b"Subject: raw\r\n\r\nbody\r\n", media_type="message/rfc822", headers={"Content-Disposition": "attachment; filename=mail.eml"})

    async def cancel(request: Request) -> Response:
        row = fake.messages[request.path_params["id"]]
        if "cancel" not in row["send"]["can"]:
            return problem(409, "too-late", "It has already left.")
        fake.set_send(row, "cancelled")
        return JSONResponse(row)

    async def retry(request: Request) -> Response:
        row = fake.messages[request.path_params["id"]]
        if "retry" not in row["send"]["can"]:
            return problem(409, "not-failed", "Only a failed message can be retried.")
        fake.set_send(row, "queued")
        fake.leave(row, 0.3)
        return JSONResponse(row)

    async def resolve(request: Request) -> Response:
        row = fake.messages[request.path_params["id"]]
        if "resolve" not in row["send"]["can"]:
            return problem(409, "not-unknown", "Only an unknown outcome can be settled.")
        if request.state.body["outcome"] == "sent":
            fake.set_send(row, "sent")
        else:
            fake.set_send(row, "queued")
            fake.leave(row, 0.3)
        return JSONResponse(row)

    async def timeline(request: Request) -> Response:
        row = fake.messages[request.path_params["id"]]
        first = fake.thread(row["conversation_id"])[0]["id"]
        return JSONResponse({"items": fake_timelines.outbound(first) if row["send"] else fake_timelines.inbound(row["id"])})

    async def not_spam(request: Request) -> Response:
        line = next(row for row in fake.ledger if row["message_id"] == request.path_params["id"])
        arrived = fake.arrive("Was judged spam.", subject=line["subject"], customer={"name": "", "address": line["from"]})
        line["conversation_id"] = arrived["conversation_id"]
        return JSONResponse(arrived)

    async def inline(request: Request) -> Response:
        return Response(PIXEL, media_type="image/png", headers={"Cross-Origin-Resource-Policy": "cross-origin"})

    # --- files -----------------------------------------------------------------------------------------------

    async def download(request: Request) -> Response:
        return RedirectResponse(f"{fake.s3_origin}/s3/{request.path_params['id']}", 302)

    async def upload(request: Request) -> Response:
        id_ = secrets.token_hex(12)
        fake.uploads[id_] = {"id": id_, **request.state.body}
        return JSONResponse({"id": id_, "put_url": f"{fake.s3_origin}/s3/{id_}", "headers": {"Content-Type": request.state.body["content_type"]}}, 201)

    async def complete(request: Request) -> Response:
        file = fake.uploads[request.path_params["id"]]
        if len(fake.blobs.get(file["id"], b"")) != file["size_bytes"]:
            return problem(409, "incomplete", "The bytes have not arrived.")
        return JSONResponse({key: file[key] for key in ("id", "filename", "size_bytes")})

    async def store(request: Request) -> Response:
        cors = {"Access-Control-Allow-Origin": fake.origin, "Access-Control-Allow-Methods": "PUT", "Access-Control-Allow-Headers": "content-type"}
        if request.method == "PUT":
            fake.blobs[request.path_params["id"]] = await request.body()
        if request.method == "GET":
            disposition = {"Content-Disposition": "attachment; filename*=UTF-8''file"}
            return Response(fake.blobs.get(request.path_params["id"], b""), media_type="application/octet-stream", headers=disposition)
        return Response(headers=cors)

    # --- events ----------------------------------------------------------------------------------------------

    async def events(request: Request) -> Response:
        if fake.stream_down:
            return problem(503, "part-away", "PostgreSQL is away.")
        given = request.headers.get("last-event-id") or request.query_params.get("after")

        # Before the first byte leaves: a page that sees its connection open hears all that happens from there on, each once.
        queue: asyncio.Queue[Row | None] = asyncio.Queue(1000)
        cursor = int(given) if given is not None else len(fake.events)
        fake.resumed.append(given)
        reset = cursor < fake.oldest_cursor
        if reset:
            cursor = len(fake.events)
        for past in fake.events[cursor:]:
            queue.put_nowait(past)
        if fake.away:
            queue.put_nowait({"id": None, "type": "parts", "away": fake.away})
        fake.watchers.add(queue)

        async def lines() -> AsyncIterator[str]:
            event: Row | None
            try:
                if reset:
                    yield f"id: {cursor}\nevent: reset\ndata: {{}}\n\n"
                yield f"id: {cursor}\nevent: ready\ndata: {{}}\n\n"
                while (event := await queue.get()) is not None:
                    shown = {key: value for key, value in event.items() if key != "id"}
                    number = "" if event["id"] is None else f"id: {event['id']}\n"
                    yield f"{number}event: {event['type']}\ndata: {json.dumps(shown)}\n\n"
            finally:
                fake.watchers.discard(queue)

        return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def ready(request: Request) -> Response:
        parts = {name: {"ok": name not in fake.away, "ms": 1.0, "detail": ""} for name in ("postgresql", "temporal", "s3")}
        return JSONResponse({"ok": not fake.away, "parts": parts}, 503 if fake.away else 200)

    async def index(request: Request) -> Response:
        if request.url.path.startswith("/v1/"):
            return problem(404, *NOT_FOUND)
        return await client.page(request)

    message_posts = {"cancel": cancel, "retry": retry, "resolve": resolve, "not-spam": not_spam}
    message_gets = {"html": html, "frame": frame, "raw": raw, "timeline": timeline}
    return Starlette(
        routes=[
            Route("/v1/session", session, methods=["GET", "POST", "DELETE"]),
            Route("/v1/api-keys", keys, methods=["GET", "POST"]),
            Route("/v1/api-keys/{id}", drop_key, methods=["DELETE"]),
            *shape_routes(fake),
            Route("/v1/conversations", conversations),
            Route("/v1/conversations/counts", counts),
            Route("/v1/conversations/{id}", conversation, methods=["GET", "PATCH"]),
            Route("/v1/conversations/{id}/read", read, methods=["POST"]),
            Route("/v1/conversations/{id}/messages", thread, methods=["GET", "POST"]),
            Route("/v1/messages/{id}", message),
            *(Route(f"/v1/messages/{{id}}/{name}", handler, methods=["POST"]) for name, handler in message_posts.items()),
            *(Route(f"/v1/messages/{{id}}/{name}", handler) for name, handler in message_gets.items()),
            Route("/v1/inline/{token}", inline),
            Route("/v1/attachments/{id}/download", download),
            Route("/v1/uploads", upload, methods=["POST"]),
            Route("/v1/uploads/{id}/complete", complete, methods=["POST"]),
            Route("/v1/events/stream", events),
            *access_routes(fake),
            *life_routes(fake),
            *people_routes(fake),
            *inbox_routes(fake),
            *balance_routes(fake),
            *analytics_routes(fake),
            *suppression_routes(fake),
            *webhook_routes(fake),
            *notice_routes(fake),
            *domain_routes(fake),
            *view_routes(fake),
            *reingest_routes(fake),
            *sla_routes(fake),
            *rule_routes(fake),
            Route("/readyz", ready),
            Route("/s3/{id}", store, methods=["GET", "PUT", "OPTIONS"]),
            Route("/web/{path:path}", client.file),
            Route("/{path:path}", index),
        ],
        middleware=[Middleware(SecurityHeaders, secure=False), Middleware(BaseHTTPMiddleware, dispatch=guard)],
    )
