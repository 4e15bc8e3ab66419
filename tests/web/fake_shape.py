"""Merging, splitting, passing on, bulk changes and contacts, as the API answers them; as much of it as a page can see."""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row
from tests.web.fake_state import Fake

EMPTY: Row = {"contact_id": None, "merged": [], "topic": None, "forwards": [], "forwarded_from": None}


def contact(name: str, address: str, **values: object) -> Row:
    return {
        "id": secrets.token_hex(8), "name": name, "company": "", "vip": False, "custom": {}, "merged": [], "merged_into": None, "open": 1,
        "identities": [{"channel": "email", "identifier": address}], "last_message_at": "2025-03-04T09:00:00Z",
        "created_at": "2025-03-01T09:00:00Z", **values,
    }  # fmt: skip


def shape_routes(fake: Fake) -> list[Route]:
    def shape_of(conversation: str) -> Row:
        return fake.shapes.setdefault(conversation, {**EMPTY, "merged": [], "forwards": []})

    def missing() -> Response:
        return JSONResponse({"type": "/problems/not-found", "title": "Not found", "status": 404, "detail": "There is no such thing."}, 404)

    async def shape(request: Request) -> Response:
        return JSONResponse(shape_of(request.path_params["id"]))

    async def merge(request: Request) -> Response:
        loser, survivor = fake.conversations[request.path_params["id"]], fake.conversations[request.state.body["into"]]
        entry = {"id": loser["id"], "number": loser["number"], "subject": loser["subject"], "customer": loser["customer"], "merged_at": None, "can_unmerge": True}
        shape_of(survivor["id"])["merged"].append(entry)
        for message in fake.thread(loser["id"]):
            message |= {"conversation_id": survivor["id"], "home": loser["id"]}
        loser["merged_into"] = survivor["id"]
        for row in (loser, survivor):
            row["version"] += 1
            fake.emit("conversation.updated", row)
        return JSONResponse(survivor)

    async def unmerge(request: Request) -> Response:
        row = fake.conversations[request.path_params["id"]]
        survivor = fake.conversations[row["merged_into"]]
        shape_of(survivor["id"])["merged"] = [one for one in shape_of(survivor["id"])["merged"] if one["id"] != row["id"]]
        for message in fake.thread(survivor["id"]):
            if message.pop("home", None) == row["id"]:
                message["conversation_id"] = row["id"]
        row["merged_into"] = None
        survivor["version"] += 1
        fake.emit("conversation.updated", survivor)
        return JSONResponse(row)

    async def hold(request: Request) -> Response:
        row = fake.conversations[request.path_params["id"]]
        row |= {"held": request.state.body["held"], "version": row["version"] + 1}
        fake.emit("conversation.updated", row)
        return JSONResponse({"held": row["held"]})

    async def split(request: Request) -> Response:
        row, ids = fake.conversations[request.path_params["id"]], request.state.body["message_ids"]
        first = fake.messages[ids[0]]
        made = {**row, "id": secrets.token_hex(16), "number": 2000, "subject": first["subject"], "message_count": len(ids), "version": 1}
        fake.conversations[made["id"]] = made
        for one in ids:
            fake.messages[one]["conversation_id"] = made["id"]
        row["message_count"] -= len(ids)
        row["version"] += 1
        shape_of(row["id"])["topic"] = None
        fake.emit("conversation.created", made)
        fake.emit("conversation.updated", row)
        return JSONResponse(made)

    async def keep(request: Request) -> Response:
        shape_of(request.path_params["id"])["topic"] = None
        return JSONResponse(shape_of(request.path_params["id"]))

    async def forward(request: Request) -> Response:
        source = fake.messages[request.state.body["message_id"]]
        return JSONResponse({**source, "id": secrets.token_hex(8), "conversation_id": source["conversation_id"]}, 201)

    async def bulk(request: Request) -> Response:
        body = request.state.body
        ids: list[str] = body.get("ids") or [row["id"] for row in fake.conversations.values() if row["status"] in body["filter"].get("status", [row["status"]])]
        run: Row = {"id": secrets.token_hex(8), "state": "done", "total": len(ids), "done": len(ids), "changed": len(ids), "restored": 0, "left": 0,
               "created_at": "2025-03-04T09:00:00Z", "ended_at": "2025-03-04T09:00:00Z", "undo_until": "2035-03-04T09:00:00Z", "can_undo": True, "merged_into": None}
        before: dict[str, Row] = {}
        if "merge" in body["change"]:
            into = body["change"]["merge"]["into"]
            if len({fake.conversations[one]["inbox"]["id"] for one in ids}) > 1:
                return JSONResponse({"type": "/problems/other-inbox", "title": "Other inbox", "status": 409, "detail": "They are of different inboxes."}, 409)
            run |= {"changed": len(ids) - 1, "merged_into": into}
            for one in ids:
                if one != into:
                    before[one] = {"merged_into": None}
                    fake.conversations[one] |= {"merged_into": into, "version": fake.conversations[one]["version"] + 1}
                    fake.emit("conversation.updated", fake.conversations[one])
            fake.bulks[run["id"]] = {**run, "before": before}
            return JSONResponse(run, 201)
        for one in ids:
            row = fake.conversations[one]
            change = {name: value for name, value in body["change"].items() if name in ("status", "priority")}
            before[one] = {name: row[name] for name in change}
            row |= change
            row["version"] += 1
            fake.emit("conversation.updated", row)
        fake.bulks[run["id"]] = {**run, "before": before}
        return JSONResponse(run, 201)

    async def undo(request: Request) -> Response:
        run = dict(fake.bulks[request.path_params["id"]])
        before = run.pop("before")
        for one, values in before.items():
            row = fake.conversations[one]
            row |= values
            row["version"] += 1
            fake.emit("conversation.updated", row)
        return JSONResponse({**run, "state": "undone", "restored": len(before), "can_undo": False})

    async def contacts(request: Request) -> Response:
        words = request.query_params.get("search", "").lower()
        vip = request.query_params.get("vip")
        rows = [one for one in fake.contacts if words in f"{one['name']} {one['company']} {one['identities'][0]['identifier']}".lower()]
        return JSONResponse({"items": [one for one in rows if not vip or one["vip"]], "next": None})

    async def one_contact(request: Request) -> Response:
        row = next((one for one in fake.contacts if one["id"] == request.path_params["id"]), None)
        if row is None:
            return missing()
        if request.method == "PATCH":
            body = dict(request.state.body)
            custom = {**row["custom"], **body.pop("custom", {})}
            row |= {**body, "custom": {key: field for key, field in custom.items() if field}}
        return JSONResponse(row)

    async def their_conversations(request: Request) -> Response:
        row = next(one for one in fake.contacts if one["id"] == request.path_params["id"])
        addresses = {one["identifier"] for one in row["identities"]}
        found = [one for one in fake.conversations.values() if one["customer"]["address"] in addresses]
        return JSONResponse({"items": found, "next": None})

    base = "/v1/conversations/{id}"
    return [
        Route(f"{base}/shape", shape),
        Route(f"{base}/hold", hold, methods=["PUT"]),
        Route(f"{base}/merge", merge, methods=["POST"]),
        Route(f"{base}/unmerge", unmerge, methods=["POST"]),
        Route(f"{base}/split", split, methods=["POST"]),
        Route(f"{base}/topic", keep, methods=["DELETE"]),
        Route(f"{base}/forward", forward, methods=["POST"]),
        Route("/v1/bulk", bulk, methods=["POST"]),
        Route("/v1/bulk/{id}/undo", undo, methods=["POST"]),
        Route("/v1/contacts", contacts),
        Route("/v1/contacts/{id}", one_contact, methods=["GET", "PATCH"]),
        Route("/v1/contacts/{id}/conversations", their_conversations),
    ]
