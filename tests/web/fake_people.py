"""People, teams, members, the queue, assignments and policies of the fake desk, as docs/api.md has them."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import LIMITS, PASSWORD, TENANT, Row
from tests.web.fake_state import Fake, now

PROFILE: Row = {"status": "offline", "offline_since": None, "capacity": 20, "skills": [], "languages": [], "seniority": 0, "teams": [], "invited": False}
POLICY: Row = {"strategy": "manual", "include_away": False, "must_match": False, "senior_from": 1, "hand_back": "never", "hand_back_minutes": 30, "keep_answered": True}
RANKS = ["urgent", "high", "normal", "low"]


def refused(status: int, kind: str, detail: str, **more: Any) -> Response:
    body = {"type": f"/problems/{kind}", "title": kind, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


def profile(fake: Fake, user: Row) -> Row:
    mine = sum(c["status"] == "open" and (c["assigned_to"] or {}).get("id") == user["id"] for c in fake.conversations.values())
    return {**PROFILE, **user, "open": mine}


def give(fake: Fake, conversation: Row, user: Row | None, team: Row | None = None, *, reason: str, by: Row | None = None, method: str = "manual") -> Row:
    """Somebody gives a conversation to somebody, here or in another browser."""
    conversation["assigned_to"] = user and {"id": user["id"], "name": user["name"]}
    conversation["version"] += 1
    history = fake.stays.setdefault(conversation["id"], [])
    if history:
        history[0]["unassigned_at"] = now()
    history.insert(0, {"id": secrets.token_hex(8), "agent": conversation["assigned_to"], "team": team and {"id": team["id"], "name": team["name"]},
                       "by": by and {"id": by["id"], "name": by["name"]}, "method": method, "reason": reason, "assigned_at": now(), "unassigned_at": None})  # fmt: skip
    fake.emit("conversation.updated", conversation, payload={"changed": ["assigned_to"], "assigned_to": user and user["id"]})
    return conversation


def waiting(fake: Fake) -> list[Row]:
    rows = [c for c in fake.conversations.values() if c["status"] == "open" and c["assigned_to"] is None]
    return sorted(rows, key=lambda c: (RANKS.index(c["priority"]), c["number"]))


def people_routes(fake: Fake) -> list[Route]:
    def user_of(id_: str) -> Row:
        return next(user for user in fake.users if user["id"] == id_)

    def link() -> Row:
        token = secrets.token_urlsafe(32)
        fake.links.append(token)
        return {"url": f"{fake.origin}/join#{token}", "expires_at": "2031-01-01T09:00:00Z"}

    async def users(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"items": [profile(fake, user) for user in fake.users], "next": None})
        body = dict(request.state.body)
        password = body.pop("password", None)
        if password is not None and len(password) < 10:
            return refused(422, "invalid", "One field is wrong.", errors=[{"field": "password", "message": "needs at least 10 characters"}])
        user = {**body, "id": secrets.token_hex(8), "invited": password is None}
        fake.users.append(user)
        return JSONResponse({**profile(fake, user), "invitation": link() if password is None else None}, 201)

    async def one(request: Request) -> Response:
        user = user_of(request.path_params["id"])
        if request.method == "DELETE":
            if [u["id"] for u in fake.users if u["role"] == "owner"] == [user["id"]]:
                return refused(409, "last-owner", "This is the last owner. Make somebody else an owner first.")
            fake.users.remove(user)
            keep = request.query_params.get("keep_api_keys") == "true"
            keys = {"api_keys": 2 if keep else 0, "api_keys_revoked": 0 if keep else 2}
            return JSONResponse({"handed_back": profile(fake, user)["open"], **keys})
        user |= request.state.body
        return JSONResponse(profile(fake, user))

    async def invitation(request: Request) -> Response:
        return JSONResponse(link(), 201)

    async def accept(request: Request) -> Response:
        if request.state.body["token"] not in fake.links:
            return refused(409, "link-over", "This link was used, is older than three days, or was replaced. Ask an administrator for a new one.")
        fake.links.remove(request.state.body["token"])
        return Response(status_code=204)

    async def oneself(request: Request) -> Response:
        user, body = request.state.user, request.state.body
        if "password" in body and body["current_password"] != PASSWORD:
            wrong = [{"field": "current_password", "message": "is not your present password"}]
            return refused(422, "invalid", "One field is wrong.", errors=wrong)
        user["name"] = body.get("name", user["name"])
        fake.signature = body.get("signature_html", fake.signature)
        return JSONResponse({"user": profile(fake, user), "tenant": TENANT, "links": {"temporal_ui": None}, "limits": LIMITS})

    async def status(request: Request) -> Response:
        user = request.state.user
        user["status"] = request.state.body["status"]
        fake.emit("user.status", payload={"user_id": user["id"], "status": user["status"]})
        return JSONResponse(profile(fake, user))

    async def teams(request: Request) -> Response:
        if request.method == "POST":
            fake.teams.append({"id": secrets.token_hex(8), "description": "", "members": [], **request.state.body})
            return JSONResponse(fake.teams[-1], 201)
        return JSONResponse({"items": fake.teams, "next": None})

    async def team(request: Request) -> Response:
        found = next(t for t in fake.teams if t["id"] == request.path_params["id"])
        if request.method == "DELETE":
            fake.teams.remove(found)
            return Response(status_code=204)
        found |= {"members": request.state.body["user_ids"]} if request.method == "PUT" else request.state.body
        return JSONResponse(found)

    async def members(request: Request) -> Response:
        place = fake.members.setdefault(request.path_params["id"], {"user_ids": [], "team_ids": []})
        if request.method == "PUT":
            place |= request.state.body
        return JSONResponse(place)

    async def policy(request: Request) -> Response:
        kept = fake.policies.setdefault(request.path_params["id"], dict(POLICY))
        if request.method == "PUT":
            kept |= request.state.body
        return JSONResponse(kept)

    async def patience(request: Request) -> Response:
        if request.method == "PUT":
            fake.patience = request.state.body["offline_after_minutes"]
        return JSONResponse({"offline_after_minutes": fake.patience})

    async def audit(request: Request) -> Response:
        kind = request.query_params.get("kind")
        return JSONResponse({"items": [row for row in fake.audit if not kind or row["type"].startswith(f"{kind}.")], "next": None})

    async def claim(request: Request) -> Response:
        conversation, me = fake.conversations[request.path_params["id"]], request.state.user
        owner = conversation["assigned_to"]
        if owner and owner["id"] != me["id"]:
            return refused(409, "already-taken", f"{owner['name']} has it already.", name=owner["name"])
        return JSONResponse(give(fake, conversation, me, reason="Claimed.", by=me))

    async def assign(request: Request) -> Response:
        conversation, body = fake.conversations[request.path_params["id"]], request.state.body
        user = user_of(body["user_id"]) if body.get("user_id") else None
        if user and profile(fake, user)["open"] >= profile(fake, user)["capacity"]:
            return refused(409, "at-capacity", "This person has as many open conversations as they can take.")
        into = next((t for t in fake.teams if t["id"] == body.get("team_id")), None)
        words = "Assigned by hand." if user else "Handed to a team." if into else "Put back into the queue."
        return JSONResponse(give(fake, conversation, user, into, reason=words, by=request.state.user))

    async def history(request: Request) -> Response:
        return JSONResponse({"items": fake.stays.get(request.path_params["id"], []), "next": None})

    async def queue(request: Request) -> Response:
        return JSONResponse({"items": [] if request.query_params.get("team") else waiting(fake), "next": None})

    async def following(request: Request) -> Response:
        me = request.state.user
        if profile(fake, me)["open"] >= profile(fake, me)["capacity"]:
            return refused(409, "at-capacity", "You have as many open conversations as you can take.")
        rows = waiting(fake)
        return JSONResponse({"conversation": give(fake, rows[0], me, reason="Next in the queue.", by=me) if rows else None})

    return [
        Route("/v1/users", users, methods=["GET", "POST"]),
        Route("/v1/users/{id}", one, methods=["PATCH", "DELETE"]),
        Route("/v1/users/{id}/invitation", invitation, methods=["POST"]),
        Route("/v1/invitations", accept, methods=["POST"]),
        Route("/v1/me", oneself, methods=["PATCH"]),
        Route("/v1/me/status", status, methods=["PUT"]),
        Route("/v1/teams", teams, methods=["GET", "POST"]),
        Route("/v1/teams/{id}", team, methods=["PATCH", "DELETE"]),
        Route("/v1/teams/{id}/members", team, methods=["PUT"]),
        Route("/v1/inboxes/{id}/members", members, methods=["GET", "PUT"]),
        Route("/v1/inboxes/{id}/assignment-policy", policy, methods=["GET", "PUT"]),
        Route("/v1/teams/{id}/assignment-policy", policy, methods=["GET", "PUT"]),
        Route("/v1/presence-policy", patience, methods=["GET", "PUT"]),
        Route("/v1/audit", audit),
        Route("/v1/conversations/{id}/claim", claim, methods=["POST"]),
        Route("/v1/conversations/{id}/assignment", assign, methods=["PUT"]),
        Route("/v1/conversations/{id}/assignments", history),
        Route("/v1/queue", queue),
        Route("/v1/queue/next", following, methods=["POST"]),
    ]
