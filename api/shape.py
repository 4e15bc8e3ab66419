"""Merging, taking apart, splitting; and what stands around a conversation because of that."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.conversations import whole
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import Addr
from api.schemas.conversations import Conversation
from api.schemas.shape import (
    ConversationShape,
    Forwarded,
    MergedConversation,
    MergeInto,
    SplitOff,
    TopicOfItsOwn,
)
from store.contact_book import contact_of
from store.conversations import get_conversation
from store.forwards_view import ForwardRow, forwards_of
from store.joining import MergedOne, merge_by_person, merged_into
from store.shape_rows import CannotReshape
from store.split_suggestions import dismiss_topics, topic_of_its_own
from store.splitting import split
from store.unmerging import unmerge
from store.visibility import Viewer

Reshape = Callable[[AsyncConnection, Viewer, uuid.UUID], Awaitable[uuid.UUID | None]]
FIELDS = {"no-target": "into", "no-such-message": "message_ids", "nothing-left": "message_ids"}


async def read_shape(call: Call[Empty, None]) -> ConversationShape:
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        return await _shape(connection, viewer, conversation_id)


async def merge(call: Call[Empty, MergeInto]) -> Conversation:
    """Answers with the survivor."""
    return await _reshaped(call, lambda connection, viewer, one: merge_by_person(connection, viewer, one, call.body.into))


async def take_apart(call: Call[Empty, None]) -> Conversation:
    """Answers with the conversation that has its messages again."""

    async def taken(connection: AsyncConnection, viewer: Viewer, one: uuid.UUID) -> uuid.UUID | None:
        return one if await unmerge(connection, viewer, one) is not None else None

    return await _reshaped(call, taken)


async def split_off(call: Call[Empty, SplitOff]) -> Conversation:
    """Answers with the new conversation."""
    return await _reshaped(call, lambda connection, viewer, one: split(connection, viewer, one, call.body.message_ids))


async def keep_together(call: Call[Empty, None]) -> ConversationShape:
    """The suggestion of a split is dismissed."""
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        if await get_conversation(connection, viewer, conversation_id) is None:
            raise not_found()
        await dismiss_topics(connection, viewer, conversation_id)
        return await _shape(connection, viewer, conversation_id)


async def _shape(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> ConversationShape:
    if await get_conversation(connection, viewer, conversation_id) is None:
        raise not_found()
    merged = await merged_into(connection, viewer, conversation_id)
    topic = await topic_of_its_own(connection, viewer, conversation_id)
    forwards, origin = await forwards_of(connection, viewer, conversation_id)
    contact = await contact_of(connection, viewer.tenant_id, conversation_id)
    return ConversationShape(
        contact_id=str(contact) if contact else None,
        merged=[_merged(one) for one in merged],
        topic=TopicOfItsOwn(subject=topic.subject, message_ids=[str(i) for i in topic.message_ids]) if topic else None,
        forwards=[_forwarded(row) for row in forwards],
        forwarded_from=_forwarded(origin) if origin else None,
    )


async def _reshaped(call: Call[Any, Any], act: Reshape) -> Conversation:
    """Does it and shows the conversation that `act` names, or 404 for None."""
    viewer = call.who.viewer
    try:
        async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
            shown = await act(connection, viewer, call.id("conversation_id"))
            if shown is None:
                raise not_found()
            return await whole(connection, viewer, shown)
    except CannotReshape as wrong:
        raise _refused(wrong) from None


def _refused(wrong: CannotReshape) -> Problem:
    if wrong.name in FIELDS:
        return not_valid(FieldError(FIELDS[wrong.name], wrong.remedy))
    extra = {"conversation_id": str(wrong.survivor)} if wrong.survivor else {}
    return Problem(409, wrong.remedy, name=wrong.name, extra=extra)


def _merged(one: MergedOne) -> MergedConversation:
    return MergedConversation(
        id=str(one.id),
        number=one.number,
        subject=one.subject,
        customer=Addr(address=one.customer_identifier, name=one.customer_name),
        merged_at=one.merged_at,
        can_unmerge=one.undoable,
    )


def _forwarded(row: ForwardRow) -> Forwarded:
    return Forwarded(
        conversation_id=str(row.conversation_id),
        number=row.number,
        message_id=str(row.message_id),
        to=[Addr(address=address, name=name) for address, name in row.to],
        sent_at=row.sent_at,
        status=row.status,
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/conversations/{conversation_id}/shape",
        read_shape,
        Access.VIEWER,
        "What was merged into it, what looks like a topic of its own, what was passed on",
        response=ConversationShape,
    ),
    Endpoint(
        "POST",
        "/v1/conversations/{conversation_id}/merge",
        merge,
        Access.AGENT,
        "Merge it into another conversation",
        response=Conversation,
        body=MergeInto,
        conflicts=("other-inbox", "same-conversation", "merged-already"),
    ),
    Endpoint(
        "POST",
        "/v1/conversations/{conversation_id}/unmerge",
        take_apart,
        Access.AGENT,
        "Give a merged conversation its messages back",
        response=Conversation,
        conflicts=("not-merged", "merged-before"),
    ),
    Endpoint(
        "POST",
        "/v1/conversations/{conversation_id}/split",
        split_off,
        Access.AGENT,
        "Make messages a conversation of their own",
        response=Conversation,
        body=SplitOff,
        conflicts=("merged-already",),
    ),
    Endpoint(
        "DELETE",
        "/v1/conversations/{conversation_id}/topic",
        keep_together,
        Access.AGENT,
        "Say that what looks like a topic of its own belongs here",
        response=ConversationShape,
    ),
)
