"""The people who write to us: the list with its search, and one of them with addresses and fields.

Who does not see all inboxes sees of a contact only the conversations of the inboxes that he may see, and a contact without any of
those not at all. A contact that was merged is found under its survivor alone.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.addresses import address_key
from store.pages import Page, id_cursor, read_id_cursor
from store.visibility import Viewer, seen_inboxes

OPEN_MOST = 99
# A contact and the other names of the same person.
FAMILY = "(x.contact_id = c.id or x.contact_id in (select o.id from contacts o where o.tenant_id = :tenant and o.merged_into = c.id))"
SEEN = f"""
  (cast(:all as boolean) or exists (select from conversations x
    where x.tenant_id = :tenant and {FAMILY} and x.inbox_id = any(cast(:inboxes as uuid[])) and x.deleted_at is null))
"""
MINE = f"""
  x.tenant_id = :tenant and {FAMILY} and x.merged_into is null and x.deleted_at is null
  and (cast(:all as boolean) or x.inbox_id = any(cast(:inboxes as uuid[])))
"""
COLUMNS = f"""
  select c.id, c.name, c.company, c.vip, c.custom, c.merged_into, c.created_at,
    (select max(x.last_message_at) from conversations x where {MINE}) as last_message_at,
    (select count(*) from (select from conversations x where {MINE} and x.status in ('open', 'pending', 'snoozed')
      limit {OPEN_MOST}) s) as open,
    coalesce((select json_agg(json_build_array(x.channel, x.identifier) order by x.created_at, x.id)
      from contact_identities x where x.tenant_id = :tenant and {FAMILY}), '[]') as identities,
    coalesce((select json_agg(json_build_array(o.id, o.name) order by o.id) from contacts o
      where o.tenant_id = :tenant and o.merged_into = c.id), '[]') as merged
  from contacts c
"""
LIST = text(
    f"""
    {COLUMNS}
    where c.tenant_id = :tenant and c.merged_into is null and {SEEN}
      and (cast(:after as uuid) is null or c.id < :after) and (cast(:vip as boolean) is null or c.vip = :vip)
      and (:words = '' or c.name ilike :like or c.company ilike :like or exists (select from contact_identities x
        where x.tenant_id = :tenant and {FAMILY} and x.identifier_key like :key_like))
    order by c.id desc limit :limit
    """
)
ONE = text(f"{COLUMNS} where c.tenant_id = :tenant and c.id = :id and {SEEN}")

OF_CONVERSATION = text(
    """
    select coalesce(p.merged_into, p.id) from conversations c
    join contacts p on p.tenant_id = c.tenant_id and p.id = c.contact_id
    where c.tenant_id = :tenant and c.id = :id
    """
)


@dataclass(frozen=True, slots=True)
class ContactRow:
    """`open` is at most 99; `identities` are (channel, address) also of its other names, `merged` those names with their ids."""

    id: uuid.UUID
    name: str
    company: str
    vip: bool
    custom: Mapping[str, Mapping[str, Any]]
    merged_into: uuid.UUID | None
    created_at: dt.datetime
    last_message_at: dt.datetime | None
    open: int
    identities: Sequence[tuple[str, str]]
    merged: Sequence[tuple[str, str]]


async def list_contacts(
    connection: AsyncConnection,
    viewer: Viewer,
    *,
    words: str = "",
    vip: bool | None = None,
    after: str | None = None,
    limit: int,
) -> Page[ContactRow]:
    """One page, the newest first. `words` are looked for in name, company and addresses. Raises BadCursor."""
    plain = words.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    bound = {
        **await _sight(connection, viewer),
        "after": read_id_cursor(after) if after is not None else None,
        "vip": vip,
        "words": plain,
        "like": f"%{plain}%",
        "key_like": f"%{address_key(plain) if '@' in plain else plain.casefold()}%",
        "limit": limit + 1,
    }
    rows = [ContactRow(*row) for row in await connection.execute(LIST, bound)]
    following = id_cursor(rows[limit - 1].id) if len(rows) > limit else None
    return Page(rows[:limit], following)


async def get_contact(connection: AsyncConnection, viewer: Viewer, contact_id: uuid.UUID) -> ContactRow | None:
    """None for a contact that is not there, or not for this viewer. A merged one names its survivor."""
    row = (await connection.execute(ONE, {**await _sight(connection, viewer), "id": contact_id})).first()
    return ContactRow(*row) if row is not None else None


async def contact_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID
) -> uuid.UUID | None:
    """Who a conversation is with: the survivor, where the contact was merged."""
    found = await connection.execute(OF_CONVERSATION, {"tenant": tenant_id, "id": conversation_id})
    contact: uuid.UUID | None = found.scalar_one_or_none()
    return contact


async def _sight(connection: AsyncConnection, viewer: Viewer) -> dict[str, Any]:
    inboxes = await seen_inboxes(connection, viewer)
    return {"tenant": viewer.tenant_id, "all": inboxes is None, "inboxes": inboxes or []}
