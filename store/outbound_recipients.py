"""Who a message goes to: the default of a conversation, and the check of what an agent chose.

The default is computed when the agent looks and when the reply is queued; what is queued is frozen (a note or a later
mail never changes it: chatwoot #15193).
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.outgoing_addresses import checked
from mail.outgoing_errors import ComposeError
from mail.reply_addresses import reply_addresses
from mail.values import Address
from store.addresses import address_key
from store.inbox_state import own_addresses
from store.suppression import suppressed_among

MOST_RECIPIENTS = 100
TYPES = ("to", "cc", "bcc")
WHY = {
    "bounce": "mail to it came back for good",
    "complaint": "its owner reported our mail as spam",
    "unsubscribe": "its owner asked for no more mail",
    "manual": "somebody here has put it on the list",
}
REMEDY = "Leave it out, or have an admin lift it under Suppressed addresses."

# The customer's newest words; a robot's answer is used only when nothing else is there.
LAST_FROM_CUSTOMER = text(
    """
    select id, from_address, from_name, reply_to from messages
    where tenant_id = :tenant and conversation_id = :conversation and direction = 'inbound'
      and from_address <> ''
    order by (is_auto is not null), received_at desc, id desc limit 1
    """
)
# A conversation that we began: whom we wrote to.
LAST_FROM_US = text(
    """
    select id from messages
    where tenant_id = :tenant and conversation_id = :conversation and direction = 'outbound' and kind = 'message'
      and coalesce(send_status, 'sent') <> 'cancelled'
    order by received_at desc, id desc limit 1
    """
)
RECIPIENTS = text(
    """
    select recipient_type, address, name from message_recipients
    where tenant_id = :tenant and message_id = :message order by recipient_type, position
    """
)
CUSTOMER = text(
    "select customer_identifier, customer_name from conversations where tenant_id = :tenant and id = :id"
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of an outgoing message. `type` is `to`, `cc` or `bcc`; `address` as people write it."""

    type: str
    address: str
    name: str = ""


class CannotSend(Exception):
    """This message cannot be queued. `field` is its path in the request, `reason` a sentence that says what to do."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


async def own_address_keys(connection: AsyncConnection, tenant_id: uuid.UUID) -> frozenset[str]:
    """The keys of every address that is an inbox of this tenant."""
    return frozenset(map(address_key, await own_addresses(connection, tenant_id)))


async def default_recipients(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, conversation_id: uuid.UUID
) -> tuple[Recipient, ...]:
    """Whom a reply goes to unless the agent says otherwise: the customer's Reply-To or From, everybody else who was
    addressed in Cc, never one of our own addresses. Empty when the conversation names nobody.
    """
    own = await own_address_keys(connection, tenant_id)
    place = {"tenant": tenant_id, "conversation": conversation_id}
    last = (await connection.execute(LAST_FROM_CUSTOMER, place)).first()
    if last is not None:
        named = await _recipients_of(connection, tenant_id, last.id)
        to, cc = reply_addresses(
            from_=Address(last.from_address, last.from_name),
            reply_to=[Address(r.get("address", ""), r.get("name", "")) for r in last.reply_to or ()],
            to=named["to"],
            cc=named["cc"],
            own=own,
            key=address_key,
        )
        if to:
            return _typed(to, cc)
    ours = (await connection.execute(LAST_FROM_US, place)).first()
    if ours is not None:
        named = await _recipients_of(connection, tenant_id, ours.id)
        to, cc = reply_addresses(
            from_=None, reply_to=named["to"], to=(), cc=named["cc"], own=own, key=address_key
        )
        if to:
            return _typed(to, cc)
    known = (await connection.execute(CUSTOMER, {"tenant": tenant_id, "id": conversation_id})).first()
    if (
        known is not None
        and "@" in known.customer_identifier
        and address_key(known.customer_identifier) not in own
    ):
        return (Recipient("to", known.customer_identifier, known.customer_name),)
    return ()


def check_recipients(recipients: Sequence[Recipient]) -> tuple[Recipient, ...]:
    """The recipients as they will be frozen: each mailbox once (To before Cc before Bcc), names without line breaks.

    Raises CannotSend that names the entry, such as `cc[1].address`.
    """
    if not recipients:
        raise CannotSend("to", "names nobody; give at least one recipient")
    if len(recipients) > MOST_RECIPIENTS:
        raise CannotSend("to", f"names more than {MOST_RECIPIENTS} recipients; send several messages")
    seen: set[str] = set()
    kept: list[Recipient] = []
    for kind in TYPES:
        for index, recipient in enumerate(r for r in recipients if r.type == kind):
            try:
                address = checked(Address(recipient.address, recipient.name), f"{kind}[{index}]")
            except ComposeError as wrong:
                raise CannotSend(wrong.field, wrong.remedy) from None
            key = address_key(address.address)
            if key not in seen:
                seen.add(key)
                kept.append(Recipient(kind, recipient.address.strip(), address.name))
    if len(kept) < len(recipients) and any(r.type not in TYPES for r in recipients):
        raise CannotSend("to", "a recipient's type is one of to, cc and bcc")
    return tuple(kept)


async def refuse_suppressed(
    connection: AsyncConnection, tenant_id: uuid.UUID, recipients: Sequence[Recipient], now: dt.datetime
) -> None:
    """Raises CannotSend where a recipient is on the list of suppressed addresses: SES counts what bounces against us."""
    found = await suppressed_among(connection, tenant_id, [r.address for r in recipients], now=now)
    for recipient in recipients:
        if (reason := found.get(recipient.address)) is not None:
            raise CannotSend(recipient.type, f"names {recipient.address}, to which nothing is sent because {WHY[reason]}. {REMEDY}")


async def _recipients_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> dict[str, list[Address]]:
    found: dict[str, list[Address]] = {kind: [] for kind in TYPES}
    rows = await connection.execute(RECIPIENTS, {"tenant": tenant_id, "message": message_id})
    for row in rows:
        found[row.recipient_type].append(Address(row.address, row.name))
    return found


def _typed(to: Sequence[Address], cc: Sequence[Address]) -> tuple[Recipient, ...]:
    named = [("to", a) for a in to] + [("cc", a) for a in cc]
    return tuple(Recipient(kind, a.address, a.name) for kind, a in named)
