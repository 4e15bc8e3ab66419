"""Rows that come from a backup are doubted, fenced and noticed before anybody works with them."""

import datetime as dt
import uuid

import pytest
from sqlalchemy import text

from store.restores import RestoredRows, after_restore, check_cluster, current_era
from store.sent_copies import copy_seen
from store.unit_of_work import Database
from tests.activities.send_room import SendRoom
from tests.store.desk import open_desk

NOW = dt.datetime(2025, 3, 5, tzinfo=dt.UTC)


@pytest.fixture
async def room(database, scripted_smtp):
    opened = Database(database.url, pool_size=3)
    made = SendRoom(await open_desk(opened))
    await made.connect(scripted_smtp.port)
    yield made
    await opened.close()


async def restore(room: SendRoom):
    async with room.desk.database.system_unit_of_work() as connection:
        return await after_restore(connection, now=NOW)


async def test_whatever_is_not_final_becomes_unknown_and_is_not_sent_again(room, scripted_smtp) -> None:
    queued, frozen, sending, scheduled, sent = [await room.reply() for _ in range(5)]
    for ref in (frozen, sending, sent):
        await room.compose(ref)
    await room.deliver(sent)
    await room.run_sql("update messages set send_status = 'sending', send_stage = 'rcpt', send_attempts = 3 where id = :id", id=uuid.UUID(sending.message_id))
    await room.run_sql("update messages set send_status = 'scheduled', scheduled_at = '2030-01-01Z' where id = :id", id=uuid.UUID(scheduled.message_id))
    done = await restore(room)
    assert (done.era, done.sends_doubted) == (0, 4)
    for ref in (queued, frozen, sending, scheduled):
        assert await room.status(ref) == ("unknown", "dot")
        assert "restored from a backup" in (await room.message(ref))["send_error"]
        assert (await room.desk.steps(uuid.UUID(ref.message_id)))[-1] == "restored"
        assert (await room.plan(ref)).state.value not in {"due", "waiting"}
        await room.deliver(ref) if ref is not queued and ref is not scheduled else None
    assert (await room.status(sent))[0] == "sent"
    assert (await room.message(sending))["send_attempts"] == 4, "an attempt that still runs is fenced out"
    assert (await room.desk.conversation())["unknown_sends"] == 4
    assert len(scripted_smtp.accepted) == 1
    again = await restore(room)
    assert (again.era, again.sends_doubted) == (1, 0)


async def test_a_copy_in_sent_proves_even_what_the_backup_had_not_frozen(room) -> None:
    ref = await room.reply()
    await restore(room)
    await room.run_sql("update messages set sent_copy_at = now() where id = :id", id=uuid.UUID(ref.message_id))
    async with room.desk.database.unit_of_work(room.desk.tenant_id) as connection:
        assert await copy_seen(connection, tenant_id=room.desk.tenant_id, message_id=uuid.UUID(ref.message_id))


async def test_old_leases_numbers_events_and_sessions(room) -> None:
    async with room.desk.database.system_unit_of_work() as connection:
        await connection.execute(text("update tenants set next_conversation_number = 43"))
        await connection.execute(text("insert into events (tenant_id, type, xid) values (:t, 'x', '900000000')"), {"t": room.desk.tenant_id})
        before = (await connection.execute(text("select lease_epoch from inboxes"))).scalar_one()
    await restore(room)
    async with room.desk.database.system_unit_of_work() as connection:
        row = (await connection.execute(text("select lease_epoch, settings ->> 'auto_response_since' as since from inboxes"))).one()
        assert row.lease_epoch > before + 1000
        assert dt.datetime.fromisoformat(row.since) == NOW
        assert (await connection.execute(text("select next_conversation_number from tenants"))).scalar_one() == 1043
        ahead = "select count(*) from events where xid >= pg_snapshot_xmax(pg_current_snapshot())"
        assert (await connection.execute(text(ahead))).scalar_one() == 0
        assert await current_era(connection) == 0


async def test_rows_that_wake_up_in_another_cluster_are_refused_until_they_are_made_safe(room) -> None:
    house = room.desk.database
    async with house.system_unit_of_work() as connection:
        await check_cluster(connection)
        await check_cluster(connection)
        await connection.execute(text("update restores set cluster = 'another'"))
    with pytest.raises(RestoredRows):
        async with house.system_unit_of_work() as connection:
            await check_cluster(connection)
    assert (await restore(room)).era == 1
    async with house.system_unit_of_work() as connection:
        await check_cluster(connection)
        assert await current_era(connection) == 1
