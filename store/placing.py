"""Brings mails into conversations: finds or makes each one, keeps its counters, and tells the event log.

The rows of the mails themselves are written by the caller, in the same transaction, after it learned their places.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.values import Address
from models.enums import Direction
from store.addresses import address_key
from store.bulk import bound, insert_rows, insertion, new_id, rows_of
from store.contacts import ensure_contacts
from store.event_log import NewEvent, append_events
from store.merging import merge_conversations
from store.thread_plan import Letter, ThreadPlan
from store.threading import plan_batch, save_keys, suggest

SNIPPET = 200

TAKE_NUMBERS = text(
    """
    update tenants set next_conversation_number = next_conversation_number + :count where id = :tenant
    returning next_conversation_number - :count
    """
)
NEW_COLUMNS = {
    "id": "uuid",
    "number": "bigint",
    "contact_id": "uuid",
    "inbox_id": "uuid",
    "customer_identifier": "text",
    "customer_name": "text",
    "subject": "text",
    "normalized_subject": "text",
    "snippet": "text",
    "unread_count": "bigint",
    "message_count": "bigint",
    "agent_message_count": "bigint",
    "customer_message_count": "bigint",
    "last_message_at": "timestamptz",
    "last_message_direction": "text",
    "historical": "boolean",
    "created_at": "timestamptz",
}
INSERT = insertion("conversations", NEW_COLUMNS)
GROWN_COLUMNS = {
    "id": "uuid",
    "snippet": "text",
    "unread": "bigint",
    "messages": "bigint",
    "agent_messages": "bigint",
    "customer_messages": "bigint",
    "at": "timestamptz",
    "direction": "text",
    "reopen": "boolean",
    "live": "boolean",
}
# A customer who writes again brings a conversation back, also from the archive or the bin; marked as spam it stays where it is.
GROW = text(
    f"""
    update conversations c set
      message_count = c.message_count + v.messages, unread_count = c.unread_count + v.unread,
      agent_message_count = c.agent_message_count + v.agent_messages,
      customer_message_count = c.customer_message_count + v.customer_messages,
      snippet = case when v.at >= c.last_message_at then v.snippet else c.snippet end,
      last_message_direction = case when v.at >= c.last_message_at then v.direction else c.last_message_direction end,
      last_message_at = greatest(c.last_message_at, v.at),
      status = case when v.reopen and c.status in ('closed', 'pending', 'snoozed', 'archived', 'trash') then 'open'
                    else c.status end,
      closed_at = case when v.reopen then null else c.closed_at end,
      snoozed_until = case when v.reopen then null else c.snoozed_until end,
      deleted_at = case when v.reopen then null else c.deleted_at end,
      historical = c.historical and not v.live
    from ({rows_of(GROWN_COLUMNS)}) as v where c.tenant_id = :tenant and c.id = v.id
    returning c.id, c.version, c.normalized_subject
    """
)


@dataclass(frozen=True, slots=True)
class Placeable:
    """A mail on its way into a conversation. `auto`: an automatic mail, which reopens nothing."""

    message_id: uuid.UUID
    own_key: str
    parents: tuple[str, ...]
    direction: Direction
    sender: Address
    recipients: tuple[Address, ...]
    subject: str
    normalized_subject: str
    snippet: str
    at: dt.datetime
    unread: bool
    historical: bool
    auto: bool = False
    token_number: int | None = None
    ticket_number: int | None = None

    @property
    def inbound(self) -> bool:
        return self.direction is Direction.INBOUND

    @property
    def customer(self) -> Address:
        """Whom the conversation is with: the writer, or the first whom we wrote to."""
        if self.inbound:
            return self.sender
        return self.recipients[0] if self.recipients else Address("")


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a mail went: the conversation and its version once the mail stands in it, the rule, the sender's contact. `topic` is the
    normalised subject of a conversation that stood before, else empty.
    """

    conversation_id: uuid.UUID
    at_version: int
    by: str
    contact_id: uuid.UUID | None
    topic: str = ""


@dataclass(slots=True)
class _Tally:
    """What a batch adds to one conversation."""

    mails: list[Placeable] = field(default_factory=list)

    def numbers(self) -> dict[str, Any]:
        newest = max(self.mails, key=lambda m: m.at)
        return {
            "snippet": newest.snippet,
            "unread": sum(m.unread for m in self.mails),
            "messages": len(self.mails),
            "agent_messages": sum(not m.inbound for m in self.mails),
            "customer_messages": sum(m.inbound for m in self.mails),
            "at": newest.at,
            "direction": newest.direction.value,
            "reopen": any(m.inbound and not m.auto and not m.historical for m in self.mails),
            "live": any(not m.historical for m in self.mails),
        }


async def place_mails(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    mails: Sequence[Placeable],
    *,
    own: frozenset[str],
) -> dict[uuid.UUID, Placed]:
    """Place each mail, by message id. `own` are the address keys of our inboxes. The caller holds the inbox's ingest lock.

    Historical mails move counters but tell nobody: the backfill's progress is the only news of them.
    """
    if not mails:
        return {}
    ordered = sorted(mails, key=lambda m: (m.at, m.message_id))
    plan = await plan_batch(connection, tenant_id, inbox_id, [letter_of(m, own) for m in ordered], own=own)
    tallies = [_Tally() for _ in plan.groups]
    for mail, placement in zip(ordered, plan.placements, strict=True):
        tallies[placement.group].mails.append(mail)
    ids = [group.conversation or new_id() for group in plan.groups]
    fresh = [n for n, group in enumerate(plan.groups) if group.conversation is None and tallies[n].mails]
    first_number = await _take_numbers(connection, tenant_id, len(fresh))
    contacts = await _contacts(connection, tenant_id, ordered, tallies, fresh)
    await _begin(connection, tenant_id, inbox_id, tallies, ids, fresh, first_number, contacts)
    pairs = [(loser, ids[n]) for n, group in enumerate(plan.groups) for loser in group.merged]
    versions = {ids[n]: 1 for n in fresh}
    versions |= await merge_conversations(connection, tenant_id, inbox_id, pairs)
    topics: dict[uuid.UUID, str] = {}
    for grown in await _grow(connection, tenant_id, tallies, ids, frozenset(fresh)):
        versions[grown.id], topics[grown.id] = int(grown.version), grown.normalized_subject
    await _save(connection, tenant_id, inbox_id, plan, ids, tallies)
    await _tell(connection, tenant_id, inbox_id, tallies, ids, frozenset(fresh), versions)
    return {
        mail.message_id: Placed(
            ids[placement.group],
            versions[ids[placement.group]],
            placement.by,
            contacts.get(address_key(mail.sender.address)) if mail.inbound else None,
            topics.get(ids[placement.group], ""),
        )
        for mail, placement in zip(ordered, plan.placements, strict=True)
    }


def letter_of(mail: Placeable, own: frozenset[str]) -> Letter:
    """What the mail says about its thread. `own` are the address keys of our inboxes."""
    sender = address_key(mail.sender.address)
    people = {sender, *(address_key(r.address) for r in mail.recipients)} - own - {""}
    return Letter(
        mail.own_key, mail.parents, sender, frozenset(people), mail.token_number, mail.ticket_number
    )


async def _take_numbers(connection: AsyncConnection, tenant_id: uuid.UUID, count: int) -> int:
    if not count:
        return 0
    return int((await connection.execute(TAKE_NUMBERS, {"tenant": tenant_id, "count": count})).scalar_one())


async def _contacts(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    mails: Sequence[Placeable],
    tallies: Sequence[_Tally],
    fresh: Sequence[int],
) -> dict[str, uuid.UUID]:
    people: dict[str, tuple[str, str]] = {}
    wanted = [m.sender for m in mails if m.inbound] + [tallies[n].mails[0].customer for n in fresh]
    for person in wanted:
        if person.address:
            people.setdefault(address_key(person.address), (person.address, person.name))
    return await ensure_contacts(connection, tenant_id, people)


async def _begin(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    tallies: Sequence[_Tally],
    ids: Sequence[uuid.UUID],
    fresh: Sequence[int],
    first_number: int,
    contacts: Mapping[str, uuid.UUID],
) -> None:
    rows = []
    for offset, n in enumerate(fresh):
        first, numbers = tallies[n].mails[0], tallies[n].numbers()
        written = next((m for m in tallies[n].mails if m.inbound), first)
        customer = written.customer
        rows.append(
            {
                "id": ids[n],
                "number": first_number + offset,
                "contact_id": contacts.get(address_key(customer.address)),
                "inbox_id": inbox_id,
                "customer_identifier": customer.address,
                "customer_name": customer.name,
                "subject": first.subject,
                "normalized_subject": first.normalized_subject,
                "snippet": numbers["snippet"],
                "unread_count": numbers["unread"],
                "message_count": numbers["messages"],
                "agent_message_count": numbers["agent_messages"],
                "customer_message_count": numbers["customer_messages"],
                "last_message_at": numbers["at"],
                "last_message_direction": numbers["direction"],
                "historical": not numbers["live"],
                "created_at": first.at,
            }
        )
    await insert_rows(connection, INSERT, tenant_id, rows)


async def _grow(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    tallies: Sequence[_Tally],
    ids: Sequence[uuid.UUID],
    fresh: frozenset[int],
) -> Sequence[Row[Any]]:
    rows = [
        {"id": ids[n], **tally.numbers()} for n, tally in enumerate(tallies) if tally.mails and n not in fresh
    ]
    if not rows:
        return ()
    rows.sort(key=lambda row: str(row["id"]))
    return (await connection.execute(GROW, {"tenant": tenant_id, **bound(rows)})).all()


async def _save(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    plan: ThreadPlan,
    ids: Sequence[uuid.UUID],
    tallies: Sequence[_Tally],
) -> None:
    there = [group.conversation is not None or bool(tallies[n].mails) for n, group in enumerate(plan.groups)]
    keys = {key: (ids[n], borne) for key, (n, borne) in plan.keys.items() if there[n]}
    await save_keys(connection, tenant_id, inbox_id, keys)
    await suggest(
        connection,
        tenant_id,
        [(ids[one], ids[other], why) for one, other, why in plan.suggestions if there[one] and there[other]],
    )


async def _tell(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    tallies: Sequence[_Tally],
    ids: Sequence[uuid.UUID],
    fresh: frozenset[int],
    versions: Mapping[uuid.UUID, int],
) -> None:
    await append_events(
        connection,
        [
            NewEvent(
                "conversation.created" if n in fresh else "conversation.updated",
                tenant_id,
                inbox_id=inbox_id,
                conversation_id=ids[n],
                payload={"version": versions[ids[n]]},
            )
            for n, tally in enumerate(tallies)
            if any(not m.historical for m in tally.mails)
        ],
    )
