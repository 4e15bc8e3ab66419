"""Makes an inbox at a domain that its organisation holds and that Amazon SES sends as.

The row is written first and the workflow told after it; with Temporal away the sweep does the telling.
"""

import uuid

from api.auth import Access
from api.domains import found, join
from api.endpoint import Call, Empty, Endpoint
from api.inboxes import shown
from api.problems import FieldError, not_found, not_valid
from api.schemas.inboxes import Inbox
from api.schemas.ses_inboxes import NewSesInbox
from store.domains import DomainRow
from store.inboxes import add_inbox, get_inbox


async def add(call: Call[Empty, NewSesInbox]) -> Inbox:
    """Dying after the commit leaves an inbox that is `connecting`: the sweep starts its workflow."""
    new, viewer, inbox_id = call.body, call.who.viewer, uuid.uuid4()
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        domain = await found(connection, call)
        _refuse_unready(domain)
        values = {
            "provider": "ses",
            "name": new.name.strip(),
            "email_address": f"{new.local_part}@{domain.name}",
            "display_name": new.display_name.strip(),
            "backfill_days": new.backfill_days,
            "undo_send_seconds": new.undo_send_seconds,
        }
        await add_inbox(connection, viewer, inbox_id, values, None)
        await join(connection, viewer, inbox_id, domain.id, is_catchall=new.is_catchall)
        row = await get_inbox(connection, viewer, inbox_id)
    if row is None:
        raise not_found()
    await call.deps.gateway.connect_inbox(str(viewer.tenant_id), str(inbox_id))
    return shown(row, call.deps.config)


def _refuse_unready(domain: DomainRow) -> None:
    if not domain.held:
        raise not_valid(
            FieldError("domain_id", "is not proven to be yours yet; set its ownership record and have it looked at under Domains")
        )
    if not domain.ses_verified:
        raise not_valid(
            FieldError("domain_id", "is not verified at Amazon SES yet; set its three DKIM records and have it looked at under Domains")
        )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/domains/{domain_id}/inboxes",
        add,
        Access.ADMIN,
        "Make an inbox at the domain, through Amazon SES",
        response=Inbox,
        status=201,
        body=NewSesInbox,
        conflicts=("address-taken", "catchall-taken"),
    ),
)
