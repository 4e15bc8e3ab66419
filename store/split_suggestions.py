"""Mails that answer into a conversation under another subject altogether: told once for each such subject, until a person splits
them off or says no. Written in the transaction of the mail; a mail that is stored again is known and told no more.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.subjects import is_other_topic, normalise_subject
from mail.values import MailKind
from models.enums import Direction
from store.inbound_rows import NewMessage
from store.visibility import Viewer

MOST = 500
ANSWERS = frozenset({"references", "reply_token", "ticket_number"})
SUGGEST = text(
    """
    insert into split_suggestions (tenant_id, conversation_id, normalized_subject, message_id)
    select :tenant, v.* from unnest(
      cast(:conversations as uuid[]), cast(:subjects as text[]), cast(:messages as uuid[])) as v
    on conflict do nothing
    """
)
OPEN = text(
    """
    select s.normalized_subject, s.message_id, m.subject, m.received_at
    from split_suggestions s join messages m on m.tenant_id = s.tenant_id and m.id = s.message_id
    where s.tenant_id = :tenant and s.conversation_id = :id and s.dismissed_at is null and m.conversation_id = :id
    order by m.received_at, m.id limit 1
    """
)
FROM_THERE = text(
    """
    select id, subject, message_id_header, in_reply_to from messages
    where tenant_id = :tenant and conversation_id = :id and received_at >= :since order by received_at, id limit :most
    """
)
ANY_BEFORE = text(
    "select 1 from messages where tenant_id = :tenant and conversation_id = :id and id <> all(cast(:ids as uuid[])) limit 1"
)
DISMISS = text(
    """
    update split_suggestions set dismissed_at = coalesce(dismissed_at, now())
    where tenant_id = :tenant and conversation_id = :id
    """
)


@dataclass(frozen=True, slots=True)
class TopicOfItsOwn:
    """The subject as its first mail writes it, and the messages that would be split off."""

    subject: str
    message_ids: tuple[uuid.UUID, ...]


async def suggest_splits(
    connection: AsyncConnection, tenant_id: uuid.UUID, messages: Sequence[NewMessage]
) -> None:
    """Of a batch, the live customer mails under a new topic. Without one it costs nothing."""
    found = [
        (m.placed.conversation_id, normalised, m.id)
        for m in messages
        if m.placed is not None
        and m.placed.by in ANSWERS
        and m.incoming.direction is Direction.INBOUND
        and m.incoming.kind is MailKind.MESSAGE
        and not m.incoming.pending.historical
        and is_other_topic(m.placed.topic, normalised := m.incoming.hints.normalized_subject)
    ]
    if found:
        await connection.execute(
            SUGGEST,
            {
                "tenant": tenant_id,
                "conversations": [f[0] for f in found],
                "subjects": [f[1] for f in found],
                "messages": [f[2] for f in found],
            },
        )


async def topic_of_its_own(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> TopicOfItsOwn | None:
    """What looks like a topic of its own, the oldest first: its mail, and what came since under its subject or in answer to it.

    None where nothing would be left behind. The caller has found that the viewer may see the conversation.
    """
    key = {"tenant": viewer.tenant_id, "id": conversation_id}
    row = (await connection.execute(OPEN, key)).first()
    if row is None:
        return None
    chosen: list[uuid.UUID] = []
    headers: set[str] = set()
    later = await connection.execute(FROM_THERE, {**key, "since": row.received_at, "most": MOST})
    for message in later:
        same = normalise_subject(message.subject) == row.normalized_subject
        if message.id == row.message_id or (chosen and (same or message.in_reply_to in headers)):
            chosen.append(message.id)
            headers |= {message.message_id_header} if message.message_id_header else set()
    if (await connection.execute(ANY_BEFORE, {**key, "ids": chosen})).first() is None:
        return None
    return TopicOfItsOwn(row.subject, tuple(chosen))


async def dismiss_topics(connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID) -> None:
    """No: it belongs here. The same subject is not told again. Twice is once."""
    await connection.execute(DISMISS, {"tenant": viewer.tenant_id, "id": conversation_id})
