"""Keeps up which conversations are in which saved view: what changed is looked at again, new conditions go over everything in
batches, and time moves those whose time has come.

Called in the desk's turn only, whose cursor's lock makes it the one writer of a tenant's members.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.box_counts import NOBODY
from store.view_conditions import compile_conditions, crossings
from store.views import ViewRow, views_of_tenant

TOUCHED_ROWS = 500  # statements whose conversations are looked at in one turn
AT_ONCE = 2_000  # conversations of one statement
FILLED_AT_ONCE = 5_000
FILLED_IN_A_TURN = 4  # views; the others wait their turn
MOVED_EVERY = dt.timedelta(seconds=30)
LIVE = "conversations.merged_into is null and conversations.deleted_at is null"

TAKE = text(
    """
    with taken as (
      delete from touched_conversations where tenant_id = :tenant
        and id in (select id from touched_conversations where tenant_id = :tenant order by id limit :limit)
      returning conversation_ids
    )
    select distinct c.id from taken, unnest(taken.conversation_ids) as c(id)
    """
)
MORE = text("select exists (select from touched_conversations where tenant_id = :tenant)")
CLOCK = text("select now(), (select next_conversation_number - 1 from tenants where id = :tenant)")
# `people` is who `me` stands for: the owner, everybody for a shared view, or nobody where it does not stand.
PEOPLE = {
    "nobody": "(values (cast(:nobody as uuid))) people(id)",
    "owner": "(values (cast(:owner as uuid))) people(id)",
    "everybody": "(select id from users where tenant_id = :tenant and deleted_at is null) people",
}
LOOK = """
with found as materialized (
  select conversations.id, people.id as who, conversations.inbox_id, conversations.last_message_at as at
  from conversations cross join {people}
  where conversations.tenant_id = :tenant and {among} and {live} and {condition}
), gone as (
  delete from view_members m using (select conversations.id from conversations where conversations.tenant_id = :tenant and {among}) a
  where m.tenant_id = :tenant and m.view_id = :view and m.conversation_id = a.id
    and not exists (select from found f where f.id = m.conversation_id and f.who = m.who)
  returning 1
), come as (
  insert into view_members (tenant_id, view_id, who, conversation_id, inbox_id, at)
  select :tenant, :view, f.who, f.id, f.inbox_id, f.at from found f
  on conflict (view_id, who, conversation_id, tenant_id) do update set inbox_id = excluded.inbox_id, at = excluded.at
    where (view_members.inbox_id, view_members.at) is distinct from (excluded.inbox_id, excluded.at)
  returning 1
)
select (select count(*) from gone) + (select count(*) from come)
"""
BY_ID = "conversations.id = any(:ids)"
BY_NUMBER = "conversations.number > :first and conversations.number <= :last"
UNTOUCHED = (
    "not exists (select from touched_conversations t where t.tenant_id = :tenant and conversations.id = any(t.conversation_ids))"
)
CROSSED = (
    f"select id from conversations where tenant_id = :tenant and {LIVE} and {{column}} > :since and {{column}} <= :until limit 20000"
)
BEGIN = text(
    """
    update views set filled_revision = revision, filled_to = 0, to_fill = :last, moved_at = now()
    where tenant_id = :tenant and id = :view and revision = :revision
    """
)
EMPTY = text("delete from view_members where tenant_id = :tenant and view_id = :view")
FILLED = text(
    """
    update views set filled_to = :last, ready = :last >= to_fill
    where tenant_id = :tenant and id = :view and revision = :revision
    """
)
MOVED = text("update views set moved_at = :at where tenant_id = :tenant and id = :view and revision = :revision")


@dataclass(frozen=True, slots=True)
class Progress:
    """A view that is being filled, with these conditions: so many conversations of so many."""

    view_id: uuid.UUID
    revision: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Kept:
    """`more`: something is left for another turn."""

    progress: tuple[Progress, ...]
    more: bool


async def keep_up_views(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, told: Collection[tuple[uuid.UUID, int]] = ()
) -> Kept:
    """One turn: what was touched, what time has moved, and a batch of views that are being filled.

    `told` are views, with their revision, whose progress has come round by the log: once the first has, every transaction has
    ended that did not know of the view and may have touched nothing. Each batch tells of the next.
    """
    tenant = {"tenant": tenant_id}
    views = await views_of_tenant(connection, tenant_id)
    touched = list((await connection.execute(TAKE, {**tenant, "limit": TOUCHED_ROWS})).scalars())
    if not views:
        return Kept((), False)
    now, last = (await connection.execute(CLOCK, tenant)).one()
    for view in views:
        if view.filled_revision == view.revision:
            await _look_at(connection, tenant_id, view, touched)
            if view.conditions.moving and view.moved_at is not None and now - view.moved_at >= MOVED_EVERY:
                await _move(connection, tenant_id, view, view.moved_at, now)
    progress = [await _begin(connection, tenant_id, v, int(last)) for v in views if v.filled_revision != v.revision]
    filling = [v for v in views if not v.ready and v.filled_revision == v.revision and (v.id, v.revision) in told]
    for place, view in enumerate(filling):
        filled = await _fill(connection, tenant_id, view) if place < FILLED_IN_A_TURN else view.filled_to
        progress.append(Progress(view.id, view.revision, filled, view.to_fill))
    return Kept(tuple(progress), bool((await connection.execute(MORE, tenant)).scalar_one()))


async def mend_view(connection: AsyncConnection, tenant_id: uuid.UUID, view: ViewRow) -> int:
    """Look at every conversation again but those that wait to be looked at anyway; how many members were wrong."""
    wrong = 0
    _, last = (await connection.execute(CLOCK, {"tenant": tenant_id})).one()
    for first in range(0, int(last), FILLED_AT_ONCE):
        bound = {"first": first, "last": first + FILLED_AT_ONCE}
        wrong += await _look(connection, tenant_id, view, f"{BY_NUMBER} and {UNTOUCHED}", bound)
    return wrong


async def _look_at(connection: AsyncConnection, tenant_id: uuid.UUID, view: ViewRow, ids: Sequence[uuid.UUID]) -> None:
    for start in range(0, len(ids), AT_ONCE):
        await _look(connection, tenant_id, view, BY_ID, {"ids": list(ids[start : start + AT_ONCE])})


async def _look(connection: AsyncConnection, tenant_id: uuid.UUID, view: ViewRow, among: str, bound: dict[str, Any]) -> int:
    """Make the members among these what the conditions say; how many came, went or moved. Twice does nothing more."""
    people = "nobody"
    if view.conditions.personal:
        people = "everybody" if view.shared else "owner"
        bound = {**bound, "owner": view.owner_id} if people == "owner" else bound
    compiled = compile_conditions(view.conditions, me="people.id")
    statement = LOOK.format(people=PEOPLE[people], among=among, live=LIVE, condition=compiled.sql)
    clause = text(statement)
    known = {**compiled.bound, **bound, "tenant": tenant_id, "view": view.id, "nobody": NOBODY}
    names = clause.compile().params
    return int((await connection.execute(clause, {n: known[n] for n in names})).scalar_one())


async def _move(connection: AsyncConnection, tenant_id: uuid.UUID, view: ViewRow, since: dt.datetime, now: dt.datetime) -> None:
    """Look again at those for whom time has changed a condition since. What is left of very many waits for the next turn."""
    ids: set[uuid.UUID] = set()
    for column, begins, ends in crossings(view.conditions, since, now):
        statement = text(CROSSED.format(column=column))
        ids |= set((await connection.execute(statement, {"tenant": tenant_id, "since": begins, "until": ends})).scalars())
    await _look_at(connection, tenant_id, view, sorted(ids))
    await connection.execute(MOVED, {"tenant": tenant_id, "view": view.id, "at": now, "revision": view.revision})


async def _begin(connection: AsyncConnection, tenant_id: uuid.UUID, view: ViewRow, newest: int) -> Progress:
    """Empty a view whose conditions changed. Conversations that come from now on are touched as they come."""
    await connection.execute(EMPTY, {"tenant": tenant_id, "view": view.id})
    await connection.execute(BEGIN, {"tenant": tenant_id, "view": view.id, "revision": view.revision, "last": newest})
    return Progress(view.id, view.revision, 0, newest)


async def _fill(connection: AsyncConnection, tenant_id: uuid.UUID, view: ViewRow) -> int:
    """The next batch by number; how far that is."""
    last = min(view.filled_to + FILLED_AT_ONCE, view.to_fill)
    await _look(connection, tenant_id, view, BY_NUMBER, {"first": view.filled_to, "last": last})
    await connection.execute(FILLED, {"tenant": tenant_id, "view": view.id, "revision": view.revision, "last": last})
    return last
