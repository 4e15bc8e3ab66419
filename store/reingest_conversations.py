"""What a new reading does to the conversations around it: counts that go with a mail, the line that the list shows, the
subject and the customer that were taken from it, and what becomes of a conversation that has lost its last mail.
"""

import uuid
from collections.abc import Iterable, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.subjects import normalise_subject
from store.event_log import NewEvent, append_events
from store.incoming import snippet_of
from store.merging import merge_conversations
from store.reingest_reading import Reading, Stored

LEAVE = text(
    """
    update conversations set message_count = greatest(0, message_count - 1),
      unread_count = greatest(0, unread_count - :unread),
      customer_message_count = greatest(0, customer_message_count - :customer),
      agent_message_count = greatest(0, agent_message_count - :agent)
    where tenant_id = :tenant and id = :id
    """
)
# Else threading would find the mail itself where it still lay.
DETACH = text("update messages set conversation_id = null where tenant_id = :tenant and id = :id")
UNREAD = text(
    "update conversations set unread_count = unread_count + 1 where tenant_id = :tenant and id = :id"
)
EMPTY = text(
    """
    select c.id from conversations c where c.tenant_id = :tenant and c.id = :id and c.merged_into is null
      and not exists (select from messages m where m.tenant_id = c.tenant_id and m.conversation_id = c.id)
    """
)
CLOSE = text(
    """
    update conversations set status = 'closed', closed_at = coalesce(closed_at, now()), snoozed_until = null, snippet = '',
      unread_count = 0
    where tenant_id = :tenant and id = :id
    """
)
NEWEST = text(
    """
    select distinct on (conversation_id) conversation_id, id, left(body_visible, 800) as visible,
      left(body_text, 800) as body, received_at, direction
    from messages
    where tenant_id = :tenant and conversation_id = any(cast(:ids as uuid[])) and kind = 'message'
      and send_status is distinct from 'cancelled'
    order by conversation_id, received_at desc, id desc
    """
)
LAST = text(
    """
    update conversations set snippet = :snippet, last_message_at = :at, last_message_direction = :direction
    where tenant_id = :tenant and id = :id
      and (snippet, last_message_at, last_message_direction) is distinct from
          (cast(:snippet as text), cast(:at as timestamptz), cast(:direction as text))
    """
)
# Only where it still is what the old reading said: what a person wrote over it stays.
SUBJECT = text(
    """
    update conversations set subject = :new, normalized_subject = :normalized
    where tenant_id = :tenant and id = :id and subject = :old
    """
)
CUSTOMER = text(
    """
    update conversations set customer_identifier = :new, customer_name = :new_name,
      contact_id = coalesce(cast(:contact as uuid), contact_id)
    where tenant_id = :tenant and id = :id and customer_identifier = :old and customer_name = :old_name
    """
)
LOCK = text(
    """
    select id from conversations where tenant_id = :tenant and id = any(cast(:ids as uuid[])) order by id for no key update
    """
)
VERSIONS = text(
    "select id, inbox_id, version from conversations where tenant_id = :tenant and id = any(cast(:ids as uuid[]))"
)


async def lock_conversations(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Iterable[uuid.UUID]
) -> None:
    """Before their messages, as everybody does who changes both."""
    await connection.execute(LOCK, {"tenant": tenant_id, "ids": list(ids)})


async def leave(connection: AsyncConnection, tenant_id: uuid.UUID, stored: Stored) -> None:
    """The mail and its counts are out. Where it goes is written by the caller, in the same transaction."""
    await connection.execute(DETACH, {"tenant": tenant_id, "id": stored.message_id})
    await connection.execute(
        LEAVE,
        {
            "tenant": tenant_id,
            "id": stored.conversation_id,
            "unread": int(not stored.is_read),
            "customer": int(not stored.outbound),
            "agent": int(stored.outbound),
        },
    )


async def stay_unread(connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID) -> None:
    """A mail that nobody has read is as unread in its new place."""
    await connection.execute(UNREAD, {"tenant": tenant_id, "id": conversation_id})


async def clear_up(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    conversation_id: uuid.UUID,
    into: uuid.UUID | None,
) -> bool:
    """A conversation without a mail becomes an alias of the one that its last mail moved to, else it is closed."""
    bound = {"tenant": tenant_id, "id": conversation_id}
    if (await connection.execute(EMPTY, bound)).first() is None:
        return False
    if into is not None:
        await merge_conversations(connection, tenant_id, inbox_id, [(conversation_id, into)])
    else:
        await connection.execute(CLOSE, bound)
    return True


async def rename(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    conversation_id: uuid.UUID,
    old: Reading,
    new: Reading,
    contact_id: uuid.UUID | None,
) -> None:
    """Subject and customer follow the mail that they were taken from."""
    key = {"tenant": tenant_id, "id": conversation_id}
    if old.subject != new.subject:
        told = {"old": old.subject, "new": new.subject, "normalized": normalise_subject(new.subject)}
        await connection.execute(SUBJECT, {**key, **told})
    if (old.from_address, old.from_name) != (new.from_address, new.from_name):
        people = {
            "old": old.from_address,
            "old_name": old.from_name,
            "new": new.from_address,
            "new_name": new.from_name,
            "contact": contact_id,
        }
        await connection.execute(CUSTOMER, {**key, **people})


async def show_last(
    connection: AsyncConnection, tenant_id: uuid.UUID, touched: Mapping[uuid.UUID, set[uuid.UUID] | None]
) -> None:
    """The line in the list. `touched` maps conversations to the messages whose text has changed, None where one left or came."""
    if not touched:
        return
    for row in (await connection.execute(NEWEST, {"tenant": tenant_id, "ids": list(touched)})).all():
        changed = touched[row.conversation_id]
        if changed is None or row.id in changed:
            told = {
                "snippet": snippet_of(row.visible or row.body),
                "at": row.received_at,
                "direction": row.direction,
            }
            await connection.execute(LAST, {"tenant": tenant_id, "id": row.conversation_id, **told})


async def tell_conversations(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Iterable[uuid.UUID]
) -> None:
    """One event for each conversation of a batch, so that open clients read it again. Nobody is notified by it."""
    rows = await connection.execute(VERSIONS, {"tenant": tenant_id, "ids": list(ids)})
    await append_events(
        connection,
        [
            NewEvent(
                "conversation.updated",
                tenant_id,
                inbox_id=row.inbox_id,
                conversation_id=row.id,
                payload={"version": int(row.version), "what": "reingested"},
            )
            for row in rows
        ],
    )
