"""What people are told: notices written once for each event and person, their list, and how each person wants to hear.

A notice goes to people who may see the conversation's inbox, and never to whoever did it.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.notices import NoticeKind, NoticeMail
from store.bulk import bound, new_id, rows_of
from store.event_log import NewEvent, append_events
from store.pages import Page, id_cursor, read_id_cursor

__all__ = [
    "NoticeKind",
    "NoticeMail",
    "NoticeRow",
    "Telling",
    "Told",
    "Wish",
    "Wishes",
    "count_unread",
    "list_notices",
    "mark_notices_read",
    "who_is_told",
    "write_notices",
]

MOST_UNREAD = 100  # the bell counts no further

# What a person hears who has chosen nothing: everything live, and by digest what needs them in person.
USUAL: Mapping[NoticeKind, NoticeMail] = {
    NoticeKind.ASSIGNED: NoticeMail.DIGEST,
    NoticeKind.MENTIONED: NoticeMail.DIGEST,
    NoticeKind.REPLY: NoticeMail.OFF,
    NoticeKind.SLA_WARNED: NoticeMail.DIGEST,
    NoticeKind.SLA_BREACHED: NoticeMail.DIGEST,
    NoticeKind.SEND_UNKNOWN: NoticeMail.OFF,
    NoticeKind.SEND_FAILED: NoticeMail.OFF,
    NoticeKind.RULE: NoticeMail.OFF,
}

COLUMNS = {
    "event_id": "bigint",
    "place": "int",
    "kind": "text",
    "conversation_id": "uuid",
    "message_id": "uuid",
    "actor": "text",
    "to_assignee": "boolean",
    "to_followers": "boolean",
    "to_author": "boolean",
    "users": "uuid[]",
    "at": "timestamptz",
}
# One statement for the batch. Of an event that concerns a person twice the first reason stands.
WHO = text(
    f"""
    with told as ({rows_of(COLUMNS)}),
    people as (
      select t.*, c.inbox_id, coalesce(t.conversation_id, c.id) as of_conversation, u.user_id
      from told t
      left join conversations c on c.tenant_id = :tenant and c.id = t.conversation_id
      left join messages m on t.to_author and m.tenant_id = :tenant and m.id = t.message_id
      cross join lateral (
        select unnest(t.users) as user_id
        union select c.assigned_to where t.to_assignee
        union select f.user_id from followers f
          where t.to_followers and f.tenant_id = :tenant and f.conversation_id = t.conversation_id
        union select coalesce(m.author_id, c.assigned_to) where t.to_author
      ) u
      where u.user_id is not null and t.actor <> 'user:' || u.user_id
        and (t.conversation_id is null or (c.id is not null and c.deleted_at is null))
    )
    select distinct on (p.event_id, p.user_id) p.event_id, p.place, p.kind, p.of_conversation as conversation_id, p.message_id,
      p.actor, p.inbox_id, p.user_id, p.at, s.kinds, s.pace, s.every_minutes, s.daily_hour, s.time_zone
    from people p
    join users u on u.tenant_id = :tenant and u.id = p.user_id and u.deleted_at is null
    left join notice_settings s on s.tenant_id = :tenant and s.user_id = p.user_id
    where p.inbox_id is null or u.role in ('owner', 'admin')
      or exists (select from inbox_members m where m.tenant_id = :tenant and m.inbox_id = p.inbox_id and m.user_id = p.user_id)
      or not exists (select from inbox_members m where m.tenant_id = :tenant and m.inbox_id = p.inbox_id)
    order by p.event_id, p.user_id, p.place
    """
)
NOTICE_COLUMNS = {
    "id": "uuid",
    "user_id": "uuid",
    "event_id": "bigint",
    "kind": "text",
    "conversation_id": "uuid",
    "message_id": "uuid",
    "actor": "text",
    "live": "boolean",
    "mail": "text",
    "created_at": "timestamptz",
}
WRITE = text(
    f"""
    insert into notices (tenant_id, {", ".join(NOTICE_COLUMNS)})
    select :tenant, v.* from ({rows_of(NOTICE_COLUMNS)}) as v
    on conflict (tenant_id, user_id, event_id) do nothing
    returning id, user_id, kind, conversation_id, live
    """
)
LIST = text(
    """
    select n.id, n.kind, n.conversation_id, n.message_id, n.actor, n.created_at, n.read_at, c.number, c.subject,
           c.customer_name, c.customer_identifier, u.name as actor_name
    from notices n
    left join conversations c on c.tenant_id = n.tenant_id and c.id = n.conversation_id
    left join users u on u.tenant_id = n.tenant_id and n.actor = 'user:' || u.id
    where n.tenant_id = :tenant and n.user_id = :user and n.live
      and (cast(:after as uuid) is null or n.id < :after) and (not :unread or n.read_at is null)
    order by n.id desc limit :limit
    """
)
UNREAD = text(
    """
    select count(*) from (select from notices where tenant_id = :tenant and user_id = :user and live and read_at is null
      limit :most) s
    """
)
# Bounded by the list's index; the rows of another person are never touched, whatever ids are given.
READ = text(
    """
    update notices set read_at = now()
    where tenant_id = :tenant and user_id = :user and read_at is null
      and (:every or id = any(cast(:ids as uuid[])) or conversation_id = cast(:conversation as uuid))
    """
)


@dataclass(frozen=True, slots=True)
class Telling:
    """What an event says to whom: `users` by name, or by their part in the conversation. `place` orders the reasons of one event."""

    event_id: int
    kind: NoticeKind
    at: dt.datetime
    actor: str = "system"
    place: int = 0
    conversation_id: uuid.UUID | None = None
    message_id: uuid.UUID | None = None
    users: Sequence[uuid.UUID] = ()
    to_assignee: bool = False
    to_followers: bool = False
    to_author: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One person to be told of one event, with what they have chosen; `kinds` is None for who has chosen nothing."""

    event_id: int
    kind: NoticeKind
    at: dt.datetime
    actor: str
    user_id: uuid.UUID
    conversation_id: uuid.UUID | None
    message_id: uuid.UUID | None
    inbox_id: uuid.UUID | None
    wishes: "Wishes"


@dataclass(frozen=True, slots=True)
class Wish:
    live: bool
    mail: NoticeMail


@dataclass(frozen=True, slots=True)
class Wishes:
    """How one person wants to hear."""

    kinds: Mapping[str, Any] = field(default_factory=dict)
    pace: str = "interval"
    every_minutes: int = 30
    daily_hour: int = 8
    time_zone: str = "UTC"
    snippets: bool = False

    def of(self, kind: NoticeKind) -> Wish:
        """What was chosen for this kind, or the usual."""
        chosen = self.kinds.get(kind.value) or {}
        return Wish(bool(chosen.get("live", True)), NoticeMail(chosen.get("mail", USUAL[kind])))


@dataclass(frozen=True, slots=True)
class NoticeRow:
    id: uuid.UUID
    kind: str
    conversation_id: uuid.UUID | None
    message_id: uuid.UUID | None
    actor: str
    actor_name: str | None
    number: int | None
    subject: str | None
    customer: str | None
    created_at: dt.datetime
    read_at: dt.datetime | None


async def who_is_told(
    connection: AsyncConnection, tenant_id: uuid.UUID, tellings: Sequence[Telling]
) -> list[Told]:
    """The people behind a batch of tellings. Reads only; one statement, however many."""
    if not tellings:
        return []
    records = [
        {name: getattr(t, name) for name in COLUMNS} | {"kind": t.kind.value, "users": [str(u) for u in t.users]}
        for t in tellings
    ]
    rows = await connection.execute(WHO, {"tenant": tenant_id, **bound(records)})
    return [
        Told(
            event_id=r.event_id,
            kind=NoticeKind(r.kind),
            at=r.at,
            actor=r.actor,
            user_id=r.user_id,
            conversation_id=r.conversation_id,
            message_id=r.message_id,
            inbox_id=r.inbox_id,
            wishes=Wishes()
            if r.kinds is None
            else Wishes(r.kinds, r.pace, r.every_minutes, r.daily_hour, r.time_zone),
        )
        for r in rows
    ]


async def write_notices(connection: AsyncConnection, tenant_id: uuid.UUID, told: Sequence[Told]) -> int:
    """Write what each person wants to hear, once for each event, with the event that rings their bell; how many were new."""
    records = []
    inboxes = {t.conversation_id: t.inbox_id for t in told}
    for one in told:
        wish = one.wishes.of(one.kind)
        if not wish.live and wish.mail is NoticeMail.OFF:
            continue
        records.append(
            {
                "id": new_id(),
                "user_id": one.user_id,
                "event_id": one.event_id,
                "kind": one.kind.value,
                "conversation_id": one.conversation_id,
                "message_id": one.message_id,
                "actor": one.actor,
                "live": wish.live,
                "mail": wish.mail.value,
                "created_at": one.at,
            }
        )
    if not records:
        return 0
    rows = (await connection.execute(WRITE, {"tenant": tenant_id, **bound(records)})).all()
    await append_events(
        connection,
        [
            NewEvent(
                "notification.added",
                tenant_id,
                inbox_id=inboxes.get(r.conversation_id),
                conversation_id=r.conversation_id,
                payload={"user_id": str(r.user_id), "notice_id": str(r.id), "kind": r.kind},
            )
            for r in rows
            if r.live
        ],
    )
    return len(rows)


async def list_notices(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    user_id: uuid.UUID,
    *,
    unread: bool,
    after: str | None,
    limit: int,
) -> Page[NoticeRow]:
    """A person's own notices, newest first. Raises BadCursor."""
    place = read_id_cursor(after) if after is not None else None
    given = {"tenant": tenant_id, "user": user_id, "after": place, "unread": unread, "limit": limit + 1}
    rows = (await connection.execute(LIST, given)).all()
    items = [
        NoticeRow(
            id=r.id,
            kind=r.kind,
            conversation_id=r.conversation_id,
            message_id=r.message_id,
            actor=r.actor,
            actor_name=r.actor_name,
            number=r.number,
            subject=r.subject,
            customer=r.customer_name or r.customer_identifier,
            created_at=r.created_at,
            read_at=r.read_at,
        )
        for r in rows[:limit]
    ]
    return Page(items, id_cursor(items[-1].id) if len(rows) > limit else None)


async def count_unread(connection: AsyncConnection, tenant_id: uuid.UUID, user_id: uuid.UUID) -> int:
    """At most 100."""
    given = {"tenant": tenant_id, "user": user_id, "most": MOST_UNREAD}
    return int((await connection.execute(UNREAD, given)).scalar_one())


async def mark_notices_read(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    user_id: uuid.UUID,
    *,
    ids: Sequence[uuid.UUID] = (),
    conversation_id: uuid.UUID | None = None,
    every: bool = False,
) -> int:
    """Mark a person's own notices as read: these, those of a conversation, or all. Other tabs of that person hear of it."""
    given = {
        "tenant": tenant_id,
        "user": user_id,
        "ids": [str(i) for i in ids],
        "conversation": conversation_id,
        "every": every,
    }
    count = (await connection.execute(READ, given)).rowcount
    if count:
        await append_events(
            connection,
            [NewEvent("notification.read", tenant_id, actor=f"user:{user_id}", payload={"user_id": str(user_id), "read": count})],
        )
    return count
