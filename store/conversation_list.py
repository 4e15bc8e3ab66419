"""The list of conversations: one statement for a page, filtered and sorted in PostgreSQL."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.conversation_keys import Keys, ListFilter, find_tagged
from store.conversation_search import STEPS, Search, read_search
from store.pages import Page, time_cursor
from store.search_matches import Match, find_matches
from store.view_conditions import Group
from store.visibility import Viewer, seen_inboxes

__all__ = [
    "ConversationRow",
    "ListFilter",
    "TagOfConversation",
    "list_conversations",
    "rows_of",
]

@dataclass(frozen=True, slots=True)
class TagOfConversation:
    name: str
    color: str


class ConversationRow(NamedTuple):
    """What a list shows of a conversation. A tuple: fifty of a frozen dataclass with so many fields take longer to make than to read."""

    id: uuid.UUID
    number: int
    subject: str
    snippet: str
    status: str
    priority: str
    category: str | None
    channel: str
    inbox_id: uuid.UUID
    inbox_name: str
    customer_name: str
    customer_identifier: str
    assigned_to: uuid.UUID | None
    assignee_name: str | None
    unread_count: int
    message_count: int
    last_message_at: dt.datetime
    last_message_direction: str | None
    failed_sends: int
    unknown_sends: int
    version: int
    merged_into: uuid.UUID | None
    created_at: dt.datetime
    updated_at: dt.datetime
    snoozed_until: dt.datetime | None = None
    waiting_since: dt.datetime | None = None
    sla_due_at: dt.datetime | None = None
    sla_warn_at: dt.datetime | None = None
    sla_paused: bool = False
    sla_breached: bool = False
    held: bool = False
    tags: tuple[TagOfConversation, ...] = ()
    match: Match | None = None


# The fields of a `ConversationRow` in their order.
ROWS = """
select c.id, c.number, c.subject, c.snippet, c.status, c.priority, c.category, c.channel, c.inbox_id, i.name,
  c.customer_name, c.customer_identifier, c.assigned_to, u.name, c.unread_count, c.message_count, c.last_message_at,
  c.last_message_direction, c.failed_sends, c.unknown_sends, c.version, c.merged_into, c.created_at, c.updated_at,
  c.snoozed_until, c.waiting_since, c.sla_due_at, c.sla_warn_at, c.sla_paused, c.sla_breached, c.held,
  array(select array[t.name, t.color] from conversation_tags g join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
    where g.tenant_id = c.tenant_id and g.conversation_id = c.id order by t.name) as tags
from page p
join conversations c on c.tenant_id = :tenant and c.id = p.id
join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
left join users u on u.tenant_id = c.tenant_id and u.id = c.assigned_to
"""
async def list_conversations(
    connection: AsyncConnection, viewer: Viewer, wanted: ListFilter, *, after: str | None, limit: int
) -> Page[ConversationRow]:
    """One page, newest first unless asked otherwise. Merged ones are left out. Raises BadCursor, BadSearch."""
    inboxes = await shown_inboxes(connection, viewer, wanted.inbox)
    search = None
    if wanted.search.strip():
        search = await read_search(connection, viewer.tenant_id, wanted.search)
        if search.nothing:
            return Page([], None)
        if search.conditions is not None:
            parts = (search.conditions,) if wanted.conditions is None else (wanted.conditions, search.conditions)
            wanted = replace(wanted, conditions=Group("all", parts))
    keys = Keys(wanted, inboxes, await find_tagged(connection, viewer.tenant_id, wanted.tag))
    keys.after(after)
    keys.bound["tenant"] = viewer.tenant_id
    if inboxes is not None and not inboxes:
        return Page([], None)
    if search is not None and search.in_text:
        found = await _searched(connection, keys, search, limit + 1)
        page = page_of(found, limit, keys.column)
        about = [(row.id, row.subject) for row in page.items]
        matches = await find_matches(connection, viewer.tenant_id, search, about)
        return Page([row._replace(match=matches.get(row.id)) for row in page.items], page.next)
    found = await rows_of(connection, keys.page(limit + 1), keys.bound, keys.order_of("c."))
    return page_of(found, limit, keys.column)


async def shown_inboxes(
    connection: AsyncConnection, viewer: Viewer, wanted: Sequence[uuid.UUID]
) -> list[uuid.UUID] | None:
    """The wanted ones that the viewer may see, all of those when none is wanted; None: every inbox of the tenant."""
    inboxes = await seen_inboxes(connection, viewer)
    if wanted:
        return [i for i in dict.fromkeys(wanted) if inboxes is None or i in inboxes]
    return inboxes


def page_of(found: Sequence[ConversationRow], limit: int, column: str) -> Page[ConversationRow]:
    """The page of a list that was asked for one row more; `column` is the time in whose order it is."""
    kept = list(found[:limit])
    following = time_cursor(getattr(kept[-1], column), kept[-1].id) if len(found) > limit else None
    return Page(kept, following)


async def _searched(
    connection: AsyncConnection, keys: Keys, search: Search, limit: int
) -> list[ConversationRow]:
    keys.bound |= {"query": search.query, "number": search.number}
    if search.frequent:
        columns = () if search.number is None else ("number",)
        walk = keys.walked(limit, STEPS, search.met, *columns)
        found = await rows_of(connection, walk, keys.bound, keys.order_of("c."))
        if len(found) == limit or not await _longer_than(connection, keys, STEPS):
            return found
    return await rows_of(connection, keys.within(limit, search.ids), keys.bound, keys.order_of("c."))


async def _longer_than(connection: AsyncConnection, keys: Keys, steps: int) -> bool:
    """Whether the list goes on behind so many."""
    statement = f"select from ({keys.page(steps + 1)}) s offset {steps} limit 1"
    return (await _run(connection, statement, keys.bound)).first() is not None


async def rows_of(
    connection: AsyncConnection, keys: str, bound: dict[str, Any], order: str
) -> list[ConversationRow]:
    """The conversations whose ids the sub-select `keys` gives, with their tags, in one statement; `order` is about `c`."""
    rows = (await _run(connection, f"with page as materialized ({keys}) {ROWS} {order}", bound)).all()
    return [_row(tuple(r)) for r in rows]


def _row(values: tuple[Any, ...]) -> ConversationRow:
    tags: Sequence[tuple[str, str]] = values[-1]
    return ConversationRow._make((*values[:-1], tuple(TagOfConversation(*t) for t in tags), None))  # no match yet


@lru_cache(maxsize=256)
def _text(statement: str) -> tuple[TextClause, tuple[str, ...]]:
    """The statement and the names that it binds: to compile it costs more than to run it."""
    clause = text(statement)
    return clause, tuple(clause.compile().params)


async def _run(connection: AsyncConnection, statement: str, bound: Mapping[str, Any]) -> CursorResult[Any]:
    """`bound` may hold more than the statement binds."""
    clause, names = _text(statement)
    return await connection.execute(clause, {name: bound[name] for name in names})
