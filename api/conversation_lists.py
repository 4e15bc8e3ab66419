"""Lists of conversations with their filters, saved views and search, and the counters of every box."""

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from api import rendering
from api.auth import Access, Principal
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, not_valid
from api.schemas.base import PageOf
from api.schemas.conversation_lists import (
    ME,
    NONE,
    ConversationQuery,
    Counts,
    InboxCounts,
    ListedConversation,
    Match,
)
from store.box_counts import read_boxes
from store.conversation_keys import ListFilter, ListOrder
from store.conversation_list import ConversationRow, list_conversations
from store.pages import Page
from store.search_query import BadSearch
from store.view_conditions import Group, Leaf
from store.view_list import list_view
from store.views import get_view

OF_INBOX = ("open", "pending", "unread", "unassigned")
BUILT_IN = (*OF_INBOX, "snoozed", "closed", "mine")


async def list_all(call: Call[ConversationQuery, None]) -> PageOf[ListedConversation]:
    who, query = call.who, call.query
    if query.search.strip():
        call.deps.limits.search(who.caller)
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            page = await conversations_page(connection, who, query)
    except BadSearch as wrong:
        raise not_valid(FieldError("search", str(wrong))) from None
    return PageOf[ListedConversation](items=[_shown(r) for r in page.items], next=page.next)


async def conversations_page(connection: AsyncConnection, who: Principal, query: ConversationQuery) -> Page[ConversationRow]:
    if query.view is None:
        wanted = _filter(who, query, ListOrder(query.sort or "newest"))
        return await list_conversations(connection, who.viewer, wanted, after=query.after, limit=query.limit)
    view = await get_view(connection, who.viewer, query.view)
    if view is None:
        raise not_valid(FieldError("view", "is none of yours nor of the team's; look at GET /v1/views"))
    wanted = _filter(who, query, ListOrder(query.sort or view.sort))
    return await list_view(connection, who.viewer, view, wanted, after=query.after, limit=query.limit)


def _filter(who: Principal, query: ConversationQuery, sort: ListOrder) -> ListFilter:
    """One assignee is read from an index; several are a condition, as all else that has no index of its own."""
    if ME in query.assigned_to and who.user_id is None:
        raise not_valid(FieldError("assigned_to", "`me` is a person; a key gives an id"))
    if ME in query.team:
        raise not_valid(FieldError("team", "is `none` or ids of teams"))
    assigned: uuid.UUID | str | None = None
    leaves = _leaves(query)
    if len(query.assigned_to) == 1:
        (only,) = query.assigned_to
        assigned = who.user_id if only == ME else NONE if only == NONE else uuid.UUID(only)
    elif query.assigned_to:
        leaves.append(Leaf("assignee", "in", list(query.assigned_to)))
    return ListFilter(
        status=query.status,
        category=query.category,
        channel=query.channel,
        inbox=query.inbox,
        assigned_to=assigned,
        tag=query.tag,
        unread=query.unread,
        search=query.search,
        number=query.number,
        conditions=Group("all", tuple(leaves)) if leaves else None,
        me=who.user_id,
        sort=sort,
    )


def _leaves(query: ConversationQuery) -> list[Leaf]:
    leaves = []
    if query.priority:
        leaves.append(Leaf("priority", "in", list(query.priority)))
    if query.team:
        leaves.append(Leaf("team", "in", list(query.team)))
    if query.contact:
        leaves.append(Leaf("contact", "in", [str(c) for c in query.contact]))
    if query.customer:
        leaves.append(Leaf("customer_address", "is", query.customer))
    if query.followed is not None:
        leaves.append(Leaf("follower", "in" if query.followed else "not_in", [ME]))
    if query.attachment is not None:
        leaves.append(Leaf("has_attachment", "is", query.attachment))
    if query.waiting is not None:
        leaves.append(Leaf("waiting_since", "is_set", query.waiting))
    if query.waiting_before is not None:
        leaves.append(Leaf("waiting_since", "before", query.waiting_before.isoformat()))
    return leaves


def _shown(row: ConversationRow) -> ListedConversation:
    match = row.match
    return ListedConversation(
        **rendering.item_fields(row),
        waiting_since=row.waiting_since,
        match=Match(
            message_id=str(match.message_id) if match.message_id else None,
            note_id=str(match.note_id) if match.note_id else None,
            field=match.field,  # type: ignore[arg-type]
            snippet=match.snippet,
            marks=[list(m) for m in match.marks],
            subject_marks=[list(m) for m in match.subject_marks],
        )
        if match
        else None,
    )


async def counts(call: Call[Empty, None]) -> Counts:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        found = await read_boxes(connection, who.viewer)
    return Counts(
        **{box: found.all[box] for box in BUILT_IN},
        spam=found.all["spam_mail"],
        spam_conversations=found.all["spam"],
        quarantined=found.quarantined,
        inboxes={
            str(inbox): InboxCounts(**{b: boxes[b] for b in OF_INBOX})
            for inbox, boxes in found.of_inbox.items()
            if any(boxes[b] for b in OF_INBOX)
        },
        views=found.views,
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/conversations",
        list_all,
        Access.VIEWER,
        "A page of conversations",
        response=PageOf[ListedConversation],
        query=ConversationQuery,
    ),
    Endpoint(
        "GET", "/v1/conversations/counts", counts, Access.VIEWER, "How much waits where", response=Counts
    ),
)
