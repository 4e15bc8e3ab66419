"""Chosen messages become a conversation of their own, with its own number: what answers to them later follows them.

A merge of the two takes it back. Until then they are kept apart: a mail that names messages of both, as every answer to a
split-off message does, goes where its nearest id leads and joins nothing.
"""

import uuid
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.subjects import normalise_subject
from store.apart import keep_apart
from store.bulk import new_id
from store.event_log import append_events
from store.moving import are_news, move_messages
from store.placing import TAKE_NUMBERS
from store.recounting import recount
from store.shape_rows import CannotReshape, hold, read_shape
from store.visibility import Viewer

HELD = text(
    """
    select m.id, m.subject, m.direction, m.from_address, m.from_name, m.sender_id, m.received_at, m.historical,
      m.id = any(cast(:ids as uuid[])) as chosen, to_one.address as to_address, to_one.name as to_name
    from messages m left join lateral (
      select r.address, r.name from message_recipients r
      where r.tenant_id = m.tenant_id and r.message_id = m.id and r.recipient_type = 'to' order by r.position limit 1
    ) to_one on true
    where m.tenant_id = :tenant and m.conversation_id = :id order by m.received_at, m.id
    """
)
BEGIN = text(
    """
    insert into conversations (tenant_id, id, number, contact_id, inbox_id, customer_identifier, customer_name, subject,
      normalized_subject, priority, last_message_at, historical, created_at)
    select :tenant, :new, :number, coalesce(cast(:contact as uuid), o.contact_id), o.inbox_id,
      coalesce(nullif(:address, ''), o.customer_identifier), :name, :subject, :normalized, o.priority, :at, :historical, :at
    from conversations o where o.tenant_id = :tenant and o.id = :id
    """
)
# Nobody gets a second "we got your mail" because an agent tidied up.
NO_ANSWER = text(
    """
    insert into auto_response_claims (tenant_id, conversation_id, outcome) values (:tenant, :new, 'split') on conflict do nothing
    """
)
SUGGESTED = text(
    "delete from split_suggestions where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))"
)


async def split(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, message_ids: Sequence[uuid.UUID]
) -> uuid.UUID | None:
    """Split these messages off and return their new conversation; None when there is no such conversation.

    Raises CannotReshape when the conversation is merged, a message does not stand in it, or nothing would be left behind. A
    message on its way goes along: whoever sends it holds the conversation first, and looks again when it has moved.
    """
    found = await read_shape(connection, viewer, conversation_id)
    if found is None:
        return None
    (shape,) = await hold(connection, viewer, found.inbox_id, conversation_id)
    if shape is None:
        return None
    if shape.into is not None:
        raise CannotReshape(
            "merged-already", "It was merged. Split the conversation that has its mails now.", shape.into
        )
    tenant_id, wanted = viewer.tenant_id, set(message_ids)
    held = (await connection.execute(HELD, {"tenant": tenant_id, "id": shape.id, "ids": list(wanted)})).all()
    chosen = [m for m in held if m.chosen]
    if len(chosen) < len(wanted):
        raise CannotReshape("no-such-message", "names a message that does not stand in this conversation; look again")
    if len(chosen) == len(held):
        raise CannotReshape("nothing-left", "names every message; leave at least one where it is")
    first = chosen[0]
    written = next((m for m in chosen if m.direction == "inbound"), None)
    new = new_id()
    number = (await connection.execute(TAKE_NUMBERS, {"tenant": tenant_id, "count": 1})).scalar_one()
    await connection.execute(
        BEGIN,
        {
            "tenant": tenant_id,
            "id": shape.id,
            "new": new,
            "number": number,
            "contact": written.sender_id if written else None,
            "address": written.from_address if written else first.to_address or "",
            "name": written.from_name if written else first.to_name or "",
            "subject": first.subject,
            "normalized": normalise_subject(first.subject),
            "at": first.received_at,
            "historical": all(m.historical for m in chosen),
        },
    )
    ids = [m.id for m in chosen]
    await move_messages(connection, tenant_id, old=shape.id, new=new, message_ids=ids)
    await connection.execute(NO_ANSWER, {"tenant": tenant_id, "new": new})
    await connection.execute(SUGGESTED, {"tenant": tenant_id, "ids": ids})
    await keep_apart(connection, tenant_id, shape.id, new)
    versions = await recount(connection, tenant_id, [shape.id, new])
    await are_news(connection, tenant_id, new, ids, versions[new])
    begun = {"version": versions[new], "split_from": str(shape.id)}
    left = {"version": versions[shape.id], "changed": ["split"], "split_into": str(new)}
    await append_events(
        connection,
        [
            shape.event(viewer, "conversation.created", new, begun),
            shape.event(viewer, "conversation.updated", shape.id, left),
        ],
    )
    return new
