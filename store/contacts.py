"""Who writes to us: each address becomes a contact once per tenant, whichever inbox or batch saw it first."""

import uuid
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import new_id

FIND = text(
    """
    select identifier_key, contact_id from contact_identities
    where tenant_id = :tenant and channel = 'email' and identifier_key = any(cast(:keys as text[]))
    """
)
ADD_CONTACTS = text(
    """
    insert into contacts (tenant_id, id, name)
    select :tenant, v.* from unnest(cast(:ids as uuid[]), cast(:names as text[])) as v
    """
)
ADD_IDENTITIES = text(
    """
    insert into contact_identities (tenant_id, contact_id, channel, identifier, identifier_key)
    select :tenant, v.id, 'email', v.identifier, v.key
    from unnest(cast(:ids as uuid[]), cast(:identifiers as text[]), cast(:keys as text[])) as v(id, identifier, key)
    on conflict (tenant_id, channel, identifier_key) do nothing
    returning contact_id
    """
)
DROP_UNUSED = text("delete from contacts where tenant_id = :tenant and id = any(cast(:ids as uuid[]))")


async def ensure_contacts(
    connection: AsyncConnection, tenant_id: uuid.UUID, people: Mapping[str, tuple[str, str]]
) -> dict[str, uuid.UUID]:
    """The contact of each address key. `people` maps keys to (address as written, name); missing ones are made.

    Keys are written in sorted order, so two batches that meet the same strangers wait for each other and never deadlock.
    """
    if not people:
        return {}
    found = await _find(connection, tenant_id, list(people))
    missing = sorted(key for key in people if key not in found)
    if not missing:
        return found
    ids = [new_id() for _ in missing]
    await connection.execute(
        ADD_CONTACTS, {"tenant": tenant_id, "ids": ids, "names": [people[key][1] for key in missing]}
    )
    answer = await connection.execute(
        ADD_IDENTITIES,
        {
            "tenant": tenant_id,
            "ids": ids,
            "identifiers": [people[key][0] for key in missing],
            "keys": missing,
        },
    )
    added = set(answer.scalars())
    if len(added) < len(ids):  # another inbox met them a moment ago
        await connection.execute(
            DROP_UNUSED, {"tenant": tenant_id, "ids": [i for i in ids if i not in added]}
        )
        return await _find(connection, tenant_id, list(people))
    return {**found, **dict(zip(missing, ids, strict=True))}


async def _find(connection: AsyncConnection, tenant_id: uuid.UUID, keys: list[str]) -> dict[str, uuid.UUID]:
    answer = await connection.execute(FIND, {"tenant": tenant_id, "keys": keys})
    return {row.identifier_key: row.contact_id for row in answer}
