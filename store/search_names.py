"""Tags, inboxes and people by the names that a search gives: conditions on their ids."""

import uuid
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.search_query import BadSearch, Name
from store.view_conditions import Leaf
from store.view_fields import ME, NONE

FIND = {
    "tag": "select id from tags where tenant_id = :tenant and lower(name) = lower(:name)",
    "inbox": "select id from inboxes where tenant_id = :tenant and (lower(name) = lower(:name) or lower(email_address) = lower(:name))",
    "assigned": (
        "select id from users where tenant_id = :tenant and deleted_at is null and (lower(name) = lower(:name) or lower(email) = lower(:name)"
        " or lower(split_part(name, ' ', 1)) = lower(:name)) limit 50"
    ),
}
FIELD = {"tag": "tag", "inbox": "inbox", "assigned": "assignee"}
REMEDY = {
    "tag": "there is no tag of this name; `tag:` is followed by a tag's name, in quotes when it has spaces",
    "inbox": "there is no inbox of this name; `inbox:` is followed by an inbox's name or address",
    "assigned": "there is nobody of this name; `assigned:` is followed by me, none, or a colleague's name or address",
}


async def find_names(connection: AsyncConnection, tenant_id: uuid.UUID, names: Sequence[Name]) -> list[Leaf]:
    """A condition for each name. Raises BadSearch for one that is nobody's."""
    leaves = []
    for one in names:
        values = await _values(connection, tenant_id, one)
        leaves.append(Leaf(FIELD[one.kind], "not_in" if one.minus else "in", values))
    return leaves


async def _values(connection: AsyncConnection, tenant_id: uuid.UUID, one: Name) -> list[str]:
    if one.kind == "assigned" and one.name.lower() in (ME, NONE):
        return [one.name.lower()]
    rows = await connection.execute(text(FIND[one.kind]), {"tenant": tenant_id, "name": one.name})
    found = [str(i) for i in rows.scalars()]
    if not found:
        raise BadSearch(REMEDY[one.kind])
    return found
