"""Takes over what a dry run planned, some mails in one transaction: each only if it is still what the plan was made from.

Nothing is told to customers, nothing becomes unread, nothing is answered automatically. A second run finds its changes
settled; one that dies leaves the whole batch as it was.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.values import MailKind
from models.enums import ReingestChangeState
from store.addresses import address_key
from store.contacts import ensure_contacts
from store.delivery import apply_reports
from store.event_log import NewEvent, append_events
from store.inbox_state import own_addresses
from store.incoming import IncomingMail
from store.ingest_lock import lock_ingest
from store.placing import Placed, place_mails
from store.quarantine import resolve, retry
from store.reingest_conversations import (
    clear_up,
    leave,
    lock_conversations,
    rename,
    show_last,
    stay_unread,
    tell_conversations,
)
from store.reingest_reading import Reading, Stored, fresh_reading, load_stored
from store.reingest_rows import write_reading, write_version
from store.reingest_threads import Effect, Move, effect_of, keys_only_of, placeable_of
from store.reingests import Change, Settled
from store.threading import save_keys, suggest

LOCK_MESSAGES = text(
    "select id from messages where tenant_id = :tenant and id = any(cast(:ids as uuid[])) order by id for no key update"
)
PLACES = text(
    """
    select distinct conversation_id from messages
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and conversation_id is not null
    """
)
# A content id that the new parser makes may be that of another mail under the same Message-ID.
TAKEN = text(
    """
    select 1 from messages where tenant_id = :tenant and inbox_id = :inbox and message_id_header = :header
      and content_id = :content and id <> :id
    """
)
IN_QUARANTINE = text(
    "select id from quarantine where tenant_id = :tenant and ledger_id = :ledger and resolved_at is null"
)
DROP_KEYS = text(
    "delete from thread_keys where tenant_id = :tenant and inbox_id = :inbox and key = any(cast(:keys as text[]))"
)


@dataclass(slots=True)
class _Batch:
    """What the mails of one inbox touch on their way."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    own: frozenset[str]
    texts: dict[uuid.UUID, set[uuid.UUID] | None] = field(default_factory=dict)
    conversations: set[uuid.UUID] = field(default_factory=set)
    events: list[NewEvent] = field(default_factory=list)
    rearranged: bool = False

    def moved(self, conversation_id: uuid.UUID) -> None:
        """A mail left it, or came into it."""
        self.texts[conversation_id] = None
        self.conversations.add(conversation_id)

    def touched(self, conversation_id: uuid.UUID, message_id: uuid.UUID) -> None:
        known = self.texts.setdefault(conversation_id, set())
        if known is not None:
            known.add(message_id)
        self.conversations.add(conversation_id)


class _Refused(Exception):
    """This change cannot be taken over; `settled` says why."""

    def __init__(self, state: ReingestChangeState, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


async def apply_versions(
    connection: AsyncConnection, tenant_id: uuid.UUID, changes: Sequence[Change]
) -> list[Settled]:
    """Mails that read the same: the version is noted where nothing has changed since."""
    stored = await load_stored(connection, tenant_id, [c.ledger_id for c in changes])
    same = [c for c in changes if c.ledger_id in stored and stored[c.ledger_id].mark == c.before]
    await write_version(connection, tenant_id, [(c.ledger_id, c.message_id) for c in same])
    good = {c.ledger_id for c in same}
    return [
        Settled(c.ledger_id, ReingestChangeState.APPLIED)
        if c.ledger_id in good
        else Settled(c.ledger_id, ReingestChangeState.STALE, "changed_since")
        for c in changes
    ]


async def apply_changes(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    changes: Sequence[Change],
    mails: Mapping[uuid.UUID, IncomingMail],
) -> list[Settled]:
    """Changes of one inbox, with their mails as they read now, files stored. The caller holds the run.

    Locks as everybody does: the inbox's threads, conversations, then messages.
    """
    await lock_ingest(connection, inbox_id)
    messages = {"tenant": tenant_id, "ids": [c.message_id for c in changes]}
    await lock_conversations(connection, tenant_id, (await connection.execute(PLACES, messages)).scalars())
    await connection.execute(LOCK_MESSAGES, messages)
    before = await load_stored(connection, tenant_id, [c.ledger_id for c in changes])
    own = frozenset(address_key(a) for a in await own_addresses(connection, tenant_id))
    batch = _Batch(tenant_id, inbox_id, own)
    settled = []
    for change in changes:
        try:
            async with connection.begin_nested():
                if batch.rearranged:  # what was done for the mails before it may have moved this one
                    before.pop(change.ledger_id, None)
                    before |= await load_stored(connection, tenant_id, [change.ledger_id])
                stored = before.get(change.ledger_id)
                reason = await _apply(connection, batch, change, stored, mails.get(change.ledger_id))
            settled.append(Settled(change.ledger_id, ReingestChangeState.APPLIED, reason))
        except _Refused as why:
            settled.append(Settled(change.ledger_id, why.state, why.reason))
        except IntegrityError:
            # One mail that the schema does not take must not stop the others. Its message stays as it was.
            settled.append(Settled(change.ledger_id, ReingestChangeState.REFUSED, "schema"))
    await show_last(connection, tenant_id, batch.texts)
    await append_events(connection, batch.events)
    await tell_conversations(connection, tenant_id, batch.conversations)
    return settled


async def _apply(
    connection: AsyncConnection,
    batch: _Batch,
    change: Change,
    stored: Stored | None,
    incoming: IncomingMail | None,
) -> str | None:
    """One mail, as it stands now and as it reads now."""
    if stored is None or stored.mark != change.before:
        raise _Refused(ReingestChangeState.STALE, "changed_since")
    if incoming is None:
        raise _Refused(ReingestChangeState.REFUSED, "unread")
    fresh = fresh_reading(incoming, stored.received_at)
    if fresh.digest() != change.after:
        raise _Refused(ReingestChangeState.STALE, "reads_otherwise")
    if await _is_taken(connection, batch, stored, fresh):
        return await _hand_back(connection, batch, stored)
    effect = await effect_of(connection, batch.tenant_id, stored, fresh, incoming, own=batch.own)
    if not _as_planned(change.detail.get("thread"), effect.move):
        raise _Refused(ReingestChangeState.STALE, "thread_changed")
    await _take_over(connection, batch, stored, effect, incoming)
    batch.events.append(
        NewEvent(
            "message.updated",
            batch.tenant_id,
            inbox_id=batch.inbox_id,
            conversation_id=stored.conversation_id,
            message_id=stored.message_id,
            payload={"what": "reingested", "kinds": list(change.kinds)},
        )
    )
    return None


def _as_planned(planned: Mapping[str, Any] | None, move: Move | None) -> bool:
    """A mail that comes in from outside may go where the others of this run went before it; all else as it was planned."""
    if planned is None or move is None:
        return planned is None and move is None
    return move.old is None if planned["old"] is None else move.as_json() == dict(planned)


async def _is_taken(connection: AsyncConnection, batch: _Batch, stored: Stored, fresh: Reading) -> bool:
    old = stored.reading
    if (old.message_id_header, old.content_id) == (fresh.message_id_header, fresh.content_id):
        return False
    bound = {
        "tenant": batch.tenant_id,
        "inbox": batch.inbox_id,
        "header": fresh.message_id_header,
        "content": fresh.content_id,
        "id": stored.message_id,
    }
    return (await connection.execute(TAKEN, bound)).first() is not None


async def _hand_back(connection: AsyncConnection, batch: _Batch, stored: Stored) -> str:
    """The card of a mail that is here already under its true content: ingest tries it again and finds that out."""
    bound = {"tenant": batch.tenant_id, "ledger": stored.ledger_id}
    card = (await connection.execute(IN_QUARANTINE, bound)).scalar_one_or_none()
    if card is None or await retry(connection, batch.tenant_id, card) is None:
        raise _Refused(ReingestChangeState.REFUSED, "identity_taken")
    return "handed_to_ingest"


async def _take_over(
    connection: AsyncConnection, batch: _Batch, stored: Stored, effect: Effect, incoming: IncomingMail
) -> None:
    fresh, move = effect.reading, effect.move
    moves = move is not None and move.kept is None
    place, placed = stored.conversation_id, None
    ties = (stored.reading.message_id_header, stored.reading.in_reply_to, stored.reading.references)
    retied = ties != (fresh.message_id_header, fresh.in_reply_to, fresh.references)
    if moves or retied:
        mine = await keys_only_of(connection, batch.tenant_id, stored)
        keys = {"tenant": batch.tenant_id, "inbox": batch.inbox_id, "keys": list(mine)}
        await connection.execute(DROP_KEYS, keys)
    batch.rearranged = batch.rearranged or moves
    if moves and stored.conversation_id is not None:
        await leave(connection, batch.tenant_id, stored)
        batch.moved(stored.conversation_id)
    if moves and fresh.threads:
        placed = await _place(connection, batch, stored, incoming)
        place = placed.conversation_id
        batch.moved(place)
        if not stored.is_read and stored.conversation_id is not None:
            await stay_unread(connection, batch.tenant_id, place)
    elif moves:
        place = None
    sender = placed.contact_id if placed else await _sender(connection, batch, stored, fresh, place)
    await write_reading(
        connection,
        batch.tenant_id,
        stored,
        fresh,
        incoming,
        conversation_id=place,
        sender_id=sender,
        placed=placed,
    )
    if place is not None:
        if moves or retied:
            await _save_keys(connection, batch, incoming, place)
        await _settle_in(connection, batch, stored, effect, place, sender)
    if moves and stored.conversation_id is not None:
        await clear_up(connection, batch.tenant_id, batch.inbox_id, stored.conversation_id, into=place)
    if stored.reading.quarantine is not None:
        await resolve(connection, batch.tenant_id, batch.inbox_id, [stored.ledger_id])
    await _report(connection, batch, stored, fresh, incoming)


async def _place(
    connection: AsyncConnection, batch: _Batch, stored: Stored, incoming: IncomingMail
) -> Placed:
    mail = placeable_of(stored, incoming)
    placed = await place_mails(connection, batch.tenant_id, batch.inbox_id, [mail], own=batch.own)
    return placed[stored.message_id]


async def _sender(
    connection: AsyncConnection, batch: _Batch, stored: Stored, fresh: Reading, place: uuid.UUID | None
) -> uuid.UUID | None:
    """The contact of the writer, as ingest would have it."""
    if place is None or stored.outbound or not fresh.from_address:
        return None
    if stored.sender_id is not None and stored.reading.from_address == fresh.from_address:
        return stored.sender_id
    key = address_key(fresh.from_address)
    people = {key: (fresh.from_address, fresh.from_name)}
    return (await ensure_contacts(connection, batch.tenant_id, people)).get(key)


async def _save_keys(
    connection: AsyncConnection, batch: _Batch, incoming: IncomingMail, place: uuid.UUID
) -> None:
    """The ids by which later mails find it. A key that another mail has made keeps its conversation."""
    keys = dict.fromkeys(incoming.hints.parents, (place, False))
    own = {incoming.header_id: (place, True)}
    await save_keys(connection, batch.tenant_id, batch.inbox_id, {**keys, **own})


async def _settle_in(
    connection: AsyncConnection,
    batch: _Batch,
    stored: Stored,
    effect: Effect,
    place: uuid.UUID,
    sender: uuid.UUID | None,
) -> None:
    """Names and the list's line of the conversation that the mail stands in, and what a person may follow."""
    if stored.conversation_id == place:
        await rename(connection, batch.tenant_id, place, stored.reading, effect.reading, sender)
        batch.touched(place, stored.message_id)
    move: Move | None = effect.move
    if move is not None and move.kept is not None and move.new is not None:
        await suggest(connection, batch.tenant_id, [(place, move.new, move.by)])


async def _report(
    connection: AsyncConnection, batch: _Batch, stored: Stored, fresh: Reading, incoming: IncomingMail
) -> None:
    """A report that was not seen as one counts now, once; what an earlier reading made of it is not taken back."""
    old = stored.reading
    if fresh.classification not in (MailKind.BOUNCE, MailKind.COMPLAINT):
        return
    if (old.classification, old.reports) == (fresh.classification, fresh.reports):
        return
    await apply_reports(
        connection,
        tenant_id=batch.tenant_id,
        inbox_id=batch.inbox_id,
        ledger_id=stored.ledger_id,
        verdict=incoming.verdict,
        received_at=stored.received_at,
    )


def by_inbox(changes: Sequence[Change]) -> dict[uuid.UUID, list[Change]]:
    """The changes of each inbox: its threads have one writer at a time."""
    groups: dict[uuid.UUID, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.inbox_id].append(change)
    return dict(groups)
