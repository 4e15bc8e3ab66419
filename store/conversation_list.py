"""The list of conversations: one statement for a page, filtered and sorted in PostgreSQL, and the counts beside it."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.conversation_keys import Keys, ListFilter, find_tagged
from store.conversation_search import STEPS, Search, read_search
from store.pages import Page, time_cursor
from store.visibility import Viewer, seen_inboxes

__all__ = [
    "ConversationRow",
    "Counts",
    "ListFilter",
    "TagOfConversation",
    "count_conversations",
    "list_conversations",
    "rows_of",
]

COUNT_MOST = 10_000  # counts stop here, so that an old desk's closed conversations cost no more than these


@dataclass(frozen=True, slots=True)
class TagOfConversation:
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """What a list shows of a conversation."""

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
    tags: tuple[TagOfConversation, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How much waits where, each at most `COUNT_MOST`."""

    open: int = 0
    pending: int = 0
    closed: int = 0
    unread: int = 0
    mine: int = 0
    unassigned: int = 0
    spam: int = 0
    quarantined: int = field(default=0)


# The fields of a `ConversationRow` in their order.
ROWS = """
select c.id, c.number, c.subject, c.snippet, c.status, c.priority, c.category, c.channel, c.inbox_id, i.name,
  c.customer_name, c.customer_identifier, c.assigned_to, u.name, c.unread_count, c.message_count, c.last_message_at,
  c.last_message_direction, c.failed_sends, c.unknown_sends, c.version, c.merged_into, c.created_at, c.updated_at,
  array(select array[t.name, t.color] from conversation_tags g join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
    where g.tenant_id = c.tenant_id and g.conversation_id = c.id order by t.name) as tags
from page p
join conversations c on c.tenant_id = :tenant and c.id = p.id
join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
left join users u on u.tenant_id = c.tenant_id and u.id = c.assigned_to
"""
# Each sum stops at COUNT_MOST. Those of all inboxes are read from an index alone.
COUNTS = """
select
  (select count(*) from (select from conversations where {live} and status = 'open' limit {most}) s),
  (select count(*) from (select from conversations where {live} and status = 'pending' limit {most}) s),
  (select count(*) from (select from conversations where {live} and status = 'closed' limit {most}) s),
  (select count(*) from (select from conversations where {live} and {active} and unread_count > 0 limit {most}) s),
  (select count(*) from (select from conversations where {live} and {active} and assigned_to = :me limit {most}) s),
  (select count(*) from (select from conversations where {live} and {active} and assigned_to is null limit {most}) s),
  (select count(*) from (select from messages where tenant_id = :tenant and conversation_id is null
     and classification = 'spam'{seen} limit {most}) s),
  (select count(*) from (select from quarantine q join ledger l on l.tenant_id = q.tenant_id and l.id = q.ledger_id
     where q.tenant_id = :tenant and q.resolved_at is null{seen} limit {most}) s)
"""


async def list_conversations(
    connection: AsyncConnection, viewer: Viewer, wanted: ListFilter, *, after: str | None, limit: int
) -> Page[ConversationRow]:
    """One page, newest first unless asked otherwise. Merged ones are left out. Raises BadCursor."""
    inboxes = await seen_inboxes(connection, viewer)
    if wanted.inbox:
        inboxes = [i for i in dict.fromkeys(wanted.inbox) if inboxes is None or i in inboxes]
    keys = Keys(wanted, inboxes, await find_tagged(connection, viewer.tenant_id, wanted.tag))
    keys.after(after)
    keys.bound["tenant"] = viewer.tenant_id
    if inboxes is not None and not inboxes:
        return Page([], None)
    words = wanted.search.strip()
    if words:
        search = await read_search(connection, words)
        found = [] if search.nothing else await _searched(connection, keys, search, limit + 1)
    else:
        found = await rows_of(connection, keys.page(limit + 1), keys.bound, keys.order)
    kept = found[:limit]
    following = time_cursor(kept[-1].last_message_at, kept[-1].id) if len(found) > limit else None
    return Page(kept, following)


async def _searched(
    connection: AsyncConnection, keys: Keys, search: Search, limit: int
) -> list[ConversationRow]:
    keys.bound |= {"query": search.query, "number": search.number}
    if search.frequent:
        columns = () if search.number is None else ("number",)
        walk = keys.walked(limit, STEPS, search.met, *columns)
        found = await rows_of(connection, walk, keys.bound, keys.order)
        if len(found) == limit or not await _longer_than(connection, keys, STEPS):
            return found
    return await rows_of(connection, keys.within(limit, search.ids), keys.bound, keys.order)


async def _longer_than(connection: AsyncConnection, keys: Keys, steps: int) -> bool:
    """Whether the list goes on behind so many."""
    statement = f"select from ({keys.page(steps + 1)}) s offset {steps} limit 1"
    return (await _run(connection, statement, keys.bound)).first() is not None


async def rows_of(
    connection: AsyncConnection, keys: str, bound: dict[str, Any], order: str
) -> list[ConversationRow]:
    """The conversations whose ids the sub-select `keys` gives, with their tags, in one statement."""
    ordered = order.replace("last_message_at", "c.last_message_at").replace(" id ", " c.id ")
    rows = (await _run(connection, f"with page as materialized ({keys}) {ROWS} {ordered}", bound)).all()
    return [_row(tuple(r)) for r in rows]


def _row(values: tuple[Any, ...]) -> ConversationRow:
    tags: Sequence[tuple[str, str]] = values[-1]
    return ConversationRow(*(*values[:-1], tuple(TagOfConversation(*t) for t in tags)))


@lru_cache(maxsize=256)
def _text(statement: str) -> tuple[TextClause, tuple[str, ...]]:
    """The statement and the names that it binds: to compile it costs more than to run it."""
    clause = text(statement)
    return clause, tuple(clause.compile().params)


async def _run(connection: AsyncConnection, statement: str, bound: Mapping[str, Any]) -> CursorResult[Any]:
    """`bound` may hold more than the statement binds."""
    clause, names = _text(statement)
    return await connection.execute(clause, {name: bound[name] for name in names})


async def count_conversations(connection: AsyncConnection, viewer: Viewer) -> Counts:
    """What the side bar shows. Each number is bounded, so it costs the same on an old desk."""
    inboxes = await seen_inboxes(connection, viewer)
    seen = "" if inboxes is None else " and inbox_id = any(:inboxes)"
    live = f"tenant_id = :tenant and merged_into is null and deleted_at is null{seen}"
    statement = COUNTS.format(
        live=live, active="status in ('open', 'pending')", seen=seen, most=COUNT_MOST
    )
    bound = {"tenant": viewer.tenant_id, "me": viewer.user_id, "inboxes": inboxes}
    return Counts(*(await _run(connection, statement, bound)).one())
