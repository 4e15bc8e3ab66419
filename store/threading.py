"""Looks up what a batch of mails refers to, plans their threads, and writes the ids by which later mails find them.

Ids are looked up in one inbox only: the same mail to two inboxes is two conversations (zammad #1578).
"""

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import ThreadKeyKind
from store.addresses import address_key
from store.apart import pairs_apart
from store.bulk import array_text
from store.thread_plan import MOST_PARENTS, KnownConversation, Letter, ThreadPlan, contested, plan_threads

KEYS = text(
    """
    select k.key, c.id, c.number from thread_keys k
    join conversations c on c.tenant_id = k.tenant_id and c.id = k.conversation_id
    where k.tenant_id = :tenant and k.inbox_id = :inbox and k.key = any(cast(:keys as text[]))
    """
)
# Our own mails answer to their Message-ID even if nobody wrote a key for them.
OWN_MAILS = text(
    """
    select distinct on (m.message_id_header) m.message_id_header as key, c.id, c.number from messages m
    join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
    where m.tenant_id = :tenant and m.inbox_id = :inbox and m.message_id_header = any(cast(:keys as text[]))
    order by m.message_id_header, c.number
    """
)
# A number may belong to a conversation that was merged: follow it to the one that stayed.
NUMBERS = text(
    """
    with recursive followed as (
      select number as asked, id, number, merged_into from conversations
      where tenant_id = :tenant and inbox_id = :inbox and number = any(cast(:numbers as bigint[]))
      union all
      select f.asked, c.id, c.number, c.merged_into from followed f
      join conversations c on c.tenant_id = :tenant and c.id = f.merged_into
    )
    select asked, id, number from followed where merged_into is null
    """
)
PEOPLE = text(
    """
    select m.conversation_id, m.from_address as address, null as key from messages m
    where m.tenant_id = :tenant and m.conversation_id = any(cast(:ids as uuid[])) and m.from_address <> ''
    union
    select m.conversation_id, null, r.address_key from messages m
    join message_recipients r on r.tenant_id = m.tenant_id and r.message_id = m.id
    where m.tenant_id = :tenant and m.conversation_id = any(cast(:ids as uuid[]))
    """
)
SAVE_KEYS = text(
    """
    insert into thread_keys (tenant_id, inbox_id, key, kind, conversation_id)
    select :tenant, :inbox, v.* from unnest(
      cast(:keys as text[]), cast(:kinds as text[]), cast(:conversations as uuid[])) as v
    on conflict (tenant_id, inbox_id, key) do update set kind = 'message_id'
    where excluded.kind = 'message_id' and thread_keys.kind = 'reference'
    """
)
SUGGEST = text(
    """
    insert into thread_suggestions (tenant_id, conversation_id, other_id, why)
    select :tenant, v.* from unnest(
      cast(:ones as uuid[]), cast(:others as uuid[]), cast(:whys as text[])) as v
    on conflict do nothing
    """
)


async def plan_batch(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    letters: Sequence[Letter],
    *,
    own: frozenset[str],
    but: frozenset[str] = frozenset(),
) -> ThreadPlan:
    """The plan for a batch: at most five statements, however many letters. `own` are our address keys, `but` ids that
    lead nowhere for once.
    """
    keys = {key for letter in letters for key in (letter.own_key, *letter.parents[:MOST_PARENTS])} - but
    place = {"tenant": tenant_id, "inbox": inbox_id}
    known = await _known(connection, place, keys)
    lost = [x for x in letters if x.own_key not in known and not any(p in known for p in x.parents)]
    numbers = {n for x in lost for n in (x.token_number, x.ticket_number) if n is not None}
    by_number = await _numbered(connection, place, numbers)
    needed = contested(letters, known) | {c.id for c in by_number.values()}
    people = await people_of(connection, tenant_id, needed, own=own)
    apart = await pairs_apart(connection, tenant_id, needed)
    return plan_threads(letters, known=known, by_number=by_number, people=people, apart=apart)


async def _known(
    connection: AsyncConnection, place: Mapping[str, uuid.UUID], keys: set[str]
) -> dict[str, KnownConversation]:
    if not keys:
        return {}
    known = {
        row.key: KnownConversation(row.id, row.number, written=True)
        for row in await connection.execute(KEYS, {**place, "keys": list(keys)})
    }
    missing = [key for key in keys if key not in known]
    if missing:
        for row in await connection.execute(OWN_MAILS, {**place, "keys": missing}):
            known[row.key] = KnownConversation(row.id, row.number)
    return known


async def _numbered(
    connection: AsyncConnection, place: Mapping[str, uuid.UUID], numbers: set[int]
) -> dict[int, KnownConversation]:
    if not numbers:
        return {}
    answer = await connection.execute(NUMBERS, {**place, "numbers": list(numbers)})
    return {row.asked: KnownConversation(row.id, row.number) for row in answer}


async def people_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: frozenset[uuid.UUID], *, own: frozenset[str]
) -> dict[uuid.UUID, frozenset[str]]:
    """The address keys of everybody on the mails of these conversations, without ourselves."""
    if not ids:
        return {}
    people: dict[uuid.UUID, set[str]] = {i: set() for i in ids}
    for row in await connection.execute(PEOPLE, {"tenant": tenant_id, "ids": list(ids)}):
        key = row.key if row.key is not None else address_key(row.address)
        if key not in own:
            people[row.conversation_id].add(key)
    return {i: frozenset(members) for i, members in people.items()}


async def save_keys(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    keys: Mapping[str, tuple[uuid.UUID, bool]],
) -> None:
    """Write the ids of a batch. `keys` maps an id to its conversation and whether a mail bears it (else one names it).

    Sorted, so that two writers never wait for each other in a circle. A key that exists keeps its conversation.
    """
    usable = sorted(key for key in keys if len(key) > 2)
    if not usable:
        return
    await connection.execute(
        SAVE_KEYS,
        {
            "tenant": tenant_id,
            "inbox": inbox_id,
            "keys": array_text(usable),
            "kinds": array_text(
                (ThreadKeyKind.MESSAGE_ID if keys[key][1] else ThreadKeyKind.REFERENCE).value for key in usable
            ),
            "conversations": array_text(keys[key][0].hex for key in usable),
        },
    )


async def suggest(
    connection: AsyncConnection, tenant_id: uuid.UUID, pairs: Sequence[tuple[uuid.UUID, uuid.UUID, str]]
) -> None:
    """Weak matches for a person to follow."""
    if pairs:
        await connection.execute(
            SUGGEST,
            {
                "tenant": tenant_id,
                "ones": [p[0] for p in pairs],
                "others": [p[1] for p in pairs],
                "whys": [p[2] for p in pairs],
            },
        )
