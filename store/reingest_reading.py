"""One reading of one mail, as it stands in the rows or as the parser gives it now, in a form in which both can be compared.

A digest of each is kept with the plan: applying refuses where either has become another one since.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import LedgerState
from store.inbound_rows import reports_of
from store.incoming import REFERENCES_KEPT, IncomingMail

MESSAGES = text(
    """
    select l.id as ledger_id, l.inbox_id, l.state, l.reason as ledger_reason, l.classification_reason as rule, l.reports,
      m.id as message_id, m.conversation_id, m.message_id_header, m.content_id, m.classification, m.subject,
      m.from_address, m.from_name, m.reply_to, m.sent_at, m.received_at, m.in_reply_to, m.body_text, m.body_html,
      m.body_visible, m.authentication_results ->> 'header' as authentication, m.defects, m.parser_version, m.is_read,
      m.may_answer, m.silence_reason, m.sender_id, m.direction
    from ledger l join messages m on m.tenant_id = l.tenant_id and m.id = l.message_id
    where l.tenant_id = :tenant and l.id = any(cast(:ids as uuid[])) and l.state in ('ingested', 'quarantined')
    """
)
RECIPIENTS = text(
    """
    select message_id, recipient_type, address, name from message_recipients
    where tenant_id = :tenant and message_id = any(cast(:ids as uuid[])) order by message_id, recipient_type, position
    """
)
REFERENCES = text(
    """
    select message_id, referenced_id from message_references
    where tenant_id = :tenant and message_id = any(cast(:ids as uuid[])) order by message_id, position
    """
)
FILES = text(
    """
    select message_id, id, filename, content_type, size_bytes, sha256, content_id_header, disposition from attachments
    where tenant_id = :tenant and message_id = any(cast(:ids as uuid[])) order by message_id, position, id
    """
)

Person = tuple[str, str, str]  # to, cc or bcc; the address; the name


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of a mail, by what a reader sees of it and by its content."""

    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    content_id: str | None
    disposition: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says. `rule` decided the classification; `quarantine` is why it could not be read, None for a read one."""

    message_id_header: str | None
    content_id: str
    subject: str
    from_address: str
    from_name: str
    reply_to: tuple[tuple[str, str], ...]
    recipients: tuple[Person, ...]
    sent_at: dt.datetime
    in_reply_to: str | None
    references: tuple[str, ...]
    body_text: str
    body_html: str | None
    body_visible: str
    files: tuple[FileFacts, ...]
    classification: str | None
    rule: str | None
    reports: tuple[tuple[str, str | None, str | None, str | None], ...]
    authentication: str | None
    defects: tuple[str, ...]
    quarantine: str | None

    @property
    def threads(self) -> bool:
        return self.classification in ("message", "auto_reply")

    def digest(self, *place: object) -> str:
        """Equal readings at equal places share it."""
        digest = hashlib.sha256()
        for value in (*(getattr(self, f.name) for f in fields(self)), *place):
            told = value.astimezone(dt.UTC).isoformat() if isinstance(value, dt.datetime) else repr(value)
            digest.update(told.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Stored:
    """A reading as it stands in the rows, with what the rows know beside it."""

    ledger_id: uuid.UUID
    inbox_id: uuid.UUID
    message_id: uuid.UUID
    conversation_id: uuid.UUID | None
    received_at: dt.datetime
    is_read: bool
    may_answer: bool
    silence_reason: str | None
    sender_id: uuid.UUID | None
    outbound: bool
    parser_version: int | None
    file_ids: tuple[uuid.UUID, ...]
    reading: Reading

    @property
    def mark(self) -> str:
        """Changes when anything does that a plan was made from."""
        return self.reading.digest(self.conversation_id)


async def load_stored(
    connection: AsyncConnection, tenant_id: uuid.UUID, ledger_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, Stored]:
    """The stored readings of these ledger rows, as far as they have a message, in four statements."""
    rows = (await connection.execute(MESSAGES, {"tenant": tenant_id, "ids": list(ledger_ids)})).all()
    bound = {"tenant": tenant_id, "ids": [row.message_id for row in rows]}
    people: dict[uuid.UUID, list[Person]] = {}
    for r in await connection.execute(RECIPIENTS, bound):
        people.setdefault(r.message_id, []).append((r.recipient_type, r.address, r.name))
    references: dict[uuid.UUID, list[str]] = {}
    for r in await connection.execute(REFERENCES, bound):
        references.setdefault(r.message_id, []).append(r.referenced_id)
    files: dict[uuid.UUID, list[Any]] = {}
    for r in await connection.execute(FILES, bound):
        files.setdefault(r.message_id, []).append(r)
    return {
        row.ledger_id: Stored(
            ledger_id=row.ledger_id,
            inbox_id=row.inbox_id,
            message_id=row.message_id,
            conversation_id=row.conversation_id,
            received_at=row.received_at,
            is_read=row.is_read,
            may_answer=row.may_answer,
            silence_reason=row.silence_reason,
            sender_id=row.sender_id,
            outbound=row.direction == "outbound",
            parser_version=row.parser_version,
            file_ids=tuple(f.id for f in files.get(row.message_id, ())),
            reading=Reading(
                message_id_header=row.message_id_header,
                content_id=row.content_id,
                subject=row.subject,
                from_address=row.from_address,
                from_name=row.from_name,
                reply_to=tuple((a.get("address", ""), a.get("name", "")) for a in row.reply_to),
                recipients=tuple(sorted(people.get(row.message_id, ()), key=_by_type)),
                sent_at=row.sent_at,
                in_reply_to=row.in_reply_to,
                references=tuple(references.get(row.message_id, ())),
                body_text=row.body_text,
                body_html=row.body_html,
                body_visible=row.body_visible,
                files=tuple(
                    FileFacts(f.filename, f.content_type, f.size_bytes, f.sha256, f.content_id_header, f.disposition)
                    for f in files.get(row.message_id, ())
                ),
                classification=row.classification,
                rule=row.rule,
                reports=_reports(row.reports),
                authentication=row.authentication,
                defects=tuple(row.defects),
                quarantine=row.ledger_reason or "unknown" if row.state == LedgerState.QUARANTINED else None,
            ),
        )
        for row in rows
    }


def fresh_reading(incoming: IncomingMail, received_at: dt.datetime) -> Reading:
    """What the parser says now. `received_at` is the message's: it stands in where the server gave no time."""
    mail = incoming.mail
    people = [("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)]
    return Reading(
        message_id_header=incoming.header_id,
        content_id=mail.content_id,
        subject=mail.subject,
        from_address=incoming.sender.address,
        from_name=incoming.sender.name,
        reply_to=tuple((a.address, a.name) for a in mail.reply_to),
        recipients=tuple(
            sorted(((kind, a.address, a.name) for kind, group in people for a in group), key=_by_type)
        ),
        sent_at=incoming.sent_at(received_at),
        in_reply_to=mail.in_reply_to[0] if mail.in_reply_to else None,
        references=tuple(mail.references[-REFERENCES_KEPT:]),
        body_text=mail.body_text,
        body_html=mail.body_html,
        body_visible=mail.body_visible,
        files=tuple(
            FileFacts(f.filename, f.content_type, f.size_bytes, f.sha256, f.content_id, f.disposition)
            for f in incoming.files
        ),
        classification=incoming.kind.value,
        rule="sent_folder" if incoming.from_sent else incoming.verdict.reason,
        reports=_reports(reports_of(incoming)),
        authentication=incoming.authentication or None,
        defects=tuple(mail.defects),
        quarantine=incoming.poison.reason if incoming.poison else None,
    )


def _by_type(person: Person) -> int:
    """To, cc, bcc; a stable sort keeps the order within."""
    return ("to", "cc", "bcc").index(person[0])


def _reports(kept: Sequence[dict[str, Any]] | None) -> tuple[tuple[str, str | None, str | None, str | None], ...]:
    return tuple((r.get("address", ""), r.get("class"), r.get("status"), r.get("action")) for r in kept or ())
