"""Who is told of what: each event once, nobody of their own doing, nobody of an inbox they may not see, mail by each one's wish."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from activities.desk_notices import NoticeReactor, tellings_of
from store.bulk import new_id
from store.event_log import Cursor, LoggedEvent, NewEvent, append_events, read_after
from store.notice_settings import save_wishes
from store.notices import Wishes, count_unread, list_notices, mark_notices_read
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url, pool_size=3)
    yield await open_desk(database)
    await database.close()


async def person(desk: Desk, role: str = "agent") -> uuid.UUID:
    user_id = new_id()
    await desk.rows(
        "insert into users (tenant_id, id, email, email_key, name, role) values (:tenant, :id, :mail, :mail, 'Ben', :role)",
        id=user_id, mail=f"{user_id.hex}@example.org", role=role,
    )  # fmt: skip
    return user_id


def event(kind: str, desk: Desk, number: int = 1, *, actor: str = "system", **values: Any) -> LoggedEvent:
    about = {"conversation_id": desk.conversation_id, "message_id": None, "payload": {}} | values
    return LoggedEvent(
        cursor=Cursor(1, number), type=kind, tenant_id=desk.tenant_id, inbox_id=desk.inbox_id, actor=actor, at=NOW, **about
    )


async def react(desk: Desk, *events: LoggedEvent) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert await NoticeReactor().react(connection, desk.tenant_id, events) == ()


async def kinds(desk: Desk, user_id: uuid.UUID) -> list[str]:
    rows = await desk.rows("select kind from notices where user_id = :user and live order by event_id", user=user_id)
    return [r["kind"] for r in rows]


async def test_whoever_is_assigned_is_told_once_however_often_the_batch_is_read(desk: Desk) -> None:
    ben = await person(desk)
    told = event("conversation.updated", desk, payload={"assigned_to": str(ben)}, actor=f"user:{desk.agent_id}")
    await react(desk, told, told)
    await react(desk, told)
    assert await kinds(desk, ben) == ["assigned"]
    assert (await desk.events()).count("notification.added") == 1
    due = await desk.rows("select digest_due_at from notice_settings where user_id = :u", u=ben)
    assert due == [{"digest_due_at": NOW + dt.timedelta(minutes=30)}]


async def test_nobody_is_told_of_their_own_doing_and_nobody_who_left(desk: Desk) -> None:
    ben, gone = await person(desk), await person(desk)
    await desk.rows("update users set deleted_at = now() where id = :id", id=gone)
    await react(
        desk,
        event("conversation.updated", desk, 1, payload={"assigned_to": str(ben)}, actor=f"user:{ben}"),
        event("note.added", desk, 2, payload={"mentions": [str(gone), str(ben), "no id"]}, actor=f"user:{desk.agent_id}"),
        event("conversation.updated", desk, 3, payload={"assigned_to": None}),
    )
    assert await kinds(desk, ben) == ["mentioned"]
    assert await kinds(desk, gone) == []


async def test_a_mail_is_told_to_the_assignee_and_to_followers_who_may_see_it(desk: Desk) -> None:
    ben, eve, root = await person(desk), await person(desk), await person(desk, "admin")
    await desk.rows("update conversations set assigned_to = :b where id = :c", b=ben, c=desk.conversation_id)
    for user in (eve, root):
        await desk.rows(
            "insert into followers (tenant_id, conversation_id, user_id) values (:tenant, :c, :u)", c=desk.conversation_id, u=user
        )
    await desk.rows("insert into inbox_members (tenant_id, inbox_id, user_id) values (:tenant, :i, :u)", i=desk.inbox_id, u=ben)
    mail = {"message_id": desk.first_message_id}
    await react(
        desk,
        event("message.received", desk, 1, payload={"classification": "message"}, **mail),
        event("message.received", desk, 2, payload={"classification": "message", "quiet": True}, **mail),
        event("message.received", desk, 3, payload={"classification": "bounce"}, **mail),
        event("message.received", desk, 4, payload={"classification": "spam"}, conversation_id=None, message_id=None),
    )
    assert await kinds(desk, ben) == ["reply"]
    assert await kinds(desk, root) == ["reply"]
    assert await kinds(desk, eve) == [], "she may not see this inbox"


async def test_what_a_send_came_to_is_told_to_its_author(desk: Desk) -> None:
    ben = await person(desk)
    message_id = new_id()
    await desk.rows(
        "insert into messages (tenant_id, id, inbox_id, conversation_id, direction, sender_type, author_id, sent_at, send_status)"
        " values (:tenant, :id, :inbox, :c, 'outbound', 'agent', :u, now(), 'unknown')",
        id=message_id, inbox=desk.inbox_id, c=desk.conversation_id, u=ben,
    )  # fmt: skip
    await react(
        desk,
        event("message.unknown", desk, 1, message_id=message_id, payload={"kind": "message"}),
        event("message.failed", desk, 2, message_id=message_id, payload={"kind": "message"}),
        event("message.failed", desk, 3, message_id=message_id, payload={"kind": "notification"}),
    )
    assert await kinds(desk, ben) == ["send_unknown", "send_failed"]


async def test_a_wish_decides_between_bell_and_mail(desk: Desk) -> None:
    ben = await person(desk)
    wishes = Wishes({"assigned": {"live": False, "mail": "off"}, "mentioned": {"live": False, "mail": "at_once"}, "sla_warned": {"live": True, "mail": "off"}})
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        chosen = '{"assigned": {"live": false, "mail": "off"}, "mentioned": {"live": false, "mail": "at_once"}, "sla_warned": {"live": true, "mail": "off"}}'
        await save_wishes(connection, desk.tenant_id, ben, wishes, kinds=chosen, due=None)
    await desk.rows("update conversations set assigned_to = :b where id = :c", b=ben, c=desk.conversation_id)
    await react(
        desk,
        event("conversation.updated", desk, 1, payload={"assigned_to": str(ben)}),
        event("note.added", desk, 2, payload={"mentions": [str(ben)]}),
        event("sla.warned", desk, 3),
    )
    rows = await desk.rows("select kind, live, mail from notices where user_id = :u order by event_id", u=ben)
    assert [tuple(r.values()) for r in rows] == [("mentioned", False, "at_once"), ("sla_warned", True, "off")]
    due = await desk.rows("select digest_due_at from notice_settings where user_id = :u", u=ben)
    assert due == [{"digest_due_at": NOW + dt.timedelta(minutes=1)}]


async def test_the_list_the_count_and_reading(desk: Desk) -> None:
    ben, eve = await person(desk), await person(desk)
    await react(desk, *(event("note.added", desk, n, payload={"mentions": [str(ben), str(eve)]}) for n in range(1, 6)))
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        page = await list_notices(connection, desk.tenant_id, ben, unread=False, after=None, limit=3)
        rest = await list_notices(connection, desk.tenant_id, ben, unread=False, after=page.next, limit=3)
        assert [len(page.items), len(rest.items), rest.next] == [3, 2, None]
        assert (page.items[0].number, page.items[0].subject) == (42, "Printer on fire")
        hers = await list_notices(connection, desk.tenant_id, eve, unread=True, after=None, limit=9)
        assert await mark_notices_read(connection, desk.tenant_id, ben, ids=[page.items[0].id, hers.items[0].id]) == 1
        assert await count_unread(connection, desk.tenant_id, ben) == 4
        assert await count_unread(connection, desk.tenant_id, eve) == 5, "her own stay unread"
        assert await mark_notices_read(connection, desk.tenant_id, ben, conversation_id=desk.conversation_id) == 4
        assert await mark_notices_read(connection, desk.tenant_id, ben, every=True) == 0


async def test_what_it_writes_itself_tells_nobody(desk: Desk) -> None:
    ben = await person(desk)
    await react(desk, event("note.added", desk, payload={"mentions": [str(ben)]}))
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await append_events(connection, [NewEvent("conversation.merged", desk.tenant_id)])
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        own = await read_after(connection, Cursor(0, 0), tenant_id=desk.tenant_id)
    assert [e.type for e in own if tellings_of(e)] == []
