"""Takes chosen messages from one conversation to another, with what belongs to them: search documents, and the ids by which later
mails find them. The caller holds both conversations and the inbox's ingest lock.
"""

import uuid
from collections.abc import Collection, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LOCK = text(
    """
    select id from conversations where tenant_id = :tenant and id = any(cast(:ids as uuid[])) order by id for no key update
    """
)
# An id goes along that a moved message bears, or that only moved messages name; and what came here from a home that leaves.
KEYS = text(
    """
    with moved as materialized (
      select unnest(cast(:ids as uuid[])) as id
    ), named as materialized (
      select m.id, m.in_reply_to as key from messages m
      where m.tenant_id = :tenant and m.conversation_id = :old and m.in_reply_to is not null
      union
      select m.id, r.referenced_id from messages m
      join message_references r on r.tenant_id = m.tenant_id and r.message_id = m.id
      where m.tenant_id = :tenant and m.conversation_id = :old
    ), borne as materialized (
      select m.id, m.message_id_header as key from messages m
      where m.tenant_id = :tenant and m.conversation_id = :old and m.message_id_header is not null
    )
    update thread_keys k set conversation_id = :new,
      home_id = case when k.home_id = any(cast(:kept as uuid[])) then k.home_id end
    where k.tenant_id = :tenant and k.conversation_id = :old and (
      k.home_id = any(cast(:homes as uuid[]))
      or exists (select from borne b join moved on moved.id = b.id where b.key = k.key)
      or (exists (select from named n join moved on moved.id = n.id where n.key = k.key)
        and not exists (select from borne b where b.key = k.key and b.id not in (select id from moved))
        and not exists (select from named n where n.key = k.key and n.id not in (select id from moved))))
    """
)
MESSAGES = text(
    """
    update messages set conversation_id = :new,
      home_id = case when home_id = any(cast(:kept as uuid[])) then home_id end
    where tenant_id = :tenant and conversation_id = :old and id = any(cast(:ids as uuid[]))
    """
)
DOCUMENTS = text(
    """
    update search_documents set conversation_id = :new
    where tenant_id = :tenant and message_id = any(cast(:ids as uuid[])) and conversation_id = :old
    """
)
AT_VERSION = text(
    """
    update messages set at_version = :version
    where tenant_id = :tenant and conversation_id = :conversation and id = any(cast(:ids as uuid[]))
    """
)


async def lock_in_order(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Collection[uuid.UUID]) -> None:
    """Conversations before their messages, and the lesser id first, as everybody does: so nobody waits in a circle."""
    await connection.execute(LOCK, {"tenant": tenant_id, "ids": list(ids)})


async def move_messages(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    *,
    old: uuid.UUID,
    new: uuid.UUID,
    message_ids: Sequence[uuid.UUID],
    homes: Sequence[uuid.UUID] = (),
) -> None:
    """Move them. `homes` are conversations whose keys go along whatever names them; those but `new` stay remembered as homes."""
    bound = {"tenant": tenant_id, "old": old, "new": new, "ids": list(message_ids)}
    kept = [home for home in homes if home != new]
    await connection.execute(KEYS, {**bound, "homes": list(homes), "kept": kept})
    await connection.execute(MESSAGES, {**bound, "kept": kept})
    await connection.execute(DOCUMENTS, bound)


async def are_news(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    conversation_id: uuid.UUID,
    message_ids: Sequence[uuid.UUID],
    version: int,
) -> None:
    """Moved messages are news to whoever looks there: a reply that did not see them is asked to look again."""
    bound = {"tenant": tenant_id, "conversation": conversation_id, "ids": list(message_ids), "version": version}
    await connection.execute(AT_VERSION, bound)
