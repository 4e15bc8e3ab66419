"""Who has a conversation: claim it, take the next of the queue, give it to somebody or to a team, and who has had it."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from api import rendering
from api.auth import Access
from api.conversations import at_capacity, whole
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import Named, PageOf, PageQuery
from api.schemas.conversations import Conversation, ConversationItem
from api.schemas.teams import Assign, Assignment, QueueQuery, Taken
from store.assignment import (
    UNCHANGED,
    AlreadyTaken,
    AtCapacity,
    NoSuchTeam,
    NoSuchWorker,
    NotWaiting,
    Stay,
    claim,
    history_of,
    place,
    take_next,
)
from store.assignment_queue import queue_of
from store.conversations import get_conversation

T = TypeVar("T")
TRIES = 4
DEADLOCK = "40P01"
REFUSALS = (AlreadyTaken, AtCapacity, NoSuchTeam, NoSuchWorker, NotWaiting)


async def claim_one(call: Call[Empty, None]) -> Conversation:
    conversation_id, user_id = call.id("conversation_id"), _person(call)

    async def work(connection: AsyncConnection) -> Conversation:
        if not await claim(connection, call.who.viewer, user_id, conversation_id):
            raise not_found()
        return await whole(connection, call.who.viewer, conversation_id)

    return await _done(call, work)


async def next_one(call: Call[Empty, None]) -> Taken:
    """An answer that is lost leaves the conversation with the caller, who finds it under theirs."""
    user_id = _person(call)

    async def work(connection: AsyncConnection) -> Conversation | None:
        taken = await take_next(connection, call.who.viewer, user_id)
        return None if taken is None else await whole(connection, call.who.viewer, taken)

    return Taken(conversation=await _done(call, work))


async def assign(call: Call[Empty, Assign]) -> Conversation:
    conversation_id, body = call.id("conversation_id"), call.body
    if not body.model_fields_set & {"user_id", "team_id"}:
        raise not_valid(FieldError("user_id", "says who is to have it; null puts it back into the queue"))

    async def work(connection: AsyncConnection) -> Conversation:
        known = await place(
            connection,
            call.who.viewer,
            conversation_id,
            user_id=body.user_id,
            team_id=body.team_id if "team_id" in body.model_fields_set else UNCHANGED,
            reason=body.reason,
            may_exceed=call.who.access >= Access.ADMIN,
        )
        if not known:
            raise not_found()
        return await whole(connection, call.who.viewer, conversation_id)

    return await _done(call, work)


async def history(call: Call[PageQuery, None]) -> PageOf[Assignment]:
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        if await get_conversation(connection, viewer, conversation_id) is None:
            raise not_found()
        page = await history_of(connection, viewer, conversation_id, after=call.query.after, limit=call.query.limit)
    return PageOf[Assignment](items=[_shown(r) for r in page.items], next=page.next)


async def queue(call: Call[QueueQuery, None]) -> PageOf[ConversationItem]:
    viewer, query = call.who.viewer, call.query
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        page = await queue_of(connection, viewer, team_id=query.team, after=query.after, limit=query.limit)
    return PageOf[ConversationItem](items=[rendering.conversation_item(r) for r in page.items], next=page.next)


def _person(call: Call[Any, Any]) -> uuid.UUID:
    if call.who.user_id is None:
        raise Problem(422, "A key is nobody who works. Give the conversation to a person with PUT …/assignment.")
    return call.who.user_id


async def _done(call: Call[Any, Any], work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """In one transaction, begun again when PostgreSQL chose it as the victim of a deadlock with the desk's own changes."""
    for left in reversed(range(TRIES)):
        try:
            async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
                return await work(connection)
        except REFUSALS as refused:
            _refuse(refused, call.who.user_id, getattr(call.body, "user_id", call.who.user_id))
        except OperationalError as error:
            if left == 0 or getattr(error.orig, "sqlstate", None) != DEADLOCK:
                raise
    raise AssertionError("every try has returned or raised")


def _refuse(error: Exception, me: uuid.UUID | None, whose: uuid.UUID | None) -> NoReturn:
    match error:
        case AlreadyTaken(name=name):
            raise Problem(409, f"{name} has it already.", name="already-taken", extra={"name": name}) from None
        case AtCapacity() as full:
            raise at_capacity(full, mine=me is not None and me == whose) from None
        case NotWaiting(status=status):
            raise Problem(409, f"It is {status}, so it does not wait for anybody. Open it first.", name="not-waiting") from None
        case NoSuchTeam():
            raise not_valid(FieldError("team_id", "is no team of this organisation")) from None
        case _:
            raise not_valid(FieldError("user_id", "is nobody who works in this inbox")) from None


def _shown(row: Stay) -> Assignment:
    def named(row_id: uuid.UUID | None, name: str | None) -> Named | None:
        return None if row_id is None else Named(id=str(row_id), name=name or "")

    return Assignment(
        id=str(row.id),
        agent=named(row.agent_id, row.agent_name),
        team=named(row.team_id, row.team_name),
        by=named(row.by_id, row.by_name),
        method=row.method,
        reason=row.reason,
        assigned_at=row.assigned_at,
        unassigned_at=row.unassigned_at,
    )


AT = "/v1/conversations/{conversation_id}"
ENDPOINTS = (
    Endpoint(
        "POST",
        f"{AT}/claim",
        claim_one,
        Access.AGENT,
        "Make it one's own",
        response=Conversation,
        conflicts=("already-taken", "at-capacity", "not-waiting"),
    ),
    Endpoint(
        "PUT",
        f"{AT}/assignment",
        assign,
        Access.AGENT,
        "Give it to a person or a team",
        response=Conversation,
        body=Assign,
        conflicts=("at-capacity",),
    ),
    Endpoint(
        "GET",
        f"{AT}/assignments",
        history,
        Access.VIEWER,
        "Who has had it, and why",
        response=PageOf[Assignment],
        query=PageQuery,
    ),
    Endpoint(
        "GET", "/v1/queue", queue, Access.VIEWER, "What waits for somebody, in its order", response=PageOf[ConversationItem], query=QueueQuery
    ),
    Endpoint(
        "POST",
        "/v1/queue/next",
        next_one,
        Access.AGENT,
        "Take the next that waits",
        response=Taken,
        conflicts=("at-capacity",),
    ),
)
