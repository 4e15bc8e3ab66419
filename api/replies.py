"""Sending an answer: the row first, then the workflow. With Temporal away the row waits and the sweep starts it.

An Idempotency-Key is claimed, the reply queued and the answer kept in one transaction: dying anywhere leaves all of it or
nothing, and a repeat gets the same answer.
"""

import hashlib
import json
import re
import uuid

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from api import rendering
from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.reply_words import refuse_unfilled, signed_words
from api.schemas.base import AskedAddr
from api.schemas.messages import Message, NewMessage
from contracts.failpoints import Failpoint, reached
from store.conversations import get_conversation
from store.drafts import drop_draft
from store.idempotency import KeptAnswer, KeyInFlight, KeyReused, claim_key, keep_answer
from store.messages_view import get_message, get_messages
from store.outbound import CannotSend, NewReply, Recipient, StaleView, queue_reply

KEY = re.compile(r"[\x21-\x7e]{1,200}")
ROUTE = "POST /v1/conversations/{conversation_id}/messages"


async def send(call: Call[Empty, NewMessage]) -> Response:
    who, viewer, conversation_id = call.who, call.who.viewer, call.id("conversation_id")
    key = call.request.headers.get("idempotency-key")
    if key is not None and KEY.fullmatch(key) is None:
        raise not_valid(FieldError("Idempotency-Key", "has 1 to 200 visible ASCII characters"))
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            conversation = await get_conversation(connection, viewer, conversation_id)
            if conversation is None:
                raise not_found()
            refuse_unfilled(call.body)
            if key is not None:
                kept = await claim_key(
                    connection, who.tenant_id, key, route=ROUTE, request_hash=_hash(call, conversation_id)
                )
                if kept is not None:
                    return _answer(kept)
            words = await signed_words(connection, who, conversation.inbox_id, call.body)
            message = await _queue(connection, call, conversation_id, words)
            if who.user_id is not None:
                # What was written is sent now: the draft goes with it, or stays if anything here fails.
                sent_in = uuid.UUID(message.conversation_id or str(conversation_id))
                await drop_draft(connection, who.tenant_id, who.user_id, conversation_id, sent_in)
            answer = KeptAnswer(201, json.loads(message.model_dump_json(by_alias=True)))
            if key is not None:
                await keep_answer(connection, who.tenant_id, key, answer)
    except StaleView as stale:
        raise await _stale(call, stale) from None
    except CannotSend as wrong:
        raise not_valid(FieldError(wrong.field, wrong.reason)) from None
    except KeyReused:
        raise Problem(
            409,
            "This Idempotency-Key was used for another request. Make a new key for a new message.",
            name="key-reused",
        ) from None
    except KeyInFlight:
        raise Problem(
            409,
            "The same request is still under way. Ask again with the same key.",
            name="key-in-flight",
            retry_after=1,
        ) from None
    reached(Failpoint.API_REPLY_QUEUED)
    # From here on the message leaves whatever happens to us: the sweep finds its row.
    await call.deps.gateway.start_send(str(who.tenant_id), message.inbox_id, message.id)
    return _answer(answer)


async def _queue(
    connection: AsyncConnection,
    call: Call[Empty, NewMessage],
    conversation_id: uuid.UUID,
    words: tuple[str | None, str | None],
) -> Message:
    body, who, now = call.body, call.who, call.now()
    text, html = words
    queued = await queue_reply(
        connection,
        tenant_id=who.tenant_id,
        reply=NewReply(
            conversation_id=conversation_id,
            author_id=who.user_id,
            recipients=_recipients(body),
            subject=body.subject,
            text=text,
            html=html,
            upload_ids=tuple(body.attachments),
            seen_version=body.seen_version,
            send_at=body.send_at,
        ),
        now=now,
    )
    row = await get_message(connection, who.viewer, queued.message_id)
    if row is None:
        raise not_found()
    return rendering.message(row, now)


def _recipients(body: NewMessage) -> tuple[Recipient, ...]:
    def typed(kind: str, given: list[AskedAddr] | None) -> list[Recipient]:
        return [Recipient(kind, a.address, a.name) for a in given or ()]

    if body.to is None and body.cc is None and body.bcc is None:
        return ()
    chosen = (*typed("to", body.to), *typed("cc", body.cc), *typed("bcc", body.bcc))
    if not chosen:
        raise CannotSend("to", "names nobody; give at least one recipient")
    return chosen


async def _stale(call: Call[Empty, NewMessage], stale: StaleView) -> Problem:
    viewer, now = call.who.viewer, call.now()
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        rows = await get_messages(connection, viewer, stale.newer_message_ids)
    newer = [json.loads(rendering.message(r, now).model_dump_json(by_alias=True)) for r in rows]
    return Problem(
        409,
        "The conversation moved on since you looked. Read what is new, then send with the version of this answer.",
        name="stale-view",
        extra={
            "current_version": stale.current_version,
            "newer_messages": newer,
            "changes": [rendering.difference(one).model_dump(mode="json") for one in stale.changes],
        },
    )


def _hash(call: Call[Empty, NewMessage], conversation_id: uuid.UUID) -> bytes:
    """Of who asks for what: spelling and order of the JSON do not matter."""
    body = call.body.model_dump(mode="json", exclude_unset=True)
    asked = [call.who.viewer.actor, str(conversation_id), body]
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
        "/v1/conversations/{conversation_id}/messages",
        send,
        Access.AGENT,
        "Send an answer",
        response=Message,
        status=201,
        body=NewMessage,
        conflicts=("stale-view", "key-reused", "key-in-flight"),
        headers={
            "Idempotency-Key": "Same key and body: the same answer. Another body: 409. Kept at least a week."
        },
    ),
)
