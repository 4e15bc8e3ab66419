"""Notes, followers, drafts, presence and tags of the fake desk, as docs/api.md has them."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row
from tests.web.fake_state import Fake, now

NOT_FOUND = {"type": "/problems/not-found", "title": "not found", "status": 404, "detail": "There is no such thing, or it is not yours to see."}


def refused(status: int, kind: str, detail: str, **more: Any) -> Response:
    body = {"type": f"/problems/{kind}", "title": kind, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


def write_note(fake: Fake, conversation: Row, author: Row, content: str, mentions: list[str]) -> Row:
    """Somebody writes a note, here or in another browser; whoever is mentioned follows."""
    people = [{"id": user["id"], "name": user["name"]} for user in fake.users if user["id"] in mentions]
    conversation["version"] += 1
    note = {"id": secrets.token_hex(8), "conversation_id": conversation["id"], "author": {"id": author["id"], "name": author["name"]}, "content": content.strip(),
            "mentions": people, "version": conversation["version"], "created_at": now(), "edited_at": None}  # fmt: skip
    fake.notes.append(note)
    for person in people:
        follow(conversation, person, "mentioned")
    fake.emit("note.added", conversation, payload={"note_id": note["id"], "mentions": mentions})
    return note


def follow(conversation: Row, person: Row, reason: str) -> None:
    if not any(one["id"] == person["id"] for one in conversation["followers"]):
        conversation["followers"].append({"id": person["id"], "name": person["name"], "reason": reason})


def be_present(fake: Fake, conversation: Row, person: Row, state: str, tab: str = "other") -> None:
    """Somebody else looks at a conversation, writes, or leaves: told to every stream and kept in no log."""
    fake.present[conversation["id"], person["id"]] = {"id": person["id"], "name": person["name"], "state": state}
    if state == "gone":
        del fake.present[conversation["id"], person["id"]]
    event = {"id": None, "type": "presence", "conversation_id": conversation["id"], "inbox_id": conversation["inbox"]["id"],
             "user": {"id": person["id"], "name": person["name"]}, "state": state, "tab": tab, "seconds": 40}  # fmt: skip
    for queue in fake.watchers:
        queue.put_nowait(event)


def life_routes(fake: Fake) -> list[Route]:
    async def notes(request: Request) -> Response:
        conversation = fake.conversations[request.path_params["id"]]
        if request.method == "POST":
            body = request.state.body
            return JSONResponse(write_note(fake, conversation, request.state.user, body["content"], body["mentions"]), 201)
        return JSONResponse({"items": [note for note in fake.notes if note["conversation_id"] == conversation["id"]], "next": None})

    async def note(request: Request) -> Response:
        found = next((one for one in fake.notes if one["id"] == request.path_params["id"]), None)
        if found is None:
            return JSONResponse(NOT_FOUND, 404, media_type="application/problem+json")
        user, conversation = request.state.user, fake.conversations[found["conversation_id"]]
        mine = found["author"]["id"] == user["id"]
        if not mine and (request.method == "PATCH" or user["role"] not in {"owner", "admin"}):
            return refused(403, "forbidden", "Only its author changes a note.")
        if request.method == "DELETE":
            fake.notes.remove(found)
            fake.emit("note.deleted", conversation)
            return Response(status_code=204)
        wanted = request.state.body["mentions"]
        found |= {"content": request.state.body["content"], "edited_at": now(), "mentions": [{"id": one["id"], "name": one["name"]} for one in fake.users if one["id"] in wanted]}
        fake.emit("note.updated", conversation)
        return JSONResponse(found)

    async def follower(request: Request) -> Response:
        conversation, person = fake.conversations[request.path_params["id"]], request.path_params["user"]
        id_ = request.state.user["id"] if person == "me" else person
        if request.method == "PUT":
            follow(conversation, next(user for user in fake.users if user["id"] == id_), "self" if person == "me" else "added")
        else:
            conversation["followers"] = [one for one in conversation["followers"] if one["id"] != id_]
        fake.emit("followers.changed", conversation)
        return JSONResponse({"items": conversation["followers"]})

    async def draft(request: Request) -> Response:
        place = request.path_params["id"], request.state.user["id"]
        kept = fake.drafts.get(place)
        if request.method == "GET":
            return JSONResponse({"draft": kept})
        if request.method == "DELETE":
            fake.drafts.pop(place, None)
            return Response(status_code=204)
        body = request.state.body
        if "updated_at" in body and body["updated_at"] != (kept and kept["updated_at"]):
            return refused(409, "draft-changed", "Changed in another window.", draft=kept)
        fake.drafts[place] = {"subject": None, **body, "updated_at": now()}
        return JSONResponse(fake.drafts[place])

    async def presence(request: Request) -> Response:
        here, me = request.path_params["id"], request.state.user["id"]
        return JSONResponse({"items": [one for (place, person), one in fake.present.items() if place == here and person != me]})

    async def tags(request: Request) -> Response:
        if request.method == "POST":
            if any(tag["name"] == request.state.body["name"] for tag in fake.tags):
                return refused(422, "invalid", "One field is wrong.", errors=[{"field": "name", "message": "is another tag's; choose a name that is not taken"}])
            fake.tags.append({"id": secrets.token_hex(8), **request.state.body})
            fake.emit("tags.changed")
            return JSONResponse(fake.tags[-1], 201)
        return JSONResponse({"items": sorted(fake.tags, key=lambda tag: tag["name"]), "next": None})

    async def tag(request: Request) -> Response:
        found = next(one for one in fake.tags if one["id"] == request.path_params["id"])
        if request.method == "DELETE":
            fake.tags.remove(found)
        else:
            found |= request.state.body
        fake.emit("tags.changed")
        return Response(status_code=204) if request.method == "DELETE" else JSONResponse(found)

    return [
        Route("/v1/conversations/{id}/notes", notes, methods=["GET", "POST"]),
        Route("/v1/notes/{id}", note, methods=["PATCH", "DELETE"]),
        Route("/v1/conversations/{id}/followers/{user}", follower, methods=["PUT", "DELETE"]),
        Route("/v1/conversations/{id}/draft", draft, methods=["GET", "PUT", "DELETE"]),
        Route("/v1/conversations/{id}/presence", presence, methods=["PUT"]),
        Route("/v1/tags", tags, methods=["GET", "POST"]),
        Route("/v1/tags/{id}", tag, methods=["PATCH", "DELETE"]),
    ]
