"""Consents that were begun: written when a person leaves for Google or Microsoft, taken away when they come back."""

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events
from store.inbox_state import record_connected
from store.oauth_grants import GrantPermission, SealedTokens, put_grant
from store.visibility import Viewer

SECONDS = 600  # integrity X-35: a state is good for ten minutes

TIDY = text("delete from oauth_starts where tenant_id = :tenant and expires_at < now()")
BEGIN = text(
    """
    insert into oauth_starts (tenant_id, inbox_id, state_hash, provider, name, email_address, shared, expires_at)
    values (:tenant, :inbox, :hash, :provider, :name, :address, :shared, now() + make_interval(secs => :seconds))
    """
)
TAKE = text(
    """
    delete from oauth_starts where tenant_id = :tenant and state_hash = :hash and expires_at > now()
    returning inbox_id, provider, name, email_address, shared
    """
)
FIND = text(
    """
    select id, provider from inboxes
    where tenant_id = :tenant and deleted_at is null and channel = 'email' and lower(email_address) = lower(:address)
    order by id limit 1
    """
)
FIND_ID = text("select id, provider from inboxes where tenant_id = :tenant and deleted_at is null and id = :id")
ADD = text(
    """
    insert into inboxes (tenant_id, id, name, provider, email_address)
    values (:tenant, :id, :name, :provider, :address)
    """
)
OPENED_BY = text(
    """
    update inboxes set settings = case when :mailbox then
        settings || jsonb_build_object('graph', jsonb_build_object('mailbox', email_address)) else settings - 'graph' end
    where tenant_id = :tenant and id = :id
    """
)
# Refusals may have paused it (integrity I-13); what a person paused stays so.
UNPAUSE = text(
    """
    update inboxes set paused_at = null
    where tenant_id = :tenant and id = :id and paused_at is not null and connected_at is null and auth_failures > 0
    """
)


class AddressTaken(Exception):
    """The tenant has an inbox with this address that is read in another way."""


class InboxGone(Exception):
    """The inbox that was to be connected again is not there any more."""


@dataclass(frozen=True, slots=True)
class Start:
    """`shared`: the mailbox is opened by another account, or by the application itself."""

    inbox_id: uuid.UUID | None
    provider: str
    name: str
    email_address: str
    shared: bool = False


async def begin(connection: AsyncConnection, tenant_id: uuid.UUID, state_hash: bytes, start: Start) -> None:
    """Write it down; those that ran out are removed on the way."""
    await connection.execute(TIDY, {"tenant": tenant_id})
    bound = {"hash": state_hash, "provider": start.provider, "name": start.name, "address": start.email_address, "shared": start.shared}
    await connection.execute(BEGIN, {"tenant": tenant_id, "inbox": start.inbox_id, "seconds": SECONDS, **bound})


async def take(connection: AsyncConnection, tenant_id: uuid.UUID, state_hash: bytes) -> Start | None:
    """What was begun, for one caller. None when it is unknown, was taken, or is older than ten minutes."""
    row = (await connection.execute(TAKE, {"tenant": tenant_id, "hash": state_hash})).mappings().first()
    return None if row is None else Start(**row)


async def inbox_for(connection: AsyncConnection, tenant_id: uuid.UUID, start: Start) -> uuid.UUID | None:
    """The inbox to connect again, None when there is to be a new one. Raises AddressTaken, InboxGone."""
    if start.inbox_id is not None:
        row = (await connection.execute(FIND_ID, {"tenant": tenant_id, "id": start.inbox_id})).first()
        if row is None:
            raise InboxGone
    else:
        row = (await connection.execute(FIND, {"tenant": tenant_id, "address": start.email_address})).first()
    if row is None:
        return None
    if row.provider != start.provider:
        raise AddressTaken
    return uuid.UUID(str(row.id))


async def connect(
    connection: AsyncConnection,
    viewer: Viewer,
    inbox_id: uuid.UUID,
    start: Start,
    *,
    new: bool,
    scopes: tuple[str, ...],
    tokens: SealedTokens,
    account: str,
    permission: GrantPermission = GrantPermission.DELEGATED,
) -> None:
    """Make the inbox if it is new, keep what was granted, and let it be synced. The caller starts the sync; if it dies first,
    the sweep does. `account` is who signed in; a mailbox that is not their own is named in the inbox's settings.
    """
    tenant_id = viewer.tenant_id
    if new:
        bound = {"name": start.name, "provider": start.provider, "address": start.email_address}
        await connection.execute(ADD, {"tenant": tenant_id, "id": inbox_id, **bound})
    await put_grant(
        connection,
        tenant_id,
        inbox_id,
        provider=start.provider,
        account=account,
        scopes=scopes,
        tokens=tokens,
        permission=permission,
    )
    await connection.execute(OPENED_BY, {"tenant": tenant_id, "id": inbox_id, "mailbox": start.shared})
    await connection.execute(UNPAUSE, {"tenant": tenant_id, "id": inbox_id})
    await record_connected(connection, tenant_id, inbox_id)
    told = NewEvent("inbox.updated", tenant_id, inbox_id=inbox_id, actor=viewer.actor, payload={"health": "ok"})
    await append_events(connection, [told])
