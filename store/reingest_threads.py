"""Would a mail that is read anew belong elsewhere? Asked as if it came just now, with its own traces left out.

Careful on purpose: it moves only if what it says about its thread has changed, the plan leads elsewhere, nobody has
answered in its conversation, and nothing was ever joined to that. What is not moved is told with the reason.
"""

import uuid
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.subjects import ticket_number_in
from store.incoming import IncomingMail
from store.placing import Placeable, letter_of
from store.reingest_reading import Reading, Stored
from store.threading import plan_batch

# The ids that lead to a conversation because of this one mail: no other bears them, and none names them. An alias, under
# which a relay passed on what we sent, is borne by no row either: a mail that only names it does not own it.
ONLY_OURS = text(
    """
    with mine as (
      select message_id_header as key, true as borne from messages where tenant_id = :tenant and id = :id
      union all
      select referenced_id, false from message_references where tenant_id = :tenant and message_id = :id
      union all
      select in_reply_to, false from messages where tenant_id = :tenant and id = :id
    )
    select distinct k.key from thread_keys k join mine on mine.key = k.key
    where k.tenant_id = :tenant and k.inbox_id = :inbox and (mine.borne or k.kind = 'reference')
      and not exists (select from messages o
        where o.tenant_id = :tenant and o.inbox_id = :inbox and o.message_id_header = k.key and o.id <> :id)
      and not exists (select from message_references r join messages o on o.tenant_id = r.tenant_id and o.id = r.message_id
        where r.tenant_id = :tenant and r.referenced_id = k.key and o.inbox_id = :inbox and o.id <> :id)
      and not exists (select from messages o
        where o.tenant_id = :tenant and o.conversation_id = k.conversation_id and o.in_reply_to = k.key and o.id <> :id)
    """
)
# A person's answer, also one that was written in another mail program; and what else stands there.
AROUND = text(
    """
    select
      count(*) as others,
      coalesce(bool_or(m.direction = 'outbound' and m.kind = 'message'
        and coalesce(m.send_status, 'sent') not in ('cancelled', 'draft')), false) as answered,
      exists (select from conversations a where a.tenant_id = :tenant and a.merged_into = :conversation) as joined
    from messages m where m.tenant_id = :tenant and m.conversation_id = :conversation and m.id <> :id
    """
)


@dataclass(frozen=True, slots=True)
class Move:
    """From one conversation to another. `new` None with `by` "new": to one of its own; None with `by` "outside": a report
    or spam has none. `kept` says why it stays after all.
    """

    old: uuid.UUID | None
    new: uuid.UUID | None
    by: str
    kept: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "old": str(self.old) if self.old else None,
            "new": str(self.new) if self.new else None,
            "by": self.by,
            "kept": self.kept,
        }


@dataclass(frozen=True, slots=True)
class Effect:
    """What taking over a new reading does to its place: the move (None: it stays), why a new classification is not taken
    over, and the reading that is therefore written.
    """

    reading: Reading
    move: Move | None = None
    kept: str | None = None


async def effect_of(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    stored: Stored,
    fresh: Reading,
    incoming: IncomingMail,
    *,
    own: frozenset[str],
) -> Effect:
    """Reads only. The same when nothing has changed, so the plan can be checked when it is applied."""
    old = stored.reading
    keeps, kept = await _keeps_class(connection, tenant_id, stored, fresh)
    if keeps:
        fresh = replace(fresh, classification=old.classification, rule=old.rule, reports=old.reports)
    if stored.conversation_id is None and fresh.threads:
        there, by, _ = await _elsewhere(connection, tenant_id, stored, incoming, own)
        return Effect(fresh, Move(None, there, by), kept)
    if stored.conversation_id is None:
        return Effect(fresh, None, kept)
    if not fresh.threads:
        return Effect(fresh, Move(stored.conversation_id, None, "outside"), kept)
    if not _tells_otherwise(old, fresh, incoming):
        return Effect(fresh, None, kept)
    return Effect(fresh, await _move(connection, tenant_id, stored, incoming, own), kept)


async def keys_only_of(connection: AsyncConnection, tenant_id: uuid.UUID, stored: Stored) -> frozenset[str]:
    """The thread keys that stand for this mail alone."""
    bound = {"tenant": tenant_id, "inbox": stored.inbox_id, "id": stored.message_id}
    return frozenset((await connection.execute(ONLY_OURS, bound)).scalars())


async def _keeps_class(
    connection: AsyncConnection, tenant_id: uuid.UUID, stored: Stored, fresh: Reading
) -> tuple[bool, str | None]:
    """Whether the classification stays although the parser has another one, and why where people should know."""
    if stored.reading.rule == "not_spam" and fresh.classification in ("spam", "message"):
        return True, "decided_by_person" if fresh.classification == "spam" else None
    if stored.conversation_id is not None and not fresh.threads:
        around = await _around(connection, tenant_id, stored)
        return around.answered, "answered" if around.answered else None
    return False, None


async def _around(connection: AsyncConnection, tenant_id: uuid.UUID, stored: Stored) -> Any:
    bound = {"tenant": tenant_id, "conversation": stored.conversation_id, "id": stored.message_id}
    return (await connection.execute(AROUND, bound)).one()


def _tells_otherwise(old: Reading, fresh: Reading, incoming: IncomingMail) -> bool:
    """Whether it now says something else about where it belongs."""
    before = (old.message_id_header, old.in_reply_to, old.references, ticket_number_in(old.subject))
    return before != (
        fresh.message_id_header,
        fresh.in_reply_to,
        fresh.references,
        incoming.hints.ticket_number,
    )


async def _move(
    connection: AsyncConnection, tenant_id: uuid.UUID, stored: Stored, incoming: IncomingMail, own: frozenset[str]
) -> Move | None:
    there, by, joins = await _elsewhere(connection, tenant_id, stored, incoming, own)
    here = stored.conversation_id
    if there == here and not joins:
        return None
    around = await _around(connection, tenant_id, stored)
    if there is None and not around.others:
        return None  # it is alone already
    kept = None
    if joins:
        kept, there = "would_join", next(c for c in (there, *joins) if c != here)
    elif around.answered:
        kept = "answered"
    elif around.joined:
        kept = "merged"
    return Move(here, there, by, kept)


async def _elsewhere(
    connection: AsyncConnection, tenant_id: uuid.UUID, stored: Stored, incoming: IncomingMail, own: frozenset[str]
) -> tuple[uuid.UUID | None, str, tuple[uuid.UUID, ...]]:
    """Where it would go as a new mail (None: to one of its own), by which rule, and what it would join to that."""
    mail = placeable_of(stored, incoming)
    plan = await plan_batch(
        connection,
        tenant_id,
        stored.inbox_id,
        [letter_of(mail, own)],
        own=own,
        but=await keys_only_of(connection, tenant_id, stored),
    )
    (placement,) = plan.placements
    group = plan.groups[placement.group]
    return group.conversation, placement.by, group.merged


def placeable_of(stored: Stored, incoming: IncomingMail) -> Placeable:
    """As history is placed: counted, but nobody is told and nothing is reopened."""
    mail = incoming.placeable(stored.message_id, stored.received_at)
    return replace(mail, at=stored.received_at, unread=False, historical=True)
