"""Freezing an outgoing mail (integrity S-1): what it is made of is read, its bytes' place, id, date and chain are written.

They are written once: whoever comes second finds them and makes nothing. Every attempt then reads the same envelope.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import SendStatus
from store.outbound_rows import lock_message, tell
from store.send_steps import append_step

CHAIN_TAIL = (
    40  # ids kept from the end of a long conversation; the composer shortens them further (RFC 5322 §3.6.4)
)

SOURCE = text(
    """
    select m.id, m.conversation_id, m.inbox_id, m.kind, m.send_status, m.from_address, m.from_name, m.subject,
           m.body_text, m.body_html, m.raw_key, m.raw_length, c.number, i.deleted_at as inbox_deleted_at,
           d.reply_to_address
    from messages m
    join inboxes i on i.tenant_id = m.tenant_id and i.id = m.inbox_id
    left join conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
    left join domains d on d.tenant_id = i.tenant_id and d.id = i.domain_id
    where m.tenant_id = :tenant and m.id = :id and m.direction = 'outbound'
    """
)
RECIPIENTS = text(
    """
    select recipient_type, address, address_key, name, delivery_status from message_recipients
    where tenant_id = :tenant and message_id = :id order by position
    """
)
FILES = text(
    """
    select filename, content_type, sha256, storage_key, content_id_header, disposition from attachments
    where tenant_id = :tenant and message_id = :id order by position, id
    """
)
# The mail that is answered: the customer's newest, or whatever stands last when only we have written.
PARENT = text(
    """
    select id, message_id_header from messages
    where tenant_id = :tenant and conversation_id = :conversation and id <> :id and message_id_header is not null
      and (direction = 'inbound' or raw_key is not null or send_status is null)
      and send_status is distinct from 'cancelled'
    order by (direction = 'inbound' and is_auto is null) desc, received_at desc, id desc limit 1
    """
)
REFERENCES = text(
    "select referenced_id from message_references where tenant_id = :tenant and message_id = :id order by position"
)
CHAIN = text(
    """
    select message_id_header from (
      select message_id_header, received_at, id,
             row_number() over (order by received_at, id) as first,
             row_number() over (order by received_at desc, id desc) as last
      from messages
      where tenant_id = :tenant and conversation_id = :conversation and id <> :id and message_id_header is not null
        and kind = 'message' and (direction = 'inbound' or send_status is null or send_status = 'sent')
    ) as chain where first = 1 or last <= :tail order by received_at, id
    """
)
FREEZE = text(
    """
    update messages set message_id_header = :header, content_id = :content_id, sent_at = :sent_at,
      in_reply_to = :in_reply_to, raw_key = :key, raw_offset = 0, raw_length = :length, raw_sha256 = :sha256
    where tenant_id = :tenant and id = :id and raw_key is null
    """
)
ADD_REFERENCES = text(
    """
    insert into message_references (tenant_id, message_id, position, referenced_id)
    values (:tenant, :id, :position, :referenced) on conflict do nothing
    """
)
ADD_THREAD_KEY = text(
    """
    insert into thread_keys (tenant_id, inbox_id, key, kind, conversation_id)
    values (:tenant, :inbox, :key, 'message_id', :conversation) on conflict do nothing
    """
)
ENVELOPE = text(
    """
    select m.id, m.inbox_id, m.kind, m.send_status, m.from_address, m.message_id_header, m.sent_at, m.raw_key, m.raw_length,
           m.raw_sha256, m.sent_copy_at, d.bounce_address
    from messages m join inboxes i on i.tenant_id = m.tenant_id and i.id = m.inbox_id
    left join domains d on d.tenant_id = i.tenant_id and d.id = i.domain_id
    where m.tenant_id = :tenant and m.id = :id and m.direction = 'outbound'
    """
)


@dataclass(frozen=True, slots=True)
class FrozenRecipient:
    type: str
    address: str
    address_key: str
    name: str
    delivery_status: str | None


@dataclass(frozen=True, slots=True)
class SourceFile:
    filename: str
    content_type: str
    sha256: str
    storage_key: str
    content_id: str | None


@dataclass(frozen=True, slots=True)
class MailSource:
    """Everything a mail is made of. `references` is the chain of the conversation, oldest first, without the parent."""

    id: uuid.UUID
    conversation_id: uuid.UUID | None
    inbox_id: uuid.UUID
    number: int | None
    kind: str
    send_status: str
    inbox_deleted: bool
    frozen_bytes: int | None
    from_address: str
    from_name: str
    reply_to: str | None
    subject: str
    text: str
    html: str | None
    in_reply_to: str | None
    references: tuple[str, ...]
    recipients: tuple[FrozenRecipient, ...]
    files: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True)
class FrozenMail:
    """What `freeze` writes. `references` is the chain as it stands in the mail."""

    message_id: str
    content_id: str
    date: dt.datetime
    in_reply_to: str | None
    references: tuple[str, ...]
    raw_key: str
    raw_length: int
    raw_sha256: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every attempt sends, and to whom it may still be sent."""

    id: uuid.UUID
    inbox_id: uuid.UUID
    kind: str
    send_status: str
    from_address: str
    bounce_address: str | None
    message_id: str
    date: dt.datetime
    raw_key: str
    raw_length: int
    raw_sha256: str
    copied: bool
    recipients: tuple[FrozenRecipient, ...]

    @property
    def open_recipients(self) -> tuple[FrozenRecipient, ...]:
        """Those whom no server has taken or refused for good (S-7)."""
        return tuple(r for r in self.recipients if r.delivery_status in {None, "pending", "deferred"})


async def read_source(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> MailSource | None:
    """What the mail is made of, or None for an unknown one."""
    key = {"tenant": tenant_id, "id": message_id}
    row = (await connection.execute(SOURCE, key)).first()
    if row is None:
        return None
    in_reply_to, references = await _chain(connection, key, row.conversation_id)
    files = await connection.execute(FILES, key)
    return MailSource(
        id=row.id,
        conversation_id=row.conversation_id,
        inbox_id=row.inbox_id,
        number=row.number,
        kind=row.kind,
        send_status=row.send_status,
        inbox_deleted=row.inbox_deleted_at is not None,
        frozen_bytes=None if row.raw_key is None else row.raw_length,
        from_address=row.from_address,
        from_name=row.from_name,
        reply_to=row.reply_to_address,
        subject=row.subject,
        text=row.body_text,
        html=row.body_html,
        in_reply_to=in_reply_to,
        references=references,
        recipients=await _recipients(connection, key),
        files=tuple(
            SourceFile(f.filename, f.content_type, f.sha256, f.storage_key, f.content_id_header)
            for f in files
        ),
    )


async def freeze(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    mail: FrozenMail,
    workflow_run: str | None = None,
) -> bool:
    """Write the frozen mail. False when it was frozen before, or was taken back meanwhile: then nothing is written."""
    row = await lock_message(connection, tenant_id, message_id)
    if row is None or row.send_status not in {SendStatus.QUEUED, SendStatus.SCHEDULED, SendStatus.SENDING}:
        return False
    key = {"tenant": tenant_id, "id": message_id}
    written = await connection.execute(
        FREEZE,
        {
            **key,
            "header": mail.message_id,
            "content_id": mail.content_id,
            "sent_at": mail.date,
            "in_reply_to": mail.in_reply_to,
            "key": mail.raw_key,
            "length": mail.raw_length,
            "sha256": mail.raw_sha256,
        },
    )
    if written.rowcount == 0:
        return False
    if mail.references:
        rows = [{**key, "position": n, "referenced": value} for n, value in enumerate(mail.references)]
        await connection.execute(ADD_REFERENCES, rows)
    if row.conversation_id is not None:
        bound = {"inbox": row.inbox_id, "key": mail.message_id, "conversation": row.conversation_id}
        await connection.execute(ADD_THREAD_KEY, {"tenant": tenant_id, **bound})
    await tell(connection, row, "message.updated", actor="system", payload={"send_status": row.send_status})
    await append_step(
        connection,
        tenant_id=tenant_id,
        message_id=message_id,
        step="composed",
        detail=f"{mail.raw_length} bytes, sha256 {mail.raw_sha256[:16]}",
        workflow_run=workflow_run,
    )
    return True


async def read_envelope(
    connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> Envelope | None:
    """The frozen mail and its recipients, or None while nothing is frozen."""
    key = {"tenant": tenant_id, "id": message_id}
    row = (await connection.execute(ENVELOPE, key)).first()
    if row is None or row.raw_key is None:
        return None
    return Envelope(
        id=row.id,
        inbox_id=row.inbox_id,
        kind=row.kind,
        send_status=row.send_status,
        from_address=row.from_address,
        bounce_address=row.bounce_address,
        message_id=row.message_id_header,
        date=row.sent_at,
        raw_key=row.raw_key,
        raw_length=row.raw_length,
        raw_sha256=row.raw_sha256,
        copied=row.sent_copy_at is not None,
        recipients=await _recipients(connection, key),
    )


async def _chain(
    connection: AsyncConnection, key: dict[str, uuid.UUID], conversation_id: uuid.UUID | None
) -> tuple[str | None, tuple[str, ...]]:
    if conversation_id is None:
        return None, ()
    place = {**key, "conversation": conversation_id}
    parent = (await connection.execute(PARENT, place)).first()
    if parent is None:
        return None, ()
    above = await connection.execute(REFERENCES, {"tenant": key["tenant"], "id": parent.id})
    chain = await connection.execute(CHAIN, {**place, "tail": CHAIN_TAIL})
    return parent.message_id_header, _merged(
        [r.referenced_id for r in above], [r.message_id_header for r in chain], parent.message_id_header
    )


def _merged(above: Sequence[str], chain: Sequence[str], parent: str) -> tuple[str, ...]:
    """The parent's own references, then what the conversation holds beyond them; the parent itself comes last."""
    return tuple(i for i in dict.fromkeys([*above, *chain]) if i != parent)


async def _recipients(connection: AsyncConnection, key: dict[str, uuid.UUID]) -> tuple[FrozenRecipient, ...]:
    rows = await connection.execute(RECIPIENTS, key)
    return tuple(
        FrozenRecipient(r.recipient_type, r.address, r.address_key, r.name, r.delivery_status) for r in rows
    )
