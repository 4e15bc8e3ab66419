"""Mails in SES's bucket: written down once, given to the inboxes of their recipients, and kept where a recipient has none.

Works over all tenants, since a mail names no tenant; `mailroom_system` runs it. That a mail is an inbox's and the `seen` row of
that inbox's ledger are one transaction: from then on the inbox's sync fetches it, as it fetches anything that waits.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import ReceiptState
from store.bulk import new_id
from store.domain_inboxes import AddressedInbox, inbox_for_address
from store.event_log import NewEvent, append_events

MOST_ATTEMPTS = 5
CLAIMED_WITHIN = dt.timedelta(days=90)  # so long an unclaimed mail waits for an inbox to be made

# A notice may come after the bucket was listed: it names the envelope, which the header may not have named whole.
WRITE = text(
    """
    insert into ses_receipts (object_id, recipients, received_at) values (:object, :recipients, :at)
    on conflict (object_id) do update set recipients = excluded.recipients, state = 'waiting', attempts = 0
      where excluded.recipients is not null
        and (ses_receipts.recipients is null or not ses_receipts.recipients @> excluded.recipients)
    returning id
    """
)
UNKNOWN = text(
    """
    select o.id from unnest(cast(:objects as text[])) as o (id)
    where not exists (select from ses_receipts r where r.object_id = o.id)
    """
)
HEADLESS = text(
    """
    select id, object_id from ses_receipts where state = 'waiting' and recipients is null order by attempts, id limit :limit
    """
)
SET_RECIPIENTS = text("update ses_receipts set recipients = :recipients where id = :id and recipients is null")
FAILED = text(
    """
    update ses_receipts set attempts = attempts + 1, reason = :reason,
      state = case when attempts + 1 >= :most then 'unclaimed' else state end,
      settled_at = case when attempts + 1 >= :most then cast(:now as timestamptz) end
    where id = :id and state = 'waiting' and recipients is null
    """
)
UNROUTED = text("update ses_receipts set attempts = attempts + 1 where id = :id and state = 'waiting'")
READY = text(
    "select id from ses_receipts where state = 'waiting' and recipients is not null order by attempts, id limit :limit"
)
TAKE = text(
    """
    select id, object_id, recipients, received_at, inbox_ids, settled_at from ses_receipts
    where id = :id and state = 'waiting' and recipients is not null for update skip locked
    """
)
SEEN = text(
    """
    insert into ledger (tenant_id, inbox_id, id, provider_message_id, folder_id, state, internal_date, historical)
    select i.tenant_id, i.id, :id, :object,
      (select f.id from folders f where f.tenant_id = i.tenant_id and f.inbox_id = i.id and f.role = 'inbox' order by f.id limit 1),
      'seen', :at, :at < i.created_at - interval '10 minutes'
    from inboxes i where i.tenant_id = :tenant and i.id = :inbox
    on conflict (tenant_id, inbox_id, provider_message_id) where provider_message_id is not null do nothing
    """
)
SETTLE = text(
    """
    update ses_receipts set state = :state, reason = :reason, inbox_ids = :inboxes, recipients = :recipients, settled_at = now()
    where id = :id
    """
)
HELD = text("select name from domains where name = any(cast(:names as text[])) and verified_at is not null and deleted_at is null")
# Whose domain it is; nobody else is told.
MISSED = text(
    """
    update domains set unclaimed_mails = unclaimed_mails + 1, unclaimed_at = :now
    where name = lower(:name) and verified_at is not null and deleted_at is null returning tenant_id, id
    """
)
# Its domain has got an inbox, or a catch-all, since nobody wanted it; a change that was not committed yet may bear an earlier time.
CLAIMABLE = text(
    """
    update ses_receipts r set state = 'waiting', attempts = 0
    where r.state = 'unclaimed' and r.settled_at > :after and exists (
      select from unnest(r.recipients) as a (address)
      join domains d on d.name = lower(split_part(a.address, '@', 2)) and d.verified_at is not null and d.deleted_at is null
      join inboxes i on i.tenant_id = d.tenant_id and i.domain_id = d.id and i.provider = 'ses' and i.deleted_at is null
      where greatest(i.updated_at, d.verified_at) > r.settled_at - interval '1 minute')
    """
)
FORGET = text(
    "update ses_receipts set recipients = '{}' where state = 'unclaimed' and settled_at <= :after and recipients <> '{}'"
)
OF_INBOX = text(
    """
    select id, object_id, received_at from ses_receipts
    where inbox_ids @> array[cast(:inbox as uuid)] and (cast(:after as uuid) is null or id < cast(:after as uuid))
    order by id desc limit :limit
    """
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mail of an inbox, by `bucket/key`."""

    id: uuid.UUID
    object_id: str
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Headless:
    """A mail that was found in the bucket; whom it is for is not read yet."""

    id: uuid.UUID
    object_id: str


async def write_receipt(
    connection: AsyncConnection, object_id: str, recipients: Sequence[str] | None, *, at: dt.datetime
) -> None:
    """A mail lies there. `recipients` None: it was found in the bucket. Repeats harmlessly; recipients that were not known
    before are looked after, whatever had become of the mail.
    """
    bound = {"object": object_id, "recipients": None if recipients is None else list(recipients), "at": at}
    await connection.execute(WRITE, bound)


async def unknown_objects(connection: AsyncConnection, object_ids: Sequence[str]) -> frozenset[str]:
    """Those of `object_ids` that were never heard of."""
    return frozenset((await connection.execute(UNKNOWN, {"objects": list(object_ids)})).scalars())


async def headless(connection: AsyncConnection, *, limit: int = 200) -> list[Headless]:
    """Mails whose recipients are to be read from them, those that failed least first."""
    return [Headless(r.id, r.object_id) for r in await connection.execute(HEADLESS, {"limit": limit})]


async def note_recipients(connection: AsyncConnection, receipt_id: uuid.UUID, recipients: Sequence[str]) -> None:
    """What the mail itself says. A notice that came meanwhile knows better and stays."""
    await connection.execute(SET_RECIPIENTS, {"id": receipt_id, "recipients": list(recipients)})


async def note_unread(connection: AsyncConnection, receipt_id: uuid.UUID, *, reason: str, now: dt.datetime) -> None:
    """The mail could not be read; after five times it is put aside, for the operator to see."""
    await connection.execute(FAILED, {"id": receipt_id, "reason": reason, "most": MOST_ATTEMPTS, "now": now})


async def ready_receipts(connection: AsyncConnection, *, limit: int = 500) -> list[uuid.UUID]:
    """Mails whose recipients are known and have not been given to their inboxes."""
    return list((await connection.execute(READY, {"limit": limit})).scalars())


async def note_unrouted(connection: AsyncConnection, receipt_id: uuid.UUID) -> None:
    """It could not be given to its inboxes just now: others go first."""
    await connection.execute(UNROUTED, {"id": receipt_id})


async def route_receipt(connection: AsyncConnection, receipt_id: uuid.UUID, *, now: dt.datetime) -> list[AddressedInbox]:
    """Give one mail to the inboxes of its recipients; those to wake. Run twice it finds the mail settled."""
    row = (await connection.execute(TAKE, {"id": receipt_id})).first()
    if row is None:
        return []
    found: dict[uuid.UUID, AddressedInbox] = {}
    left: list[str] = []
    served: set[str] = set()
    for address in row.recipients:
        inbox = await inbox_for_address(connection, address)
        if inbox is None:
            left.append(address)
        else:
            found.setdefault(inbox.inbox_id, inbox)
            served.add(_domain(address))
    ours = await _held(connection, left)
    if found:
        # Somebody has the mail. Who else is named is missed only where another domain of the house is meant.
        left = [a for a in left if _domain(a) in ours - served]
    for inbox in found.values():
        bound = {"id": new_id(), "object": row.object_id, "at": row.received_at, "tenant": inbox.tenant_id, "inbox": inbox.inbox_id}
        await connection.execute(SEEN, bound)
    if row.settled_at is None:  # looked at again, it is no other mail
        await _tell_missed(connection, left, now)
    routed = bool(found) and not left
    settled = {
        "id": row.id,
        "state": (ReceiptState.ROUTED if routed else ReceiptState.UNCLAIMED).value,
        "reason": None if routed else "no inbox for a recipient",
        "inboxes": list(dict.fromkeys([*row.inbox_ids, *found])),
        "recipients": left,  # addresses are kept only while they are needed
    }
    await connection.execute(SETTLE, settled)
    return list(found.values())


async def claim_again(connection: AsyncConnection, *, now: dt.datetime) -> int:
    """Mails that nobody wanted are looked at again where their domain has changed since. How many. After ninety days the
    addresses are forgotten.
    """
    await connection.execute(FORGET, {"after": now - CLAIMED_WITHIN})
    return (await connection.execute(CLAIMABLE, {"after": now - CLAIMED_WITHIN})).rowcount


async def receipts_of(
    connection: AsyncConnection, inbox_id: uuid.UUID, *, after: uuid.UUID | None, limit: int
) -> list[Receipt]:
    """An inbox's mails, newest first, behind `after`."""
    rows = await connection.execute(OF_INBOX, {"inbox": inbox_id, "after": after, "limit": limit})
    return [Receipt(r.id, r.object_id, r.received_at) for r in rows]


async def _held(connection: AsyncConnection, addresses: Sequence[str]) -> set[str]:
    return set((await connection.execute(HELD, {"names": [_domain(a) for a in addresses]})).scalars())


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower().rstrip(".")


async def _tell_missed(connection: AsyncConnection, addresses: Sequence[str], now: dt.datetime) -> None:
    """Whoever holds the domain sees that mail came for addresses that no inbox has. A mail counts once for each domain."""
    for name in sorted({_domain(a) for a in addresses}):
        for row in await connection.execute(MISSED, {"name": name, "now": now}):
            event = NewEvent("domain.updated", row.tenant_id, payload={"domain_id": str(row.id), "notice": "unclaimed_mail"})
            await append_events(connection, [event])
