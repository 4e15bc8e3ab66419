"""A bulk change at one conversation: made as a person would make it, with what was before and after; and taken back.

The caller holds the conversation. The same functions change it as for a single change, so its events, its assignments and what the
mailbox is told are the same too.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.assignment import AtCapacity
from store.conversation_tags import set_tags
from store.conversations import NoSuchPerson, change_conversation
from store.intents import intend_labels, intend_place
from store.visibility import Viewer

FIELDS = ("status", "snoozed_until", "priority", "category", "assigned_to")
NOW = text(
    """
    select c.status, c.snoozed_until, c.priority, c.category, c.assigned_to,
      array(select t.name from conversation_tags g join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
        where g.tenant_id = c.tenant_id and g.conversation_id = c.id) as tags
    from conversations c
    where c.tenant_id = :tenant and c.id = :id and c.merged_into is null and c.deleted_at is null
    """
)


@dataclass(frozen=True, slots=True)
class Made:
    """`state` is a word of `BulkChangeState`; `inbox_id` where the mailbox is to be told."""

    state: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    inbox_id: uuid.UUID | None = None


async def change_one(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, change: Mapping[str, Any]
) -> Made:
    """Make the change. `skipped` when it is gone, merged or not seen any more, or the assignee cannot take it."""
    now = await _now(connection, viewer, conversation_id)
    if now is None:
        return Made("skipped", {}, {})
    wanted = {n: change[n] for n in FIELDS if n in change and now[n] != change[n]}
    if "status" in wanted:
        wanted["snoozed_until"] = None
    held = set(now["tags"])
    added = sorted(set(change.get("add_tags", ())) - held)
    removed = sorted(set(change.get("remove_tags", ())) & held)
    if not wanted and not added and not removed:
        return Made("same", {}, {})
    told = await _put(connection, viewer, conversation_id, wanted, held, added, removed)
    if told is None:
        return Made("skipped", {}, {})
    before = {n: now[n] for n in wanted} | ({"tags": {"added": added, "removed": removed}} if added or removed else {})
    return Made("changed", before, wanted, told[0])


async def restore_one(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> Made:
    """Put back what still is as the change made it. `left` when anything is not: that stays, the rest is put back."""
    now = await _now(connection, viewer, conversation_id)
    if now is None:
        return Made("left", before, after)
    moved_on = {n for n in after if now[n] != after[n]}
    if "status" in moved_on or "snoozed_until" in moved_on:
        moved_on |= {"status", "snoozed_until"} & set(after)
    back = {n: before[n] for n in after if n not in moved_on}
    tags, held = before.get("tags", {"added": [], "removed": []}), set(now["tags"])
    added, removed = sorted(set(tags["removed"]) - held), sorted(set(tags["added"]) & held)
    if len(added) < len(tags["removed"]) or len(removed) < len(tags["added"]):
        moved_on.add("tags")
    told = await _put(connection, viewer, conversation_id, back, held, added, removed)
    if told is None:
        return Made("left", before, after)
    return Made("left" if moved_on else "restored", before, after, told[0])


async def _put(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    fields: Mapping[str, Any],
    held: set[str],
    added: list[str],
    removed: list[str],
) -> tuple[uuid.UUID | None] | None:
    """None when it cannot be; else the inbox whose mailbox is to be told, if any."""
    values = dict(fields)
    if values.get("assigned_to") is not None:
        values["assigned_to"] = uuid.UUID(values["assigned_to"])
    if values.get("snoozed_until") is not None:
        values["snoozed_until"] = dt.datetime.fromisoformat(values["snoozed_until"])
    elif values.get("status") != "snoozed":
        values.pop("snoozed_until", None)
    try:
        known = await change_conversation(
            connection, viewer, conversation_id, values, may_exceed=viewer.sees_all
        )
    except (NoSuchPerson, AtCapacity):
        return None
    if not known:
        return None
    inbox_id = None
    if added or removed:
        await set_tags(connection, viewer, conversation_id, sorted((held | set(added)) - set(removed)))
        inbox_id = await intend_labels(
            connection, viewer, conversation_id, added=tuple(added), removed=tuple(removed)
        )
    if "status" in values:
        inbox_id = await intend_place(connection, viewer, conversation_id, values["status"]) or inbox_id
    return (inbox_id,)


async def _now(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID
) -> dict[str, Any] | None:
    """As JSON keeps it."""
    row = (await connection.execute(NOW, {"tenant": viewer.tenant_id, "id": conversation_id})).mappings().first()
    if row is None:
        return None
    return {
        **row,
        "assigned_to": str(row["assigned_to"]) if row["assigned_to"] else None,
        "snoozed_until": row["snoozed_until"].isoformat() if row["snoozed_until"] else None,
    }
