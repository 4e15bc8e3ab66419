"""The timeline of a mail that comes in, from the rows that fetching and reading it leave behind."""

import uuid
from collections.abc import Callable

import pytest
from temporalio.testing import ActivityEnvironment

from activities.auto_response import AutoResponseClaiming
from contracts.refs import ConversationRef
from store.timeline import read_timeline
from store.timeline_steps import StepKind, TimelineStep
from store.visibility import Viewer
from tests.activities.mail_room import MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


async def steps_of(room: MailRoom, header: str) -> dict[str, TimelineStep]:
    (row,) = await room.rows("select id from messages where message_id_header = :h", h=header)
    return await by_step(room, row["id"])


async def by_step(room: MailRoom, message_id: uuid.UUID) -> dict[str, TimelineStep]:
    viewer = Viewer(room.tenant_id, None, sees_all=True)
    async with room.database.unit_of_work(room.tenant_id) as connection:
        found = await read_timeline(connection, viewer, message_id)
    assert found is not None
    return {s.step: s for s in found.steps}


async def test_from_the_mailbox_to_the_answer(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    await room.rows(
        "update inboxes set auto_response_enabled = true, auto_response_body = 'We have it.',"
        " created_at = now() - interval '1 hour'"
    )
    deliver(letter(1))
    await room.sync()
    (row,) = await room.rows("select conversation_id, raw_sha256 from messages")
    conversation = ConversationRef(str(room.tenant_id), str(row["conversation_id"]))
    claim = await ActivityEnvironment().run(AutoResponseClaiming(room.database).claim, conversation)
    steps = await steps_of(room, "<m1@customer.example.com>")
    assert list(steps)[:6] == [
        "received by the mail server", "stored", "read", "classified", "threaded", "message.received",
    ]  # fmt: skip
    assert row["raw_sha256"][:16] in steps["stored"].detail
    assert "UID 1" in steps["stored"].detail
    assert steps["stored"].flow == "sync"
    assert steps["read"].attempt == 1
    assert (steps["classified"].kind, steps["classified"].detail) == (StepKind.RULE, "message: ordinary")
    assert steps["threaded"].detail == "by new"
    answer = steps["automatic answer"]
    assert (str(answer.about), answer.flow, str(answer.flow_id)) == (
        claim.message_id,
        "answer",
        conversation.conversation_id,
    )


async def test_why_a_mail_gets_no_answer_and_what_a_second_copy_is(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1, List_Id="<list.example.com>"))
    deliver(letter(1, List_Id="<list.example.com>"))
    await room.sync()
    steps = await steps_of(room, "<m1@customer.example.com>")
    assert steps["no automatic answer"].detail == "list-id"
    assert (steps["recognised"].kind, steps["recognised"].detail) == (StepKind.RULE, "duplicate")


async def test_a_weak_match_is_told_with_its_reason(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    deliver(letter(2, subject="Re: Printer on fire [#1]", sender="eve@elsewhere.example.com"))
    await room.sync()
    steps = await steps_of(room, "<m2@customer.example.com>")
    assert (steps["suggested"].kind, steps["suggested"].detail) == (StepKind.RULE, "#1: ticket_number")
    assert "suggested" not in await steps_of(room, "<m1@customer.example.com>")


async def test_history_names_its_backfill(room: MailRoom, deliver: Deliver) -> None:
    deliver(letter(1))
    await room.connect()
    await room.backfill()
    steps = await steps_of(room, "<m1@customer.example.com>")
    folder = await room.folder()
    assert (steps["read"].flow, steps["read"].flow_id) == ("backfill", folder["id"])
    assert "message.received" not in steps
    assert "no automatic answer" not in steps
