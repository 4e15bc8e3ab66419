"""Announcements of Gmail and Graph: whose inbox they mean, and whether they tell anything new.

The look-up runs over all tenants, since a notice names none; it gives ids only. Everything that is written is written in the
inbox's own tenant.
"""

import datetime as dt
import hashlib
import hmac
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

KEPT = dt.timedelta(days=2)  # Pub/Sub gives up after a day here, Graph after four hours
MOST_INBOXES = 100
NOBODYS = hashlib.sha256(b"no subscription").hexdigest()

# Only a connected inbox has proven that the mailbox is its tenant's.
OF_ADDRESS = text(
    """
    select tenant_id, id, provider, paused_at is null as awake from inboxes
    where provider = 'gmail' and lower(email_address) = :address and connected_at is not null and deleted_at is null
    order by id limit :limit
    """
)
OF_SUBSCRIPTIONS = text(
    """
    select tenant_id, id, provider, paused_at is null as awake, graph_subscription_id, graph_client_state_hash
    from inboxes
    where graph_subscription_id = any(:ids) and provider = 'graph' and connected_at is not null and deleted_at is null
    """
)
# What has been announced before was woken for; what the sync's cursor has passed is read.
WRITE = text(
    """
    insert into push_notices (tenant_id, inbox_id, event_id, kind, history_id, mail_id, news, received_at)
    select i.tenant_id, i.id, :event_id, :kind, cast(:history_id as bigint), cast(:mail_id as text),
      cast(:history_id as bigint) is null or cast(:history_id as bigint) > greatest(
        coalesce((select max(n.history_id) from push_notices n where n.tenant_id = i.tenant_id and n.inbox_id = i.id), 0),
        case when i.gmail_history_id ~ '^[0-9]{1,18}$' then cast(i.gmail_history_id as bigint) else 0 end),
      :now
    from inboxes i where i.tenant_id = :tenant_id and i.id = :inbox_id and i.deleted_at is null
    on conflict (tenant_id, inbox_id, event_id) do nothing
    returning news
    """
)
REMOVED = text(
    """
    update inboxes set graph_subscription_id = null, graph_subscription_expires_at = null, graph_client_state_hash = null
    where tenant_id = :tenant_id and id = :inbox_id and graph_subscription_id = :subscription_id
    """
)
DUE = text("update inboxes set watch_due_at = least(watch_due_at, :now) where tenant_id = :tenant_id and id = :inbox_id")
FORGET = text("delete from push_notices where tenant_id = :tenant_id and inbox_id = :inbox_id and received_at < :before")


@dataclass(frozen=True, slots=True)
class PushedInbox:
    """An inbox that is announced. `awake` False: it is paused, and looks by itself when it goes on."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    provider: str
    awake: bool


@dataclass(frozen=True, slots=True)
class SubscribedInbox:
    """The inbox of a Graph subscription, with the hash of the client state that its notices must bear."""

    inbox: PushedInbox
    client_state_hash: str


def client_state_hash(client_state: str) -> str:
    """What is kept of a client state: it has 128 random bits, so a plain SHA-256 tells nothing of it."""
    return hashlib.sha256(client_state.encode("utf-8", "surrogatepass")).hexdigest()


def bears(found: SubscribedInbox | None, client_state: str) -> bool:
    """Whether a notice bears its subscription's client state; takes as long for an unknown subscription."""
    expected = found.client_state_hash if found is not None else NOBODYS
    return hmac.compare_digest(client_state_hash(client_state), expected) and found is not None


async def inboxes_of_address(connection: AsyncConnection, address: str) -> list[PushedInbox]:
    """Connected Gmail inboxes of that mailbox, in whatever tenant; as the system."""
    rows = await connection.execute(OF_ADDRESS, {"address": address.lower(), "limit": MOST_INBOXES})
    return [PushedInbox(r.tenant_id, r.id, r.provider, r.awake) for r in rows]


async def inboxes_of_subscriptions(connection: AsyncConnection, ids: Collection[str]) -> dict[str, SubscribedInbox]:
    """Connected Graph inboxes by the id of their subscription; as the system."""
    rows = await connection.execute(OF_SUBSCRIPTIONS, {"ids": list(ids)})
    return {
        r.graph_subscription_id: SubscribedInbox(
            PushedInbox(r.tenant_id, r.id, r.provider, r.awake), r.graph_client_state_hash or NOBODYS
        )
        for r in rows
    }


async def write_notice(
    connection: AsyncConnection,
    inbox: PushedInbox,
    *,
    event_id: str,
    kind: str,
    now: dt.datetime,
    history_id: int | None = None,
    mail_id: str | None = None,
) -> bool:
    """Write the notice down, and say whether the inbox must be looked at: False for a repeated or a stale one. Repeats
    harmlessly. Two that come at once may both be news, which costs a look.
    """
    key = {"tenant_id": inbox.tenant_id, "inbox_id": inbox.id}
    row = (
        await connection.execute(
            WRITE,
            {**key, "event_id": event_id, "kind": kind, "history_id": history_id, "mail_id": mail_id, "now": now},
        )
    ).first()
    if row is None or not row.news:
        return False
    await connection.execute(FORGET, {**key, "before": now - KEPT})
    return True


async def subscription_removed(connection: AsyncConnection, inbox: PushedInbox, subscription_id: str) -> None:
    """Graph has ended that subscription. One that was made since is left alone. Repeats harmlessly."""
    key = {"tenant_id": inbox.tenant_id, "inbox_id": inbox.id}
    await connection.execute(REMOVED, {**key, "subscription_id": subscription_id})


async def watch_is_due(connection: AsyncConnection, inbox: PushedInbox, *, now: dt.datetime) -> None:
    """The inbox's subscription has to be renewed, or made, at once."""
    await connection.execute(DUE, {"tenant_id": inbox.tenant_id, "inbox_id": inbox.id, "now": now})
