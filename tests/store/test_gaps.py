"""A gap is opened once for each folder and cause, counts what came in, and is closed with its counts."""

import datetime as dt
import uuid

import pytest

from models.enums import GapCause
from store.gaps import (
    any_open_gap,
    close_gap,
    credit_gaps,
    found_missing,
    gaps_of_folder,
    list_gaps,
    open_gap,
    open_gap_of_each_folder,
    open_gap_of_every_inbox,
    open_gaps,
)
from store.pages import BadCursor
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.store.desk import Desk, open_desk

SINCE = dt.datetime(2025, 3, 4, 9, 10, tzinfo=dt.UTC)


@pytest.fixture
async def desk(database):
    house = Database(database.url, pool_size=2)
    yield await open_desk(house)
    await house.close()


async def folder_of(desk: Desk, name: str = "INBOX", *, synced: bool = True) -> uuid.UUID:
    (row,) = await desk.rows(
        "insert into folders (tenant_id, inbox_id, name, path, synced, uidvalidity) values (:tenant, :inbox, :name, :name, :synced, 7)"
        " returning id",
        inbox=desk.inbox_id,
        name=name,
        synced=synced,
    )
    return uuid.UUID(str(row["id"]))


async def test_there_is_one_open_gap_for_each_folder_and_cause(desk) -> None:
    folder = await folder_of(desk)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        first = await open_gap(connection, desk.tenant_id, desk.inbox_id, folder, GapCause.AUDIT, listed=9, missing=4)
        again = await open_gap(connection, desk.tenant_id, desk.inbox_id, folder, GapCause.AUDIT, listed=10, missing=3)
        other = await open_gap(connection, desk.tenant_id, desk.inbox_id, folder, GapCause.REAUTH, since=SINCE)
        whole = await open_gap(connection, desk.tenant_id, desk.inbox_id, None, GapCause.LOST_STATE)
        whole_again = await open_gap(connection, desk.tenant_id, desk.inbox_id, None, GapCause.LOST_STATE)
        found = await gaps_of_folder(connection, desk.tenant_id, folder)
    assert (first, whole) == (again, whole_again)
    assert [g.id for g in found] == [first, other]
    assert (found[0].listed, found[0].missing, found[1].since) == (10, 4, SINCE)
    assert (await desk.events()).count("gap.opened") == 3


async def test_counts_are_the_same_when_a_step_repeats(desk) -> None:
    """Found 5, stored 3 of them, died, found the other 2: five were missing, not seven."""
    folder = await folder_of(desk)
    tenant = desk.tenant_id
    async with desk.database.unit_of_work(tenant) as connection:
        gap = await open_gap(connection, tenant, desk.inbox_id, folder, GapCause.AUDIT, missing=5)
        await credit_gaps(connection, tenant, [gap], refilled=2, quarantined=1)
        await found_missing(connection, tenant, [gap], listed=20, missing=2)
        await found_missing(connection, tenant, [gap], listed=20, missing=2)
        await credit_gaps(connection, tenant, [gap], refilled=2, quarantined=0)
        await close_gap(connection, tenant, gap, listed=21)
        await close_gap(connection, tenant, gap, listed=99)
        await credit_gaps(connection, tenant, [gap], refilled=7, quarantined=0)
    (row,) = await desk.rows("select * from gaps")
    assert (row["listed"], row["missing"], row["refilled"], row["quarantined"]) == (21, 5, 4, 1)
    (event,) = await desk.rows("select payload from events where type = 'gap.closed'")
    assert {k: event["payload"][k] for k in ("missing", "refilled", "quarantined")} == {"missing": 5, "refilled": 4, "quarantined": 1}


async def test_new_mail_that_came_with_it_was_missing_too(desk) -> None:
    folder = await folder_of(desk)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        gap = await open_gap(connection, desk.tenant_id, desk.inbox_id, folder, GapCause.REAUTH)
        await credit_gaps(connection, desk.tenant_id, [gap], refilled=6, quarantined=0)
        (found,) = await gaps_of_folder(connection, desk.tenant_id, folder)
    assert (found.missing, found.refilled) == (6, 6)


async def test_what_befalls_an_inbox_befalls_its_synced_folders(desk) -> None:
    wanted = {await folder_of(desk), await folder_of(desk, "Sent")}
    await folder_of(desk, "Trash", synced=False)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert await open_gap_of_each_folder(connection, desk.tenant_id, desk.inbox_id, GapCause.REAUTH, since=SINCE) == 2
        page = await list_gaps(connection, Viewer(desk.tenant_id, None, sees_all=True), desk.inbox_id, after=None, limit=1)
        rest = await list_gaps(connection, Viewer(desk.tenant_id, None, sees_all=True), desk.inbox_id, after=page.next, limit=5)
        with pytest.raises(BadCursor):
            await list_gaps(connection, Viewer(desk.tenant_id, None, sees_all=True), desk.inbox_id, after="x", limit=5)
    assert {g.folder_id for g in (*page.items, *rest.items)} == wanted
    assert rest.next is None


async def test_only_what_can_be_filled_wakes_anybody(desk) -> None:
    folder = await folder_of(desk)

    async def wakes() -> bool:
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            return await any_open_gap(connection, desk.tenant_id, desk.inbox_id)

    assert not await wakes()
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        gap = await open_gap(connection, desk.tenant_id, desk.inbox_id, folder, GapCause.AUDIT)
    assert await wakes()
    await desk.rows("update folders set state = 'parked'")
    assert not await wakes()
    await desk.rows("update folders set state = 'active'")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await close_gap(connection, desk.tenant_id, gap)
    assert not await wakes()


async def test_the_system_sees_and_opens_gaps_of_all_tenants(desk) -> None:
    other = await open_desk(desk.database)
    for one in (desk, other):
        await folder_of(one)
    await desk.rows("update inboxes set last_sync_at = :at", at=SINCE)
    async with desk.database.system_unit_of_work() as connection:
        assert await open_gap_of_every_inbox(connection, GapCause.LOST_STATE) == 1, "the other was never synced"
        await open_gap(connection, other.tenant_id, other.inbox_id, None, GapCause.MISSED, missing=3)
        rows = {g.tenant_id: g for g in await open_gaps(connection)}
    assert (rows[desk.tenant_id].cause, rows[desk.tenant_id].gaps) == ("lost_state", 1)
    assert (rows[other.tenant_id].cause, rows[other.tenant_id].missing) == ("missed", 3)
    assert (await desk.rows("select since from gaps"))[0]["since"] == SINCE
