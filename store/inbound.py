"""Turns a batch of read mails into rows, events and the ledger's answers, in one transaction.

Either the whole batch stands or nothing of it does; a batch that is stored again finds its ledger rows settled and
changes nothing. Copies of our own mail and mails seen before make no message.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.values import MailKind
from models.enums import Direction, LedgerState
from store.addresses import address_key
from store.bulk import new_id
from store.cards import drop_cards, hand_over
from store.delivery import apply_reports
from store.event_log import NewEvent, append_events
from store.inbound_flood import IncomingCaps, beyond_caps
from store.inbound_rows import Fate, NewMessage, insert_messages, settle_ledger
from store.inbox_state import own_addresses
from store.incoming import IncomingMail
from store.ingest_lock import lock_ingest
from store.outbound_outcomes import settle_sent
from store.outbound_rows import lock_message
from store.placing import Placed, place_mails
from store.quarantine import Entry, enter, resolve
from store.recognition import OwnCopy, Recognised, mark_sent_copies, recognise
from store.response_times import record_response
from store.spam_release import bring_in
from store.split_suggestions import suggest_splits
from store.threading import save_keys

__all__ = ["StoredBatch", "bring_in", "store_batch"]

STILL_PENDING = text(
    """
    select id from ledger where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and state = 'stored'
    order by id for no key update
    """
)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """What a batch became. `answerable`: live customer mails that may be answered automatically."""

    ingested: int = 0
    skipped: int = 0
    quarantined: int = 0
    answerable: int = 0

    def __add__(self, other: "StoredBatch") -> "StoredBatch":
        return StoredBatch(
            self.ingested + other.ingested,
            self.skipped + other.skipped,
            self.quarantined + other.quarantined,
            self.answerable + other.answerable,
        )


async def store_batch(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    mails: Sequence[IncomingMail],
    *,
    run: str | None = None,
    caps: IncomingCaps | None = None,
) -> StoredBatch:
    """Store a batch. The caller holds the lease; `run` is the workflow run that is named in the ledger. Live mails beyond
    `caps` are stored and start nothing.
    """
    await lock_ingest(connection, inbox_id)
    pending = await connection.execute(
        STILL_PENDING, {"tenant": tenant_id, "ids": [m.pending.id for m in mails]}
    )
    open_ids = set(pending.scalars())
    batch = [m for m in mails if m.pending.id in open_ids]
    if not batch:
        return StoredBatch()
    now = dt.datetime.now(dt.UTC)
    own = frozenset(address_key(a) for a in await own_addresses(connection, tenant_id))
    cards = await drop_cards(connection, tenant_id, inbox_id, batch)
    found = await recognise(connection, tenant_id, inbox_id, [(m, new_id()) for m in batch], own=own)
    fresh = [(m, found.fresh[m.pending.id]) for m in batch if m.pending.id in found.fresh]
    placed = await place_mails(
        connection,
        tenant_id,
        inbox_id,
        [m.placeable(message_id, now) for m, message_id in fresh if m.threads],
        own=own,
    )
    flood: frozenset[uuid.UUID] = frozenset()
    if caps is not None:
        incoming = [m for m, _ in fresh]
        flood = await beyond_caps(
            connection, tenant_id=tenant_id, inbox_id=inbox_id, mails=incoming, caps=caps, now=now
        )
    messages = [
        NewMessage(
            message_id,
            m,
            placed.get(message_id),
            reused_id=m.pending.id in found.reused,
            flood=m.pending.id in flood,
        )
        for m, message_id in fresh
    ]
    await insert_messages(connection, tenant_id, inbox_id, messages, now)
    await suggest_splits(connection, tenant_id, messages)
    await _attach_copies(connection, tenant_id, inbox_id, batch, found)
    for spam in found.released:
        await bring_in(connection, tenant_id, spam)
    fates = [_fate(m, found, placed) for m in batch]
    await settle_ledger(connection, tenant_id, fates, run)
    became = {f.incoming.pending.id: f.message_id for f in fates if f.message_id is not None}
    await hand_over(connection, tenant_id, inbox_id, cards, became)
    await _quarantine(connection, tenant_id, inbox_id, fates)
    await _tell(connection, tenant_id, inbox_id, messages)
    await _report(connection, tenant_id, inbox_id, messages, now)
    return StoredBatch(
        ingested=sum(f.state is LedgerState.INGESTED for f in fates),
        skipped=sum(f.state is LedgerState.SKIPPED for f in fates),
        quarantined=sum(f.state is LedgerState.QUARANTINED for f in fates),
        answerable=sum(_answerable(m) for m in messages),
    )


def _fate(mail: IncomingMail, found: Recognised, placed: dict[uuid.UUID, Placed]) -> Fate:
    ledger_id = mail.pending.id
    if ledger_id in found.copies:
        return Fate(mail, LedgerState.SKIPPED, "own_copy", found.copies[ledger_id].message_id)
    if ledger_id in found.duplicates:
        return Fate(mail, LedgerState.SKIPPED, "duplicate", found.duplicates[ledger_id])
    message_id = found.fresh[ledger_id]
    by = placed[message_id].by if message_id in placed else None
    if mail.poison is not None:
        return Fate(mail, LedgerState.QUARANTINED, mail.poison.reason, message_id, by)
    return Fate(mail, LedgerState.INGESTED, None, message_id, by)


async def _attach_copies(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    batch: Sequence[IncomingMail],
    found: Recognised,
) -> None:
    """Copies of what we sent: note that Sent has it, and remember the id that a relay gave it (SES, Exchange)."""
    copies: list[tuple[IncomingMail, OwnCopy]] = [
        (m, found.copies[m.pending.id]) for m in batch if m.pending.id in found.copies
    ]
    if not copies:
        return
    await mark_sent_copies(connection, tenant_id, [c.message_id for m, c in copies if m.from_sent])
    for copy in {c.message_id for m, c in copies if m.from_sent}:
        # A message in doubt that stands in Sent was sent; any other stays as it is.
        await settle_sent(
            connection, tenant_id=tenant_id, message_id=copy, proof="seen in Sent", now=dt.datetime.now(dt.UTC)
        )
    aliases = {
        m.mail.message_id: (c.conversation_id, True)
        for m, c in copies
        if m.mail.message_id and c.conversation_id is not None
    }
    await save_keys(connection, tenant_id, inbox_id, aliases)


async def _quarantine(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, fates: Sequence[Fate]
) -> None:
    await enter(
        connection,
        tenant_id,
        inbox_id,
        [
            Entry(f.incoming.pending.id, p.reason, p.detail, p.stack_hash)
            for f in fates
            if f.state is LedgerState.QUARANTINED and (p := f.incoming.poison) is not None
        ],
    )
    settled = [f.incoming.pending.id for f in fates if f.state is not LedgerState.QUARANTINED]
    await resolve(connection, tenant_id, inbox_id, settled)


def _answerable(message: NewMessage) -> bool:
    incoming = message.incoming
    return (
        incoming.verdict.may_answer
        and incoming.kind is MailKind.MESSAGE
        and not incoming.from_sent
        and not incoming.pending.historical
        and incoming.poison is None
        and not message.flood
    )


async def _tell(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    messages: Sequence[NewMessage],
) -> None:
    """One event for each live mail. Historical mail is told by the backfill's progress alone (integrity I-14)."""
    await append_events(
        connection,
        [
            NewEvent(
                "message.sent" if m.incoming.from_sent else "message.received",
                tenant_id,
                inbox_id=inbox_id,
                conversation_id=m.placed.conversation_id if m.placed else None,
                message_id=m.id,
                payload={
                    "classification": m.incoming.kind.value,
                    "version": m.placed.at_version if m.placed else 0,
                }
                | ({"source": "sent_folder"} if m.incoming.from_sent else {})
                | ({"quiet": True} if m.flood else {}),
            )
            for m in messages
            if not m.incoming.pending.historical
        ],
    )


async def _report(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    messages: Sequence[NewMessage],
    now: dt.datetime,
) -> None:
    """What touches other messages than the batch's own: reports about our mail, and answers that end a wait."""
    for message in messages:
        incoming = message.incoming
        if incoming.kind in (MailKind.BOUNCE, MailKind.COMPLAINT):
            await apply_reports(
                connection,
                tenant_id=tenant_id,
                inbox_id=inbox_id,
                ledger_id=incoming.pending.id,
                verdict=incoming.verdict,
                received_at=incoming.received_at(now),
            )
        elif incoming.direction is Direction.OUTBOUND and not incoming.pending.historical:
            row = await lock_message(connection, tenant_id, message.id)
            if row is not None:
                await record_response(connection, row, incoming.received_at(now))
