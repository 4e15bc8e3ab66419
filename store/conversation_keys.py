"""Which conversations a list shows, as SQL: each combination of equal columns is read from an index in the list's order, and the
ordered streams are merged, so that a page costs the same at any size (migrations/versions/0007_reading_indexes.py).

PostgreSQL cannot read `status in ('open', 'pending')` in the order of time from one index; a union of the two it can.
"""

import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import ConversationStatus, ListOrder
from store.pages import read_time_cursor
from store.view_conditions import Group, compile_conditions

__all__ = ["Keys", "ListFilter", "ListOrder", "Tagged", "find_tagged"]

MOST_STREAMS = 40  # beyond, the inboxes and categories are filtered instead: planning costs too
FEW_TAGGED = 2_000  # so many are fetched and sorted; more are met soon enough on a walk through the list
EVERY_STATUS = tuple(s.value for s in ConversationStatus)


# Lists by another time than the last message's hold only those that have it, and are read from an index of that time alone.
SORTED_BY = {ListOrder.WAITING: "waiting_since", ListOrder.SLA_DUE: "sla_due_at"}
STILL_WAITING = " and waiting_since is not null and status in ('open', 'pending', 'snoozed')"
STILL_DUE = " and sla_due_at is not null"


@dataclass(frozen=True, slots=True)
class ListFilter:
    """`assigned_to` is a person's id, or "none". `conditions` is what else must hold, in which `me` stands for `me`. Empty
    sequences do not filter.
    """

    status: Sequence[str] = ()
    category: Sequence[str] = ()
    channel: Sequence[str] = ()
    inbox: Sequence[uuid.UUID] = ()
    assigned_to: uuid.UUID | str | None = None
    tag: Sequence[str] = ()
    unread: bool | None = None
    search: str = ""
    number: int | None = None
    conditions: Group | None = None
    me: uuid.UUID | None = None
    sort: ListOrder = ListOrder.NEWEST


@dataclass(frozen=True, slots=True)
class Tagged:
    """The tags asked for; `few` when not many conversations have one of them."""

    ids: list[uuid.UUID]
    few: bool


@dataclass(slots=True)
class Keys:
    """The filter as SQL. `bound` holds the values that its statements need; words in the SQL itself are from enums."""

    wanted: ListFilter
    inboxes: Sequence[uuid.UUID] | None  # None: all
    tagged: Tagged | None
    bound: dict[str, Any] = field(default_factory=dict)
    place: str = ""

    @property
    def column(self) -> str:
        """The time in whose order the list is."""
        return SORTED_BY.get(self.wanted.sort, "last_message_at")

    @property
    def way(self) -> str:
        return "desc" if self.wanted.sort is ListOrder.NEWEST else "asc"

    @property
    def order(self) -> str:
        return self.order_of("")

    def order_of(self, table: str) -> str:
        """The order by columns of `table`, given with its dot."""
        return f"order by {table}{self.column} {self.way}, {table}id {self.way}"

    def after(self, cursor: str | None) -> None:
        """Begin behind this cursor. Raises BadCursor."""
        if cursor is not None:
            self.bound["after_at"], self.bound["after_id"] = read_time_cursor(cursor)
            sign = "<" if self.way == "desc" else ">"
            self.place = f" and ({self.column}, id) {sign} (:after_at, :after_id)"

    def page(self, limit: int) -> str:
        """The first `limit` of the list: id and the time, in order."""
        if self.tagged is not None and self.tagged.few:
            few = " and id = any(array(select conversation_id from conversation_tags"
            few += f" where tenant_id = :tenant and {self._tagged()}))"
            return self._select(self._equal((), (), ()) + self._other(tags=False) + few, limit)
        return self._merged(limit, self._other())

    def within(self, limit: int, ids: str) -> str:
        """The first `limit` of those whose id the sub-select `ids` gives."""
        return self._select(f"{self._equal((), (), ())}{self._other()} and id in ({ids})", limit)

    def walked(self, limit: int, steps: int, condition: str, *columns: str) -> str:
        """The first `limit` for which `condition`, a sub-select about `k`, gives a row, among the first `steps`."""
        rows = self._merged(steps, self._other(), *columns)
        return (
            f"select k.id, k.{self.column} from ({rows}) k cross join lateral ({condition} limit 1) met"
            f" {self.order_of('k.')} limit {limit}"
        )

    def _merged(self, limit: int, other: str, *columns: str) -> str:
        streams = [self._select(f"{self._equal(*s)}{other}", limit, *columns) for s in self._streams()]
        if len(streams) == 1:
            return streams[0]
        named = ", ".join(("id", self.column, *columns))
        union = " union all ".join(f"({s})" for s in streams)
        return f"select {named} from ({union}) merged {self.order} limit {limit}"

    def _select(self, conditions: str, limit: int, *columns: str) -> str:
        named = ", ".join(("id", self.column, *columns))
        return (
            f"select {named} from conversations where tenant_id = :tenant and merged_into is null"
            f" and deleted_at is null{conditions}{self.place} {self.order} limit {limit}"
        )

    def _streams(self) -> list[tuple[Sequence[str], Sequence[int], Sequence[int]]]:
        """One for each combination that an index reads in order: statuses, inboxes, categories (the latter by place)."""
        wanted = self.wanted
        if wanted.sort in SORTED_BY or wanted.number is not None:
            return [((), (), ())]
        inboxes: list[Sequence[int]] = (
            [(n,) for n in range(len(self.inboxes))] if self.inboxes is not None else [()]
        )
        categories: list[Sequence[int]] = [(n,) for n in range(len(set(wanted.category)))] or [()]
        narrowed = (
            self.inboxes is not None or wanted.category or wanted.unread or wanted.assigned_to is not None
        )
        asked = sorted(self._statuses())
        statuses: list[Sequence[str]] = [(s,) for s in asked or (EVERY_STATUS if narrowed else ())] or [()]
        for dimension in (categories, inboxes):
            if len(statuses) * len(inboxes) * len(categories) > MOST_STREAMS:
                dimension[:] = [tuple(n for one in dimension for n in one)]
        return list(itertools.product(statuses, inboxes, categories)) or [((), (), ())]

    def _equal(self, statuses: Sequence[str], inboxes: Sequence[int], categories: Sequence[int]) -> str:
        """The equal columns of one stream; those not given are filtered by all that is wanted."""
        wanted, found = self.wanted, ""
        for status in statuses:
            found += f" and status = '{status}'"
        if not statuses and wanted.status:
            words = ", ".join(f"'{ConversationStatus(s).value}'" for s in wanted.status)
            found += f" and status in ({words})"
        found += self._one_or_many("inbox_id", "inbox", self.inboxes, inboxes)
        found += self._one_or_many("category", "category", sorted(set(wanted.category)) or None, categories)
        return found

    def _statuses(self) -> set[str]:
        """Those asked for, or plain to see in the conditions, which are checked all the same."""
        asked = {ConversationStatus(s).value for s in self.wanted.status}
        plain = self.wanted.conditions.only("status") if self.wanted.conditions is not None else None
        return asked or set(plain or ())

    def _one_or_many(
        self, column: str, name: str, values: Sequence[Any] | None, chosen: Sequence[int]
    ) -> str:
        if values is None:
            return ""
        if len(chosen) == 1:
            self.bound[f"{name}{chosen[0]}"] = values[chosen[0]]
            return f" and {column} = :{name}{chosen[0]}"
        self.bound[f"{name}_all"] = list(values)
        return f" and {column} = any(:{name}_all)"

    def _other(self, *, tags: bool = True) -> str:
        """What is checked row by row, or by a partial index."""
        wanted, found = self.wanted, ""
        if wanted.sort in SORTED_BY:
            found += STILL_WAITING if wanted.sort is ListOrder.WAITING else STILL_DUE
        if wanted.number is not None:
            self.bound["numbered"] = wanted.number
            found += " and number = :numbered"
        if wanted.conditions is not None:
            compiled = compile_conditions(wanted.conditions)
            self.bound |= {**compiled.bound, "me": wanted.me}
            found += f" and {compiled.sql}"
        if wanted.channel:
            self.bound["channels"] = list(wanted.channel)
            found += " and channel = any(:channels)"
        if isinstance(wanted.assigned_to, uuid.UUID):
            self.bound["assignee"] = wanted.assigned_to
            found += " and assigned_to = :assignee"
        elif wanted.assigned_to == "none":
            found += " and assigned_to is null"
        if wanted.unread is not None:
            found += " and unread_count > 0" if wanted.unread else " and unread_count = 0"
        if self.tagged is not None and tags:
            # `offset 0`: looked up for one row after the other in the list's order, whatever the planner thinks of the tag. With
            # that it need not plan the page anew for each tag, which took longer than to read it.
            found += (
                " and exists (select from conversation_tags g where g.tenant_id = :tenant"
                f" and g.conversation_id = conversations.id and {self._tagged('g.')} offset 0)"
            )
        return found

    def _tagged(self, table: str = "") -> str:
        """Has one of the tags asked for. One alone by `=`: of an array the planner expects ten."""
        ids = self.tagged.ids if self.tagged is not None else []
        if len(ids) == 1:
            self.bound["tag"] = ids[0]
            return f"{table}tag_id = :tag"
        self.bound["tags"] = ids
        return f"{table}tag_id = any(:tags)"


TAGGED = text(
    f"""
    with asked as materialized (select id from tags where tenant_id = :tenant and name = any(:names))
    select array(select id from asked) as ids, (select count(*) from (select from conversation_tags
      where tenant_id = :tenant and tag_id = any(array(select id from asked)) limit {FEW_TAGGED + 1}) c) as n
    """
)


async def find_tagged(
    connection: AsyncConnection, tenant_id: uuid.UUID, names: Sequence[str]
) -> Tagged | None:
    """The tags of these names, and whether few conversations have one; None when none is asked for."""
    if not names:
        return None
    row = (await connection.execute(TAGGED, {"tenant": tenant_id, "names": list(names)})).one()
    return Tagged(row.ids, row.n <= FEW_TAGGED)
