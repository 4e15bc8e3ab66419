"""A balance sheet explains every mail and every row, and the database refuses one that does not add up."""

import datetime as dt
import uuid

import pytest
from sqlalchemy.exc import DBAPIError

from models.enums import AuditReason
from store.audits import (
    BalanceFigures,
    ask_audit,
    audits_done,
    compare_window,
    last_drift,
    list_audits,
    next_night,
    postpone_audit,
    record_audit,
)
from store.ledger import LedgerRow, LedgerState, Place, write_rows
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.store.desk import open_desk

NOW = dt.datetime(2025, 3, 4, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
async def desk(database):
    house = Database(database.url, pool_size=2)
    yield await open_desk(house)
    await house.close()


@pytest.fixture
async def place(desk):
    (row,) = await desk.rows(
        "insert into folders (tenant_id, inbox_id, name, path, synced, uidvalidity) values (:tenant, :inbox, 'INBOX', 'INBOX', true, 7)"
        " returning id",
        inbox=desk.inbox_id,
    )
    return Place(desk.tenant_id, desk.inbox_id, uuid.UUID(str(row["id"])), 7)


async def test_a_window_tells_apart_what_is_explained_and_what_is_not(desk, place) -> None:
    states = {
        1: LedgerState.INGESTED,
        2: LedgerState.STORED,
        3: LedgerState.VANISHED,  # says so, and is there
        4: LedgerState.VANISHED,
        5: LedgerState.QUARANTINED,
        6: LedgerState.INGESTED,  # not there, and nobody said that it went
        7: LedgerState.SKIPPED,  # gone from there
        8: LedgerState.INGESTED,  # only marked as deleted there
    }
    rows = [LedgerRow(uid=u, state=s, raw_key="k", reason="x") for u, s in states.items()]
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_rows(connection, place, rows)
        await write_rows(connection, Place(place.tenant_id, place.inbox_id, place.folder_id, 6), rows)
    await desk.rows("update ledger set gone_at = now() where uid in (7, 8)")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        figures = await compare_window(connection, place, [1, 2, 3, 5, 8, 9], first=1, last=20)
    assert figures.states == {"ingested": 2, "stored": 1, "quarantined": 1}
    assert (figures.vanished, figures.gone, figures.deleted, figures.extra) == (1, 1, 1, 1)
    assert (list(figures.unknown), list(figures.extras)) == ([3, 9], [6])
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        empty = await compare_window(connection, place, [], first=1, last=5)
    assert (empty.extra, list(empty.unknown)) == (3, [])


async def test_a_sheet_that_does_not_balance_is_refused(desk, place) -> None:
    good = BalanceFigures(at_provider=10, in_ledger=7, ingested=7, extra=1, deleted=1, history_waiting=1, missing=2)
    for bad in (
        BalanceFigures(at_provider=9, in_ledger=7, ingested=7),
        BalanceFigures(at_provider=7, in_ledger=7, ingested=6),
    ):
        with pytest.raises(DBAPIError, match="ck_audits"):
            async with desk.database.unit_of_work(desk.tenant_id) as connection:
                await record_audit(connection, place, bad, AuditReason.NIGHTLY)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await record_audit(connection, place, good, AuditReason.NIGHTLY)
        closing = BalanceFigures(at_provider=10, in_ledger=9, ingested=9, extra=1, deleted=1, history_waiting=1)
        await record_audit(connection, place, closing, AuditReason.REFILLED)
        page = await list_audits(connection, Viewer(desk.tenant_id, None, sees_all=True), desk.inbox_id, after=None, limit=1)
        rest = await list_audits(connection, Viewer(desk.tenant_id, None, sees_all=True), desk.inbox_id, after=page.next, limit=1)
    assert [(a.reason, a.missing, a.folder) for a in (*page.items, *rest.items)] == [("refilled", 0, "INBOX"), ("nightly", 2, "INBOX")]
    assert (await desk.events()).count("audit.recorded") == 2


async def test_drift_is_that_of_the_last_sheet(desk, place) -> None:
    await desk.rows("update inboxes set connected_at = now()")
    async with desk.database.system_unit_of_work() as connection:
        (before,) = await last_drift(connection)
    assert (before.at, before.missing, before.age_seconds) == (None, 0, None)
    for missing in (3, 1):
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            await record_audit(connection, place, BalanceFigures(at_provider=missing, missing=missing), AuditReason.NIGHTLY)
    async with desk.database.system_unit_of_work() as connection:
        (drift,) = await last_drift(connection)
    assert (drift.tenant_id, drift.inbox_id, drift.missing, drift.extra) == (desk.tenant_id, desk.inbox_id, 1, 0)
    assert drift.age_seconds is not None
    assert 0 <= drift.age_seconds < 60


async def test_an_order_that_comes_while_the_audit_runs_is_kept(desk) -> None:
    async def due() -> dict[str, object]:
        return (await desk.rows("select audit_due_at, audit_asked from inboxes"))[0]

    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await ask_audit(connection, desk.tenant_id, desk.inbox_id)
    seen = (await due())["audit_due_at"]
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await ask_audit(connection, desk.tenant_id, desk.inbox_id)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await audits_done(connection, desk.tenant_id, desk.inbox_id, due=seen, now=NOW)
    later = await due()
    assert later["audit_asked"] is True
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await audits_done(connection, desk.tenant_id, desk.inbox_id, due=later["audit_due_at"], now=NOW)
    assert await due() == {"audit_due_at": next_night(desk.inbox_id, NOW), "audit_asked": False}


async def test_one_that_fails_lets_new_mail_pass_first(desk) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await ask_audit(connection, desk.tenant_id, desk.inbox_id)
        await postpone_audit(connection, desk.tenant_id, desk.inbox_id, seconds=3600)
        await postpone_audit(connection, desk.tenant_id, desk.inbox_id, seconds=3600)
    (row,) = await desk.rows("select audit_due_at > now() + interval '59 min' and audit_due_at < now() + interval '61 min' as ok, audit_asked from inboxes")
    assert row == {"ok": True, "audit_asked": True}


def test_every_inbox_has_its_minute_of_the_night() -> None:
    inboxes = [uuid.uuid4() for _ in range(300)]
    for inbox in inboxes:
        at = next_night(inbox, NOW)
        assert dt.timedelta(hours=1) <= at - NOW <= dt.timedelta(hours=25)
        assert 1 <= at.hour < 6
        assert next_night(inbox, at) == at + dt.timedelta(days=1)
    assert len({next_night(i, NOW) for i in inboxes}) > 100
