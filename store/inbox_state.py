"""An inbox as its steps see it: how to reach it, whether to sync it, its lease, and how it fares.

Every sync takes a new lease epoch; every write transaction of the sync begins with `hold_lease`. A step that timed out
but still runs finds another epoch there and writes nothing (integrity T-7).
"""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import Health
from store.event_log import NewEvent, append_events
from store.gaps import GapCause, open_gap_of_each_folder

__all__ = [
    "Health",
    "InboxState",
    "Lease",
    "LeaseLost",
    "hold_lease",
    "own_addresses",
    "read_inbox",
    "record_connected",
    "record_ill",
    "record_well",
    "save_aliases",
    "take_lease",
]

# integrity I-13: a provider that refuses good passwords for an hour must not cost an inbox its connection, and a wrong one
# is not tried for ever. Both must hold: an installation that was off for three days has not been refused for three days.
PAUSED_AFTER = dt.timedelta(days=3)
REFUSALS_UNTIL_PAUSED = 10
PAUSED_SENTENCE = (
    "The server has refused the user name or password for three days, so this inbox was paused. Enter the password again on the"
    " inbox page, or resume the inbox to try once more; what came meanwhile is then fetched."
)
# Refused for longer than this and let in again: whatever went on meanwhile, the folders are compared with the ledger.
UNWATCHED_FOR = dt.timedelta(hours=1)

READ = text(
    """
    select tenant_id, id, provider, email_address, settings, credentials_sealed, credentials_key_id, health,
           connected_at, paused_at, last_sync_at, auth_failures, refused_since, max_syncs_per_hour, backfill_days,
           created_at, auto_response_enabled, audit_due_at, audit_asked
    from inboxes where tenant_id = :tenant and id = :id and deleted_at is null
    """
)
TAKE = text(
    """
    update inboxes set lease_epoch = lease_epoch + 1
    where tenant_id = :tenant and id = :id and deleted_at is null
    returning lease_epoch
    """
)
# `no key update` and not `share`: two holders of a share lock that both go on to update the row would deadlock.
HELD = """
    select id from inboxes
    where tenant_id = :tenant and id = :id and lease_epoch = :epoch and deleted_at is null
"""
HOLD = text(f"{HELD} for no key update")
# The epoch is part of a key, so changing it locks `for update`: this alone waits for it, not the update of any other column.
HOLD_SHARED = text(f"{HELD} for key share")
LOCK = text(
    """
    select health, connected_at, paused_at, auth_failures, refused_since, last_error, last_sync_at, now() as at from inboxes
    where tenant_id = :tenant and id = :id and deleted_at is null for no key update
    """
)
WELL = text(
    """
    update inboxes set health = 'ok', last_sync_at = now(), last_error = null, auth_failures = 0, refused_since = null,
      updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
TOUCH = text("update inboxes set last_sync_at = now() where tenant_id = :tenant and id = :id")
ILL = text(
    """
    update inboxes set health = :health, last_error = :error, last_error_at = now(), auth_failures = :refusals,
      refused_since = case when :refused then coalesce(refused_since, now()) else refused_since end,
      paused_at = case when :pause then now() else paused_at end,
      connected_at = case when :disconnect then null else connected_at end, updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
CONNECTED = text(
    """
    update inboxes set health = 'ok', connected_at = coalesce(connected_at, now()), last_error = null,
      auth_failures = 0, refused_since = null, updated_at = now()
    where tenant_id = :tenant and id = :id and deleted_at is null
    """
)
OWN_ADDRESSES = text(
    """
    select unnest(email_address || aliases) as email_address from inboxes
    where tenant_id = :tenant and channel = 'email' and deleted_at is null
    """
)
SAVE_ALIASES = text(
    """
    update inboxes set aliases = cast(:aliases as text[])
    where tenant_id = :tenant and id = :id and aliases <> cast(:aliases as text[])
    """
)


class LeaseLost(Exception):
    """Another run has taken over this inbox or folder: nothing of this transaction may be written."""


@dataclass(frozen=True, slots=True)
class InboxState:
    """One inbox. `credentials_sealed` opens only with the key ring; nothing here may be logged."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    provider: str
    email_address: str
    settings: Mapping[str, Any]
    credentials_sealed: bytes | None
    credentials_key_id: str | None
    health: str
    connected_at: dt.datetime | None
    paused_at: dt.datetime | None
    last_sync_at: dt.datetime | None
    auth_failures: int
    max_syncs_per_hour: int
    backfill_days: int
    created_at: dt.datetime
    auto_response_enabled: bool
    refused_since: dt.datetime | None = None
    audit_due_at: dt.datetime | None = None
    audit_asked: bool = False

    def __repr__(self) -> str:
        return f"InboxState({self.id})"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for an inbox until somebody takes the next epoch."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    epoch: int


async def read_inbox(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID
) -> InboxState | None:
    """The inbox, or None when it is unknown, foreign or deleted."""
    row = (await connection.execute(READ, {"tenant": tenant_id, "id": inbox_id})).mappings().first()
    return None if row is None else InboxState(**row)


async def own_addresses(connection: AsyncConnection, tenant_id: uuid.UUID) -> frozenset[str]:
    """The addresses of all mail inboxes of the tenant, with their aliases: a mail from one of them never comes from a customer."""
    rows = await connection.execute(OWN_ADDRESSES, {"tenant": tenant_id})
    return frozenset(row.email_address for row in rows)


async def save_aliases(
    connection: AsyncConnection, inbox: InboxState, addresses: Collection[str]
) -> None:
    """All addresses that the provider tells of the mailbox, folded; its own is left out. Twice is once."""
    others = sorted(set(addresses) - {inbox.email_address.casefold()})
    await connection.execute(SAVE_ALIASES, {"tenant": inbox.tenant_id, "id": inbox.id, "aliases": others})


async def take_lease(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> Lease | None:
    """A new epoch, which ends every older holder's right to write. None when the inbox is gone.

    Waits for a transaction of the older holder that is already under way; what that one commits stands.
    """
    epoch = (await connection.execute(TAKE, {"tenant": tenant_id, "id": inbox_id})).scalar_one_or_none()
    return None if epoch is None else Lease(tenant_id, inbox_id, epoch)


async def hold_lease(connection: AsyncConnection, lease: Lease, *, shared: bool = False) -> None:
    """First statement of every write transaction of a sync: keeps the epoch until commit, or raises LeaseLost. `shared`:
    other transactions under the same lease may go on meanwhile; for those that do not change the inbox itself.
    """
    bound = {"tenant": lease.tenant_id, "id": lease.inbox_id, "epoch": lease.epoch}
    if (await connection.execute(HOLD_SHARED if shared else HOLD, bound)).first() is None:
        raise LeaseLost


async def record_well(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> bool:
    """A sync went through: healthy, no error. Tells the event log only when that is news. True when gaps were opened,
    because it had been locked out for long: the next pass fills them.
    """
    key = {"tenant": tenant_id, "id": inbox_id}
    row = (await connection.execute(LOCK, key)).first()
    if row is None:
        return False
    if row.health == Health.OK and row.last_error is None and row.auth_failures == 0:
        await connection.execute(TOUCH, key)
        return False
    await connection.execute(WELL, key)
    if row.health != Health.OK:
        await _tell(connection, tenant_id, inbox_id, Health.OK)
    if row.refused_since is None or row.at - row.refused_since < UNWATCHED_FOR:
        return False
    await open_gap_of_each_folder(connection, tenant_id, inbox_id, GapCause.REAUTH, since=row.last_sync_at)
    return True


async def record_ill(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    *,
    sentence: str,
    refused: bool = False,
    final: bool = False,
    connected: bool = True,
) -> Health:
    """A sync failed: `sentence` is ours, for people. `refused`: the server said no to the credentials; after three days
    of nothing else the inbox is paused and waits for a person, with a sentence that says so. `final` disconnects at once;
    `connected=False` says that it never came to be. Returns the new health.
    """
    key = {"tenant": tenant_id, "id": inbox_id}
    row = (await connection.execute(LOCK, key)).first()
    if row is None:
        return Health.DEGRADED
    refusals = row.auth_failures + 1 if refused else row.auth_failures
    long = row.refused_since is not None and row.at - row.refused_since >= PAUSED_AFTER
    pause = refused and connected and long and refusals >= REFUSALS_UNTIL_PAUSED
    health = Health.AUTH_FAILED if refused or final else Health.DEGRADED
    if pause:
        health, sentence = Health.PAUSED, PAUSED_SENTENCE
    disconnect = final or pause or not connected
    bound = {
        "health": health.value,
        "error": sentence,
        "refusals": refusals,
        "refused": refused,
        "pause": pause,
        "disconnect": disconnect,
    }
    await connection.execute(ILL, {**key, **bound})
    if row.health != health or (disconnect and row.connected_at is not None):
        await _tell(connection, tenant_id, inbox_id, health, reason="refused" if pause else None)
    return health


async def record_connected(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> None:
    """From now on the inbox is synced. A second call keeps the first time. One that was synced before and was connected
    anew has a gap since its last sync: the first pass lists its folders whole.
    """
    key = {"tenant": tenant_id, "id": inbox_id}
    row = (await connection.execute(LOCK, key)).first()
    if row is None:
        return
    await connection.execute(CONNECTED, key)
    if row.health != Health.OK or row.connected_at is None:
        await _tell(connection, tenant_id, inbox_id, Health.OK)
    if row.last_sync_at is not None and (row.connected_at is None or row.health == Health.CONNECTING):
        await open_gap_of_each_folder(connection, tenant_id, inbox_id, GapCause.REAUTH, since=row.last_sync_at)


async def _tell(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    health: Health,
    *,
    reason: str | None = None,
) -> None:
    payload = {"health": health.value} if reason is None else {"health": health.value, "reason": reason}
    await append_events(connection, [NewEvent("inbox.health", tenant_id, inbox_id=inbox_id, payload=payload)])
