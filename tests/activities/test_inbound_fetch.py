"""Fetching: nothing lost and nothing doubled, wherever it dies and whatever the server does to its folders."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import folder_pass, inbound_fetch, packing
from contracts.inbound import ResyncScope
from providers.errors import Unreachable
from providers.imap.source import ImapSource
from providers.imap.values import BrokenFetch, FetchBatch
from store.quarantine import retry
from tests.activities.mail_room import LOCAL, MailRoom, letter
from tests.servers.dovecot import Dovecot, DovecotAccount

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


class Boom(Exception):
    """A process that dies here."""


async def test_dying_before_the_rows_repeats_the_work(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.connect()
    for n in range(5):
        deliver(letter(n))
    real = vars(folder_pass)["write_rows"]

    async def die(*_: Any, **__: Any) -> None:
        raise Boom

    monkeypatch.setattr(folder_pass, "write_rows", die)
    with pytest.raises(ApplicationError, match="Boom"):
        await room.fetch()
    assert await room.states() == {}
    assert (await room.folder())["last_uid"] == 0
    monkeypatch.setattr(folder_pass, "write_rows", real)
    assert (await room.fetch()).stored == 5
    assert (await room.fetch()).stored == 0
    assert (await room.folder())["last_uid"] == 5


async def test_dying_between_stretches_goes_on_at_the_cursor(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.connect()
    for n in range(10):
        deliver(letter(n))
    monkeypatch.setattr(packing, "MOST_MAILS", 4)
    real, calls = vars(folder_pass)["move_cursor"], []

    async def die_second(*given: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Boom
        await real(*given)

    monkeypatch.setattr(folder_pass, "move_cursor", die_second)
    with pytest.raises(ApplicationError, match="Boom"):
        await room.fetch()
    assert (await room.folder())["last_uid"] == 4
    assert await room.states() == {"stored": 4}
    assert (await room.fetch()).stored == 6
    rows = await room.rows("select uid, raw_key, raw_offset, raw_length from ledger order by uid")
    assert [r["uid"] for r in rows] == list(range(1, 11))
    for n, row in enumerate(rows):
        raw = await room.blobs.get(row["raw_key"], row["raw_offset"], row["raw_length"])
        assert f"<m{n}@".encode() in raw
    assert len({r["raw_key"] for r in rows}) == 3


async def test_a_zombie_writes_nothing(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    await room.connect()
    deliver(letter(1))
    arrived, go_on = asyncio.Event(), asyncio.Event()
    real = packing.Packer.pack

    async def slow(self: packing.Packer, *given: Any, **named: Any) -> Any:
        rows = await real(self, *given, **named)
        if not arrived.is_set():
            arrived.set()
            await go_on.wait()
        return rows

    monkeypatch.setattr(packing.Packer, "pack", slow)
    zombie = asyncio.create_task(room.fetch())
    await arrived.wait()
    assert (await room.fetch()).stored == 1
    written = await room.rows("select id, fetch_run from ledger")
    go_on.set()
    with pytest.raises(ApplicationError) as error:
        await zombie
    assert (error.value.type, error.value.non_retryable) == ("LeaseLost", True)
    assert await room.rows("select id, fetch_run from ledger") == written


async def test_a_zombie_ingests_nothing(room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    await room.connect()
    deliver(letter(1))
    await room.fetch()
    arrived, go_on = asyncio.Event(), asyncio.Event()
    real = room.parsers.read

    async def slow(*given: Any, **named: Any) -> Any:
        answers = await real(*given, **named)
        if not arrived.is_set():
            arrived.set()
            await go_on.wait()
        return answers

    monkeypatch.setattr(room.parsers, "read", slow)
    zombie = asyncio.create_task(room.ingest())
    await arrived.wait()
    live = await room.ingest()  # one attempt failed already, so it goes alone
    go_on.set()
    with pytest.raises(ApplicationError) as error:
        await zombie
    assert error.value.type == "LeaseLost"
    assert live.ingested == 1
    assert await room.one("select count(*) from messages") == 1


async def test_uidvalidity_changes_and_nobody_is_told_twice(
    room: MailRoom, deliver: Deliver, dovecot: Dovecot, account: DovecotAccount
) -> None:
    await room.connect()
    for n in range(6):
        deliver(letter(n))
    await room.sync()
    before = await room.events()
    old = await room.folder()
    await room.pool.close()
    dovecot.forget_uids(account)
    deliver(letter(6, subject="New one"))
    room.__post_init__()
    report = await room.sync()
    assert report.ingested == 1
    new = await room.folder()
    assert new["uidvalidity"] != old["uidvalidity"]
    assert (new["state"], new["resets"], new["last_uid"]) == ("active", 1, 7)
    assert await room.one("select count(*) from messages") == 7
    assert (await room.events()).count("message.received") == before.count("message.received") + 1
    assert "message.updated" not in await room.events()
    (gap,) = await room.rows("select * from gaps")
    assert (gap["cause"], gap["listed"], gap["missing"], gap["closed_at"] is not None) == ("uidvalidity", 7, 1, True)
    rematched = await room.rows("select message_id from ledger where reason = 'rematched'")
    assert len(rematched) == 6
    assert all(r["message_id"] for r in rematched)
    assert (await room.sync()).ingested == 0


async def test_a_folder_that_never_rests_is_parked(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.connect()
    deliver(letter(1))
    await room.sync()
    real, values = ImapSource.examine, iter(range(1000, 2000))

    async def restless(self: ImapSource, path: str) -> Any:
        state = await real(self, path)
        return type(state)(path, next(values), state.uidnext, state.exists, state.highest_modseq)

    monkeypatch.setattr(ImapSource, "examine", restless)
    for _ in range(7):
        await room.fetch()
    folder = await room.folder()
    assert (folder["state"], folder["state_reason"], folder["resets"]) == ("parked", "uidvalidity_unstable", 5)
    assert await room.one("select count(*) from messages") == 1
    monkeypatch.setattr(ImapSource, "examine", real)
    await room.rows("update gaps set opened_at = now() - interval '2 days'")
    await room.sync(scope=ResyncScope.ALL)
    assert (await room.folder())["state"] == "active"


async def test_a_broken_fetch_is_quarantined_and_can_be_asked_again(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.connect()
    for n in range(3):
        deliver(letter(n))
    real = ImapSource.fetch

    async def broken(self: ImapSource, uids: Any) -> FetchBatch:
        batch = await real(self, uids)
        return FetchBatch([m for m in batch.mails if m.uid != 2], batch.vanished, [BrokenFetch(2, "nil")])

    monkeypatch.setattr(ImapSource, "fetch", broken)
    fetched = await room.fetch()
    assert (fetched.stored, fetched.quarantined) == (2, 1)
    assert (await room.folder())["last_uid"] == 3
    (quarantined,) = await room.rows("select id, reason from quarantine where resolved_at is null")
    assert quarantined["reason"] == "fetch_nil"
    monkeypatch.setattr(ImapSource, "fetch", real)
    await room.sync()
    async with room.database.unit_of_work(room.tenant_id) as connection:
        assert await retry(connection, room.tenant_id, quarantined["id"]) == room.inbox_id
    await room.sync()
    assert await room.states() == {"ingested": 3}
    assert await room.one("select resolution from quarantine") == "ingested"


async def test_a_mail_over_the_limit_is_shown_by_its_headers(room: MailRoom, deliver: Deliver) -> None:
    room.fetching._imap_pass._largest = 2_000
    await room.connect()
    deliver(letter(1, subject="Huge", body="x" * 60 + "\n" + "y" * 70 + "\n" * 3000))
    deliver(letter(2))
    await room.sync()
    (huge,) = await room.rows("select * from messages where subject = 'Huge'")
    assert huge["body_text"] == ""
    assert huge["conversation_id"] is not None
    (row,) = await room.rows("select q.reason, l.state, l.message_id from quarantine q join ledger l on l.id = q.ledger_id")
    assert row == {"reason": "too_large", "state": "quarantined", "message_id": huge["id"]}
    room.fetching._imap_pass._largest = 1_000_000
    quarantine = await room.one("select id from quarantine")
    async with room.database.unit_of_work(room.tenant_id) as connection:
        await retry(connection, room.tenant_id, quarantine)
    await room.sync()
    (whole,) = await room.rows("select * from messages where subject = 'Huge'")
    assert whole["body_text"] != ""
    assert whole["conversation_id"] == huge["conversation_id"]
    (conversation,) = await room.rows("select * from conversations where id = :id", id=whole["conversation_id"])
    assert (conversation["message_count"], conversation["unread_count"]) == (1, 1)


async def test_a_whole_resync_finds_what_the_ledger_lacks(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    for n in range(4):
        deliver(letter(n))
    await room.sync()
    await room.rows("delete from messages where message_id_header = '<m2@customer.example.com>'")
    await room.rows("delete from ledger where uid = 3")
    assert (await room.fetch()).stored == 0
    folder = await room.folder()
    await room.sync(scope=ResyncScope.FOLDER, folder_id=str(folder["id"]))
    assert await room.one("select count(*) from messages") == 4
    (gap,) = await room.rows("select cause, missing, refilled from gaps")
    assert gap == {"cause": "audit", "missing": 1, "refilled": 1}


async def test_flags_and_deletions_are_mirrored(room: MailRoom, deliver: Deliver, account: DovecotAccount) -> None:
    await room.connect()
    for n in range(3):
        deliver(letter(n))
    await room.sync()
    async with ImapSource(room.accounts.imap(await room.accounts.inbox(*_ids(room))), LOCAL) as other:
        await other.select("INBOX")
        await other.store_flags([1], add=["\\Seen"])
        await other.store_flags([3], add=["\\Deleted"])
        fetched = await room.fetch(flags=True)
        assert fetched.flags_changed == 2
        read = await room.rows("select message_id_header, is_read from messages order by message_id_header")
        assert [r["is_read"] for r in read] == [True, False, False]
        assert await room.one("select sum(unread_count) from conversations") == 2
        assert await room.one("select uid from ledger where gone_at is not null") == 3
        await other.select("INBOX")
        await other.store_flags([1], remove=["\\Seen"])
        await other.store_flags([3], remove=["\\Deleted"])
        await room.fetch(flags=True)
    assert await room.one("select sum(unread_count) from conversations") == 3
    assert await room.rows("select uid from ledger where gone_at is not null") == []
    assert await room.one("select count(*) from messages") == 3


async def test_a_moved_mail_keeps_its_message(room: MailRoom, deliver: Deliver) -> None:
    await room.connect()
    await room.fetch(ResyncScope.ALL)
    await room.rows("update folders set synced = true where role = 'archive'")
    deliver(letter(1))
    await room.sync()
    async with ImapSource(room.accounts.imap(await room.accounts.inbox(*_ids(room))), LOCAL) as other:
        await other.select("INBOX")
        await other.move([1], "Archive")
    await room.sync(flags=True)
    assert await room.one("select count(*) from messages") == 1
    rows = await room.rows("select gone_at is not null as gone, message_id from ledger order by gone_at is not null")
    assert [r["gone"] for r in rows] == [False, True]
    assert rows[0]["message_id"] == rows[1]["message_id"]


async def test_a_server_that_is_away_is_told_and_forgotten(
    room: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.connect()
    real = ImapSource.examine

    async def away(*_: Any) -> Any:
        raise Unreachable

    monkeypatch.setattr(ImapSource, "examine", away)
    fetched = await room.fetch()
    assert (fetched.failure, fetched.health) == ("Unreachable", "degraded")
    monkeypatch.setattr(ImapSource, "examine", real)
    assert (await room.fetch()).health == "ok"
    assert await room.one("select last_error from inboxes") is None


async def test_a_database_that_is_away_is_raised_by_name(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    await room.connect()

    async def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("select secrets", {"body": "private"}, Exception("away"))

    monkeypatch.setattr(inbound_fetch, "hold_lease", away)
    with pytest.raises(ApplicationError) as error:
        await room.fetch(ResyncScope.ALL)
    assert error.value.type == "DatabaseUnavailable"
    assert "private" not in str(error.value)
    assert not error.value.non_retryable


async def test_an_inbox_that_was_removed_ends_its_steps(room: MailRoom) -> None:
    ref = type(room.ref)(room.ref.tenant_id, str(uuid.uuid4()))
    with pytest.raises(ApplicationError) as error:
        await ActivityEnvironment().run(room.opening.open, ref)
    assert (error.value.type, error.value.non_retryable) == ("NotFound", True)


def _ids(room: MailRoom) -> tuple[str, str]:
    return room.ref.tenant_id, room.ref.inbox_id
