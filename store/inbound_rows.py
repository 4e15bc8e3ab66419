"""The rows that a read mail becomes: message, recipients, references, files; and what the ledger then says of it."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mail.values import MailKind
from models.enums import Direction, LedgerState, SenderType, SendStatus
from store.addresses import address_key
from store.bulk import bound, insert_rows, insertion, new_id, rows_of
from store.incoming import PARSER_VERSION, REFERENCES_KEPT, IncomingMail, StoredFile
from store.placing import Placed

MESSAGE_COLUMNS = {
    "id": "uuid",
    "conversation_id": "uuid",
    "inbox_id": "uuid",
    "message_id_header": "text",
    "content_id": "text",
    "direction": "text",
    "classification": "text",
    "sender_type": "text",
    "sender_id": "uuid",
    "from_address": "text",
    "from_name": "text",
    "return_path": "text",
    "reply_to": "jsonb",
    "subject": "text",
    "sent_at": "timestamptz",
    "received_at": "timestamptz",
    "in_reply_to": "text",
    "body_text": "text",
    "body_html": "text",
    "body_visible": "text",
    "is_read": "boolean",
    "is_auto": "text",
    "may_answer": "boolean",
    "silence_reason": "text",
    "spam_verdict": "text",
    "authentication_results": "jsonb",
    "raw_key": "text",
    "raw_offset": "bigint",
    "raw_length": "bigint",
    "raw_sha256": "text",
    "parser_version": "bigint",
    "defects": "text[]",
    "flags": "text[]",
    "duplicate_of_id": "boolean",
    "historical": "boolean",
    "at_version": "bigint",
    "send_status": "text",
}
INSERT_MESSAGES = insertion("messages", MESSAGE_COLUMNS)
RECIPIENT_COLUMNS = {
    "message_id": "uuid",
    "recipient_type": "text",
    "position": "bigint",
    "address": "text",
    "address_key": "text",
    "name": "text",
}
INSERT_RECIPIENTS = insertion("message_recipients", RECIPIENT_COLUMNS)
REFERENCE_COLUMNS = {"message_id": "uuid", "position": "bigint", "referenced_id": "text"}
INSERT_REFERENCES = insertion("message_references", REFERENCE_COLUMNS)
FILE_COLUMNS = {
    "id": "uuid",
    "message_id": "uuid",
    "position": "bigint",
    "filename": "text",
    "content_type": "text",
    "size_bytes": "bigint",
    "sha256": "text",
    "storage_key": "text",
    "content_id_header": "text",
    "disposition": "text",
    "encoded_offset": "bigint",
    "encoded_length": "bigint",
    "encoding": "text",
}
INSERT_FILES = insertion("attachments", FILE_COLUMNS)
FATE_COLUMNS = {
    "id": "uuid",
    "state": "text",
    "reason": "text",
    "classification": "text",
    "classification_reason": "text",
    "threaded_by": "text",
    "reports": "jsonb",
    "message_id": "uuid",
}
SETTLE = text(
    f"""
    update ledger l set state = v.state, reason = v.reason, classification = v.classification,
      classification_reason = v.classification_reason, threaded_by = v.threaded_by, reports = v.reports,
      message_id = v.message_id, parser_version = :parser, ingest_run = :run, ingested_at = now(), updated_at = now()
    from ({rows_of(FATE_COLUMNS)}) as v
    where l.tenant_id = :tenant and l.id = v.id
    """
)

FLOOD = "incoming-flood"  # beyond the caps of integrity L-9


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A mail that becomes a row, with its id and its place (None for reports and spam). One of a `flood` starts nothing."""

    id: uuid.UUID
    incoming: IncomingMail
    placed: Placed | None
    reused_id: bool
    flood: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one ledger row."""

    incoming: IncomingMail
    state: LedgerState
    reason: str | None
    message_id: uuid.UUID | None
    threaded_by: str | None = None


async def insert_messages(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    messages: Sequence[NewMessage],
    now: dt.datetime,
) -> None:
    """All rows of a batch in at most four statements."""
    await insert_rows(
        connection,
        INSERT_MESSAGES,
        tenant_id,
        [_message(m, inbox_id, now) for m in messages],
    )
    recipients: list[dict[str, Any]] = []
    references: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    for message in messages:
        mail = message.incoming.mail
        for kind, addresses in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)):
            recipients += [
                {
                    "message_id": message.id,
                    "recipient_type": kind,
                    "position": position,
                    "address": address.address,
                    "address_key": address_key(address.address),
                    "name": address.name,
                }
                for position, address in enumerate(addresses)
            ]
        references += [
            {"message_id": message.id, "position": position, "referenced_id": reference}
            for position, reference in enumerate(mail.references[-REFERENCES_KEPT:])
        ]
        files += [
            {
                "id": new_id(),
                "message_id": message.id,
                "position": position,
                "filename": file.filename,
                "content_type": file.content_type,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "storage_key": file.storage_key,
                "content_id_header": file.content_id,
                "disposition": file.disposition,
                **place_of(file),
            }
            for position, file in enumerate(message.incoming.files)
        ]
    await insert_rows(connection, INSERT_RECIPIENTS, tenant_id, recipients)
    await insert_rows(connection, INSERT_REFERENCES, tenant_id, references)
    await insert_rows(connection, INSERT_FILES, tenant_id, files)


def place_of(file: StoredFile) -> dict[str, Any]:
    """The columns that say where in the raw mail a file lies; nothing for one that is an object already."""
    if file.place is None:
        return {}
    return {
        "encoded_offset": file.place.offset,
        "encoded_length": file.place.length,
        "encoding": file.place.encoding,
    }


def _message(message: NewMessage, inbox_id: uuid.UUID, now: dt.datetime) -> Mapping[str, Any]:
    incoming, placed = message.incoming, message.placed
    mail, pending, verdict, kind = incoming.mail, incoming.pending, incoming.verdict, incoming.kind
    outbound = incoming.direction is Direction.OUTBOUND
    live = not pending.historical and incoming.poison is None
    answerable = live and not outbound and kind is MailKind.MESSAGE and verdict.may_answer and not message.flood
    return {
        "id": message.id,
        "conversation_id": placed.conversation_id if placed else None,
        "inbox_id": inbox_id,
        "message_id_header": incoming.header_id,
        "content_id": mail.content_id,
        "direction": incoming.direction.value,
        "classification": kind.value,
        "sender_type": sender_type_of(incoming.direction, kind).value,
        "sender_id": placed.contact_id if placed else None,
        "from_address": incoming.sender.address,
        "from_name": incoming.sender.name,
        "return_path": mail.return_path,
        "reply_to": [{"address": a.address, "name": a.name} for a in mail.reply_to],
        "subject": mail.subject,
        "sent_at": incoming.sent_at(now),
        "received_at": incoming.received_at(now),
        "in_reply_to": mail.in_reply_to[0] if mail.in_reply_to else None,
        "body_text": mail.body_text,
        "body_html": mail.body_html,
        "body_visible": mail.body_visible,
        "is_read": incoming.is_read(),
        "is_auto": verdict.reason if kind is MailKind.AUTO_REPLY else None,
        "may_answer": answerable,
        "silence_reason": None if answerable else verdict.silence_reason or (FLOOD if message.flood else None),
        "spam_verdict": verdict.reason if kind is MailKind.SPAM else None,
        "authentication_results": {"header": incoming.authentication} if incoming.authentication else None,
        "raw_key": pending.raw_key,
        "raw_offset": pending.raw_offset,
        "raw_length": pending.raw_length,
        "raw_sha256": pending.raw_sha256,
        "parser_version": PARSER_VERSION,
        "defects": mail.defects,
        "flags": pending.flags,
        "duplicate_of_id": message.reused_id,
        "historical": pending.historical,
        "at_version": placed.at_version if placed else 0,
        "send_status": SendStatus.SENT.value if outbound else None,
    }


def sender_type_of(direction: Direction, kind: MailKind) -> SenderType:
    """Who speaks in a mail of that kind."""
    if direction is Direction.OUTBOUND:
        return SenderType.AGENT
    return SenderType.SYSTEM if kind in (MailKind.BOUNCE, MailKind.COMPLAINT) else SenderType.CUSTOMER


async def settle_ledger(
    connection: AsyncConnection, tenant_id: uuid.UUID, fates: Sequence[Fate], run: str | None
) -> None:
    """Write what became of each row, in the transaction that made it so."""
    if not fates:
        return
    rows = [
        {
            "id": fate.incoming.pending.id,
            "state": fate.state.value,
            "reason": fate.reason,
            "classification": fate.incoming.kind.value,
            "classification_reason": "sent_folder"
            if fate.incoming.from_sent
            else fate.incoming.verdict.reason,
            "threaded_by": fate.threaded_by,
            "reports": reports_of(fate.incoming),
            "message_id": fate.message_id,
        }
        for fate in fates
    ]
    await connection.execute(
        SETTLE,
        {"tenant": tenant_id, "parser": PARSER_VERSION, "run": run, **bound(rows)},
    )


def reports_of(incoming: IncomingMail) -> list[dict[str, str | None]] | None:
    """What a report says of each recipient, as the ledger keeps it; None for any other mail."""
    reports = incoming.verdict.reports
    if not reports or incoming.from_sent:
        return None
    return [
        {
            "address": r.address,
            "class": r.bounce_class.value if r.bounce_class else None,
            "status": r.status,
            "action": r.action,
        }
        for r in reports
    ]
