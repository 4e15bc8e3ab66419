"""What SES says of a mail of ours, written once for each event and recipient, in an order that never goes back.

SES and SNS tell things twice, late and in any order. `delivery_events` keeps each telling once; a recipient's status only moves
towards what weighs more. The caller's transaction carries everything, so dying repeats all of it and changes nothing twice.
"""

import datetime as dt
import json
import uuid
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.ses_events import SesEvent, SesKind, SesRecipient
from mail.values import BounceClass
from models.enums import DeliveryStatus, SendStatus
from store.addresses import address_key
from store.delivery import BOUNCED, COUNT_ONCE, RECIPIENTS, SET_RECIPIENT
from store.outbound_outcomes import settle_sent
from store.outbound_rows import LockedMessage, lock_message, move, tell
from store.send_steps import append_step
from store.suppression import suppress
from store.threading import save_keys

MOST_LOOKS = 100  # opens and clicks kept of one mail; a picture can be fetched for ever
STATUS = {
    SesKind.SEND: DeliveryStatus.SENT,
    SesKind.DELIVERY: DeliveryStatus.DELIVERED,
    SesKind.BOUNCE: DeliveryStatus.BOUNCED,
    SesKind.COMPLAINT: DeliveryStatus.COMPLAINED,
    SesKind.REJECT: DeliveryStatus.FAILED,
    SesKind.DELAY: DeliveryStatus.DEFERRED,
    SesKind.OPEN: DeliveryStatus.OPENED,
    SesKind.CLICK: DeliveryStatus.CLICKED,
}
# From the least to what weighs most; a status gives way only to a later one.
ORDER = ("pending", "deferred", "sent", "delivered", "opened", "clicked", "failed", "bounced", "complained")
ARRIVED = ("delivered", "opened", "clicked")
LOOKS = frozenset({SesKind.OPEN, SesKind.CLICK})

# By what the mail itself carried of ours; else by the id that SES gave it, within the tenants that send through SES.
FIND = text(
    """
    select tenant_id, id from messages
    where id = any(cast(:ids as uuid[])) and direction = 'outbound' and raw_key is not null
    union
    select m.tenant_id, m.id from (select distinct tenant_id from inboxes where provider = 'ses') t
    join messages m on m.tenant_id = t.tenant_id and m.provider_message_id = :ses_id
    where m.direction = 'outbound' and cardinality(cast(:ids as uuid[])) = 0
    limit 1
    """
)
NOTE_ID = text(
    """
    update messages set provider_message_id = :ses_id
    where tenant_id = :tenant and id = :id and provider_message_id is distinct from :ses_id
    """
)
LOOKED = text(
    """
    select count(*) from (select from delivery_events where tenant_id = :tenant and message_id = :id
      and status in ('opened', 'clicked') limit :most) e
    """
)


async def find_message(connection: AsyncConnection, event: SesEvent) -> tuple[uuid.UUID, uuid.UUID] | None:
    """Tenant and message that the event is about, looked for in the whole house: only afterwards is the tenant known."""
    ids = [found for given in event.send_ids if (found := _uuid(given)) is not None]
    row = (await connection.execute(FIND, {"ids": ids, "ses_id": event.ses_id})).first()
    return (row.tenant_id, row.id) if row is not None else None


async def note_ses_id(connection: AsyncConnection, row: LockedMessage, ses_id: str, region: str | None) -> None:
    """Remember the id that SES gave a mail. SES also replaces the mail's Message-ID by it, so both forms that people's
    answers will name lead to the conversation. Repeats harmlessly.
    """
    await connection.execute(NOTE_ID, {"ses_id": ses_id, "tenant": row.tenant_id, "id": row.id})
    if row.conversation_id is not None:
        await save_keys(
            connection, row.tenant_id, row.inbox_id, dict.fromkeys(aliases(ses_id, region), (row.conversation_id, True))
        )


def aliases(ses_id: str, region: str | None) -> tuple[str, ...]:
    """The Message-IDs under which SES may have sent the mail on: us-east-1 writes `email`, the others their name."""
    hosts = ["email", *([region] if region else [])]
    return tuple(f"<{ses_id}@{host}.amazonses.com>" for host in hosts)


async def apply_ses_event(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID, event: SesEvent, now: dt.datetime
) -> int:
    """Write what is new in the event and give how many recipients it was new for. Recipients that the mail did not go to are
    ignored. Any event proves that SES took the mail, which settles a doubt.
    """
    row = await lock_message(connection, tenant_id, message_id)
    if row is None:
        return 0
    await note_ses_id(connection, row, event.ses_id, event.region)
    own = {r.address_key: r.address for r in await connection.execute(RECIPIENTS, {"tenant": tenant_id, "id": message_id})}
    about = _about(event.recipients, own)
    if not about or (event.kind in LOOKS and await _looked_enough(connection, row)):
        return 0
    proof = f"SES reported {event.kind.value}"
    await settle_sent(connection, tenant_id=tenant_id, message_id=message_id, proof=proof, now=now)
    news = [r for r in about if await _count(connection, row, event, r, own, now)]
    for recipient in news:
        await _mark(connection, row, event, recipient, own, now)
    if news:
        await _tell(connection, row, event, len(news), len(own), now)
    return len(news)


async def _count(
    connection: AsyncConnection, row: LockedMessage, event: SesEvent, recipient: SesRecipient, own: dict[str, str], now: dt.datetime
) -> bool:
    key = address_key(recipient.address)
    counted = await connection.execute(
        COUNT_ONCE,
        {
            "tenant": row.tenant_id,
            "message": row.id,
            "recipient": own.get(key, ""),
            "event_id": f"{event.key}:{key}",
            "status": STATUS[event.kind].value,
            "class": recipient.bounce.value if recipient.bounce else None,
            "code": recipient.status or None,
            "details": json.dumps({"detail": event.detail[:200], "diagnostic": recipient.diagnostic}),
            "at": event.at or now,
        },
    )
    return counted.first() is not None


async def _mark(
    connection: AsyncConnection, row: LockedMessage, event: SesEvent, recipient: SesRecipient, own: dict[str, str], now: dt.datetime
) -> None:
    """The recipient's own status, and the list of addresses that get nothing more."""
    key, status = address_key(recipient.address), STATUS[event.kind]
    if key not in own:
        return
    if event.kind is not SesKind.DELAY:  # SES goes on trying by itself: for us the mail stays sent
        await connection.execute(
            SET_RECIPIENT,
            {
                "status": status.value,
                "detail": " ".join(filter(None, (event.detail, recipient.status)))[:200] or None,
                "tenant": row.tenant_id,
                "id": row.id,
                "key": key,
                "not_over": _not_over(status, recipient),
            },
        )
    complaint = event.kind is SesKind.COMPLAINT
    if complaint or recipient.bounce is BounceClass.HARD:
        await suppress(
            connection, tenant_id=row.tenant_id, address=own[key], complaint=complaint, message_id=row.id, at=event.at or now
        )


async def _tell(
    connection: AsyncConnection, row: LockedMessage, event: SesEvent, news: int, people: int, now: dt.datetime
) -> None:
    """Timeline, message and stream."""
    bounced, rejected = event.kind is SesKind.BOUNCE, event.kind is SesKind.REJECT
    word = "complained" if event.kind is SesKind.COMPLAINT else "bounced" if bounced else "reported"
    told = f"SES: {event.kind.value} for {news} of {people} recipients"
    await append_step(
        connection, tenant_id=row.tenant_id, message_id=row.id, step=word, attempt=row.send_attempts, detail=told
    )
    if bounced:
        await connection.execute(BOUNCED, {"tenant": row.tenant_id, "id": row.id, "at": event.at or now})
    current = await lock_message(connection, row.tenant_id, row.id)  # settling a doubt has moved it
    if rejected and current is not None and current.send_status == SendStatus.SENT:
        # SES took the mail and then looked into it: nobody gets it.
        reason = event.detail or "it did not say why"
        await move(connection, current, SendStatus.FAILED, error=f"Amazon SES refused to send it on: {reason}.")
        return
    payload = {"reports": news, "failed": news if bounced else 0, "what": word, "delivery": STATUS[event.kind].value}
    await tell(connection, row, "message.bounced" if bounced else "message.updated", actor="system", payload=payload)


async def _looked_enough(connection: AsyncConnection, row: LockedMessage) -> bool:
    bound = {"tenant": row.tenant_id, "id": row.id, "most": MOST_LOOKS}
    return int((await connection.execute(LOOKED, bound)).scalar_one()) >= MOST_LOOKS


def _about(recipients: Sequence[SesRecipient], own: dict[str, str]) -> list[SesRecipient]:
    """Those that the mail went to, each once. Nobody in particular is the only one, where there is only one."""
    found: dict[str, SesRecipient] = {}
    for recipient in recipients:
        if not recipient.address:
            only = next(iter(own.values())) if len(own) == 1 else ""
            found.setdefault(address_key(only), SesRecipient(only))
        elif (key := address_key(recipient.address)) in own:
            found.setdefault(key, recipient)
    return list(found.values())


def _not_over(status: DeliveryStatus, recipient: SesRecipient) -> list[str]:
    heavier = list(ORDER[ORDER.index(status.value) :])
    if status is DeliveryStatus.FAILED:
        return [*heavier, *ARRIVED]
    if status is DeliveryStatus.BOUNCED:
        # An absence note comes as a transient bounce of what has arrived; and a bounce stands above our own refusal.
        return ["bounced", "complained", *(() if recipient.bounce is BounceClass.HARD else ARRIVED)]
    if status is DeliveryStatus.COMPLAINED:
        return ["bounced", "complained"]
    return heavier


def _uuid(given: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(given)
    except ValueError:
        return None
