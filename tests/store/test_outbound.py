"""Queuing a reply: what is frozen, what is refused, and what the conversation shows."""

import asyncio
import dataclasses
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from store.outbound import (
    CannotSend,
    NewReply,
    QueuedReply,
    Recipient,
    StaleView,
    default_recipients,
    queue_reply,
)
from store.unit_of_work import Database
from tests.servers.databases import Database as ServerDatabase
from tests.store.desk import NOW, Desk, open_desk


@pytest_asyncio.fixture
async def desk(module_database: ServerDatabase) -> AsyncIterator[Desk]:
    database = Database(module_database.url)
    yield await open_desk(database)
    await database.close()


async def queue(desk: Desk, **given: Any) -> QueuedReply:
    reply = NewReply(conversation_id=desk.conversation_id, author_id=desk.agent_id, text="We are coming.")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await queue_reply(
            connection, tenant_id=desk.tenant_id, reply=dataclasses.replace(reply, **given), now=NOW
        )


async def upload(
    desk: Desk, *, size: int = 1000, complete: bool = True, filename: str = "plan.pdf"
) -> uuid.UUID:
    rows = await desk.rows(
        "insert into uploads (tenant_id, filename, content_type, size_bytes, sha256, upload_key, storage_key, completed_at)"
        " values (:tenant, :filename, 'application/pdf', :size, 'ab', 'up/1', 'att/1', case when :complete then now() end)"
        " returning id",
        filename=filename,
        size=size,
        complete=complete,
    )
    found: uuid.UUID = rows[0]["id"]
    return found


async def test_a_reply_is_frozen_with_its_recipients_subject_and_counters(desk: Desk) -> None:
    before = await desk.conversation()
    queued = await queue(desk)
    row = await desk.message(queued.message_id)
    after = await desk.conversation()
    assert row["send_status"] == "queued"
    assert row["subject"] == "Re: Printer on fire [#42]"
    assert (row["from_address"], row["from_name"]) == ("desk@example.org", "Example Desk")
    assert row["undo_until"] == queued.leaves_at == NOW + dt.timedelta(seconds=5)
    assert row["at_version"] == queued.version == after["version"] == before["version"] + 1
    assert await desk.recipients(queued.message_id) == [("to", "carla@customer.example.com", "pending")]
    assert after["message_count"] == before["message_count"] + 1
    assert after["agent_message_count"] == before["agent_message_count"] + 1
    assert (after["snippet"], after["last_message_direction"]) == ("We are coming.", "outbound")
    assert await desk.events() == ["message.queued", "conversation.updated"]
    assert await desk.steps(queued.message_id) == ["queued"]


async def test_a_later_time_makes_it_scheduled_and_a_time_within_the_undo_window_does_not(desk: Desk) -> None:
    later = NOW + dt.timedelta(days=3)
    queued = await queue(desk, send_at=later)
    assert (await desk.message(queued.message_id))["send_status"] == "scheduled"
    assert queued.leaves_at == later
    soon = await queue(desk, send_at=NOW + dt.timedelta(seconds=1))
    assert (await desk.message(soon.message_id))["send_status"] == "queued"


async def test_newer_mail_of_the_customer_or_of_a_colleague_refuses_the_reply(desk: Desk) -> None:
    seen = (await desk.conversation())["version"]
    newer = await desk.receive(at=NOW + dt.timedelta(minutes=1))
    with pytest.raises(StaleView) as refused:
        await queue(desk, seen_version=seen)
    assert refused.value.newer_message_ids == (newer,)
    assert refused.value.current_version == (await desk.conversation())["version"]
    own = await queue(desk, seen_version=refused.value.current_version)
    # One's own message is no surprise, a colleague's is.
    await queue(desk, seen_version=refused.value.current_version)
    with pytest.raises(StaleView) as colleague:
        await queue(desk, seen_version=seen + 1, author_id=None)
    assert own.message_id in colleague.value.newer_message_ids


async def test_two_agents_with_the_same_view_cannot_both_answer(desk: Desk) -> None:
    seen = (await desk.conversation())["version"]
    other = uuid.uuid4()
    await desk.rows(
        "insert into users (tenant_id, id, email, email_key, name) values (:tenant, :id, :mail, :mail, 'Bo')",
        id=other,
        mail=f"{other.hex}@example.org",
    )
    answers = await asyncio.gather(
        queue(desk, seen_version=seen),
        queue(desk, seen_version=seen, author_id=other),
        return_exceptions=True,
    )
    assert sorted(type(a).__name__ for a in answers) == ["QueuedReply", "StaleView"]


async def test_a_merged_conversation_is_followed_but_never_answered_unseen(desk: Desk) -> None:
    survivor = uuid.uuid4()
    await desk.rows(
        "insert into conversations (tenant_id, id, number, inbox_id, subject, customer_identifier)"
        " values (:tenant, :id, 43, :inbox, 'Other', 'carla@customer.example.com')",
        id=survivor,
        inbox=desk.inbox_id,
    )
    await desk.rows(
        "update conversations set merged_into = :to where id = :id", to=survivor, id=desk.conversation_id
    )
    with pytest.raises(StaleView):
        await queue(desk, seen_version=999)
    queued = await queue(desk)
    assert (await desk.message(queued.message_id))["conversation_id"] == survivor
    assert (await desk.message(queued.message_id))["subject"] == "Re: Other [#43]"


async def test_the_same_idempotency_key_is_the_same_message(desk: Desk) -> None:
    first, second = await asyncio.gather(*(queue(desk, idempotency_key="k-1") for _ in range(2)))
    assert first.message_id == second.message_id
    assert first.leaves_at == second.leaves_at
    assert await desk.events() == ["message.queued", "conversation.updated"]


async def test_files_come_from_complete_uploads_and_a_shown_picture_is_inline(desk: Desk) -> None:
    plan, picture = await upload(desk), await upload(desk, filename="logo.png")
    queued = await queue(
        desk, html=f'<p>See</p><img src="cid:{picture}">', text=None, upload_ids=(plan, picture)
    )
    files = await desk.rows(
        "select * from attachments where message_id = :id order by position", id=queued.message_id
    )
    assert [(f["filename"], f["disposition"], f["content_id_header"]) for f in files] == [
        ("plan.pdf", "attachment", None),
        ("logo.png", "inline", str(picture)),
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"text": "  "}, "text"),
        ({"subject": "a\r\nBcc: x@example.com"}, "subject"),
        ({"recipients": (Recipient("to", "no address"),)}, "to[0].address"),
        (
            {"recipients": (Recipient("to", "a@example.com"), Recipient("cc", "b@example.com", "B\nX: y"))},
            "cc[0].name",
        ),
        ({"recipients": (Recipient("too", "a@example.com"),)}, "to"),
        ({"upload_ids": (uuid.UUID(int=7),)}, "attachments[0]"),
        ({"text": "x" * (2 * 1024 * 1024 + 1)}, "text"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_its_field_and_leaves_nothing(
    desk: Desk, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(CannotSend) as refused:
        await queue(desk, **given)
    assert refused.value.field == field
    assert await desk.events() == []


async def test_files_beyond_the_limits_are_refused(desk: Desk) -> None:
    half = 13 * 1024 * 1024
    with pytest.raises(CannotSend, match="completely"):
        await queue(desk, upload_ids=(await upload(desk, complete=False),))
    with pytest.raises(CannotSend, match="25 MB"):
        await queue(desk, upload_ids=(await upload(desk, size=26 * 1024 * 1024),))
    with pytest.raises(CannotSend, match="25 MB"):
        await queue(desk, upload_ids=(await upload(desk, size=half), await upload(desk, size=half)))
    many = tuple([await upload(desk) for _ in range(11)])
    with pytest.raises(CannotSend, match="at most 10"):
        await queue(desk, upload_ids=many)


async def test_a_foreign_tenants_conversation_and_uploads_do_not_exist(desk: Desk) -> None:
    stranger = await open_desk(desk.database, address="other@example.org")
    with pytest.raises(CannotSend, match="no longer exists"):
        await queue(stranger, conversation_id=desk.conversation_id)
    with pytest.raises(CannotSend, match="no upload"):
        await queue(stranger, upload_ids=(await upload(desk),))


async def test_default_recipients_are_the_reply_to_then_everybody_but_us(desk: Desk) -> None:
    await desk.receive(
        reply_to=("list@customer.example.com",),
        to=("DESK@example.org", "boss@customer.example.com"),
        cc=("list@customer.example.com", "eve@customer.example.com"),
        at=NOW + dt.timedelta(minutes=1),
    )
    await desk.receive(
        from_address="robot@customer.example.com", is_auto="auto-submitted", at=NOW + dt.timedelta(hours=1)
    )
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        found = await default_recipients(
            connection, tenant_id=desk.tenant_id, conversation_id=desk.conversation_id
        )
    assert [(r.type, r.address) for r in found] == [
        ("to", "list@customer.example.com"),
        ("cc", "boss@customer.example.com"),
        ("cc", "eve@customer.example.com"),
    ]


async def test_a_mailbox_named_twice_is_sent_to_once(desk: Desk) -> None:
    twice = (
        Recipient("cc", "Ann@Example.com"),
        Recipient("to", "ann@example.com", "Ann"),
        Recipient("bcc", "bob@example.com"),
    )
    queued = await queue(desk, recipients=twice)
    assert await desk.recipients(queued.message_id) == [
        ("to", "ann@example.com", "pending"),
        ("bcc", "bob@example.com", "pending"),
    ]
