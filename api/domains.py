"""Domains: claim one, see the records to set, have them looked at now, set what its mail is sent as, and put inboxes in it.

The row is written first and the check asked for after it; with Temporal away the sweep does the checking.
"""

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_found, not_valid
from api.schemas.base import PageOf
from api.schemas.domains import ChangeDomain, Domain, DomainInbox, DomainRecord, NewDomain, PutInbox
from rules import domain_records
from store import domain_inboxes, domains
from store.domains import DomainRow, get_domain
from store.inboxes import get_inbox
from store.visibility import Viewer

DEFAULTS = ("from_name", "reply_to_address", "bounce_address")


async def list_all(call: Call[Empty, None]) -> PageOf[Domain]:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        rows = await domains.list_domains(connection, call.who.tenant_id)
        inside = await domain_inboxes.inboxes_in_domains(connection, call.who.viewer)
    return PageOf[Domain](items=[shown(r, inside) for r in rows])


async def read_one(call: Call[Empty, None]) -> Domain:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return await _read(connection, call)


async def add(call: Call[Empty, NewDomain]) -> Domain:
    """It is due for its first check at once, by the sweep. Dying after the commit loses nothing."""
    viewer = call.who.viewer
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        try:
            values = {name: getattr(call.body, name) for name in DEFAULTS}
            domain_id = await domains.add_domain(connection, viewer, call.body.name, values)
        except domains.DomainExists:
            raise Problem(409, "This domain is in the list already.", name="domain-exists") from None
        except domains.TooManyDomains:
            raise not_valid(
                FieldError("name", f"would be one of more than {domains.MOST}; remove a domain first")
            ) from None
        row = await get_domain(connection, viewer.tenant_id, domain_id)
    if row is None:
        raise not_found()
    return shown(row, [])


async def change(call: Call[Empty, ChangeDomain]) -> Domain:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await found(connection, call)
        values = {name: getattr(call.body, name) for name in DEFAULTS if name in call.body.model_fields_set}
        if values:
            await domains.change_domain(connection, call.who.viewer, call.id("domain_id"), values)
        return await _read(connection, call)


async def remove(call: Call[Empty, None]) -> None:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await found(connection, call)
        try:
            await domains.remove_domain(connection, call.who.viewer, call.id("domain_id"))
        except domains.DomainInUse:
            raise Problem(
                409,
                "Inboxes still have their addresses in this domain; take them out first.",
                name="domain-in-use",
            ) from None


async def verify(call: Call[Empty, None]) -> Domain:
    """Look the records up now. It is due before it is begun: dying, or giving up after 30 s, leaves it to the sweep."""
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await found(connection, call)
        await domains.ask_check(connection, call.who.tenant_id, call.id("domain_id"))
    ended = await call.deps.gateway.check_domain(str(call.who.tenant_id), str(call.id("domain_id")))
    if not ended:
        raise Problem(504, "The check did not end in time. It goes on by itself; look again in a minute.")
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return await _read(connection, call)


async def put_inbox(call: Call[Empty, PutInbox]) -> Domain:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await found(connection, call)
        if await get_inbox(connection, call.who.viewer, call.id("inbox_id")) is None:
            raise not_found()
        await join(
            connection,
            call.who.viewer,
            call.id("inbox_id"),
            call.id("domain_id"),
            is_catchall=call.body.is_catchall,
        )
        return await _read(connection, call)


async def join(
    connection: AsyncConnection,
    viewer: Viewer,
    inbox_id: uuid.UUID,
    domain_id: uuid.UUID,
    *,
    is_catchall: bool,
) -> None:
    """Make the inbox one of the domain, or raise the problem that says why it cannot be."""
    try:
        joined = await domain_inboxes.join_domain(
            connection, viewer, inbox_id, domain_id, is_catchall=is_catchall
        )
    except domain_inboxes.NotOfDomain:
        raise not_valid(FieldError("inbox_id", "has its address in another domain")) from None
    except domain_inboxes.AddressTaken:
        raise Problem(409, "Another inbox of the domain has this address.", name="address-taken") from None
    except domain_inboxes.CatchallTaken:
        raise Problem(
            409,
            "The domain has a catch-all already; make that inbox an ordinary one first.",
            name="catchall-taken",
        ) from None
    if not joined:
        raise not_found()


async def drop_inbox(call: Call[Empty, None]) -> None:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await found(connection, call)
        if not await domain_inboxes.leave_domain(
            connection, call.who.viewer, call.id("inbox_id"), call.id("domain_id")
        ):
            raise not_found()


async def found(connection: AsyncConnection, call: Call[Any, Any]) -> DomainRow:
    """The domain of the path, or 404."""
    row = await get_domain(connection, call.who.tenant_id, call.id("domain_id"))
    if row is None:
        raise not_found()
    return row


async def _read(connection: AsyncConnection, call: Call[Any, Any]) -> Domain:
    row = await found(connection, call)
    return shown(row, await domain_inboxes.inboxes_in_domains(connection, call.who.viewer))


def shown(row: DomainRow, inside: list[domain_inboxes.DomainInbox]) -> Domain:
    """Before the first check only the record that proves the domain is known; what to set besides, the check tells."""
    records = [DomainRecord.model_validate(r) for r in row.records]
    if not records:
        records = [
            DomainRecord(
                record="ownership",
                name=domain_records.challenge_name(row.name),
                type="TXT",
                value=f"{domain_records.CHALLENGE_START}{row.challenge}",
                status="waiting",
                found=[],
                problem="It was not looked for yet.",
            )
        ]
    return Domain(
        id=str(row.id),
        name=row.name,
        verified=row.held,
        verified_at=row.verified_at,
        missing_since=row.missing_since,
        mx_verified=row.mx_verified,
        spf_verified=row.spf_verified,
        dkim_verified=row.dkim_verified,
        dmarc_verified=row.dmarc_verified,
        ses_verified=row.ses_verified,
        unclaimed_mails=row.unclaimed_mails,
        unclaimed_at=row.unclaimed_at,
        checked_at=row.checked_at,
        records=records,
        from_name=row.from_name,
        reply_to_address=row.reply_to_address,
        bounce_address=row.bounce_address,
        inboxes=[
            DomainInbox(
                id=str(i.id),
                name=i.name,
                email_address=i.email_address,
                local_part=i.local_part,
                is_catchall=i.is_catchall,
            )
            for i in inside
            if i.domain_id == row.id
        ],
        created_at=row.created_at,
    )


ALL, AT, INBOX = "/v1/domains", "/v1/domains/{domain_id}", "/v1/domains/{domain_id}/inboxes/{inbox_id}"
ENDPOINTS = (
    Endpoint("GET", ALL, list_all, Access.VIEWER, "Domains", response=PageOf[Domain]),
    Endpoint(
        "POST",
        ALL,
        add,
        Access.ADMIN,
        "Claim a domain",
        response=Domain,
        status=201,
        body=NewDomain,
        conflicts=("domain-exists",),
    ),
    Endpoint("GET", AT, read_one, Access.VIEWER, "One domain", response=Domain),
    Endpoint("PATCH", AT, change, Access.ADMIN, "Change a domain", response=Domain, body=ChangeDomain),
    Endpoint(
        "DELETE", AT, remove, Access.ADMIN, "Give a domain up", status=204, conflicts=("domain-in-use",)
    ),
    Endpoint("POST", f"{AT}/verify", verify, Access.ADMIN, "Look its records up now", response=Domain),
    Endpoint(
        "PUT",
        INBOX,
        put_inbox,
        Access.ADMIN,
        "Put an inbox in its domain",
        response=Domain,
        body=PutInbox,
        conflicts=("address-taken", "catchall-taken"),
    ),
    Endpoint("DELETE", INBOX, drop_inbox, Access.ADMIN, "Take an inbox out of its domain", status=204),
)
