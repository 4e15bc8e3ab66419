"""Turns rows of the store into the shapes of `docs/api.md`. Nothing is looked up or decided here."""

import datetime as dt
from typing import Any, cast

from api.schemas.base import Addr, Named
from api.schemas.conversation_life import Difference, Follower
from api.schemas.conversations import (
    Conversation,
    ConversationItem,
    Reply,
    SlaOfConversation,
    Suggestion,
    Tag,
)
from api.schemas.messages import Attachment, Decision, Message, QuarantineNote, Send, SentTo
from mail.visible import split_visible
from store.conversation_list import ConversationRow
from store.conversations import PersonInMail, SendingAddress
from store.conversations import Suggestion as SuggestionRow
from store.differences import Difference as DifferenceRow
from store.followers import FollowerRow
from store.messages_view import FileRow, MessageRow
from store.outbound import Recipient, default_subject, what_can_be_done


def conversation_item(row: ConversationRow) -> ConversationItem:
    return ConversationItem(**item_fields(row))


def conversation(
    row: ConversationRow,
    people: list[PersonInMail],
    suggestions: list[SuggestionRow],
    recipients: tuple[Recipient, ...],
    sender: SendingAddress,
    followers: list[FollowerRow],
) -> Conversation:
    return Conversation(
        **item_fields(row),
        participants=[Addr(address=p.address, name=p.name) for p in people],
        suggestions=[
            Suggestion(conversation_id=str(s.conversation_id), number=s.number, subject=s.subject, why=s.why)
            for s in suggestions
        ],
        followers=[Follower.model_validate({"id": str(f.id), "name": f.name, "reason": f.reason}) for f in followers],
        reply=Reply(
            to=[Addr(address=r.address, name=r.name) for r in recipients if r.type == "to"],
            cc=[Addr(address=r.address, name=r.name) for r in recipients if r.type == "cc"],
            from_=Addr(address=sender.address, name=sender.name),
            subject=default_subject(row.subject, row.number, sender.provider),
        ),
        merged_into=str(row.merged_into) if row.merged_into else None,
        held=row.held,
    )


def item_fields(row: ConversationRow) -> dict[str, Any]:
    """What every list shows of a conversation."""
    return {
        "id": str(row.id),
        "number": row.number,
        "subject": row.subject,
        "snippet": row.snippet,
        "status": row.status,
        "priority": row.priority,
        "category": row.category,
        "channel": row.channel,
        "inbox": Named(id=str(row.inbox_id), name=row.inbox_name),
        "customer": Addr(address=row.customer_identifier, name=row.customer_name),
        "assigned_to": Named(id=str(row.assigned_to), name=row.assignee_name or "")
        if row.assigned_to
        else None,
        "tags": [Tag(name=t.name, color=t.color) for t in row.tags],
        "unread_count": row.unread_count,
        "message_count": row.message_count,
        "last_message_at": row.last_message_at,
        "last_message_direction": row.last_message_direction,
        "has_failed_send": row.failed_sends > 0,
        "has_unknown_send": row.unknown_sends > 0,
        "version": row.version,
        "snoozed_until": row.snoozed_until,
        "sla": _sla(row),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _sla(row: ConversationRow) -> SlaOfConversation | None:
    """None where nothing runs and nothing was missed."""
    if row.sla_due_at is None and not row.sla_paused and not row.sla_breached:
        return None
    return SlaOfConversation(
        due_at=row.sla_due_at, warn_at=row.sla_warn_at, paused=row.sla_paused, breached=row.sla_breached
    )


def difference(row: DifferenceRow) -> Difference:
    return Difference.model_validate(
        {
            "kind": row.kind,
            "id": str(row.id) if row.id else None,
            "who": Named(id=str(row.who_id), name=row.who_name or "") if row.who_id else None,
            "name": row.who_name or "",
            "at": row.at,
            "version": row.version,
            "snippet": row.snippet,
        }
    )


def message(row: MessageRow, now: dt.datetime) -> Message:
    def to(kind: str) -> list[Addr]:
        return [Addr(address=r.address, name=r.name) for r in row.recipients if r.type == kind]

    return Message.model_validate(
        {
            "id": str(row.id),
            "conversation_id": str(row.conversation_id) if row.conversation_id else None,
            "inbox_id": str(row.inbox_id),
            "direction": row.direction,
            "kind": row.kind,
            "sender_type": row.sender_type,
            "author": Named(id=str(row.author_id), name=row.author_name or "") if row.author_id else None,
            "from": Addr(address=row.from_address, name=row.from_name),
            "to": to("to"),
            "cc": to("cc"),
            "bcc": to("bcc"),
            "subject": row.subject,
            "message_id_header": row.message_id_header,
            "in_reply_to": row.in_reply_to,
            "references": list(row.references),
            "sent_at": row.sent_at,
            "received_at": row.received_at,
            "created_at": row.created_at,
            "is_read": row.is_read,
            "is_auto": row.is_auto,
            "classification": row.classification,
            "spam": row.classification == "spam",
            "body_text": row.body_text,
            "body_visible": row.body_visible or row.body_text,
            "body_quoted": _quoted(row),
            "has_html": row.has_html,
            "attachments": [attachment(f) for f in row.files],
            "flags": list(row.flags),
            "defects": list(row.defects),
            "duplicate_of_id": row.duplicate_of_id,
            "bounce_received_at": row.bounce_received_at,
            "quarantine": QuarantineNote(id=str(row.quarantine.id), reason=row.quarantine.reason)
            if row.quarantine
            else None,
            "send": _send(row, now) if row.send_status else None,
        }
    )


def attachment(row: FileRow) -> Attachment:
    return Attachment.model_validate(
        {
            "id": str(row.id),
            "filename": row.filename,
            "content_type": row.content_type,
            "size_bytes": row.size_bytes,
            "disposition": row.disposition,
            "content_id": row.content_id,
            "url": f"/v1/attachments/{row.id}/download",
        }
    )


def _quoted(row: MessageRow) -> str:
    """What the visible part leaves out. It is not stored, since the text says it."""
    if not row.body_visible or len(row.body_visible) >= len(row.body_text):
        return ""
    return split_visible(row.body_text).quoted


def _send(row: MessageRow, now: dt.datetime) -> Send:
    # Automatic mails are never tried again by hand (integrity S-5); the first one is taken back like any other.
    can = what_can_be_done(row.send_status, row.undo_until, now)
    if row.kind != "message":
        can = [c for c in can if c == "cancel"]
    return Send.model_validate(
        {
            "status": row.send_status,
            "stage": row.send_stage,
            "error": row.send_error,
            "attempts": row.send_attempts,
            "undo_until": row.undo_until,
            "scheduled_at": row.scheduled_at,
            "can": cast(list[Decision], can),
            "recipients": [
                SentTo.model_validate(
                    {"address": r.address, "type": r.type, "status": r.status, "detail": r.detail}
                )
                for r in row.recipients
            ],
        }
    )
