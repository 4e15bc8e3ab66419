"""The tags of one conversation, set as a whole. A tag that nobody has used before is made; one that is not used any more stays."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events
from store.visibility import Viewer

# The conversation is locked by its change, so two that set tags follow each other.
BUMP = text(
    """
    update conversations set updated_at = now() where tenant_id = :tenant and id = :id returning version, inbox_id
    """
)
HELD = text(
    """
    select t.name from conversation_tags g join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
    where g.tenant_id = :tenant and g.conversation_id = :id
    """
)
MAKE = text(
    """
    insert into tags (tenant_id, name, created_by) select :tenant, name, :person from unnest(cast(:names as text[])) as v(name)
    on conflict (tenant_id, name) do nothing
    """
)
ADD = text(
    """
    insert into conversation_tags (tenant_id, conversation_id, tag_id)
    select :tenant, :id, t.id from tags t where t.tenant_id = :tenant and t.name = any(cast(:names as text[]))
    on conflict do nothing
    """
)
REMOVE = text(
    """
    delete from conversation_tags g using tags t
    where g.tenant_id = :tenant and g.conversation_id = :id and t.tenant_id = g.tenant_id and t.id = g.tag_id
      and t.name = any(cast(:names as text[]))
    """
)


@dataclass(frozen=True, slots=True)
class ChangedTags:
    """The names that were put on and taken off; both empty when all stood already."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


async def set_tags(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, names: Sequence[str]
) -> ChangedTags:
    """Exactly these tags. The caller has found that the viewer may change the conversation. Twice is once, with one event."""
    key = {"tenant": viewer.tenant_id, "id": conversation_id}
    await connection.execute(text("select 1 from conversations where tenant_id = :tenant and id = :id for no key update"), key)
    wanted, held = set(names), set((await connection.execute(HELD, key)).scalars())
    changed = ChangedTags(tuple(sorted(wanted - held)), tuple(sorted(held - wanted)))
    if not changed.added and not changed.removed:
        return changed
    if changed.added:
        bound = {"tenant": viewer.tenant_id, "names": list(changed.added), "person": viewer.user_id}
        await connection.execute(MAKE, bound)
        await connection.execute(ADD, {**key, "names": list(changed.added)})
    if changed.removed:
        await connection.execute(REMOVE, {**key, "names": list(changed.removed)})
    row = (await connection.execute(BUMP, key)).one()
    event = NewEvent(
        type="conversation.updated",
        tenant_id=viewer.tenant_id,
        inbox_id=row.inbox_id,
        conversation_id=conversation_id,
        actor=viewer.actor,
        payload={"version": row.version, "changed": ["tags"]},
    )
    await append_events(connection, [event])
    return changed
