"""Inboxes as addresses of a domain: which inbox an address belongs to, and joining an inbox to its domain.

At most one inbox of a domain catches what is addressed to nobody; two unique indexes hold that and the local parts.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Inbox
from store.domains import lock_standing
from store.event_log import NewEvent, append_events
from store.visibility import Viewer, may_see

# Of the tenants that claim a name only the one who holds it gets its mail. The exact local part stands before the one
# without its +tag, and both before the catch-all.
ADDRESSED = text(
    """
    select i.tenant_id, i.id, i.domain_id, i.provider,
           lower(i.local_part) not in (lower(:local), lower(:plain)) as caught
    from domains d join inboxes i on i.tenant_id = d.tenant_id and i.domain_id = d.id
    where d.name = lower(:domain) and d.verified_at is not null and d.deleted_at is null
      and i.deleted_at is null and i.provider = :provider
      and (lower(i.local_part) in (lower(:local), lower(:plain)) or i.is_catchall)
    order by lower(i.local_part) = lower(:local) desc, lower(i.local_part) = lower(:plain) desc limit 1
    """
)

MAY_SEND = text(
    """
    select 1 from inboxes i join domains d on d.tenant_id = i.tenant_id and d.id = i.domain_id
    where i.tenant_id = :tenant and i.id = :inbox and i.deleted_at is null
      and d.verified_at is not null and d.ses_verified and d.deleted_at is null
      and lower(i.local_part || '@' || d.name) = lower(:address)
    """
)


class AddressTaken(Exception):
    """Another inbox of the domain has this local part."""


class CatchallTaken(Exception):
    """The domain has a catch-all already."""


class NotOfDomain(Exception):
    """The inbox's address does not lie in the domain."""


@dataclass(frozen=True, slots=True)
class AddressedInbox:
    """The inbox that an address belongs to. `caught`: nobody has this address, the catch-all takes it."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    domain_id: uuid.UUID
    provider: str
    caught: bool


@dataclass(frozen=True, slots=True)
class DomainInbox:
    id: uuid.UUID
    domain_id: uuid.UUID
    name: str
    email_address: str
    local_part: str
    is_catchall: bool


async def inbox_for_address(
    connection: AsyncConnection, address: str, *, provider: str = "ses"
) -> AddressedInbox | None:
    """Whose mail to `address` (A-labels) is, over all tenants, so as the system. None: no held domain wants it."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        return None
    row = (
        await connection.execute(
            ADDRESSED,
            {
                "local": local,
                "plain": local.partition("+")[0] or local,
                "domain": domain.rstrip("."),
                "provider": provider,
            },
        )
    ).first()
    return AddressedInbox(row.tenant_id, row.id, row.domain_id, row.provider, row.caught) if row else None


async def may_send_as_domain(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, address: str
) -> bool:
    """Whether this inbox is `address` in a domain that its tenant holds now and that SES sends as."""
    bound = {"tenant": tenant_id, "inbox": inbox_id, "address": address}
    return (await connection.execute(MAY_SEND, bound)).first() is not None


async def inboxes_in_domains(connection: AsyncConnection, viewer: Viewer) -> list[DomainInbox]:
    """Every inbox that has its address in a domain and that the viewer may see, by domain and local part."""
    rows = await connection.execute(
        select(
            Inbox.id, Inbox.domain_id, Inbox.name, Inbox.email_address, Inbox.local_part, Inbox.is_catchall
        )
        .where(
            Inbox.tenant_id == viewer.tenant_id,
            Inbox.domain_id.is_not(None),
            Inbox.deleted_at.is_(None),
            may_see(viewer, Inbox.id),
        )
        .order_by(Inbox.domain_id, Inbox.local_part)
        .limit(2000)
    )
    return [DomainInbox(**r._asdict()) for r in rows]


async def join_domain(
    connection: AsyncConnection,
    viewer: Viewer,
    inbox_id: uuid.UUID,
    domain_id: uuid.UUID,
    *,
    is_catchall: bool,
) -> bool:
    """Give an inbox its place in the domain that its address lies in; False when there is no such domain or inbox.

    Raises NotOfDomain, AddressTaken, CatchallTaken. Run twice, it changes nothing.
    """
    name = await lock_standing(connection, viewer.tenant_id, domain_id)
    own = (Inbox.tenant_id == viewer.tenant_id, Inbox.id == inbox_id, Inbox.deleted_at.is_(None))
    address = (await connection.execute(select(Inbox.email_address).where(*own))).scalar_one_or_none()
    if name is None or address is None:
        return False
    local, _, domain = address.rpartition("@")
    if domain.lower() != name or not local:
        raise NotOfDomain
    try:
        async with connection.begin_nested():
            await connection.execute(
                update(Inbox)
                .where(*own)
                .values(domain_id=domain_id, local_part=local, is_catchall=is_catchall, updated_at=func.now())
            )
    except IntegrityError as error:
        raise (CatchallTaken if "uq_inboxes_catchall" in str(error.orig) else AddressTaken) from error
    await _tell(connection, viewer, inbox_id)
    return True


async def leave_domain(
    connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID, domain_id: uuid.UUID
) -> bool:
    """Take an inbox out of the domain; its address and mail stay. False when it is not in it."""
    left = await connection.execute(
        update(Inbox)
        .where(Inbox.tenant_id == viewer.tenant_id, Inbox.id == inbox_id, Inbox.domain_id == domain_id)
        .values(domain_id=None, local_part=None, is_catchall=False, updated_at=func.now())
        .returning(Inbox.id)
    )
    if left.first() is None:
        return False
    await _tell(connection, viewer, inbox_id)
    return True


async def _tell(connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID) -> None:
    event = NewEvent(
        "inbox.updated",
        viewer.tenant_id,
        inbox_id=inbox_id,
        actor=viewer.actor,
        payload={"changed": ["domain"]},
    )
    await append_events(connection, [event])
