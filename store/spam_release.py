"""“Not spam”: a mail that was kept outside comes into its conversation, as if it had been welcome from the start."""

import datetime as dt
import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.subjects import normalise_subject, ticket_number_in
from mail.values import Address
from models.enums import Direction
from store.addresses import address_key
from store.event_log import NewEvent, append_events
from store.inbox_state import own_addresses
from store.incoming import snippet_of
from store.ingest_lock import lock_ingest
from store.placing import Placeable, place_mails

WHERE = text("select inbox_id from messages where tenant_id = :tenant and id = :id")
OUTSIDE = text(
    """
    select id, message_id_header, from_address, from_name, subject, body_visible, body_text, in_reply_to, received_at,
           is_read, historical
    from messages
    where tenant_id = :tenant and id = :id and conversation_id is null and classification = 'spam'
    for no key update
    """
)
REFERENCES = text(
    "select referenced_id from message_references where tenant_id = :tenant and message_id = :id order by position"
)
RECIPIENTS = text(
    """
    select address, name from message_recipients
    where tenant_id = :tenant and message_id = :id and recipient_type in ('to', 'cc') order by recipient_type desc, position
    """
)
BRING_IN = text(
    """
    update messages set conversation_id = :conversation, at_version = :version, classification = 'message',
      sender_id = :contact, spam_verdict = null
    where tenant_id = :tenant and id = :id
    """
)
DOCUMENT = text(
    "update search_documents set conversation_id = :conversation where tenant_id = :tenant and message_id = :id"
)
LEDGER = text(
    """
    update ledger set classification = 'message', classification_reason = 'not_spam', threaded_by = :by,
      updated_at = now()
    where tenant_id = :tenant and message_id = :id
    """
)


async def bring_in(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID, *, actor: str = "system"
) -> uuid.UUID | None:
    """Thread a spam message and return its conversation. None when there is no such spam (any more): twice is once.

    It is never answered automatically: a person has just decided about it.
    """
    key = {"tenant": tenant_id, "id": message_id}
    inbox_id = (await connection.execute(WHERE, key)).scalar_one_or_none()
    if inbox_id is None:
        return None
    await lock_ingest(connection, inbox_id)
    row = (await connection.execute(OUTSIDE, key)).first()
    if row is None:
        return None
    references = list((await connection.execute(REFERENCES, key)).scalars())
    people = [Address(r.address, r.name) for r in await connection.execute(RECIPIENTS, key)]
    own = frozenset(address_key(a) for a in await own_addresses(connection, tenant_id))
    named = dict.fromkeys(([row.in_reply_to] if row.in_reply_to else []) + references[::-1])
    mail = Placeable(
        message_id=row.id,
        own_key=row.message_id_header,
        parents=tuple(i for i in named if i != row.message_id_header),
        direction=Direction.INBOUND,
        sender=Address(row.from_address, row.from_name),
        recipients=tuple(people),
        subject=row.subject,
        normalized_subject=normalise_subject(row.subject),
        snippet=snippet_of(row.body_visible or row.body_text),
        at=min(row.received_at, dt.datetime.now(dt.UTC)),
        unread=not row.is_read,
        historical=False,
        ticket_number=ticket_number_in(row.subject),
    )
    placed = (await place_mails(connection, tenant_id, inbox_id, [mail], own=own))[row.id]
    bound = {**key, "conversation": placed.conversation_id}
    await connection.execute(BRING_IN, {**bound, "version": placed.at_version, "contact": placed.contact_id})
    await connection.execute(DOCUMENT, bound)
    await connection.execute(LEDGER, {**key, "by": placed.by})
    event = NewEvent(
        "message.received",
        tenant_id,
        inbox_id=inbox_id,
        conversation_id=placed.conversation_id,
        message_id=row.id,
        actor=actor,
        payload={"classification": "message", "from": "spam", "version": placed.at_version},
    )
    await append_events(connection, [event])
    return placed.conversation_id
