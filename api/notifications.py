"""A person's own notices and how they want to hear of things; and, for administrators, the inbox that digests are sent from.

An API key is no person: its list is empty and it has no preferences.
"""

import json
import uuid

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_valid
from api.schemas.base import Named
from api.schemas.notices import (
    AskedDigest,
    AskedNotificationSettings,
    AskedPreferences,
    Notice,
    NoticeConversation,
    NoticePage,
    NoticeQuery,
    NoticeWish,
    NotificationSettings,
    Preferences,
    ReadNotices,
    UnreadCount,
)
from rules.notice_times import next_digest
from store.notice_settings import choose_sender, digest_sender, read_wishes, save_wishes
from store.notices import NoticeKind, NoticeRow, Wishes, count_unread, list_notices, mark_notices_read


async def list_all(call: Call[NoticeQuery, None]) -> NoticePage:
    who, query = call.who, call.query
    if who.user_id is None:
        return NoticePage(items=[], unread=0)
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        page = await list_notices(
            connection, who.tenant_id, who.user_id, unread=query.unread, after=query.after, limit=query.limit
        )
        unread = await count_unread(connection, who.tenant_id, who.user_id)
    return NoticePage(items=[_shown(row) for row in page.items], next=page.next, unread=unread)


async def read(call: Call[Empty, ReadNotices]) -> UnreadCount:
    """Only one's own are ever touched, whatever ids are given; twice is once."""
    who, body = call.who, call.body
    if who.user_id is None:
        return UnreadCount(unread=0)
    ids = [_uuid(value, f"ids[{n}]") for n, value in enumerate(body.ids)]
    conversation = _uuid(body.conversation_id, "conversation_id") if body.conversation_id is not None else None
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        await mark_notices_read(
            connection, who.tenant_id, who.user_id, ids=ids, conversation_id=conversation, every=body.all
        )
        return UnreadCount(unread=await count_unread(connection, who.tenant_id, who.user_id))


async def preferences(call: Call[Empty, None]) -> Preferences:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        wishes = await read_wishes(connection, who.tenant_id, who.user_id) if who.user_id else Wishes()
        sender = await digest_sender(connection, who.tenant_id)
    return _preferences(wishes, sender.email_address if sender else None)


async def prefer(call: Call[Empty, AskedPreferences]) -> Preferences:
    """All of them at once. Digests that are waited for come by the new pace."""
    who, asked = call.who, call.body
    if who.user_id is None:
        raise Problem(409, "Preferences belong to a person; sign in as one.", name="no-person")
    digest = asked.digest
    wishes = Wishes(
        {kind: wish.model_dump() for kind, wish in asked.kinds.items()},
        digest.pace,
        digest.every_minutes,
        digest.daily_hour,
        digest.time_zone,
        digest.snippets,
    )
    due = next_digest(
        call.now(),
        pace=digest.pace,
        every_minutes=digest.every_minutes,
        daily_hour=digest.daily_hour,
        time_zone=digest.time_zone,
    )
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        await save_wishes(
            connection, who.tenant_id, who.user_id, wishes, kinds=json.dumps(dict(wishes.kinds)), due=due
        )
        sender = await digest_sender(connection, who.tenant_id)
    return _preferences(wishes, sender.email_address if sender else None)


async def settings(call: Call[Empty, None]) -> NotificationSettings:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        sender = await digest_sender(connection, call.who.tenant_id)
    return NotificationSettings(inbox=Named(id=str(sender.id), name=sender.name) if sender else None)


async def choose(call: Call[Empty, AskedNotificationSettings]) -> NotificationSettings:
    given = call.body.inbox_id
    inbox_id = _uuid(given, "inbox_id") if given is not None else None
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        if not await choose_sender(connection, call.who.tenant_id, inbox_id):
            raise not_valid(FieldError("inbox_id", "is no inbox of this team"))
        sender = await digest_sender(connection, call.who.tenant_id)
    return NotificationSettings(inbox=Named(id=str(sender.id), name=sender.name) if sender else None)


def _uuid(value: str, field: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        raise not_valid(FieldError(field, "is not an id")) from None


def _preferences(wishes: Wishes, mailed_from: str | None) -> Preferences:
    chosen = {kind: wishes.of(kind) for kind in NoticeKind}
    return Preferences(
        kinds={
            kind.value: NoticeWish.model_validate({"live": wish.live, "mail": wish.mail.value})
            for kind, wish in chosen.items()
        },
        digest=AskedDigest.model_validate(
            {
                "pace": wishes.pace,
                "every_minutes": wishes.every_minutes,
                "daily_hour": wishes.daily_hour,
                "time_zone": wishes.time_zone,
                "snippets": wishes.snippets,
            }
        ),
        mailed_from=mailed_from,
    )


def _shown(row: NoticeRow) -> Notice:
    conversation = None
    if row.conversation_id is not None:
        conversation = NoticeConversation(
            id=str(row.conversation_id), number=row.number or 0, subject=row.subject or "", customer=row.customer or ""
        )
    actor = None
    if row.actor_name is not None:
        actor = Named(id=row.actor.removeprefix("user:"), name=row.actor_name)
    return Notice.model_validate(
        {
            "id": str(row.id),
            "kind": row.kind,
            "conversation": conversation,
            "message_id": str(row.message_id) if row.message_id else None,
            "actor": actor,
            "created_at": row.created_at,
            "read_at": row.read_at,
        }
    )


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/notifications", list_all, Access.VIEWER, "What you are told", response=NoticePage, query=NoticeQuery
    ),
    Endpoint(
        "POST", "/v1/notifications/read", read, Access.VIEWER, "Mark your notices as read", response=UnreadCount, body=ReadNotices
    ),
    Endpoint("GET", "/v1/me/preferences", preferences, Access.VIEWER, "How you want to hear of things", response=Preferences),
    Endpoint(
        "PUT",
        "/v1/me/preferences",
        prefer,
        Access.VIEWER,
        "Choose how you want to hear of things",
        response=Preferences,
        body=AskedPreferences,
        conflicts=("no-person",),
    ),
    Endpoint(
        "GET",
        "/v1/notification-settings",
        settings,
        Access.ADMIN,
        "The inbox that digests are sent from",
        response=NotificationSettings,
    ),
    Endpoint(
        "PUT",
        "/v1/notification-settings",
        choose,
        Access.ADMIN,
        "Choose the inbox that digests are sent from",
        response=NotificationSettings,
        body=AskedNotificationSettings,
    ),
)
