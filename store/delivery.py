"""What reports say about mail that we sent: bounces, delays, deliveries, complaints, each counted once.

A report is a claim by a stranger. It counts only for a message that we issued and for a recipient that we wrote to
(integrity L-6, L-7): a forged one can disable nobody's address. The caller's transaction carries everything.
"""

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.values import BounceClass, MailKind, RecipientReport, Verdict
from models.enums import DeliveryStatus, SendStatus
from store.addresses import address_key
from store.outbound_outcomes import settle_sent
from store.outbound_rows import LockedMessage, lock_message, tell
from store.send_steps import append_step
from store.suppression import suppress

MOST_IDS = 50
MOST_REPORTS = 500

# By the send id that only our mails carry, or by the Message-ID that we made.
BY_OUR_IDS = text(
    """
    select id from messages
    where tenant_id = :tenant and direction = 'outbound' and raw_key is not null
      and (id = :send_id or message_id_header = any(:ids))
    order by id limit 20
    """
)
# By an alias: an id under which a relay passed our mail on. Ids that belong to other people's mails are none of ours,
# although they lead to the conversation too.
BY_ALIAS = text(
    """
    select m.id from thread_keys k
    join messages m on m.tenant_id = k.tenant_id and m.conversation_id = k.conversation_id
    join message_recipients r on r.tenant_id = m.tenant_id and r.message_id = m.id
    where k.tenant_id = :tenant and k.key = any(:ids) and k.kind = 'message_id'
      and m.direction = 'outbound' and m.raw_key is not null and r.address_key = any(:addresses)
      and not exists (select from messages i where i.tenant_id = :tenant and i.message_id_header = k.key)
    order by m.received_at desc, m.id desc limit 1
    """
)
RECIPIENTS = text(
    """
    select address, address_key from message_recipients where tenant_id = :tenant and message_id = :id
    """
)
# Nothing overrides a bounce or a complaint, and a delay says nothing about what has been delivered.
SET_RECIPIENT = text(
    """
    update message_recipients set delivery_status = :status, delivery_detail = :detail
    where tenant_id = :tenant and message_id = :id and address_key = :key
      and coalesce(delivery_status, 'pending') <> all(:not_over)
    """
)
COUNT_ONCE = text(
    """
    insert into delivery_events
      (tenant_id, message_id, recipient, provider_event_id, status, bounce_class, enhanced_code, details, created_at)
    values (:tenant, :message, :recipient, :event_id, :status, :class, :code, cast(:details as jsonb), :at)
    on conflict (tenant_id, provider_event_id) do nothing returning id
    """
)
BOUNCED = text(
    """
    update messages set bounce_received_at = coalesce(bounce_received_at, :at)
    where tenant_id = :tenant and id = :id
    """
)

FINAL = ["bounced", "complained"]
DELIVERED_ACTIONS = frozenset({"delivered", "relayed", "expanded"})


@dataclass(frozen=True, slots=True)
class AppliedReports:
    """The messages of ours that the report was about; empty when it was about none."""

    matched_message_ids: tuple[uuid.UUID, ...]


async def apply_reports(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    ledger_id: uuid.UUID,
    verdict: Verdict,
    received_at: dt.datetime,
) -> AppliedReports:
    """Write what one bounce or complaint says. A second run with the same `ledger_id` changes nothing.

    Reports about addresses that the message did not go to are ignored. A bounce that names nobody marks the message
    and no address. A report about a message whose fate was unknown proves that it was sent.
    """
    del inbox_id  # the report may have been forwarded to another inbox than the one that sent
    reports = list(verdict.reports[:MOST_REPORTS])
    complaint = verdict.kind is MailKind.COMPLAINT
    matched: list[uuid.UUID] = []
    for message_id in await _ours(connection, tenant_id, verdict):
        row = await lock_message(connection, tenant_id, message_id)
        if row is None:
            continue
        own = await _recipients(connection, row)
        about = [r for r in reports if address_key(r.address) in own]
        if not reports and (len(own) == 1 or not complaint):
            # An abuse report often hides the address; with one recipient there is no doubt whose it is.
            address = next(iter(own.values())) if len(own) == 1 and complaint else ""
            about = [RecipientReport(address, "complained" if complaint else "failed", "", None)]
        if not about:
            continue
        matched.append(message_id)
        await _apply(connection, row, about, own, ledger_id, complaint=complaint, at=received_at)
        if row.send_status == SendStatus.UNKNOWN:
            await settle_sent(
                connection,
                tenant_id=tenant_id,
                message_id=message_id,
                proof="a report came back",
                now=received_at,
            )
    return AppliedReports(tuple(matched))


async def _ours(connection: AsyncConnection, tenant_id: uuid.UUID, verdict: Verdict) -> list[uuid.UUID]:
    ids = list(dict.fromkeys(verdict.original_message_ids))[:MOST_IDS]
    try:
        send_id = uuid.UUID(verdict.original_send_id) if verdict.original_send_id else None
    except ValueError:
        send_id = None  # not one of ours: ours are UUIDs
    if not ids and send_id is None:
        return []
    rows = await connection.execute(BY_OUR_IDS, {"tenant": tenant_id, "send_id": send_id, "ids": ids})
    found = [row.id for row in rows]
    if found or not ids:
        return found
    addresses = [address_key(r.address) for r in verdict.reports[:MOST_REPORTS]]
    aliased = await connection.execute(BY_ALIAS, {"tenant": tenant_id, "ids": ids, "addresses": addresses})
    return [row.id for row in aliased]


async def _recipients(connection: AsyncConnection, row: LockedMessage) -> dict[str, str]:
    rows = await connection.execute(RECIPIENTS, {"tenant": row.tenant_id, "id": row.id})
    return {r.address_key: r.address for r in rows}


async def _apply(
    connection: AsyncConnection,
    row: LockedMessage,
    reports: Sequence[RecipientReport],
    own: dict[str, str],
    ledger_id: uuid.UUID,
    *,
    complaint: bool,
    at: dt.datetime,
) -> None:
    failed = news = 0
    for number, report in enumerate(reports):
        key = address_key(report.address)
        status = DeliveryStatus.COMPLAINED if complaint else _status(report.action)
        counted = await connection.execute(
            COUNT_ONCE,
            {
                "tenant": row.tenant_id,
                "message": row.id,
                "recipient": own.get(key, ""),
                "event_id": f"{ledger_id}:{row.id}:{number}",
                "status": status.value,
                "class": report.bounce_class.value if report.bounce_class else None,
                "code": report.status or None,
                "details": json.dumps({"action": report.action, "diagnostic": report.diagnostic[:500]}),
                "at": at,
            },
        )
        if counted.first() is None:
            continue
        news += 1
        failed += status is DeliveryStatus.BOUNCED
        not_over = [*FINAL, "delivered"] if status is DeliveryStatus.DEFERRED else FINAL
        await connection.execute(
            SET_RECIPIENT,
            {
                "status": "sent" if status is DeliveryStatus.DEFERRED else status.value,
                "detail": " ".join(p for p in (report.action, report.status) if p),
                "tenant": row.tenant_id,
                "id": row.id,
                "key": key,
                "not_over": not_over,
            },
        )
        if key in own and (complaint or report.bounce_class is BounceClass.HARD):
            await suppress(
                connection,
                tenant_id=row.tenant_id,
                address=own[key],
                complaint=complaint,
                message_id=row.id,
                at=at,
            )
    if not news:
        return
    word = "complained" if complaint else "bounced" if failed else "reported"
    await append_step(
        connection,
        tenant_id=row.tenant_id,
        message_id=row.id,
        step=word,
        attempt=row.send_attempts,
        detail=f"a report about {news} of {len(own)} recipients",
    )
    if failed:
        await connection.execute(BOUNCED, {"tenant": row.tenant_id, "id": row.id, "at": at})
    event = "message.bounced" if failed else "message.updated"
    await tell(
        connection, row, event, actor="system", payload={"reports": news, "failed": failed, "what": word}
    )


def _status(action: str) -> DeliveryStatus:
    if action in DELIVERED_ACTIONS:
        return DeliveryStatus.DELIVERED
    return DeliveryStatus.DEFERRED if action == "delayed" else DeliveryStatus.BOUNCED
