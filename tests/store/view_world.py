"""A tenant with a few hundred conversations of every kind, for tests of saved views, and a slow obvious reading of conditions."""

import datetime as dt
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import new_id
from store.unit_of_work import Database
from store.view_conditions import Group, Leaf
from store.view_fields import FIELDS, Shape, age_of, read_time

NOW = dt.datetime.now(dt.UTC)
SUBJECTS = ("Printer on fire", "Invoice 7", "invoice overdue", "Grüße", "")
ADDRESSES = ("ada@customer.example.com", "Bob@example.org", "")
STATUSES = ("open", "open", "pending", "snoozed", "closed", "archived", "spam", "trash")


ATTACH = """
with m as (insert into messages (tenant_id, conversation_id, inbox_id, direction, classification, sender_type, sent_at)
  select tenant_id, id, inbox_id, 'inbound', 'message', 'customer', now() from conversations where id = :id returning id)
insert into attachments (tenant_id, message_id, filename, content_type, size_bytes, sha256, storage_key, disposition)
select :tenant, id, 'a.pdf', 'application/pdf', 1, 'x', 'x', :disposition from m
"""


@dataclass(slots=True)
class ViewWorld:
    database: Database
    tenant_id: uuid.UUID
    people: list[uuid.UUID]
    inboxes: list[uuid.UUID]
    teams: list[uuid.UUID]
    tags: list[uuid.UUID]
    contacts: list[uuid.UUID]
    chance: random.Random
    conversations: list[uuid.UUID] = field(default_factory=list)
    serial: int = 0

    async def rows(self, statement: str, **bound: Any) -> list[dict[str, Any]]:
        async with self.database.unit_of_work(self.tenant_id) as connection:
            return await rows(connection, statement, tenant=self.tenant_id, **bound)

    async def add(self, count: int) -> None:
        """More conversations, as chance has it."""
        async with self.database.unit_of_work(self.tenant_id) as connection:
            for _ in range(count):
                await self._add(connection)
            await rows(
                connection, "update tenants set next_conversation_number = :n where id = :tenant", n=self.serial + 1, tenant=self.tenant_id
            )

    async def _add(self, connection: AsyncConnection) -> None:
        self.serial += 1
        made, values = new_id(), self._values()
        names = ", ".join(values)
        await rows(
            connection,
            f"insert into conversations (tenant_id, id, number, {names}) values (:tenant, :id, :number, {', '.join(':' + n for n in values)})",
            tenant=self.tenant_id,
            id=made,
            number=self.serial,
            **values,
        )
        self.conversations.append(made)
        if self.chance.random() < 0.3:
            disposition = self.chance.choice(("attachment", "inline"))
            await rows(connection, ATTACH, tenant=self.tenant_id, id=made, disposition=disposition)
        for table, column, pool in (("conversation_tags", "tag_id", self.tags), ("followers", "user_id", self.people)):
            if self.chance.random() < 0.4:
                statement = f"insert into {table} (tenant_id, conversation_id, {column}) values (:tenant, :c, :o) on conflict do nothing"
                await rows(connection, statement, tenant=self.tenant_id, c=made, o=self.chance.choice(pool))

    def _values(self) -> dict[str, Any]:
        chance = self.chance
        last = NOW - dt.timedelta(hours=chance.randrange(400))
        return {
            "inbox_id": chance.choice(self.inboxes),
            "status": chance.choice(STATUSES),
            "priority": chance.choice(("urgent", "high", "normal", "low")),
            "category": chance.choice((None, "sales", "help")),
            "team_id": chance.choice((None, *self.teams)),
            "assigned_to": chance.choice((None, *self.people)),
            "contact_id": chance.choice((None, *self.contacts)),
            "subject": chance.choice(SUBJECTS),
            "customer_identifier": chance.choice(ADDRESSES),
            "customer_name": chance.choice(("Ada", "Bob", "")),
            "message_count": chance.randrange(5),
            "unread_count": chance.choice((0, 0, 1)),
            "failed_sends": chance.choice((0, 0, 1)),
            "last_message_at": last,
            "last_message_direction": chance.choice((None, "inbound", "outbound")),
            "created_at": last - dt.timedelta(days=1),
            "snoozed_until": chance.choice((None, NOW + dt.timedelta(hours=5))),
            "sla_due_at": chance.choice((None, NOW + dt.timedelta(hours=chance.randrange(-9, 9), minutes=30))),
            "sla_breached": chance.random() < 0.2,
            "historical": chance.random() < 0.5,
        }

    async def facts(self) -> list[dict[str, Any]]:
        """Every live conversation with all that conditions ask about."""
        return await self.rows(
            "select c.*, array(select tag_id from conversation_tags g where g.tenant_id = c.tenant_id and g.conversation_id = c.id) as tag,"
            " array(select user_id from followers f where f.tenant_id = c.tenant_id and f.conversation_id = c.id) as follower,"
            " exists (select from attachments a join messages m on m.tenant_id = a.tenant_id and m.id = a.message_id"
            "   where m.conversation_id = c.id and a.disposition = 'attachment') as has_attachment,"
            " coalesce((select vip from contacts p where p.tenant_id = c.tenant_id and p.id = c.contact_id), false) as vip"
            " from conversations c where c.tenant_id = :tenant and merged_into is null and deleted_at is null"
        )


COLUMN = {
    "assignee": "assigned_to",
    "team": "team_id",
    "inbox": "inbox_id",
    "contact": "contact_id",
    "last_direction": "last_message_direction",
    "customer_address": "customer_identifier",
}


def holds(part: Group | Leaf, facts: dict[str, Any], me: uuid.UUID | None, now: dt.datetime) -> bool:
    """The obvious reading of conditions, one conversation at a time."""
    if isinstance(part, Group):
        each = [holds(p, facts, me, now) for p in part.parts]
        return all(each) if part.way == "all" else any(each)
    shape = FIELDS[part.field].shape
    had = _had(part.field, facts)
    if shape is Shape.YES:
        return bool(had) == part.value
    if shape is Shape.TEXT:
        found = part.value.lower() in had.lower() if "contains" in part.op else part.value.lower() == had.lower()
        return found != ("not" in part.op)
    if shape is Shape.NUMBER:
        return bool(had >= part.value if part.op == "at_least" else had <= part.value)
    if shape is Shape.TIME:
        return _at(part, had, now)
    wanted = [str(me) if v == "me" else v for v in part.value]
    values = [str(v) for v in had] if isinstance(had, list) else ["none" if had is None and shape is not Shape.WORDS else str(had)]
    return any(v in wanted for v in values) == (part.op == "in")


def _had(name: str, facts: dict[str, Any]) -> Any:
    if name == "unread":
        return facts["unread_count"] > 0
    if name in ("failed_send", "unknown_send"):
        return facts[f"{name}s"] > 0
    if name == "customer_domain":
        return facts["customer_identifier"].partition("@")[2]
    return facts[COLUMN.get(name, name)]


def _at(part: Leaf, had: dt.datetime | None, now: dt.datetime) -> bool:
    if part.op == "is_set":
        return (had is not None) == part.value
    if had is None:
        return False
    if part.op in ("before", "after"):
        return (had < read_time(part.value)) == (part.op == "before")
    if part.op == "within":
        return had <= now + age_of(part.value)
    return (had <= now - age_of(part.value)) == (part.op == "older_than")


def any_leaf(world: ViewWorld, fixed: bool = False) -> Leaf:
    """A condition as chance has it; `fixed`: none that time alone changes."""
    chance = world.chance
    name = chance.choice(list(FIELDS))
    about = FIELDS[name]
    op = chance.choice([o for o in about.allowed if not fixed or o not in ("older_than", "newer_than", "within")])
    return Leaf(name, op, _value(world, name, op))


def _value(world: ViewWorld, name: str, op: str) -> Any:
    chance, about = world.chance, FIELDS[name]
    if op == "is_set" or about.shape is Shape.YES:
        return chance.random() < 0.5
    if about.shape is Shape.NUMBER:
        return chance.randrange(5)
    if about.shape is Shape.TEXT:
        return chance.choice(("invoice", "INVOICE 7", "grüße", "example.org", "Ada", "%", "a"))
    if about.shape is Shape.TIME:
        if op in ("before", "after"):
            return (NOW - dt.timedelta(hours=chance.randrange(-9, 200))).isoformat()
        return chance.choice(("90m", "4h", "3d", "1w"))
    pools: dict[str, Sequence[Any]] = {
        "assignee": ("me", "none", *world.people),
        "follower": ("me", *world.people),
        "team": ("none", *world.teams),
        "contact": ("none", *world.contacts),
        "inbox": world.inboxes,
        "tag": world.tags,
        "category": ("sales", "help", "none of these"),
    }
    pool = [str(v) for v in pools.get(name, about.only)]
    return chance.sample(pool, chance.randint(1, min(3, len(pool))))


def any_group(world: ViewWorld, depth: int = 1, fixed: bool = False) -> Group:
    chance = world.chance
    parts: list[Group | Leaf] = []
    for _ in range(chance.randint(1, 3)):
        deeper = depth < 3 and chance.random() < 0.3
        parts.append(any_group(world, depth + 1, fixed) if deeper else any_leaf(world, fixed))
    return Group(chance.choice(("all", "any")), tuple(parts))


async def rows(connection: AsyncConnection, statement: str, **bound: Any) -> list[dict[str, Any]]:
    clause = text(statement)
    found = await connection.execute(clause, {n: bound[n] for n in clause.compile().params})
    return [dict(r) for r in found.mappings()] if found.returns_rows else []


async def make_view_world(database: Database, seed: int) -> ViewWorld:
    tenant = new_id()
    async with database.unit_of_work(tenant) as connection:
        await rows(connection, "insert into tenants (id, name, slug) values (:t, 'Views', :slug)", t=tenant, slug=tenant.hex)
        made: dict[str, list[uuid.UUID]] = {}
        for table, count, more, values in (
            ("users", 3, "email, email_key, name", ":word, :word, :word"),
            ("inboxes", 3, "name, email_address", ":word, :word"),
            ("teams", 2, "name", ":word"),
            ("tags", 3, "name", ":word"),
            ("contacts", 3, "name, vip", ":word, :n = 0"),
        ):
            made[table] = [new_id() for _ in range(count)]
            for n, row_id in enumerate(made[table]):
                await rows(
                    connection,
                    f"insert into {table} (tenant_id, id, {more}) values (:t, :id, {values})",
                    t=tenant,
                    id=row_id,
                    word=f"{row_id.hex}@example.org",
                    n=n,
                )
    return ViewWorld(
        database, tenant, made["users"], made["inboxes"], made["teams"], made["tags"], made["contacts"], random.Random(seed)
    )
