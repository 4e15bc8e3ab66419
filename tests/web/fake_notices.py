"""Notices, preferences, retention and erasures, as the API answers them, from memory."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row, ago
from tests.web.fake_state import Fake, now

KINDS = ("assigned", "mentioned", "reply", "sla_warned", "sla_breached", "send_unknown", "send_failed", "rule")
DIGEST = {"pace": "interval", "every_minutes": 30, "daily_hour": 8, "time_zone": "Europe/Berlin", "snippets": False}
POLICY = {"archive_idle_days": None, "spam_days": None, "trash_days": None, "closed_days": None, "notice_days": 90}
PREVIEW = {"archive": 12, "spam": 3, "trash": 41, "closed": 10_000, "spam_mails": 220, "held": 1}


class Told:
    """What one test has told; made anew with each desk."""

    def __init__(self) -> None:
        self.notices: list[Row] = []
        self.kinds: Row = {kind: {"live": True, "mail": "off"} for kind in KINDS}
        self.digest: Row = dict(DIGEST)
        self.sender: Row | None = None
        self.policy: Row = {**POLICY, "changed_at": None, "changed_by": None, "runs": []}
        self.erasures: list[Row] = []


def told(fake: Fake) -> Told:
    if not isinstance(getattr(fake, "told", None), Told):
        fake.told = Told()
    found: Told = fake.told
    return found


def tell(fake: Fake, user: str, kind: str, conversation: Row, *, actor: Row | None = None) -> None:
    """Somebody is told of something, and hears of it by the stream."""
    notice = {
        "id": str(uuid.uuid4()), "kind": kind, "message_id": None, "actor": actor, "created_at": now(), "read_at": None,
        "conversation": {"id": conversation["id"], "number": conversation["number"], "subject": conversation["subject"], "customer": "A customer"},
    }  # fmt: skip
    told(fake).notices.insert(0, {**notice, "user": user})
    fake.emit("notification.added", conversation, payload={"user_id": user, "notice_id": notice["id"], "kind": kind})


def receipt(**values: Any) -> Row:
    counts = {"messages": 14, "ledger_rows": 12, "octets": 12, "contacts": 1, "addresses": 2, "recipients_redacted": 3}
    return {
        "id": str(uuid.uuid4()), "state": "done", "address_hashes": ["9f" * 32], "asked_by": {"id": "u1", "name": "Maya Lindqvist"},
        "asked_at": ago(minutes=60), "rows_gone_at": ago(minutes=58), "done_at": ago(minutes=57), "counts": counts,
        "kept": ["Mail stays in the mailboxes at the provider; it is not taken in again from there."],
    } | values  # fmt: skip


def notice_routes(fake: Fake) -> list[Route]:
    def mine(request: Request) -> list[Row]:
        return [row for row in told(fake).notices if row["user"] == request.state.user["id"]]

    def unread(request: Request) -> int:
        return sum(row["read_at"] is None for row in mine(request))

    async def listed(request: Request) -> Response:
        items = [{k: v for k, v in row.items() if k != "user"} for row in mine(request)]
        return JSONResponse({"items": items, "next": None, "unread": unread(request)})

    async def read(request: Request) -> Response:
        body = request.state.body
        for row in mine(request):
            if body.get("all") or row["id"] in body.get("ids", ()):
                row["read_at"] = row["read_at"] or now()
        return JSONResponse({"unread": unread(request)})

    async def preferences(request: Request) -> Response:
        state = told(fake)
        if request.method == "PUT":
            state.kinds, state.digest = request.state.body["kinds"], request.state.body["digest"]
        return JSONResponse({"kinds": state.kinds, "digest": state.digest, "mailed_from": "desk@example.com" if state.sender else None})

    async def settings(request: Request) -> Response:
        state = told(fake)
        if request.method == "PUT":
            inbox = fake.inboxes.get(request.state.body["inbox_id"])
            state.sender = {"id": inbox["id"], "name": inbox["name"]} if inbox else None
        return JSONResponse({"inbox": state.sender})

    async def policy(request: Request) -> Response:
        state = told(fake)
        if request.method == "PUT":
            state.policy |= {**request.state.body, "changed_at": now(), "changed_by": "Maya Lindqvist"}
        return JSONResponse(state.policy)

    async def preview(request: Request) -> Response:
        return JSONResponse(PREVIEW)

    async def erasures(request: Request) -> Response:
        return JSONResponse({"items": told(fake).erasures, "next": None})

    async def erase(request: Request) -> Response:
        if not request.state.body["confirm"].startswith("carla@"):
            errors = [{"field": "confirm", "message": "is none of this contact's addresses; type one of them"}]
            body = {"type": "/problems/not-valid", "title": "Not valid", "status": 422, "detail": "Correct confirm and send it again.", "errors": errors}
            return JSONResponse(body, 422)
        made = receipt(state="erasing", done_at=None, counts={})
        told(fake).erasures.insert(0, made)
        return JSONResponse(made, 202)

    return [
        Route("/v1/notifications", listed),
        Route("/v1/notifications/read", read, methods=["POST"]),
        Route("/v1/me/preferences", preferences, methods=["GET", "PUT"]),
        Route("/v1/notification-settings", settings, methods=["GET", "PUT"]),
        Route("/v1/retention", policy, methods=["GET", "PUT"]),
        Route("/v1/retention/preview", preview),
        Route("/v1/erasures", erasures),
        Route("/v1/contacts/{id}/erase", erase, methods=["POST"]),
    ]
