"""Balance sheets and gaps against a real server: what drifted is found, fetched, and proven to be there, wherever it dies."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import folder_refill, imap_pass
from activities.folder_pass import FolderPass
from contracts.inbound import ResyncScope
from models.enums import GapCause
from providers.errors import Unreachable
from providers.imap.source import ImapSource
from providers.imap.uid_ranges import UidRanges
from providers.imap.values import BrokenFetch, FetchBatch
from store.audits import ask_audit
from store.gaps import open_gap
from tests.activities.mail_room import LOCAL, MailRoom, letter

pytestmark = pytest.mark.dovecot
Deliver = Callable[..., None]


class Boom(Exception):
    """A process that dies here."""


@pytest.fixture
async def full(room: MailRoom, deliver: Deliver) -> MailRoom:
    """A connected inbox with eight mails that are all ingested."""
    await room.connect()
    for n in range(8):
        deliver(letter(n))
    await room.sync()
    return room


async def lose(room: MailRoom, *uids: int) -> None:
    """What a defect of ours or a restored table would do."""
    await room.rows("delete from messages where id in (select message_id from ledger where uid = any(:uids))", uids=list(uids))
    await room.rows("delete from ledger where uid = any(:uids)", uids=list(uids))


async def audit(room: MailRoom) -> Any:
    async with room.database.unit_of_work(room.tenant_id) as connection:
        await ask_audit(connection, room.tenant_id, room.inbox_id)
    return await room.fetch()


async def sheets(room: MailRoom, name: str = "INBOX") -> list[dict[str, Any]]:
    return await room.rows(
        "select a.* from audits a join folders f on f.id = a.folder_id where f.name = :name order by a.id", name=name
    )


async def test_a_folder_in_step_balances(full: MailRoom) -> None:
    planned = await full.one("select audit_due_at > now() from inboxes")
    assert planned is True, "the first pass plans the first night"
    assert await sheets(full) == []
    report = await audit(full)
    assert (report.stored, report.more) == (0, False)
    (sheet,) = await sheets(full)
    assert (sheet["reason"], sheet["at_provider"], sheet["in_ledger"], sheet["ingested"]) == ("asked", 8, 8, 8)
    assert (sheet["missing"], sheet["extra"], sheet["ahead"]) == (0, 0, 0)
    assert len(await sheets(full, "Sent")) == 1
    assert await full.rows("select 1 from gaps") == []
    (inbox,) = await full.rows("select audit_due_at > now() as later, audit_asked from inboxes")
    assert inbox == {"later": True, "audit_asked": False}
    assert (await full.fetch()).more is False
    assert len(await sheets(full)) == 1, "once is enough until the night"


async def test_its_night_comes_by_the_row_alone(full: MailRoom) -> None:
    await full.rows("update inboxes set audit_due_at = now() - interval '1 minute'")
    await full.fetch()
    assert [s["reason"] for s in await sheets(full)] == ["nightly"]


async def test_drift_opens_a_gap_that_is_refilled_and_closed_with_counts(full: MailRoom) -> None:
    await lose(full, 2, 5, 6)
    assert (await full.fetch()).stored == 0, "the cursor has passed them"
    report = await audit(full)
    assert (report.stored, report.pending, report.more) == (3, 3, False)
    await full.ingest()
    found, proven = await sheets(full)
    assert (found["missing"], found["in_ledger"], found["at_provider"]) == (3, 5, 8)
    assert (proven["reason"], proven["missing"], proven["in_ledger"]) == ("refilled", 0, 8)
    (gap,) = await full.rows("select * from gaps")
    assert (gap["cause"], gap["listed"], gap["missing"], gap["refilled"], gap["quarantined"]) == ("audit", 8, 3, 3, 0)
    assert gap["closed_at"] is not None
    assert await full.one("select count(*) from messages") == 8
    events = await full.events()
    assert (events.count("gap.opened"), events.count("gap.closed")) == (1, 1)


async def test_what_cannot_be_had_is_quarantined_so_that_the_sheet_closes(
    full: MailRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose(full, 3, 4)
    real = ImapSource.fetch

    async def broken(self: ImapSource, uids: Any) -> FetchBatch:
        batch = await real(self, uids)
        return FetchBatch([m for m in batch.mails if m.uid != 3], batch.vanished, [BrokenFetch(3, "short")])

    monkeypatch.setattr(ImapSource, "fetch", broken)
    await audit(full)
    (gap,) = await full.rows("select * from gaps")
    assert (gap["missing"], gap["refilled"], gap["quarantined"], gap["closed_at"] is not None) == (2, 1, 1, True)
    assert await full.one("select reason from quarantine") == "fetch_short"
    assert [s["missing"] for s in await sheets(full)] == [2, 0]


async def test_a_mail_that_was_denied_and_is_there_is_missing(full: MailRoom) -> None:
    await lose(full, 7)
    await full.rows(
        "insert into ledger (tenant_id, inbox_id, folder_id, uidvalidity, uid, state) select tenant_id, inbox_id, folder_id,"
        " uidvalidity, 7, 'vanished' from ledger where uid = 1"
    )
    report = await audit(full)
    assert report.stored == 1
    await full.ingest()
    assert await full.states() == {"ingested": 8}


@pytest.mark.parametrize("where", ["refill", "_close"])
async def test_dying_in_the_middle_leaves_an_open_gap_that_the_next_pass_fills(
    full: MailRoom, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    await lose(full, 1, 2, 3, 4)
    monkeypatch.setattr(folder_refill, "PIECE", 2)
    target = FolderPass if where == "refill" else folder_refill.FolderRefill
    real, calls = getattr(target, where), []

    async def die(self: Any, *given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == (2 if where == "refill" else 1):
            raise Boom
        return await real(self, *given, **named)

    monkeypatch.setattr(target, where, die)
    with pytest.raises(ApplicationError, match="Boom"):
        await audit(full)
    (gap,) = await full.rows("select * from gaps")
    assert (gap["closed_at"], gap["missing"], gap["refilled"]) == (None, 4, 2 if where == "refill" else 4)
    monkeypatch.setattr(target, where, real)
    await full.fetch()
    (gap,) = await full.rows("select * from gaps")
    assert (gap["missing"], gap["refilled"], gap["closed_at"] is not None) == (4, 4, True)
    assert await full.one("select count(*) from ledger") == 8


async def test_new_mail_comes_before_a_long_refill(
    full: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time is up after each piece: the pass lets go, and the next one begins with new mail."""
    await lose(full, 1, 2, 3)
    monkeypatch.setattr(folder_refill, "PIECE", 1)
    monkeypatch.setattr(imap_pass, "BALANCE_SECONDS", 0.0)
    report = await audit(full)
    assert (report.stored, report.more) == (0, True)
    deliver(letter(99))
    monkeypatch.setattr(imap_pass, "BALANCE_SECONDS", 20.0)
    report = await full.fetch()
    assert (report.stored, report.more) == (4, False)
    first = await full.rows("select uid from ledger order by id desc limit 4")
    assert [r["uid"] for r in reversed(first)] == [9, 1, 2, 3]


async def test_an_audit_that_fails_does_not_keep_new_mail_waiting(
    full: MailRoom, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: ImapSource) -> UidRanges:
        raise Unreachable

    monkeypatch.setattr(ImapSource, "uid_ranges", away)
    deliver(letter(50))
    assert (await audit(full)).failure == "Unreachable"
    assert await full.one("select count(*) from ledger") == 9
    assert (await full.fetch()).failure is None
    assert await full.one("select audit_due_at > now() + interval '50 min' from inboxes") is True


async def test_rows_without_a_mail_are_found_and_let_go(full: MailRoom) -> None:
    """The deletion was never told: as after QRESYNC answers that were lost."""
    async with ImapSource(full.accounts.imap(await full.accounts.inbox(full.ref.tenant_id, full.ref.inbox_id)), LOCAL) as other:
        await other.select("INBOX")
        await other.store_flags([2], add=["\\Deleted"])
        await other.move([2], "Archive")
    await full.sync(flags=True)
    await full.rows("update ledger set gone_at = null")
    await audit(full)
    found, proven = await sheets(full)
    assert (found["extra"], found["at_provider"], found["in_ledger"]) == (1, 7, 8)
    assert (proven["extra"], proven["in_ledger"], proven["gone"]) == (0, 7, 1)
    assert await full.rows("select 1 from gaps") == []


async def test_history_that_is_not_read_yet_is_not_missing(room: MailRoom, deliver: Deliver) -> None:
    for n in range(5):
        deliver(letter(n))
    await room.connect()
    deliver(letter(6))
    await audit(room)
    (sheet,) = await sheets(room)
    assert (sheet["history_waiting"], sheet["in_ledger"], sheet["missing"]) == (5, 1, 0)
    await room.backfill()
    await room.rows("update ledger set internal_date = internal_date - interval '2 days'")
    await lose(room, 2)
    await audit(room)
    rows = await sheets(room)
    assert [s["missing"] for s in rows] == [0, 1, 0]
    assert await room.one("select historical from ledger where uid = 2") is True, "what lay there before starts nothing"


@pytest.mark.parametrize(("state", "column"), [("none", "not_asked_for"), ("cancelled", "not_asked_for"), ("done", "beyond_horizon"), ("paused", "history_waiting")])
async def test_history_that_nobody_wants_has_its_reason(room: MailRoom, deliver: Deliver, state: str, column: str) -> None:
    for n in range(4):
        deliver(letter(n))
    await room.connect()
    await room.rows("update folders set backfill_state = :state, backfill_uid = 5 where role = 'inbox'", state=state)
    await audit(room)
    (sheet,) = await sheets(room)
    assert (sheet[column], sheet["missing"], sheet["at_provider"]) == (4, 0, 4)


async def test_mails_older_than_the_horizon_are_not_missing(room: MailRoom, deliver: Deliver) -> None:
    for n in range(4):
        deliver(letter(n))
    await room.connect()
    await room.rows("update folders set backfill_state = 'running', backfill_uid = 1, backfill_horizon = now() + interval '1 day' where role = 'inbox'")
    await audit(room)
    (sheet,) = await sheets(room)
    assert (sheet["beyond_horizon"], sheet["missing"]) == (4, 0)


async def test_a_gap_counts_what_came_since_and_is_closed_by_a_sheet(full: MailRoom, deliver: Deliver) -> None:
    """As after a sign-in that was mended: new mails and old ones that were lost, in one count."""
    folder = await full.folder()
    await lose(full, 4)
    async with full.database.unit_of_work(full.tenant_id) as connection:
        await open_gap(connection, full.tenant_id, full.inbox_id, uuid.UUID(str(folder["id"])), GapCause.REAUTH)
    for n in range(20, 23):
        deliver(letter(n))
    await full.fetch()
    (gap,) = await full.rows("select * from gaps")
    assert (gap["cause"], gap["listed"], gap["missing"], gap["refilled"]) == ("reauth", 11, 4, 4)
    assert gap["closed_at"] is not None
    assert [(s["reason"], s["missing"]) for s in await sheets(full)] == [("refilled", 0)]


async def test_a_resync_is_a_balance_sheet(full: MailRoom) -> None:
    await lose(full, 8)
    folder = await full.folder()
    await full.fetch(ResyncScope.FOLDER, folder_id=str(folder["id"]))
    assert [s["missing"] for s in await sheets(full)] == [1, 0]
    assert await sheets(full, "Sent") == []
