"""The automatic answer: at most one for a conversation, none where a rule forbids it, none beyond the budgets."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from contracts.outbound import DeliverOutcome
from contracts.refs import MessageRef
from store.unit_of_work import Database
from tests.activities.send_room import SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import Close, Reply, ScriptedSmtp
from tests.store.desk import NOW, Desk, open_desk


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase) -> AsyncIterator[SendRoom]:
    database = Database(module_database.url)
    made = SendRoom(await open_desk(database))
    await made.run_sql(
        "update inboxes set auto_response_enabled = true, auto_response_subject = 'We got it: {{ticket_number}}',"
        " auto_response_body = 'Dear {{sender_name}}, {{org_name}} / {{inbox_name}} {{when}}',"
        " auto_response_html = '<p>{{sender_name}}</p>'"
    )
    yield made
    await database.close()


async def conversation(desk: Desk, **mail: Any) -> uuid.UUID:
    """Another conversation, with one mail of a customer."""
    made = uuid.uuid4()
    (row,) = await desk.rows("select coalesce(max(number), 0) + 1 as next from conversations")
    await desk.rows(
        "insert into conversations (tenant_id, id, number, inbox_id, subject, historical)"
        " values (:tenant, :id, :number, :inbox, 'Again', false)",
        id=made,
        number=row["next"],
        inbox=desk.inbox_id,
    )
    await desk.receive(conversation_id=made, **mail)
    return made


async def test_the_answer_is_queued_with_its_template_filled(room: SendRoom) -> None:
    claim = await room.claim_answer()
    assert claim.reason == "answered"
    row = await room.message(MessageRef(str(room.desk.tenant_id), str(claim.message_id)))
    assert (row["kind"], row["sender_type"], row["send_status"]) == ("auto_response", "system", "queued")
    assert row["subject"] == "We got it: 42 [#42]"
    assert row["body_text"] == "Dear Carla, Example Org / Desk {{when}}"
    (step,) = await room.desk.rows("select detail from send_steps where message_id = :id", id=row["id"])
    assert step["detail"] == "the template names unknown placeholders: when"
    shown = await room.desk.conversation()
    assert (shown["snippet"], shown["last_message_direction"], shown["agent_message_count"]) == (
        "It burns.",
        "inbound",
        0,
    )


async def test_asked_often_and_at_once_it_answers_once(room: SendRoom) -> None:
    claims = await asyncio.gather(*(room.claim_answer() for _ in range(8)))
    claims.append(await room.claim_answer())
    assert len({c.message_id for c in claims}) == 1
    rows = await room.desk.rows("select id from messages where kind = 'auto_response'")
    assert len(rows) == 1
    (budget,) = await room.desk.rows("select count from loop_budgets where correspondent_key = '*'")
    assert budget["count"] == 1


@pytest.mark.parametrize(
    ("mail", "reason"),
    [
        ({"may_answer": False}, "mail-forbids"),
        ({"is_auto": "auto-submitted: auto-replied"}, "automatic: auto-submitted: auto-replied"),
        ({"historical": True}, "historical"),
        ({"from_address": "DESK@example.org"}, "own-address"),
        ({"from_address": "mailer-daemon"}, "no-sender"),
        ({"at": NOW - dt.timedelta(days=3)}, "older-than-the-rule"),
    ],
)
async def test_silence_is_decided_once_with_its_reason(
    room: SendRoom, mail: dict[str, Any], reason: str
) -> None:
    made = await conversation(room.desk, **mail)
    claim = await room.claim_answer(made)
    assert (claim.message_id, claim.reason) == (None, reason)
    (row,) = await room.desk.rows(
        "select outcome from auto_response_claims where conversation_id = :id", id=made
    )
    assert row["outcome"] == reason
    assert (await room.claim_answer(made)).reason == reason


async def test_no_answer_to_a_suppressed_address_until_its_time_is_over(room: SendRoom) -> None:
    await room.run_sql(
        "insert into suppressed_addresses (tenant_id, address_key, address, reason, expires_at)"
        " values (:t, 'carla@customer.example.com', 'x', 'bounce', :until)",
        t=room.desk.tenant_id,
        until=room.clock() + dt.timedelta(days=1),
    )
    assert (await room.claim_answer()).reason == "suppressed-address"
    await room.run_sql(
        "update suppressed_addresses set expires_at = :past", past=room.clock() - dt.timedelta(days=1)
    )
    assert (await room.claim_answer(await conversation(room.desk))).reason == "answered"


async def test_switching_answers_on_does_not_answer_what_came_before(room: SendRoom) -> None:
    await room.run_sql(
        "update inboxes set settings = jsonb_build_object('auto_response_since', cast(:at as text))",
        at=(NOW + dt.timedelta(minutes=5)).isoformat(),
    )
    assert (await room.claim_answer()).reason == "older-than-the-rule"


async def test_a_loop_with_one_correspondent_ends_after_ten_mails_and_is_told_once(room: SendRoom) -> None:
    reasons = []
    for _ in range(14):
        reasons.append((await room.claim_answer(await conversation(room.desk))).reason)
        room.clock.pass_(seconds=20)
    assert reasons == ["answered"] * 10 + ["budget-correspondent"] + ["paused-correspondent"] * 3
    other = await conversation(room.desk, from_address="dora@customer.example.com")
    assert (await room.claim_answer(other)).reason == "answered"
    notices = await room.desk.rows("select payload from events where type = 'inbox.updated'")
    assert [(n["payload"]["notice"], n["payload"]["budget"]) for n in notices] == [
        ("auto_responses_paused", "correspondent")
    ]
    (breach,) = await room.desk.rows("select * from loop_breaches")
    assert (breach["correspondent_key"], breach["held_back"]) == ("carla@customer.example.com", 4)
    room.clock.pass_(minutes=25)
    assert (await room.claim_answer(await conversation(room.desk))).reason == "answered"


async def test_the_answer_goes_to_the_envelope_sender(room: SendRoom, scripted_smtp: ScriptedSmtp) -> None:
    """RFC 3834 §4: Reply-To and From are the author's, the Return-Path is where a robot may write."""
    await room.connect(scripted_smtp.port)
    await room.desk.rows("update messages set return_path = 'bounces+carla@lists.example.com'")
    ref = MessageRef(str(room.desk.tenant_id), str((await room.claim_answer()).message_id))
    await room.compose(ref)
    await room.deliver(ref)
    (mail,) = scripted_smtp.accepted
    assert mail.rcpt_tos == ("bounces+carla@lists.example.com",)
    assert b"To: Carla <bounces+carla@lists.example.com>" in mail.raw


async def test_an_envelope_sender_of_our_own_is_not_answered(room: SendRoom) -> None:
    """A mailbox that forwards to itself would answer itself."""
    await room.desk.rows("update messages set return_path = 'Desk@Example.org'")
    assert (await room.claim_answer()).reason == "own-address"


async def test_the_claim_says_which_mail_it_was_about(room: SendRoom) -> None:
    await room.claim_answer()
    (row,) = await room.desk.rows("select about_message_id, outcome from auto_response_claims")
    assert (row["about_message_id"], row["outcome"]) == (room.desk.first_message_id, "answered")


async def test_an_automatic_answer_leaves_without_return_address_or_with_ours_where_that_is_refused(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    await room.connect(scripted_smtp.port)
    for refused in (False, True):
        if refused:
            scripted_smtp.on("mail", Reply("553 5.7.1 sender address required"), times=1)
        made = await conversation(room.desk, from_address=f"eve{refused}@customer.example.com")
        claim = await room.claim_answer(made)
        ref = MessageRef(str(room.desk.tenant_id), str(claim.message_id))
        await room.compose(ref)
        assert (await room.deliver(ref)).outcome is DeliverOutcome.SENT
    assert [m.mail_from for m in scripted_smtp.accepted] == ["", "desk@example.org"]
    # It answers nobody's question: waiting times and agents' counts know nothing of it.
    assert (await room.desk.conversation())["responses"] == 0


async def test_an_automatic_answer_of_unknown_fate_is_left_alone_quietly(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    await room.connect(scripted_smtp.port)
    await room.run_sql('update inboxes set settings = settings || \'{"send_policy": "at_least_once"}\'')
    scripted_smtp.on("dot", Close(), stored=True)
    claim = await room.claim_answer()
    ref = MessageRef(str(room.desk.tenant_id), str(claim.message_id))
    await room.compose(ref)
    assert (await room.deliver(ref)).outcome is DeliverOutcome.UNKNOWN
    assert not (await room.settle(ref, DeliverOutcome.UNKNOWN)).again
    assert (await room.status(ref))[0] == "unknown"
    assert (await room.desk.conversation())["unknown_sends"] == 0
    assert "message.unknown" not in await room.desk.events()
    assert len(scripted_smtp.accepted) == 1
