"""A new reading over an old one: the same message with the same id, its recipients, references and files as the mail has
them now. Files that stayed keep their ids, so that links to them keep working.
"""

import json
import uuid
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.values import MailKind
from store.addresses import address_key
from store.bulk import insert_rows, new_id
from store.inbound_rows import (
    INSERT_FILES,
    INSERT_RECIPIENTS,
    INSERT_REFERENCES,
    place_of,
    reports_of,
    sender_type_of,
)
from store.incoming import PARSER_VERSION, IncomingMail
from store.placing import Placed
from store.reingest_reading import Reading, Stored

MESSAGE = text(
    """
    update messages set message_id_header = :message_id_header, content_id = :content_id,
      classification = :classification, sender_type = :sender_type, sender_id = :sender_id, from_address = :from_address,
      from_name = :from_name, reply_to = cast(:reply_to as jsonb), subject = :subject, sent_at = :sent_at,
      in_reply_to = :in_reply_to, body_text = :body_text, body_html = :body_html, body_visible = :body_visible,
      is_auto = :is_auto, may_answer = :may_answer, silence_reason = :silence_reason, spam_verdict = :spam_verdict,
      authentication_results = cast(:authentication as jsonb), defects = :defects, parser_version = :parser,
      conversation_id = :conversation, is_read = :is_read, indexed_at = null,
      at_version = coalesce(cast(:at_version as bigint), at_version)
    where tenant_id = :tenant and id = :id
    """
)
LEDGER = text(
    """
    update ledger set state = 'ingested', reason = null, classification = :classification, classification_reason = :rule,
      threaded_by = case when :moved then :by else threaded_by end, reports = cast(:reports as jsonb),
      parser_version = :parser, ingested_at = coalesce(ingested_at, now()), updated_at = now()
    where tenant_id = :tenant and id = :id
    """
)
# What reports said of a recipient outlives a new reading of the To line.
DELIVERIES = text(
    """
    select address_key, delivery_status, delivery_detail from message_recipients
    where tenant_id = :tenant and message_id = :id and delivery_status is not null
    """
)
DROP_RECIPIENTS = text("delete from message_recipients where tenant_id = :tenant and message_id = :id")
KEEP_DELIVERY = text(
    """
    update message_recipients set delivery_status = :status, delivery_detail = :detail
    where tenant_id = :tenant and message_id = :id and address_key = :key
    """
)
DROP_REFERENCES = text("delete from message_references where tenant_id = :tenant and message_id = :id")
DROP_FILES = text("delete from attachments where tenant_id = :tenant and id = any(cast(:ids as uuid[]))")
KEEP_FILE = text(
    """
    update attachments set position = :position, filename = :filename, content_type = :content_type,
      content_id_header = :content_id, disposition = :disposition
    where tenant_id = :tenant and id = :id
    """
)
DOCUMENT = text(
    "update search_documents set conversation_id = :conversation where tenant_id = :tenant and message_id = :id"
)
ONLY_VERSION = text(
    """
    with touched as (
      update ledger set parser_version = :parser, updated_at = now()
      where tenant_id = :tenant and id = any(cast(:ledger_ids as uuid[]))
    )
    update messages set parser_version = :parser where tenant_id = :tenant and id = any(cast(:ids as uuid[]))
    """
)


async def write_reading(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    stored: Stored,
    fresh: Reading,
    incoming: IncomingMail,
    *,
    conversation_id: uuid.UUID | None,
    sender_id: uuid.UUID | None,
    placed: Placed | None = None,
) -> None:
    """All rows of one message. `fresh` says what is written, `incoming` has the files' keys and the verdict's words;
    `placed` is where it has just been put. Nothing makes it answerable that was not, and only a mail that comes in from
    outside becomes read: nobody is told of it.
    """
    kind, rule = fresh.classification, fresh.rule
    may_answer = (
        stored.may_answer and incoming.verdict.may_answer and kind == MailKind.MESSAGE and placed is None
    )
    entered = stored.conversation_id is None and conversation_id is not None
    await connection.execute(
        MESSAGE,
        {
            "tenant": tenant_id,
            "id": stored.message_id,
            "message_id_header": fresh.message_id_header,
            "content_id": fresh.content_id,
            "classification": kind,
            "sender_type": sender_type_of(incoming.direction, MailKind(kind or "message")).value,
            "sender_id": sender_id,
            "from_address": fresh.from_address,
            "from_name": fresh.from_name,
            "reply_to": json.dumps([{"address": a, "name": n} for a, n in fresh.reply_to]),
            "subject": fresh.subject,
            "sent_at": fresh.sent_at,
            "in_reply_to": fresh.in_reply_to,
            "body_text": fresh.body_text,
            "body_html": fresh.body_html,
            "body_visible": fresh.body_visible,
            "is_auto": rule if kind == MailKind.AUTO_REPLY else None,
            "may_answer": may_answer,
            "silence_reason": None if may_answer else incoming.verdict.silence_reason or stored.silence_reason,
            "spam_verdict": rule if kind == MailKind.SPAM else None,
            "authentication": json.dumps({"header": fresh.authentication}) if fresh.authentication else None,
            "defects": list(fresh.defects),
            "parser": PARSER_VERSION,
            "conversation": conversation_id,
            "is_read": stored.is_read or entered,
            "at_version": placed.at_version if placed else None,
        },
    )
    await _write_ledger(connection, tenant_id, stored, fresh, incoming, placed)
    if fresh.recipients != stored.reading.recipients:
        await _write_recipients(connection, tenant_id, stored.message_id, fresh)
    if fresh.references != stored.reading.references:
        await connection.execute(DROP_REFERENCES, {"tenant": tenant_id, "id": stored.message_id})
        rows = [
            {"message_id": stored.message_id, "position": n, "referenced_id": reference}
            for n, reference in enumerate(fresh.references)
        ]
        await insert_rows(connection, INSERT_REFERENCES, tenant_id, rows)
    if fresh.files != stored.reading.files:
        await _write_files(connection, tenant_id, stored, incoming)
    if conversation_id != stored.conversation_id:
        bound = {"tenant": tenant_id, "id": stored.message_id, "conversation": conversation_id}
        await connection.execute(DOCUMENT, bound)


async def write_version(
    connection: AsyncConnection, tenant_id: uuid.UUID, units: list[tuple[uuid.UUID, uuid.UUID]]
) -> None:
    """These (ledger id, message id) read the same now: only the parser's version is noted."""
    if units:
        await connection.execute(
            ONLY_VERSION,
            {
                "tenant": tenant_id,
                "ledger_ids": [u[0] for u in units],
                "ids": [u[1] for u in units],
                "parser": PARSER_VERSION,
            },
        )


async def _write_ledger(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    stored: Stored,
    fresh: Reading,
    incoming: IncomingMail,
    placed: Placed | None,
) -> None:
    kept = fresh.reports == stored.reading.reports
    reports: Any = reports_of(incoming)
    if kept:  # a classification that stays keeps its reports
        reports = [dict(zip(("address", "class", "status", "action"), r, strict=True)) for r in fresh.reports]
    await connection.execute(
        LEDGER,
        {
            "tenant": tenant_id,
            "id": stored.ledger_id,
            "classification": fresh.classification,
            "rule": fresh.rule,
            "moved": placed is not None or not fresh.threads,
            "by": placed.by if placed else None,
            "reports": json.dumps(reports) if reports else None,
            "parser": PARSER_VERSION,
        },
    )


async def _write_recipients(
    connection: AsyncConnection, tenant_id: uuid.UUID, message_id: uuid.UUID, fresh: Reading
) -> None:
    key = {"tenant": tenant_id, "id": message_id}
    deliveries = (await connection.execute(DELIVERIES, key)).all()
    await connection.execute(DROP_RECIPIENTS, key)
    positions = {"to": 0, "cc": 0, "bcc": 0}
    rows = []
    for kind, address, name in fresh.recipients:
        rows.append(
            {
                "message_id": message_id,
                "recipient_type": kind,
                "position": positions[kind],
                "address": address,
                "address_key": address_key(address),
                "name": name,
            }
        )
        positions[kind] += 1
    await insert_rows(connection, INSERT_RECIPIENTS, tenant_id, rows)
    for told in deliveries:
        await connection.execute(
            KEEP_DELIVERY,
            {**key, "key": told.address_key, "status": told.delivery_status, "detail": told.delivery_detail},
        )


async def _write_files(
    connection: AsyncConnection, tenant_id: uuid.UUID, stored: Stored, incoming: IncomingMail
) -> None:
    """By content: a file that is still there keeps its id, whatever it is called now."""
    free = list(zip(stored.file_ids, stored.reading.files, strict=True))
    made = []
    for position, file in enumerate(incoming.files):
        twin = next((f for f in free if f[1].sha256 == file.sha256), None)
        values = {
            "position": position,
            "filename": file.filename,
            "content_type": file.content_type,
            "disposition": file.disposition,
        }
        if twin is not None:
            free.remove(twin)
            await connection.execute(
                KEEP_FILE, {**values, "tenant": tenant_id, "id": twin[0], "content_id": file.content_id}
            )
            continue
        made.append(
            {
                **values,
                "id": new_id(),
                "message_id": stored.message_id,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "storage_key": file.storage_key,
                "content_id_header": file.content_id,
                **place_of(file),
            }
        )
    if free:
        await connection.execute(DROP_FILES, {"tenant": tenant_id, "ids": [f[0] for f in free]})
    await insert_rows(connection, INSERT_FILES, tenant_id, made)
