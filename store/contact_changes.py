"""What people change about a contact: name, company, VIP, fields of their own; and that two contacts are one person.

A merge moves nothing: `merged_into` makes the one another name of the other, and whoever lists conversations or addresses reads both.
So ingest goes on finding a contact by its address, and unmerging is one column. VIP is a person's, so it is kept equal on all names.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.contact_book import ContactRow, get_contact
from store.event_log import NewEvent, append_events
from store.visibility import Viewer

FIELDS_MOST = 50
CHANGE = text(
    """
    update contacts set name = coalesce(cast(:name as text), name), company = coalesce(cast(:company as text), company),
      custom = cast(:custom as jsonb), updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
LOCK = text("select id from contacts where tenant_id = :tenant and id = any(cast(:ids as uuid[])) order by id for no key update")
VIP = text(
    """
    update contacts set vip = :vip, updated_at = now()
    where tenant_id = :tenant and (id = :id or merged_into = :id) and vip <> :vip
    """
)
MERGE = text(
    """
    update contacts set merged_into = :into, updated_at = now() where tenant_id = :tenant and (id = :id or merged_into = :id)
    """
)
UNMERGE = text("update contacts set merged_into = null, updated_at = now() where tenant_id = :tenant and id = :id")


class TooManyFields(Exception):
    """More than fifty fields would stand on one contact."""


class CannotMergeContacts(Exception):
    """`reason` is a sentence that says what to do instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def change_contact(
    connection: AsyncConnection,
    viewer: Viewer,
    contact_id: uuid.UUID,
    *,
    name: str | None = None,
    company: str | None = None,
    vip: bool | None = None,
    custom: Mapping[str, Mapping[str, Any] | None] | None = None,
) -> ContactRow | None:
    """Change what is given; `custom` maps keys to `{"type", "value"}`, None takes a field away. None when there is no such contact.

    Raises TooManyFields. Repeating changes nothing more.
    """
    found = await get_contact(connection, viewer, contact_id)
    if found is None:
        return None
    key = {"tenant": viewer.tenant_id, "id": contact_id}
    await connection.execute(LOCK, {"tenant": viewer.tenant_id, "ids": [contact_id]})
    found = await get_contact(connection, viewer, contact_id) or found
    fields = {k: v for k, v in {**found.custom, **(custom or {})}.items() if v is not None}
    if len(fields) > FIELDS_MOST:
        raise TooManyFields
    await connection.execute(CHANGE, {**key, "name": name, "company": company, "custom": json.dumps(fields)})
    if vip is not None:
        await connection.execute(VIP, {**key, "vip": vip})
    await _tell(connection, viewer, contact_id)
    return await get_contact(connection, viewer, contact_id)


async def merge_contacts(
    connection: AsyncConnection, viewer: Viewer, contact_id: uuid.UUID, into: uuid.UUID
) -> ContactRow | None:
    """They are one person; the survivor is a VIP when one of them was. None when there is no such contact.

    Raises CannotMergeContacts, also for a target that the viewer may not see. Twice is once.
    """
    one, target = await get_contact(connection, viewer, contact_id), await get_contact(connection, viewer, into)
    if one is None:
        return None
    if target is None:
        raise CannotMergeContacts("is no contact that you can see; choose another one")
    ids = [contact_id, into, *(i for i in (target.merged_into, one.merged_into) if i)]
    await connection.execute(LOCK, {"tenant": viewer.tenant_id, "ids": ids})
    one, target = await get_contact(connection, viewer, contact_id), await get_contact(connection, viewer, into)
    if one is None or target is None:
        return None
    survivor = target.merged_into or target.id
    if one.merged_into == survivor:
        return await get_contact(connection, viewer, survivor)
    if one.id == survivor:
        raise CannotMergeContacts("is this contact itself; choose another one")
    if one.merged_into is not None:
        raise CannotMergeContacts("cannot take a contact that was merged already; unmerge that first")
    bound = {"tenant": viewer.tenant_id, "id": contact_id, "into": survivor}
    await connection.execute(MERGE, bound)
    await connection.execute(VIP, {"tenant": viewer.tenant_id, "id": survivor, "vip": one.vip or target.vip})
    await _tell(connection, viewer, contact_id, survivor)
    return await get_contact(connection, viewer, survivor)


async def unmerge_contact(connection: AsyncConnection, viewer: Viewer, contact_id: uuid.UUID) -> ContactRow | None:
    """A person of its own again, with the addresses and conversations that always were its own. VIP stays as it is."""
    found = await get_contact(connection, viewer, contact_id)
    if found is None:
        return None
    if found.merged_into is not None:
        await connection.execute(UNMERGE, {"tenant": viewer.tenant_id, "id": contact_id})
        await _tell(connection, viewer, contact_id, found.merged_into)
    return await get_contact(connection, viewer, contact_id)


async def _tell(connection: AsyncConnection, viewer: Viewer, *contact_ids: uuid.UUID) -> None:
    """Ids only: who may see what of a contact is asked when it is read."""
    payload = {"contact_ids": [str(i) for i in contact_ids]}
    await append_events(
        connection, [NewEvent("contact.updated", viewer.tenant_id, actor=viewer.actor, payload=payload)]
    )
