"""Tells people what happened to what is theirs: the desk's reactor that writes notices.

Runs in the transaction of the desk's cursor, so each event is told once; the row's own key says the same again. Its own
events (`notification.…`) mean nothing to it.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.desk import Followup
from rules.notice_times import at_once, next_digest
from store.event_log import LoggedEvent
from store.notice_settings import set_due
from store.notices import NoticeKind, NoticeMail, Telling, Told, who_is_told, write_notices

MAIL_THAT_COUNTS = frozenset({"message", "auto_reply"})
SLA = {"sla.warned": NoticeKind.SLA_WARNED, "sla.breached": NoticeKind.SLA_BREACHED}
SENDS = {"message.unknown": NoticeKind.SEND_UNKNOWN, "message.failed": NoticeKind.SEND_FAILED}


class NoticeReactor:
    """Historical mail tells no events of its own and mail beyond the caps is quiet, so neither rings a bell."""

    name = "notices"

    async def react(
        self, connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]
    ) -> Sequence[Followup]:
        """If it dies, the batch is read again. The digests that become due are found by the sweep."""
        tellings = [telling for event in events for telling in tellings_of(event)]
        told = await who_is_told(connection, tenant_id, tellings)
        if told:
            await write_notices(connection, tenant_id, told)
            await set_due(connection, tenant_id, dues(told))
        return ()


def tellings_of(event: LoggedEvent) -> list[Telling]:
    """Whom an event concerns, and why; none for most."""
    payload = event.payload
    if event.type == "conversation.updated":
        assigned = _ids([payload.get("assigned_to")])
        return [_telling(event, NoticeKind.ASSIGNED, users=assigned)] if assigned else []
    if event.type == "note.added":
        mentioned = _ids(payload.get("mentions") or [])
        return [_telling(event, NoticeKind.MENTIONED, users=mentioned)] if mentioned else []
    if event.type in SLA:
        users = _ids(payload.get("notify") or [])
        return [_telling(event, SLA[event.type], users=users, to_assignee=True, to_followers=True)]
    if event.conversation_id is None:
        return []
    if event.type in SENDS:
        return [_telling(event, SENDS[event.type], to_author=True)] if payload.get("kind", "message") == "message" else []
    if event.type == "message.received":
        counts = payload.get("classification") in MAIL_THAT_COUNTS and not payload.get("quiet")
        return [_telling(event, NoticeKind.REPLY, to_assignee=True, to_followers=True)] if counts else []
    if event.type == "message.queued" and payload.get("kind") == "message":
        return [_telling(event, NoticeKind.REPLY, to_assignee=True, to_followers=True)]
    if event.type == "rule.notice":
        return [_telling(event, NoticeKind.RULE, users=_ids(payload.get("users") or []))]
    return []


def dues(told: Sequence[Told]) -> dict[uuid.UUID, dt.datetime]:
    """When each of these people is to get a mail, where one of the notices is for it."""
    found: dict[uuid.UUID, dt.datetime] = {}
    for one in told:
        mail = one.wishes.of(one.kind).mail
        due: dt.datetime | None = None
        if mail is NoticeMail.AT_ONCE:
            due = at_once(one.at)
        elif mail is NoticeMail.DIGEST:
            due = next_digest(
                one.at,
                pace=one.wishes.pace,
                every_minutes=one.wishes.every_minutes,
                daily_hour=one.wishes.daily_hour,
                time_zone=one.wishes.time_zone,
            )
        if due is not None:
            found[one.user_id] = min(due, found.get(one.user_id, due))
    return found


def _telling(event: LoggedEvent, kind: NoticeKind, **whom: Any) -> Telling:
    return Telling(
        event.cursor.id,
        kind,
        event.at,
        actor=event.actor,
        conversation_id=event.conversation_id,
        message_id=event.message_id,
        **whom,
    )


def _ids(values: Sequence[Any]) -> list[uuid.UUID]:
    """Those that are ids; an event that some other version wrote must not stop the reader."""
    found = []
    for value in values:
        try:
            found.append(uuid.UUID(str(value)))
        except ValueError:
            continue
    return found
