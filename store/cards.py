"""The card of a mail that could not be read, and what becomes of its place once the mail itself was read.

A card is a message made of headers alone, or of nothing (`headers_only`). It stands in a conversation, people assign it and
write notes about it, and rows of the ledger may name it that a changed UIDVALIDITY matched with it. All of that goes over to
the mail: its ledger rows name the mail, and its conversation is where the mail goes, or becomes an alias of where it is.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.incoming import IncomingMail
from store.merging import merge_conversations
from store.removal import recount
from store.threading import save_keys

DROP = text(
    """
    with gone as (
      delete from messages where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and 'headers_only' = any(defects)
      returning id, conversation_id, is_read, direction
    ), counted as (
      update conversations c set message_count = c.message_count - g.messages, unread_count = c.unread_count - g.unread,
        customer_message_count = c.customer_message_count - g.customer,
        agent_message_count = c.agent_message_count - (g.messages - g.customer)
      from (select conversation_id, count(*) as messages, count(*) filter (where not is_read) as unread,
                   count(*) filter (where direction = 'inbound') as customer
            from gone group by conversation_id) g
      where c.tenant_id = :tenant and c.id = g.conversation_id
    )
    select id, conversation_id from gone
    """
)
FOLLOW = text(
    """
    update ledger l set message_id = v.message, updated_at = now()
    from unnest(cast(:cards as uuid[]), cast(:messages as uuid[])) as v(card, message)
    where l.tenant_id = :tenant and l.message_id = v.card
    """
)
# A report or spam stands in no conversation; what people saw as a card stays in sight.
STAND = text(
    """
    with standing as (
      update messages m set conversation_id = c.id, at_version = c.version
      from unnest(cast(:places as uuid[]), cast(:messages as uuid[])) as v(place, message)
      join conversations c on c.tenant_id = :tenant and c.id = v.place
      where m.tenant_id = :tenant and m.id = v.message and m.conversation_id is null
      returning m.id, m.conversation_id
    ), found as (
      update search_documents d set conversation_id = s.conversation_id from standing s
      where d.tenant_id = :tenant and d.message_id = s.id
    )
    select distinct conversation_id from standing
    """
)
# Where the mail went elsewhere than its card: to the message that it equals, or to the thread that its own headers name.
LEFT_EMPTY = text(
    """
    select c.id, m.conversation_id as went_to
    from unnest(cast(:places as uuid[]), cast(:messages as uuid[])) as v(place, message)
    join conversations c on c.tenant_id = :tenant and c.id = v.place
    join messages m on m.tenant_id = :tenant and m.id = v.message
    where c.merged_into is null and m.conversation_id <> c.id
      and not exists (select from messages x where x.tenant_id = :tenant and x.conversation_id = c.id)
    """
)


@dataclass(frozen=True, slots=True)
class Card:
    """A card that was dropped, with the conversation that it stood in, if any."""

    id: uuid.UUID
    conversation_id: uuid.UUID | None


async def drop_cards(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, batch: Sequence[IncomingMail]
) -> dict[uuid.UUID, Card]:
    """Take the cards of these mails away, by ledger id, and let each mail's own id lead to its card's conversation: a card of
    nothing stands there under an id that was made from the octets. Most batches have none and cost nothing.
    """
    holders = {m.pending.message_id: m for m in batch if m.pending.message_id is not None}
    if not holders:
        return {}
    cards: dict[uuid.UUID, Card] = {}
    places: dict[str, tuple[uuid.UUID, bool]] = {}
    for row in await connection.execute(DROP, {"tenant": tenant_id, "ids": list(holders)}):
        mail = holders[row.id]
        cards[mail.pending.id] = Card(row.id, row.conversation_id)
        if row.conversation_id is not None:
            places[mail.header_id] = (row.conversation_id, True)
    await save_keys(connection, tenant_id, inbox_id, places)
    return cards


async def hand_over(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    cards: Mapping[uuid.UUID, Card],
    became: Mapping[uuid.UUID, uuid.UUID],
) -> None:
    """After the batch is written: `became` gives the message of each ledger id. In the transaction that dropped the cards."""
    if not cards:
        return
    bound = {
        "tenant": tenant_id,
        "cards": [card.id for card in cards.values()],
        "places": [card.conversation_id for card in cards.values()],
        "messages": [became[ledger_id] for ledger_id in cards],
    }
    await connection.execute(FOLLOW, bound)
    await recount(connection, tenant_id, list((await connection.execute(STAND, bound)).scalars()), actor="system")
    left = await connection.execute(LEFT_EMPTY, bound)
    await merge_conversations(connection, tenant_id, inbox_id, sorted({(row.id, row.went_to) for row in left}))
