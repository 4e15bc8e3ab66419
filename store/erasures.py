"""Erasing a person: what is asked for, what of them is found and removed batch by batch, and the receipt.

Removed are the mails that came from the person, the mails we sent to nobody else, reports about those, and everything kept
under the person's addresses. In mails between others the person's address is replaced in the rows. What is held stays.
"""

import datetime as dt
import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.addresses import address_key
from store.event_log import NewEvent, append_events
from store.pages import Page, id_cursor, read_id_cursor
from store.removal import TombstoneReason, drop_conversations, recount, remove_messages

BATCH = 100
NOBODY = "erased@erased.invalid"  # RFC 2606 §2: a name that never leads anywhere

# A contact may be several that people made one.
CONTACT = text(
    """
    with recursive everyone as (
      select id from contacts where tenant_id = :tenant and id = :id
      union select c.id from contacts c join everyone e on c.tenant_id = :tenant and c.merged_into = e.id
    )
    select e.id, i.identifier, i.identifier_key from everyone e
    left join contact_identities i on i.tenant_id = :tenant and i.contact_id = e.id and i.channel = 'email'
    order by e.id
    """
)
OPEN = text("select id from erasures where tenant_id = :tenant and contact_id = :contact and state <> 'done'")
ASK = text(
    """
    insert into erasures (tenant_id, contact_id, addresses, address_hashes, asked_by, actor)
    values (:tenant, :contact, cast(:addresses as text[]), cast(:hashes as text[]), :user, :actor)
    on conflict (tenant_id, contact_id) where state <> 'done' do update set contact_id = excluded.contact_id returning id
    """
)
LOCK = text(
    """
    select id, contact_id, state, addresses, counts, asked_at from erasures where tenant_id = :tenant and id = :id for update
    """
)
ADDRESSED = "lower(m.from_address) = any(cast(:addresses as text[]))"
OURS_TO_THEM = """
    exists (select from message_recipients r where r.tenant_id = m.tenant_id and r.message_id = m.id
      and r.address_key = any(cast(:keys as text[])))
    and not exists (select from message_recipients r where r.tenant_id = m.tenant_id and r.message_id = m.id
      and not r.address_key = any(cast(:keys as text[])))
"""
HELD = "exists (select from conversations c where c.tenant_id = m.tenant_id and c.id = m.conversation_id and c.held)"
# Seldom asked, so it may read all of a tenant's mail: no index is paid for by every mail that comes in.
THEIRS = f"""
    select m.id from messages m where m.tenant_id = :tenant and m.direction = 'inbound' and {ADDRESSED}
    union
    select m.id from messages m where m.tenant_id = :tenant and m.direction = 'outbound' and m.id in (
      select message_id from message_recipients where tenant_id = :tenant and address_key = any(cast(:keys as text[])))
      and {OURS_TO_THEM}
    union
    select l.message_id from ledger l where l.tenant_id = :tenant and l.reports is not null and l.message_id is not null
      and exists (select from jsonb_array_elements(l.reports) e where lower(e ->> 'address') = any(cast(:addresses as text[])))
    union
    select l.message_id from tombstones t
    join inboxes i on i.tenant_id = t.tenant_id
    join ledger l on l.tenant_id = t.tenant_id and l.inbox_id = i.id and l.raw_sha256 = t.raw_sha256
    where t.tenant_id = :tenant and t.reason = 'erased' and t.created_at >= :asked_at and l.message_id is not null
"""
FIND = text(
    f"""
    select m.id from messages m where m.tenant_id = :tenant and m.id in ({THEIRS})
      and m.send_status is distinct from 'sending' and not {HELD}
    order by m.id limit :limit
    """
)
LEFT = text(
    f"""
    select count(*) filter (where {HELD}) as held, count(*) filter (where not {HELD}) as sending
    from messages m where m.tenant_id = :tenant and m.id in ({THEIRS})
    """
)
EMPTY = text(
    """
    select c.id from conversations c where c.tenant_id = :tenant and c.id = any(cast(:ids as uuid[])) and not c.held
      and not exists (select from messages m where m.tenant_id = :tenant and m.conversation_id = c.id)
    """
)
ADD_COUNTS = text("update erasures set counts = cast(:counts as jsonb) where tenant_id = :tenant and id = :id")
# What stays belongs to others; the person's address in it is replaced. Their words and the raw mail are theirs.
REDACT_RECIPIENTS = text(
    """
    update message_recipients set address = :nobody, address_key = :nobody, name = '', delivery_detail = null
    where tenant_id = :tenant and address_key = any(cast(:keys as text[])) and not exists (
      select from messages m join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
      where m.tenant_id = :tenant and m.id = message_recipients.message_id and c.held)
    returning message_id
    """
)
REDACT_DELIVERIES = text(
    """
    update delivery_events set recipient = :nobody, details = '{}' where tenant_id = :tenant
      and message_id = any(cast(:ids as uuid[])) and lower(recipient) = any(cast(:addresses as text[]))
    """
)
INDEX_AGAIN = text("update messages set indexed_at = null where tenant_id = :tenant and id = any(cast(:ids as uuid[]))")
FORGET_DOCUMENTS = text(
    "delete from search_documents where tenant_id = :tenant and message_id = any(cast(:ids as uuid[]))"
)
REDACT_REPLY_TO = text(
    f"""
    update messages m set reply_to = '[]', return_path = case when lower(return_path) = any(cast(:addresses as text[])) then null
      else return_path end
    where m.tenant_id = :tenant and not {HELD} and (lower(m.return_path) = any(cast(:addresses as text[]))
      or exists (select from jsonb_array_elements(m.reply_to) e where lower(e ->> 'address') = any(cast(:addresses as text[]))))
    """
)
REDACT_CONVERSATIONS = text(
    """
    update conversations set contact_id = null, customer_identifier = '', customer_name = ''
    where tenant_id = :tenant and not held and (contact_id = any(cast(:contacts as uuid[]))
      or lower(customer_identifier) = any(cast(:addresses as text[])))
    returning id, inbox_id, version
    """
)
FORGET_DRAFTS = text(
    """
    delete from drafts where tenant_id = :tenant and conversation_id = any(cast(:ids as uuid[]))
    """
)
FORGET_ANSWERS = text(
    """
    delete from idempotency_keys where tenant_id = :tenant and response is not null
      and exists (select from unnest(cast(:addresses as text[])) a where position(a in lower(cast(response as text))) > 0)
    """
)
FORGET = {
    "suppressed_addresses": text(
        "delete from suppressed_addresses where tenant_id = :tenant and address_key = any(cast(:keys as text[]))"
    ),
    "loop_budgets": text(
        "delete from loop_budgets where tenant_id = :tenant and ltrim(correspondent_key, '<') = any(cast(:keys as text[]))"
    ),
    "loop_breaches": text(
        "delete from loop_breaches where tenant_id = :tenant and ltrim(correspondent_key, '<') = any(cast(:keys as text[]))"
    ),
}
FORGET_IDENTITIES = text("delete from contact_identities where tenant_id = :tenant and contact_id = any(cast(:contacts as uuid[]))")
FORGET_CONTACTS = text("delete from contacts where tenant_id = :tenant and id = any(cast(:contacts as uuid[]))")
ROWS_GONE = text(
    "update erasures set state = 'objects', rows_gone_at = :now where tenant_id = :tenant and id = :id and state = 'erasing'"
)
END = text(
    """
    update erasures set state = 'done', done_at = :now, addresses = '{}' where tenant_id = :tenant and id = :id and state = 'objects'
    """
)
SELECT = """
    select e.id, e.state, e.address_hashes, e.counts, e.asked_at, e.rows_gone_at, e.done_at, e.asked_by, u.name as asked_by_name
    from erasures e left join users u on u.tenant_id = e.tenant_id and u.id = e.asked_by where e.tenant_id = :tenant
"""
LIST = text(f"{SELECT} and (cast(:after as uuid) is null or e.id < :after) order by e.id desc limit :limit")
ONE = text(f"{SELECT} and e.id = :id")


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """`address_hashes` are the SHA-256 of the address keys: whoever knows an address can see that it was meant."""

    id: uuid.UUID
    state: str
    address_hashes: Sequence[str]
    counts: Mapping[str, int]
    asked_at: dt.datetime
    rows_gone_at: dt.datetime | None
    done_at: dt.datetime | None
    asked_by: uuid.UUID | None
    asked_by_name: str | None


@dataclass(frozen=True, slots=True)
class ErasedBatch:
    """`more`: ask again. `waiting`: what is left cannot be removed yet."""

    state: str
    more: bool = False
    waiting: bool = False
    messages: int = 0


class NotTheirAddress(Exception):
    """The address that was typed as a confirmation is none of the contact's."""


def hash_of(address: str) -> str:
    """How a receipt names an address."""
    return hashlib.sha256(address_key(address).encode()).hexdigest()


async def ask_erasure(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    contact_id: uuid.UUID,
    *,
    confirm: str,
    user_id: uuid.UUID | None,
    actor: str,
) -> uuid.UUID | None:
    """Write down that a contact is to be erased; None without such a contact. Asked again while under way, the same one is named.
    Raises NotTheirAddress.
    """
    rows = (await connection.execute(CONTACT, {"tenant": tenant_id, "id": contact_id})).all()
    if not rows:
        return None
    known = (await connection.execute(OPEN, {"tenant": tenant_id, "contact": contact_id})).scalar_one_or_none()
    if known is not None:
        return uuid.UUID(str(known))
    keys = {r.identifier_key for r in rows if r.identifier_key}
    if address_key(confirm) not in keys:
        raise NotTheirAddress
    written = {r.identifier for r in rows if r.identifier} | keys
    given = {
        "tenant": tenant_id,
        "contact": contact_id,
        "addresses": sorted({a.lower() for a in written}),
        "hashes": sorted(hash_of(k) for k in keys),
        "user": user_id,
        "actor": actor,
    }
    made: uuid.UUID = (await connection.execute(ASK, given)).scalar_one()
    await append_events(connection, [NewEvent("erasure.progress", tenant_id, actor=actor, payload={"erasure_id": str(made), "state": "erasing"})])
    return made


async def erase_batch(
    connection: AsyncConnection, tenant_id: uuid.UUID, erasure_id: uuid.UUID, *, now: dt.datetime
) -> ErasedBatch | None:
    """Remove the next messages of a person, or when none is left everything else; None for an unknown erasure. One transaction."""
    row = (await connection.execute(LOCK, {"tenant": tenant_id, "id": erasure_id})).first()
    if row is None:
        return None
    if row.state != "erasing":
        return ErasedBatch(row.state)
    actor = f"erasure:{erasure_id}"
    known = {
        "tenant": tenant_id,
        "addresses": list(row.addresses),
        "keys": sorted({address_key(a) for a in row.addresses}),
        "asked_at": row.asked_at,
    }
    ids = list((await connection.execute(FIND, {**known, "limit": BATCH})).scalars())
    if ids:
        counts, places = await remove_messages(
            connection, tenant_id, ids, reason=TombstoneReason.ERASED, erasure_id=erasure_id
        )
        found = await connection.execute(EMPTY, {"tenant": tenant_id, "ids": [str(p) for p in places]})
        empty = list(found.scalars())
        counts["conversations"] = await drop_conversations(
            connection, tenant_id, empty, reason=TombstoneReason.ERASED, actor=actor
        )
        await recount(connection, tenant_id, sorted(places - set(empty)), actor=actor)
        await _add(connection, tenant_id, erasure_id, Counter(row.counts) + counts)
        return ErasedBatch("erasing", more=True, messages=counts["messages"])
    left = (await connection.execute(LEFT, known)).one()
    if left.sending:
        return ErasedBatch("erasing", waiting=True)
    contacts = [r.id for r in (await connection.execute(CONTACT, {"tenant": tenant_id, "id": row.contact_id})).all()]
    counts = await _redact(connection, {**known, "contacts": sorted({str(c) for c in [*contacts, row.contact_id]})}, actor)
    counts["held_messages"] = left.held
    await _add(connection, tenant_id, erasure_id, Counter(row.counts) + counts)
    await connection.execute(ROWS_GONE, {"tenant": tenant_id, "id": erasure_id, "now": now})
    return ErasedBatch("objects", more=True)


async def _redact(connection: AsyncConnection, known: Mapping[str, object], actor: str) -> Counter[str]:
    """Everything that is kept under the person's addresses, and their address in what stays of others."""
    counts: Counter[str] = Counter()

    async def gone(kind: str, statement: object, **more: object) -> None:
        counts[kind] += (await connection.execute(statement, {**known, **more})).rowcount  # type: ignore[call-overload]

    touched = (await connection.execute(REDACT_RECIPIENTS, {**known, "nobody": NOBODY})).scalars().all()
    counts["recipients_redacted"] = len(touched)
    messages = sorted({str(m) for m in touched})
    if messages:
        await gone("delivery_reports_redacted", REDACT_DELIVERIES, ids=messages, nobody=NOBODY)
        await connection.execute(FORGET_DOCUMENTS, {**known, "ids": messages})
        await connection.execute(INDEX_AGAIN, {**known, "ids": messages})
    await gone("messages_redacted", REDACT_REPLY_TO)
    places = (await connection.execute(REDACT_CONVERSATIONS, dict(known))).all()
    counts["conversations_redacted"] = len(places)
    await append_events(
        connection,
        [
            NewEvent(
                "conversation.updated",
                uuid.UUID(str(known["tenant"])),
                inbox_id=p.inbox_id,
                conversation_id=p.id,
                actor=actor,
                payload={"version": p.version, "changed": ["customer"]},
            )
            for p in places
        ],
    )
    await gone("drafts", FORGET_DRAFTS, ids=[str(p.id) for p in places])
    await gone("kept_answers", FORGET_ANSWERS)
    for kind, statement in FORGET.items():
        await gone(kind, statement)
    await gone("addresses", FORGET_IDENTITIES)
    await gone("contacts", FORGET_CONTACTS)
    return counts


async def add_octets(
    connection: AsyncConnection, tenant_id: uuid.UUID, erasure_id: uuid.UUID, counts: Counter[str]
) -> None:
    """Add what went from the bucket to the receipt."""
    row = (await connection.execute(LOCK, {"tenant": tenant_id, "id": erasure_id})).one()
    await _add(connection, tenant_id, erasure_id, Counter(row.counts) + counts)


async def end_erasure(
    connection: AsyncConnection, tenant_id: uuid.UUID, erasure_id: uuid.UUID, *, refused: int, now: dt.datetime
) -> None:
    """The receipt is whole; the addresses are forgotten. Twice is once."""
    if refused:
        await add_octets(connection, tenant_id, erasure_id, Counter(octets_refused=refused))
    ended = await connection.execute(END, {"tenant": tenant_id, "id": erasure_id, "now": now})
    if ended.rowcount:
        payload = {"erasure_id": str(erasure_id), "state": "done"}
        await append_events(connection, [NewEvent("erasure.progress", tenant_id, payload=payload)])


async def _add(
    connection: AsyncConnection, tenant_id: uuid.UUID, erasure_id: uuid.UUID, counts: Counter[str]
) -> None:
    given = {"tenant": tenant_id, "id": erasure_id, "counts": orjson.dumps(dict(+counts)).decode()}
    await connection.execute(ADD_COUNTS, given)


async def list_erasures(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, after: str | None, limit: int
) -> Page[ErasureRow]:
    """Receipts, newest first. Raises BadCursor."""
    place = read_id_cursor(after) if after is not None else None
    rows = (await connection.execute(LIST, {"tenant": tenant_id, "after": place, "limit": limit + 1})).all()
    items = [ErasureRow(**r._asdict()) for r in rows[:limit]]
    return Page(items, id_cursor(items[-1].id) if len(rows) > limit else None)


async def get_erasure(
    connection: AsyncConnection, tenant_id: uuid.UUID, erasure_id: uuid.UUID
) -> ErasureRow | None:
    row = (await connection.execute(ONE, {"tenant": tenant_id, "id": erasure_id})).first()
    return ErasureRow(**row._asdict()) if row else None
