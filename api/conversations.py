"""Reading and changing conversations. Sending is in `api/replies.py`."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api import rendering
from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageOf, PageQuery
from api.schemas.conversations import (
    ChangeConversation,
    Conversation,
)
from api.schemas.messages import Message
from store.assignment import AtCapacity
from store.conversation_tags import set_tags
from store.conversations import (
    NoSuchPerson,
    StaleVersion,
    change_conversation,
    get_conversation,
    mark_read,
    people_of,
    sending_address,
    suggestions_of,
)
from store.differences import differences
from store.followers import followers_of
from store.intents import intend_labels, intend_place, intend_read
from store.messages_view import list_messages
from store.outbound import default_recipients
from store.snoozing import LONGEST, is_asleep
from store.visibility import Viewer


async def read_one(call: Call[Empty, None]) -> Conversation:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return await whole(connection, call.who.viewer, call.id("conversation_id"))


async def read_messages(call: Call[PageQuery, None]) -> PageOf[Message]:
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        if await get_conversation(connection, viewer, conversation_id) is None:
            raise not_found()
        page = await list_messages(
            connection, viewer, conversation_id, after=call.query.after, limit=call.query.limit
        )
    now = call.now()
    return PageOf[Message](items=[rendering.message(r, now) for r in page.items], next=page.next)


async def change(call: Call[Empty, ChangeConversation]) -> Conversation:
    """What the inbox writes back is written down in the same transaction. Dying after it, or Temporal being away, leaves the
    intents to the next look at the inbox.
    """
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    changes = _with_sleep({n: getattr(call.body, n) for n in call.body.model_fields_set - {"version", "tags"}}, call.now())
    tags = call.body.tags if "tags" in call.body.model_fields_set else None
    told: list[uuid.UUID | None] = []
    try:
        async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
            slept = "status" in changes and await is_asleep(connection, viewer.tenant_id, conversation_id)
            known = await change_conversation(
                connection,
                viewer,
                conversation_id,
                changes,
                version=call.body.version,
                may_exceed=call.who.access >= Access.ADMIN,
            )
            if not known:
                raise not_found()
            if tags is not None:
                changed = await set_tags(connection, viewer, conversation_id, tags)
                told.append(
                    await intend_labels(
                        connection, viewer, conversation_id, added=changed.added, removed=changed.removed
                    )
                )
            if "status" in changes:
                told.append(await intend_place(connection, viewer, conversation_id, changes["status"]))
            shown = await whole(connection, viewer, conversation_id)
    except StaleVersion as stale:
        raise await _stale(call, stale.current) from None
    except NoSuchPerson:
        raise not_valid(FieldError("assigned_to", "is nobody who works in this inbox")) from None
    except AtCapacity as full:
        raise at_capacity(full, mine=changes.get("assigned_to") == viewer.user_id) from None
    inbox_id = next((one for one in told if one is not None), None)
    if inbox_id is not None:
        await call.deps.gateway.signal_sync(str(inbox_id), "poke")
    if changes.get("snoozed_until") is not None:
        # Dying here, or Temporal being away, leaves it to the sweep, which starts what is due.
        await call.deps.gateway.snooze(str(viewer.tenant_id), shown.inbox.id, shown.id)
    elif slept:
        await call.deps.gateway.signal_snooze(shown.id)  # a run that is not told ends when its time comes
    return shown


def _with_sleep(changes: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
    """`status` and `snoozed_until` as they belong together: a time snoozes, and nothing sleeps without one."""
    if "snoozed_until" not in changes:
        if changes.get("status") == "snoozed":
            raise not_valid(FieldError("snoozed_until", "is needed to snooze: give the time at which it comes back"))
        return changes
    until: dt.datetime | None = changes["snoozed_until"]
    if until is None:
        raise not_valid(FieldError("snoozed_until", "is a time; give `status` `open` to wake the conversation now"))
    if changes.setdefault("status", "snoozed") != "snoozed":
        raise not_valid(FieldError("snoozed_until", "belongs to the status `snoozed`; leave one of the two out"))
    if until <= now:
        raise not_valid(FieldError("snoozed_until", "lies in the past; give a later time"))
    if until > now + LONGEST:
        raise not_valid(FieldError("snoozed_until", "lies more than five years ahead; give an earlier time"))
    return changes


async def _stale(call: Call[Empty, ChangeConversation], current: int) -> Problem:
    tenant_id, seen = call.who.tenant_id, call.body.version or 0
    async with call.deps.database.unit_of_work(tenant_id) as connection:
        changes = await differences(connection, tenant_id, call.id("conversation_id"), seen)
    return Problem(
        409,
        "Somebody changed this conversation since you looked. Load it again, then change it.",
        name="stale-view",
        extra={
            "current_version": current,
            "changes": [rendering.difference(one).model_dump(mode="json") for one in changes],
        },
    )


def at_capacity(full: AtCapacity, *, mine: bool) -> Problem:
    return Problem(
        409,
        f"{'You have' if mine else 'This person has'} {full.load} open conversations, and {full.capacity} is the most."
        " Close or snooze one, or ask an administrator.",
        name="at-capacity",
        extra={"load": full.load, "capacity": full.capacity},
    )


async def read_all(call: Call[Empty, None]) -> Conversation:
    viewer, conversation_id = call.who.viewer, call.id("conversation_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        if not await mark_read(connection, viewer, conversation_id):
            raise not_found()
        inbox_id = await intend_read(connection, viewer, conversation_id)
        told = await whole(connection, viewer, conversation_id)
    if inbox_id is not None:
        # Dying here, or Temporal being away, leaves the intent to the next look at the inbox.
        await call.deps.gateway.signal_sync(str(inbox_id), "poke")
    return told


async def whole(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> Conversation:
    """One conversation with everything around it, or 404."""
    row = await get_conversation(connection, viewer, conversation_id)
    if row is None:
        raise not_found()
    return rendering.conversation(
        row,
        await people_of(connection, viewer, conversation_id),
        await suggestions_of(connection, viewer, conversation_id),
        await default_recipients(connection, tenant_id=viewer.tenant_id, conversation_id=conversation_id),
        await sending_address(connection, viewer.tenant_id, row.inbox_id),
        await followers_of(connection, viewer.tenant_id, conversation_id),
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/conversations/{conversation_id}",
        read_one,
        Access.VIEWER,
        "One conversation",
        response=Conversation,
    ),
    Endpoint(
        "PATCH",
        "/v1/conversations/{conversation_id}",
        change,
        Access.AGENT,
        "Change a conversation",
        response=Conversation,
        body=ChangeConversation,
        conflicts=("stale-view", "at-capacity"),
    ),
    Endpoint(
        "POST",
        "/v1/conversations/{conversation_id}/read",
        read_all,
        Access.AGENT,
        "Mark all messages read",
        response=Conversation,
    ),
    Endpoint(
        "GET",
        "/v1/conversations/{conversation_id}/messages",
        read_messages,
        Access.VIEWER,
        "Its messages, oldest first",
        response=PageOf[Message],
        query=PageQuery,
    ),
)
