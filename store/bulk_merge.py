"""Many conversations made one by one bulk change, and taken apart by its undo: each by the functions of a single merge.

They are merged in the transaction in which they were chosen, all or none. Run twice, nothing is left to merge; an undo takes out only what
still stands where this change put it.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Conversation
from store.bulk_one import Made
from store.ingest_lock import lock_ingest
from store.joining import merge_by_person
from store.moving import lock_in_order
from store.shape_rows import CannotReshape, read_shape
from store.unmerging import unmerge
from store.visibility import Viewer, may_see

MOST_MERGED = 100  # at once, in one transaction

ROOTS = text(
    "select coalesce(merged_into, id) from conversations where tenant_id = :tenant and id = any(cast(:ids as uuid[]))"
)


async def choose_survivor(
    connection: AsyncConnection, viewer: Viewer, ids: Sequence[uuid.UUID], into: uuid.UUID | None
) -> dict[str, str]:
    """What `bulks.change` keeps of a merge: the survivor, which is the oldest unless `into` says which, and the inbox.

    Conversations that the viewer may not see are left out. Raises CannotReshape: fewer than two are left, too many, of several
    inboxes, or `into` is none of them.
    """
    found = await connection.execute(
        select(Conversation.id, Conversation.inbox_id)
        .where(
            Conversation.tenant_id == viewer.tenant_id,
            Conversation.id.in_(ids),
            Conversation.merged_into.is_(None),
            Conversation.deleted_at.is_(None),
            may_see(viewer, Conversation.inbox_id),
        )
        .order_by(Conversation.created_at, Conversation.id)
    )
    inboxes: dict[uuid.UUID, uuid.UUID] = {row.id: row.inbox_id for row in found}
    if len(inboxes) < 2:
        raise CannotReshape("too-few", "names fewer than two conversations that you can see; choose what is to be merged")
    if len(inboxes) > MOST_MERGED:
        raise CannotReshape("too-many", f"names more than {MOST_MERGED} conversations; merge fewer at once")
    if into is not None and into not in inboxes:
        raise CannotReshape("no-target", "is none of the conversations that are merged; choose one of them, or leave it out")
    if len(set(inboxes.values())) > 1:
        raise CannotReshape(
            "other-inbox",
            "They are of different inboxes. Merged, the members of one inbox would read the mail of the other. Merge those of one inbox.",
        )
    survivor = into or next(iter(inboxes))
    return {"into": str(survivor), "inbox": str(inboxes[survivor])}


async def hold_merge(
    connection: AsyncConnection, tenant_id: uuid.UUID, merge: Mapping[str, str], ids: Collection[uuid.UUID]
) -> None:
    """Hold these conversations and those that have their mails, behind the inbox's ingest lock (store/shape_rows.py)."""
    await lock_ingest(connection, uuid.UUID(merge["inbox"]))
    every = {*ids, uuid.UUID(merge["into"])}
    roots = (await connection.execute(ROOTS, {"tenant": tenant_id, "ids": list(every)})).scalars()
    await lock_in_order(connection, tenant_id, {*every, *roots})


async def merge_one(
    connection: AsyncConnection, viewer: Viewer, conversation_id: uuid.UUID, change: Mapping[str, Any]
) -> Made:
    """Merge it into the survivor, which is `same` itself. `skipped` when it is gone, merged or not seen any more."""
    into = uuid.UUID(change["merge"]["into"])
    if conversation_id == into:
        return Made("same", {}, {})
    shape = await read_shape(connection, viewer, conversation_id)
    if shape is None or shape.into is not None:
        return Made("skipped", {}, {})
    try:
        survivor = await merge_by_person(connection, viewer, conversation_id, into)
    except CannotReshape:
        return Made("skipped", {}, {})
    return Made("changed", {}, {"merged_into": str(survivor)}) if survivor is not None else Made("skipped", {}, {})


async def part_one(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: uuid.UUID,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> Made:
    """Give it its own back. `left` when somebody has taken it out meanwhile, or may not be told of it."""
    shape = await read_shape(connection, viewer, conversation_id)
    if shape is None or shape.under != uuid.UUID(after["merged_into"]):
        return Made("left", before, after)
    try:
        parted = await unmerge(connection, viewer, conversation_id)
    except CannotReshape:
        return Made("left", before, after)
    return Made("restored" if parted is not None else "left", before, after)
