"""Finds out which mails of a batch are already here: copies of what we sent, and mails seen before.

A mail is the same only if Message-ID and content are the same (integrity I-8). A copy of our own mail is known by its
send id or Message-ID, and only where that claim can be believed (S-12).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import Classification, Direction, FolderRole
from store.incoming import IncomingMail

KNOWN = text(
    """
    select id, message_id_header, content_id, conversation_id, direction, classification
    from messages
    where tenant_id = :tenant and inbox_id = :inbox
      and (message_id_header = any(cast(:headers as text[]))
           or (direction = 'outbound' and id = any(cast(:sends as uuid[]))))
    """
)
SEEN_IN_SENT = text(
    """
    update messages set sent_copy_at = now(), copy_due_at = null
    where tenant_id = :tenant and id = any(cast(:ids as uuid[])) and sent_copy_at is null
    """
)


@dataclass(frozen=True, slots=True)
class OwnCopy:
    message_id: uuid.UUID
    conversation_id: uuid.UUID | None


@dataclass(slots=True)
class Recognised:
    """By ledger id. `fresh` maps to the message id that a new mail gets; `reused` are fresh mails under a Message-ID
    that another content had before; `released` are spam messages that somebody has moved out of Junk.
    """

    copies: dict[uuid.UUID, OwnCopy] = field(default_factory=dict)
    duplicates: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    fresh: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    reused: set[uuid.UUID] = field(default_factory=set)
    released: list[uuid.UUID] = field(default_factory=list)


async def recognise(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    batch: Sequence[tuple[IncomingMail, uuid.UUID]],
    *,
    own: frozenset[str],
) -> Recognised:
    """Sort a batch, given as (mail, id that a new message would get). One statement; the second of two equal mails in
    the batch is a duplicate of the first.
    """
    sends = [s for mail, _ in batch if mail.may_be_ours(own) and (s := mail.claimed_send()) is not None]
    answer = await connection.execute(
        KNOWN,
        {
            "tenant": tenant_id,
            "inbox": inbox_id,
            "headers": list({mail.header_id for mail, _ in batch}),
            "sends": sends,
        },
    )
    sent: dict[uuid.UUID, OwnCopy] = {}
    sent_by_header: dict[str, OwnCopy] = {}
    same: dict[tuple[str, str], uuid.UUID] = {}
    outside: set[uuid.UUID] = set()
    headers: set[str] = set()
    for row in answer:
        if row.message_id_header is not None:
            headers.add(row.message_id_header)
            same[row.message_id_header, row.content_id] = row.id
        if row.direction == Direction.OUTBOUND:
            copy = OwnCopy(row.id, row.conversation_id)
            sent[row.id] = copy
            if row.message_id_header is not None:
                sent_by_header[row.message_id_header] = copy
        elif row.classification == Classification.SPAM and row.conversation_id is None:
            outside.add(row.id)
    found = Recognised()
    for mail, message_id in batch:
        ledger_id, identity = mail.pending.id, (mail.header_id, mail.mail.content_id)
        ours = None
        if mail.may_be_ours(own):
            claimed = mail.claimed_send()
            ours = sent.get(claimed) if claimed is not None else None
            ours = ours or sent_by_header.get(mail.header_id)
        if ours is not None:
            found.copies[ledger_id] = ours
        elif identity in same:
            found.duplicates[ledger_id] = same[identity]
            if same[identity] in outside and mail.threads and mail.pending.role != FolderRole.JUNK:
                found.released.append(same[identity])
                outside.discard(same[identity])
        else:
            if mail.header_id in headers:
                found.reused.add(ledger_id)
            headers.add(mail.header_id)
            same[identity] = message_id
            found.fresh[ledger_id] = message_id
    return found


async def mark_sent_copies(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_ids: Sequence[uuid.UUID]
) -> None:
    """These mails of ours stand in the Sent folder."""
    if message_ids:
        await connection.execute(SEEN_IN_SENT, {"tenant": tenant_id, "ids": list(message_ids)})
