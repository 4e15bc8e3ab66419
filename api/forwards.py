"""Passing a message on: files first, then the row, then the workflow, as with an answer (`api/replies.py`).

Dying after the files leaves objects that their mail names anyway; dying after the row leaves it to the sweep. An Idempotency-Key makes
a repeat get the first answer.
"""

import hashlib
import json
import uuid

from starlette.responses import Response

from api import rendering
from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.file_objects import make_object
from api.problems import FieldError, Problem, not_found, not_valid
from api.replies import KEY
from api.schemas.messages import Message
from api.schemas.shape import ForwardMessage
from mail.values import Address
from rules.forwarding import PassedOn, forward_subject, forwarded_html, forwarded_text
from store.conversations import get_conversation
from store.forwarding import FileToForward, NewForward, queue_forward
from store.idempotency import KeptAnswer, KeyInFlight, KeyReused, claim_key, keep_answer
from store.messages_view import FileRow, MessageRow, get_message, html_of
from store.outbound import CannotSend, Recipient

ROUTE = "POST /v1/conversations/{conversation_id}/forward"


async def forward(call: Call[Empty, ForwardMessage]) -> Response:
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    key = call.request.headers.get("idempotency-key")
    if key is not None and KEY.fullmatch(key) is None:
        raise not_valid(FieldError("Idempotency-Key", "has 1 to 200 visible ASCII characters"))
    wanted, files = await _wanted(call, conversation_id)
    for file in files:
        await make_object(call.deps, viewer.tenant_id, file)
    try:
        async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
            if key is not None:
                request_hash = _hash(call, conversation_id)
                kept = await claim_key(connection, viewer.tenant_id, key, route=ROUTE, request_hash=request_hash)
                if kept is not None:
                    return _answer(kept)
            queued = await queue_forward(connection, viewer, wanted, now=call.now())
            if queued is None:
                raise _foreign()
            row = await get_message(connection, viewer, queued.message_id)
            if row is None:
                raise not_found()
            shown = rendering.message(row, call.now())
            answer = KeptAnswer(201, json.loads(shown.model_dump_json(by_alias=True)))
            if key is not None:
                await keep_answer(connection, viewer.tenant_id, key, answer)
    except CannotSend as wrong:
        raise not_valid(FieldError(wrong.field, wrong.reason)) from None
    except KeyReused:
        raise Problem(
            409, "This Idempotency-Key was used for another request. Make a new one.", name="key-reused"
        ) from None
    except KeyInFlight:
        raise Problem(
            409, "The same request is still under way. Ask again with the same key.", name="key-in-flight", retry_after=1
        ) from None
    # From here on it leaves whatever happens to us: the sweep finds its row.
    await call.deps.gateway.start_send(str(viewer.tenant_id), str(queued.inbox_id), str(queued.message_id))
    return _answer(answer)


async def _wanted(
    call: Call[Empty, ForwardMessage], conversation_id: uuid.UUID
) -> tuple[NewForward, list[FileRow]]:
    body, viewer = call.body, call.who.viewer
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        conversation = await get_conversation(connection, viewer, conversation_id)
        if conversation is None:
            raise not_found()
        row = await get_message(connection, viewer, body.message_id)
        html = await html_of(connection, viewer, body.message_id)
    if row is None or html is None or row.conversation_id != (conversation.merged_into or conversation.id):
        raise _foreign()
    pictures = {f.content_id: str(uuid.uuid4()) for f in row.files if f.content_id and _shown(html.html, f.content_id)}
    files = [f for f in row.files if f.content_id in pictures or body.attachments]
    passed = _passed(row, html.html)
    return (
        NewForward(
            conversation_id=conversation_id,
            message_id=body.message_id,
            recipients=(
                *(Recipient("to", a.address, a.name) for a in body.to),
                *(Recipient("cc", a.address, a.name) for a in body.cc),
            ),
            subject=forward_subject(row.subject or conversation.subject),
            text=forwarded_text(body.note, passed),
            html=forwarded_html(body.note, passed, pictures),
            files=tuple(FileToForward(f.id, pictures.get(f.content_id or "")) for f in files),
        ),
        files,
    )


def _passed(row: MessageRow, html: str | None) -> PassedOn:
    def people(kind: str) -> list[Address]:
        return [Address(r.address, r.name) for r in row.recipients if r.type == kind]

    sender = Address(row.from_address, row.from_name)
    return PassedOn(sender, people("to"), people("cc"), row.sent_at, row.subject, row.body_text, html)


def _shown(html: str | None, content_id: str) -> bool:
    return html is not None and f"cid:{content_id}" in html


def _foreign() -> Problem:
    return not_valid(FieldError("message_id", "is no message of this conversation; look again"))


def _hash(call: Call[Empty, ForwardMessage], conversation_id: uuid.UUID) -> bytes:
    asked = [call.who.viewer.actor, str(conversation_id), call.body.model_dump(mode="json", exclude_unset=True)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()


def _answer(answer: KeptAnswer) -> Response:
    return Response(
        json.dumps(answer.body),
        status_code=answer.status,
        media_type="application/json",
        headers={"Cache-Control": "private, no-store"},
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/conversations/{conversation_id}/forward",
        forward,
        Access.AGENT,
        "Pass a message on, with a note",
        response=Message,
        status=201,
        body=ForwardMessage,
        conflicts=("key-reused", "key-in-flight"),
        headers={
            "Idempotency-Key": "Same key and body: the same answer. Another body: 409. Kept at least a week."
        },
    ),
)
