"""The timeline of a message that leaves: put off, tried again, in doubt, settled, filed, reported about, suppressed."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest_asyncio

from contracts.outbound import DeliverOutcome
from contracts.refs import MessageRef
from mail.values import BounceClass, MailKind, RecipientReport, Verdict
from store.delivery import apply_reports
from store.outbound import cancel_message, resolve_message
from store.timeline import read_timeline
from store.timeline_steps import StepKind, TimelineStep
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.activities.send_room import SendRoom
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import Close, Reply, ScriptedSmtp
from tests.store.desk import NOW, open_desk


@pytest_asyncio.fixture
async def room(module_database: ServerDatabase, scripted_smtp: ScriptedSmtp) -> AsyncIterator[SendRoom]:
    database = Database(module_database.url)
    made = SendRoom(await open_desk(database))
    await made.connect(scripted_smtp.port)
    yield made
    await database.close()


async def steps_of(room: SendRoom, ref: MessageRef) -> list[TimelineStep]:
    viewer = Viewer(room.desk.tenant_id, None, sees_all=True)
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        found = await read_timeline(connection, viewer, uuid.UUID(ref.message_id))
    assert found is not None
    assert [s.at for s in found.steps] == sorted(s.at for s in found.steps)
    return [s for s in found.steps if s.kind is not StepKind.EVENT]


async def test_every_attempt_its_stage_and_when_the_next_one_is(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    scripted_smtp.on("rcpt", Reply("451 4.7.1 later"), times=1)
    ref = await room.reply()
    await room.compose(ref)
    await room.deliver(ref)
    due = room.clock()
    room.clock.pass_(minutes=1)
    await room.deliver(ref)
    steps = await steps_of(room, ref)
    assert [(s.step, s.attempt, s.code) for s in steps] == [
        ("queued", 0, None),
        ("composed", 0, None),
        ("attempt", 1, None),
        ("deferred", 1, 451),
        ("attempt", 2, None),
        ("dot", 2, None),
        ("accepted", 2, 250),
        ("answered", 2, None),
    ]
    composed, put_off = steps[1], steps[3]
    assert str((await room.message(ref))["raw_sha256"])[:16] in composed.detail
    assert put_off.detail.startswith("rcpt: The mail server put it off")
    assert put_off.next_at is not None
    assert (put_off.next_at - due).total_seconds() == 60
    queued = steps[0]
    assert queued.next_at == NOW + dt.timedelta(seconds=5)  # the end of the undo window
    assert all(s.next_at is None for s in steps if s not in {queued, put_off})


async def test_doubt_a_persons_word_and_the_bounce_with_its_mail(
    room: SendRoom, scripted_smtp: ScriptedSmtp
) -> None:
    scripted_smtp.on("dot", Close(), stored=True)
    ref = await room.reply()
    message_id = uuid.UUID(ref.message_id)
    await room.compose(ref)
    await room.deliver(ref)
    await room.settle(ref, DeliverOutcome.UNKNOWN)
    desk = room.desk
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        actor = f"user:{desk.agent_id}"
        await resolve_message(
            connection,
            tenant_id=desk.tenant_id,
            message_id=message_id,
            outcome="sent",
            actor=actor,
            now=room.clock(),
        )
    bounce = await desk.receive(from_address="mailer-daemon@mx.example.net")
    (row,) = await desk.rows(
        "insert into ledger (tenant_id, inbox_id, provider_message_id, state, raw_key, message_id)"
        " values (:tenant, :inbox, 'b', 'ingested', 'raw/x', :bounce) returning id",
        inbox=desk.inbox_id,
        bounce=bounce,
    )
    report = RecipientReport("carla@customer.example.com", "failed", "5.1.1", BounceClass.HARD)
    verdict = Verdict(
        MailKind.BOUNCE,
        "multipart/report",
        may_answer=False,
        reports=(report,),
        original_send_id=ref.message_id,
    )
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await apply_reports(
            connection,
            tenant_id=desk.tenant_id,
            inbox_id=desk.inbox_id,
            ledger_id=row["id"],
            verdict=verdict,
            received_at=room.clock(),
        )
    steps = {s.step: s for s in await steps_of(room, ref)}
    assert {"dot", "unknown", "resolved_sent", "report: bounced", "suppressed"} <= set(steps)
    assert (steps["resolved_sent"].kind, steps["resolved_sent"].actor) == (StepKind.PERSON, actor)
    assert steps["report: bounced"].detail == "carla@customer.example.com hard 5.1.1"
    assert steps["report: bounced"].about == bounce
    assert steps["suppressed"].detail == "carla@customer.example.com bounce"
    assert steps["suppressed"].next_at is not None
    assert "bounced" not in steps  # its report tells it better


async def test_who_took_it_back(room: SendRoom) -> None:
    ref = await room.reply()
    desk = room.desk
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await cancel_message(
            connection,
            tenant_id=desk.tenant_id,
            message_id=uuid.UUID(ref.message_id),
            actor="api",
            now=room.clock(),
        )
    steps = await steps_of(room, ref)
    assert [(s.step, s.kind, s.actor) for s in steps][-1] == ("cancelled", StepKind.PERSON, "api")


async def test_what_a_viewer_may_not_see_has_no_timeline(room: SendRoom) -> None:
    ref = await room.reply()
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        stranger = Viewer(uuid.uuid4(), None, sees_all=True)
        assert await read_timeline(connection, stranger, uuid.UUID(ref.message_id)) is None
