"""What watches an inbox was granted, and when to ask again: the rows that the renewal reads and writes in the inbox's tenant."""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

READ = text(
    """
    select graph_subscription_id, watch_failures, connected_at is not null and paused_at is null as awake
    from inboxes where tenant_id = :tenant_id and id = :inbox_id and deleted_at is null
    """
)
# Announced without a break since the first grant; a grant after an end, or of another subscription, begins anew.
GMAIL = text(
    """
    update inboxes set watch_since = case when gmail_watch_expires_at > :now then coalesce(watch_since, :now) else :now end,
      gmail_watch_expires_at = :expires_at, watch_renewed_at = :now, watch_due_at = :due_at, watch_failures = 0,
      watch_refusal = null
    where tenant_id = :tenant_id and id = :inbox_id
    """
)
# A client state is only known when the subscription was just made.
GRAPH = text(
    """
    update inboxes set
      watch_since = case when graph_subscription_expires_at > :now and graph_subscription_id = :subscription_id
        then coalesce(watch_since, :now) else :now end,
      graph_subscription_id = :subscription_id, graph_subscription_expires_at = :expires_at,
      graph_client_state_hash = coalesce(cast(:hash as text), graph_client_state_hash),
      watch_renewed_at = :now, watch_due_at = :due_at, watch_failures = 0, watch_refusal = null
    where tenant_id = :tenant_id and id = :inbox_id
    """
)
BEGUN = text("update inboxes set watch_due_at = :due_at where tenant_id = :tenant_id and id = :inbox_id")
REFUSED = text(
    """
    update inboxes set watch_due_at = :due_at, watch_failures = watch_failures + 1, watch_refusal = :sentence
    where tenant_id = :tenant_id and id = :inbox_id
    """
)


@dataclass(frozen=True, slots=True)
class WatchState:
    """`failures` in a row. `awake`: connected and not paused."""

    subscription_id: str | None
    failures: int
    awake: bool


async def read_watch(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> WatchState | None:
    """None when the inbox was removed."""
    row = (await connection.execute(READ, {"tenant_id": tenant_id, "inbox_id": inbox_id})).first()
    return WatchState(row.graph_subscription_id, row.watch_failures, row.awake) if row is not None else None


async def watch_begun(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, due_at: dt.datetime) -> None:
    """The provider is about to be asked; if that never ends, the inbox is due again then."""
    await connection.execute(BEGUN, {"tenant_id": tenant_id, "inbox_id": inbox_id, "due_at": due_at})


async def gmail_granted(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    *,
    expires_at: dt.datetime,
    due_at: dt.datetime,
    now: dt.datetime,
) -> None:
    """Google announces changes until `expires_at`. Repeats harmlessly."""
    bound = {"tenant_id": tenant_id, "inbox_id": inbox_id, "now": now}
    await connection.execute(GMAIL, {**bound, "expires_at": expires_at, "due_at": due_at})


async def graph_granted(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    *,
    subscription_id: str,
    state_hash: str | None,
    expires_at: dt.datetime,
    due_at: dt.datetime,
    now: dt.datetime,
) -> None:
    """Graph announces changes until `expires_at`. `state_hash` is None where the subscription was renewed."""
    bound = {"tenant_id": tenant_id, "inbox_id": inbox_id, "subscription_id": subscription_id, "now": now}
    await connection.execute(GRAPH, {**bound, "hash": state_hash, "expires_at": expires_at, "due_at": due_at})


async def watch_refused(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, due_at: dt.datetime, sentence: str
) -> None:
    """The provider did not grant it, for people `sentence`; what was granted before stays until its end."""
    bound = {"tenant_id": tenant_id, "inbox_id": inbox_id}
    await connection.execute(REFUSED, {**bound, "due_at": due_at, "sentence": sentence})
