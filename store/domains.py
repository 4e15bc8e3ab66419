"""Domains as administrators keep them: list, add, change, remove. What a look-up found is written by `store.domain_checks`.

A claim costs nothing and proves nothing: any tenant may add any name, and whose it is the name's own DNS decides.
"""

import datetime as dt
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from models import Domain, Inbox
from store.event_log import NewEvent, append_events
from store.visibility import Viewer

MOST = 200  # claims of one tenant; each costs a dozen look-ups a day
CHALLENGE_BYTES = 20

SES_SAID = text(
    """
    update domains set dkim_tokens = :tokens, ses_verified = :verified, updated_at = now(),
      check_due_at = case when dkim_tokens <> cast(:tokens as text[]) then now() else check_due_at end
    where tenant_id = :tenant and id = :id and deleted_at is null
      and (dkim_tokens <> cast(:tokens as text[]) or ses_verified <> :verified)
    returning old.dkim_tokens <> new.dkim_tokens as new_tokens
    """
)


class DomainExists(Exception):
    """The tenant has this domain already."""


class TooManyDomains(Exception):
    """The tenant has `MOST` domains."""


class DomainInUse(Exception):
    """Inboxes still have their addresses in it."""


@dataclass(frozen=True, slots=True)
class DomainRow:
    """One tenant's claim. `held`: its challenge was found, and nobody else holds the name. `records` is the last check as
    `rules.domain_records` wrote it, empty before the first.
    """

    id: uuid.UUID
    name: str
    ses_identity_arn: str | None
    dkim_tokens: Sequence[str]
    ses_verified: bool
    unclaimed_mails: int
    unclaimed_at: dt.datetime | None
    from_name: str | None
    reply_to_address: str | None
    bounce_address: str | None
    challenge: str
    verified_at: dt.datetime | None
    missing_since: dt.datetime | None
    mx_verified: bool
    spf_verified: bool
    dkim_verified: bool
    dmarc_verified: bool
    records: Sequence[Mapping[str, Any]]
    checked_at: dt.datetime | None
    check_due_at: dt.datetime
    created_at: dt.datetime

    @property
    def held(self) -> bool:
        return self.verified_at is not None


COLUMNS = (
    Domain.id,
    Domain.name,
    Domain.ses_identity_arn,
    Domain.dkim_tokens,
    Domain.ses_verified,
    Domain.unclaimed_mails,
    Domain.unclaimed_at,
    Domain.from_name,
    Domain.reply_to_address,
    Domain.bounce_address,
    Domain.challenge,
    Domain.verified_at,
    Domain.missing_since,
    Domain.mx_verified,
    Domain.spf_verified,
    Domain.dkim_verified,
    Domain.dmarc_verified,
    Domain.records,
    Domain.checked_at,
    Domain.check_due_at,
    Domain.created_at,
)


async def list_domains(connection: AsyncConnection, tenant_id: uuid.UUID) -> list[DomainRow]:
    rows = await connection.execute(
        select(*COLUMNS)
        .where(Domain.tenant_id == tenant_id, Domain.deleted_at.is_(None))
        .order_by(Domain.name)
        .limit(MOST)
    )
    return [DomainRow(**r._asdict()) for r in rows]


async def get_domain(
    connection: AsyncConnection, tenant_id: uuid.UUID, domain_id: uuid.UUID
) -> DomainRow | None:
    row = (
        await connection.execute(
            select(*COLUMNS).where(
                Domain.tenant_id == tenant_id, Domain.id == domain_id, Domain.deleted_at.is_(None)
            )
        )
    ).first()
    return DomainRow(**row._asdict()) if row else None


async def add_domain(
    connection: AsyncConnection, viewer: Viewer, name: str, values: Mapping[str, Any]
) -> uuid.UUID:
    """Claim a name (A-labels, lower case). It is due for its first check at once. Raises DomainExists, TooManyDomains."""
    standing = select(func.count()).where(Domain.tenant_id == viewer.tenant_id, Domain.deleted_at.is_(None))
    if (await connection.execute(standing)).scalar_one() >= MOST:
        raise TooManyDomains
    try:
        async with connection.begin_nested():
            made = await connection.execute(
                insert(Domain)
                .values(
                    tenant_id=viewer.tenant_id,
                    name=name,
                    challenge=secrets.token_hex(CHALLENGE_BYTES),
                    **values,
                )
                .returning(Domain.id)
            )
    except IntegrityError as error:
        raise DomainExists from error
    domain_id: uuid.UUID = made.scalar_one()
    await tell(connection, viewer.tenant_id, domain_id, viewer.actor)
    return domain_id


async def change_domain(
    connection: AsyncConnection, viewer: Viewer, domain_id: uuid.UUID, values: Mapping[str, Any]
) -> None:
    await connection.execute(
        update(Domain)
        .where(Domain.tenant_id == viewer.tenant_id, Domain.id == domain_id)
        .values(**values, updated_at=func.now())
    )
    await tell(connection, viewer.tenant_id, domain_id, viewer.actor)


async def set_ses_identity(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    domain_id: uuid.UUID,
    *,
    dkim_tokens: Sequence[str],
    verified: bool,
) -> bool:
    """What SES says of the domain; True when the tokens are new: then there are new records to look for, and it is due at once.
    Twice is once.
    """
    bound = {"tenant": tenant_id, "id": domain_id, "tokens": list(dkim_tokens), "verified": verified}
    row = (await connection.execute(SES_SAID, bound)).first()
    if row is None:
        return False
    await tell(connection, tenant_id, domain_id, "system")
    return bool(row.new_tokens)


async def ask_check(connection: AsyncConnection, tenant_id: uuid.UUID, domain_id: uuid.UUID) -> None:
    """Make it due now, so that the sweep has it checked whatever becomes of the caller."""
    await connection.execute(
        update(Domain)
        .where(Domain.tenant_id == tenant_id, Domain.id == domain_id)
        .values(check_due_at=func.now())
    )


async def check_by(connection: AsyncConnection, tenant_id: uuid.UUID, domain_id: uuid.UUID, *, at: dt.datetime) -> None:
    """Make it due at `at`, unless it is earlier."""
    await connection.execute(
        update(Domain)
        .where(Domain.tenant_id == tenant_id, Domain.id == domain_id)
        .values(check_due_at=func.least(Domain.check_due_at, at))
    )


async def remove_domain(connection: AsyncConnection, viewer: Viewer, domain_id: uuid.UUID) -> None:
    """Give the name up: another tenant may hold it from now on. Raises DomainInUse while inboxes are in it.

    The row is locked first: an inbox that joins at this moment waits for the lock, and then finds no domain.
    """
    await connection.execute(
        select(Domain.id)
        .where(Domain.tenant_id == viewer.tenant_id, Domain.id == domain_id)
        .with_for_update()
    )
    used = exists().where(
        Inbox.tenant_id == viewer.tenant_id, Inbox.domain_id == domain_id, Inbox.deleted_at.is_(None)
    )
    if (await connection.execute(select(used))).scalar_one():
        raise DomainInUse
    await connection.execute(
        update(Domain)
        .where(Domain.tenant_id == viewer.tenant_id, Domain.id == domain_id, Domain.deleted_at.is_(None))
        .values(deleted_at=func.now(), updated_at=func.now())
    )
    await tell(connection, viewer.tenant_id, domain_id, viewer.actor)


async def lock_standing(
    connection: AsyncConnection, tenant_id: uuid.UUID, domain_id: uuid.UUID
) -> str | None:
    """The domain's name, kept from being removed until the transaction ends; None when there is no such domain."""
    row = await connection.execute(
        text(
            "select name from domains where tenant_id = :tenant and id = :id and deleted_at is null for share"
        ),
        {"tenant": tenant_id, "id": domain_id},
    )
    return row.scalar_one_or_none()


async def tell(connection: AsyncConnection, tenant_id: uuid.UUID, domain_id: uuid.UUID, actor: str) -> None:
    await append_events(
        connection,
        [NewEvent("domain.updated", tenant_id, actor=actor, payload={"domain_id": str(domain_id)})],
    )
