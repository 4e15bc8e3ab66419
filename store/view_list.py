"""The list of a saved view, exact although its members lag: what was touched since they were looked at is asked anew.

The members are read in the order of their index, so a page costs the same whatever the conditions are. Where that does not
serve (another filter beside the view, another order, a view that is being filled, a desk that is far behind) the list is read by the
conditions, as every list is. Conditions that time alone changes are taken as of the last look at the clock, at most `FRESH` ago.
"""

import datetime as dt
import uuid
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import ListOrder
from store.box_counts import NOBODY
from store.conversation_keys import Keys, ListFilter
from store.conversation_list import (
    ConversationRow,
    list_conversations,
    page_of,
    rows_of,
    shown_inboxes,
)
from store.pages import Page
from store.view_conditions import Group, compile_conditions
from store.views import ViewRow
from store.visibility import Viewer

MOST_TOUCHED = 2_000
FRESH = dt.timedelta(minutes=3)
TOUCHED = text(
    f"""
    select coalesce(sum(n), 0) as n, now() as now from (
      select cardinality(conversation_ids) as n from touched_conversations where tenant_id = :tenant limit {MOST_TOUCHED}) s
    """
)
LIVE = "conversations.tenant_id = :tenant and conversations.merged_into is null and conversations.deleted_at is null"
# `touched` is of the same snapshot as the members. What a member has become meanwhile is asked again all the same. `offset 0` keeps
# the planner from joining in another order than that of the members' index: it takes the conditions for rarer than they are.
MEMBERS = """
  with touched as materialized (
    select distinct t.id from touched_conversations c, unnest(c.conversation_ids) as t(id) where c.tenant_id = :tenant
  )
  select id, last_message_at from (
    (select c.id, c.last_message_at
     from (select m.conversation_id, m.at from view_members m
           where m.tenant_id = :tenant and m.view_id = :view and m.who = :who{seen_member}{after_member}
           order by m.at {way}, m.conversation_id {way} offset 0) m
     cross join lateral (
       select id, last_message_at from conversations where id = m.conversation_id and {live} and {condition} offset 0) c
     where m.conversation_id <> all (array(select id from touched))
     order by m.at {way}, m.conversation_id {way} limit {limit})
    union all
    (select id, last_message_at from conversations
     where id = any(array(select id from touched)) and {live}{seen}{after} and {condition}
     order by last_message_at {way}, id {way} limit {limit})
  ) both_kinds order by last_message_at {way}, id {way} limit {limit}
"""


async def list_view(
    connection: AsyncConnection,
    viewer: Viewer,
    view: ViewRow,
    wanted: ListFilter,
    *,
    after: str | None,
    limit: int,
) -> Page[ConversationRow]:
    """One page of the view, narrowed by `wanted` and in its order. Raises BadCursor."""
    plain = wanted == ListFilter(inbox=wanted.inbox, me=wanted.me, sort=wanted.sort)
    if plain and view.ready and wanted.sort in (ListOrder.NEWEST, ListOrder.OLDEST):
        touched = (await connection.execute(TOUCHED, {"tenant": viewer.tenant_id})).one()
        fresh = not view.conditions.moving or (view.moved_at is not None and touched.now - view.moved_at < FRESH)
        if fresh and touched.n <= MOST_TOUCHED:
            return await _by_members(connection, viewer, view, wanted, after=after, limit=limit)
    both = view.conditions
    if wanted.conditions is not None:
        both = Group("all", (view.conditions, wanted.conditions))
    return await list_conversations(connection, viewer, replace(wanted, conditions=both), after=after, limit=limit)


async def _by_members(
    connection: AsyncConnection,
    viewer: Viewer,
    view: ViewRow,
    wanted: ListFilter,
    *,
    after: str | None,
    limit: int,
) -> Page[ConversationRow]:
    inboxes = await shown_inboxes(connection, viewer, wanted.inbox)
    if inboxes is not None and not inboxes:
        return Page([], None)
    keys = Keys(wanted, inboxes, None)
    keys.after(after)
    compiled = compile_conditions(view.conditions)
    sign = "<" if keys.way == "desc" else ">"
    statement = MEMBERS.format(
        live=LIVE,
        condition=compiled.sql,
        way=keys.way,
        limit=limit + 1,
        seen="" if inboxes is None else " and inbox_id = any(:inboxes)",
        seen_member="" if inboxes is None else " and m.inbox_id = any(:inboxes)",
        after=keys.place,
        after_member=f" and (m.at, m.conversation_id) {sign} (:after_at, :after_id)" if keys.place else "",
    )
    bound = keys.bound | compiled.bound | {"tenant": viewer.tenant_id, "view": view.id, "inboxes": inboxes}
    found = await rows_of(
        connection, statement, bound | {"me": wanted.me, "who": _who(view, viewer.user_id)}, keys.order_of("c.")
    )
    return page_of(found, limit, keys.column)


def _who(view: ViewRow, me: uuid.UUID | None) -> uuid.UUID:
    """As whom the members are kept: by person only where `me` stands in the conditions."""
    return me if view.conditions.personal and me is not None else NOBODY
