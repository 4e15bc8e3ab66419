"""Where a tenant wants to be told: endpoints with their sealed secrets, kept by administrators. Each change writes its event."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.bulk import new_id
from store.people_changes import tell
from store.sealing import CredentialsUnreadable, Sealer
from store.visibility import Viewer

MOST = 50  # of a tenant: each subscription is looked at for each event
MOST_COUNTED = 1000
COLUMN = "secrets_sealed"
SHOWN = f"""
    select e.id, e.name, e.url, e.events, e.inbox_ids, e.status, e.disabled_reason, e.failure_count, e.failing_since,
      e.next_attempt_at, e.last_error, e.last_success_at, e.last_failure_at, e.previous_until, e.created_at,
      (select count(*) from (select from webhook_deliveries d where d.tenant_id = e.tenant_id and d.endpoint_id = e.id
        and d.status = 'pending' limit {MOST_COUNTED}) w) as waiting
    from webhook_endpoints e where e.tenant_id = :tenant
"""
ALL = text(f"{SHOWN} order by lower(e.name), e.id limit {MOST}")
ONE = text(f"{SHOWN} and e.id = :id")
# Two who add at once may both come in below the limit; one more than fifty harms nobody.
COUNT = text("select count(*) from webhook_endpoints where tenant_id = :tenant")
INSERT = text(
    """
    insert into webhook_endpoints (tenant_id, id, name, url, secrets_sealed, secrets_key_id, events, inbox_ids)
    values (:tenant, :id, :name, :url, :sealed, :key_id, :events, :inbox_ids)
    """
)
LOCK = text("select secrets_sealed, secrets_key_id from webhook_endpoints where tenant_id = :tenant and id = :id for no key update")
CHANGE = text(
    """
    update webhook_endpoints set name = coalesce(cast(:name as text), name), url = coalesce(cast(:url as text), url),
      events = coalesce(cast(:events as text[]), events),
      inbox_ids = case when :sets_inboxes then cast(:inbox_ids as uuid[]) else inbox_ids end, updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
# Switched on again it begins anew: what waits goes out now, and five days have to pass again before it is given up.
SWITCH_ON = text(
    """
    update webhook_endpoints set status = 'active', disabled_reason = null, failure_count = 0, failing_since = null,
      next_attempt_at = null, last_error = null, updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
SWITCH_OFF = text(
    """
    update webhook_endpoints set status = 'disabled', disabled_reason = 'person', next_attempt_at = null, updated_at = now()
    where tenant_id = :tenant and id = :id and status <> 'disabled'
    """
)
RESEAL = text(
    """
    update webhook_endpoints set secrets_sealed = :sealed, secrets_key_id = :key_id, previous_until = :until, updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
REMOVE = text("delete from webhook_endpoints where tenant_id = :tenant and id = :id returning id")
KNOWN_INBOXES = text(
    "select id from inboxes where tenant_id = :tenant and deleted_at is null and id = any(cast(:ids as uuid[]))"
)


class TooManyEndpoints(Exception):
    """The tenant has `MOST` already."""


class NoSuchInbox(Exception):
    """`position` counts from 0: that inbox is unknown here."""

    def __init__(self, position: int) -> None:
        super().__init__("no such inbox")
        self.position = position


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """`waiting` deliveries are counted to `MOST_COUNTED`."""

    id: uuid.UUID
    name: str
    url: str
    events: Sequence[str]
    inbox_ids: Sequence[uuid.UUID] | None
    status: str
    disabled_reason: str | None
    failure_count: int
    failing_since: dt.datetime | None
    next_attempt_at: dt.datetime | None
    last_error: str | None
    last_success_at: dt.datetime | None
    last_failure_at: dt.datetime | None
    previous_until: dt.datetime | None
    created_at: dt.datetime
    waiting: int


async def list_endpoints(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[EndpointRow]:
    """By name."""
    return [EndpointRow(**r) for r in (await connection.execute(ALL, {"tenant": tenant_id})).mappings()]


async def get_endpoint(connection: AsyncConnection, tenant_id: uuid.UUID, endpoint_id: uuid.UUID) -> EndpointRow | None:
    row = (await connection.execute(ONE, {"tenant": tenant_id, "id": endpoint_id})).mappings().first()
    return None if row is None else EndpointRow(**row)


async def add_endpoint(
    connection: AsyncConnection,
    viewer: Viewer,
    sealer: Sealer,
    *,
    secret: str,
    name: str,
    url: str,
    events: Sequence[str],
    inbox_ids: Sequence[uuid.UUID] | None,
) -> uuid.UUID:
    """Raises TooManyEndpoints, NoSuchInbox."""
    if (await connection.execute(COUNT, {"tenant": viewer.tenant_id})).scalar_one() >= MOST:
        raise TooManyEndpoints
    await _check_inboxes(connection, viewer.tenant_id, inbox_ids)
    endpoint_id = new_id()
    sealed, key_id = _sealed(sealer, viewer.tenant_id, endpoint_id, secret, None)
    values = {"name": name, "url": url, "events": list(events), "inbox_ids": _list(inbox_ids), "sealed": sealed, "key_id": key_id}
    await connection.execute(INSERT, {"tenant": viewer.tenant_id, "id": endpoint_id, **values})
    await tell(connection, viewer, "webhook.created", {"webhook_id": str(endpoint_id)})
    return endpoint_id


async def change_endpoint(
    connection: AsyncConnection, viewer: Viewer, endpoint_id: uuid.UUID, changes: Mapping[str, Any]
) -> bool:
    """`changes` of name, url, events, inbox_ids, and `status`: `active` or `disabled`. False: there is none. Raises NoSuchInbox."""
    key = {"tenant": viewer.tenant_id, "id": endpoint_id}
    if (await connection.execute(LOCK, key)).first() is None:
        return False
    await _check_inboxes(connection, viewer.tenant_id, changes.get("inbox_ids"))
    values = {
        "name": changes.get("name"),
        "url": changes.get("url"),
        "events": _list(changes.get("events")),
        "sets_inboxes": "inbox_ids" in changes,
        "inbox_ids": _list(changes.get("inbox_ids")),
    }
    await connection.execute(CHANGE, {**key, **values})
    if changes.get("status") is not None:
        await connection.execute(SWITCH_ON if changes["status"] == "active" else SWITCH_OFF, key)
    told = {"webhook_id": str(endpoint_id), "changed": sorted(changes)}
    await tell(connection, viewer, "webhook.changed", told)
    return True


async def rotate_secret(
    connection: AsyncConnection, viewer: Viewer, sealer: Sealer, endpoint_id: uuid.UUID, *, secret: str, until: dt.datetime
) -> bool:
    """From now on both secrets sign, the one before until then. One that no key opens any more is given up. False: there is no
    such endpoint.
    """
    key = {"tenant": viewer.tenant_id, "id": endpoint_id}
    row = (await connection.execute(LOCK, key)).first()
    if row is None:
        return False
    try:
        previous = opened(sealer, viewer.tenant_id, endpoint_id, row.secrets_sealed, row.secrets_key_id)[0]
    except CredentialsUnreadable:
        previous = None
    sealed, key_id = _sealed(sealer, viewer.tenant_id, endpoint_id, secret, previous)
    await connection.execute(RESEAL, {**key, "sealed": sealed, "key_id": key_id, "until": until if previous else None})
    await tell(connection, viewer, "webhook.rotated", {"webhook_id": str(endpoint_id)})
    return True


async def remove_endpoint(connection: AsyncConnection, viewer: Viewer, endpoint_id: uuid.UUID) -> bool:
    """With its deliveries, also those that wait. A rule that names it says that it is gone."""
    if (await connection.execute(REMOVE, {"tenant": viewer.tenant_id, "id": endpoint_id})).first() is None:
        return False
    await tell(connection, viewer, "webhook.removed", {"webhook_id": str(endpoint_id)})
    return True


def opened(sealer: Sealer, tenant_id: uuid.UUID, endpoint_id: uuid.UUID, sealed: bytes, key_id: str) -> tuple[str, str | None]:
    """The secret, and the one before it where there is one. Raises CredentialsUnreadable."""
    values = sealer.open(sealed, key_id, tenant_id=str(tenant_id), inbox_id=str(endpoint_id), column=COLUMN)
    return values["secret"], values.get("previous")


def _sealed(sealer: Sealer, tenant_id: uuid.UUID, endpoint_id: uuid.UUID, secret: str, previous: str | None) -> tuple[bytes, str]:
    values = {"secret": secret, "previous": previous}
    return sealer.seal(values, tenant_id=str(tenant_id), inbox_id=str(endpoint_id), column=COLUMN)


async def _check_inboxes(connection: AsyncConnection, tenant_id: uuid.UUID, ids: Sequence[uuid.UUID] | None) -> None:
    if not ids:
        return
    known = set((await connection.execute(KNOWN_INBOXES, {"tenant": tenant_id, "ids": list(ids)})).scalars())
    for position, inbox_id in enumerate(ids):
        if inbox_id not in known:
            raise NoSuchInbox(position)


def _list(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)
