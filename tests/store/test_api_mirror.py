"""What people do with mails behind a web API is mirrored by id: twice is once, and a move between folders is no deletion."""

import datetime as dt
from collections.abc import AsyncIterator

import pytest

from models.enums import LedgerState
from store.api_balance import api_figures
from store.api_folders import advance_listing, begin_listing, finish_listing
from store.api_ledger import ApiPlace, ApiRow, reopen, write_api_rows
from store.api_mirror import ToldMail, mirror_left, mirror_told
from store.audits import BalanceFigures
from store.backfill import folders_under_way, order_backfill
from store.gaps import GapCause, open_gap_of_each_folder
from store.unit_of_work import Database
from tests.store.desk import Desk, open_desk
from tests.store.test_api_ledger import folder, ledger, stored


@pytest.fixture
async def desk(database) -> AsyncIterator[Desk]:
    house = Database(database.url, pool_size=4)
    yield await open_desk(house)
    await house.close()


async def two_folders(desk: Desk) -> tuple[ApiPlace, ApiPlace]:
    inbox, cases = await folder(desk, "Inbox"), await folder(desk, "Cases")
    return ApiPlace(desk.tenant_id, desk.inbox_id, inbox), ApiPlace(desk.tenant_id, desk.inbox_id, cases)


def told(place: ApiPlace, name: str, *flags: str) -> ToldMail:
    assert place.folder_id is not None
    return ToldMail(name, place.folder_id, tuple(sorted(flags)))


async def test_told_twice_is_told_once(desk) -> None:
    inbox, _ = await two_folders(desk)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, inbox, [stored("m1"), stored("m2")])
        mails = [told(inbox, "m1", "\\Seen"), told(inbox, "m2"), told(inbox, "nobody knows")]
        assert await mirror_told(connection, inbox, mails) == 1
        assert await mirror_told(connection, inbox, mails) == 0
    assert [r["flags"] for r in await ledger(desk)] == [["\\Seen"], []]


async def test_flags_that_were_not_told_stay(desk) -> None:
    inbox, cases = await two_folders(desk)
    assert cases.folder_id is not None
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, inbox, [stored("m1", flags=("\\Seen",))])
        assert await mirror_told(connection, inbox, [ToldMail("m1", cases.folder_id, None)]) == 1
    (row,) = await ledger(desk)
    assert (row["flags"], row["folder_id"]) == (["\\Seen"], cases.folder_id)


async def test_a_mail_is_gone_only_from_the_folder_where_it_lies(desk) -> None:
    inbox, cases = await two_folders(desk)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, inbox, [stored("m1")])
        await mirror_told(connection, cases, [told(cases, "m1")])
        assert await mirror_left(connection, inbox, ["m1"]) == 0
        assert await mirror_left(connection, cases, ["m1"]) == 1
        assert await mirror_left(connection, cases, ["m1"]) == 0
        assert await mirror_told(connection, inbox, [told(inbox, "m1")]) == 1
    (row,) = await ledger(desk)
    assert (row["gone_at"], row["folder_id"]) == (None, inbox.folder_id)


async def test_only_empty_rows_are_opened_again(desk) -> None:
    inbox, _ = await two_folders(desk)
    rows = [
        stored("here"),
        ApiRow("vanished", LedgerState.VANISHED),
        ApiRow("draft", LedgerState.SKIPPED, reason="draft"),
    ]
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, inbox, rows)
        await reopen(connection, inbox, ["here", "vanished", "draft"])
        written = await write_api_rows(
            connection, inbox, [stored("here"), stored("vanished"), stored("draft")]
        )
        assert written.stored == 2
    assert {r["state"] for r in await ledger(desk)} == {"stored"}


async def test_a_mail_that_leaves_before_it_was_fetched_has_vanished(desk) -> None:
    inbox, _ = await two_folders(desk)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, inbox, [ApiRow("m1", LedgerState.SEEN)])
        await mirror_left(connection, inbox, ["m1"])
    assert [r["state"] for r in await ledger(desk)] == ["vanished"]


async def test_a_sheet_adds_up_whatever_is_listed(desk) -> None:
    inbox, _ = await two_folders(desk)
    rows = [
        stored("here"),
        stored("left"),
        ApiRow("draft", LedgerState.SKIPPED, reason="draft"),
        ApiRow("denied once", LedgerState.VANISHED),
    ]
    listed = {"here", "draft", "denied once", "unknown", "half-written", "too old"}
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, inbox, rows)
        (at,) = await desk.rows("select now() - interval '1 day' as horizon, now() + interval '1 minute' as later")

        async def drawn(since: dt.datetime) -> tuple[BalanceFigures, list[str]]:
            return await api_figures(
                connection,
                inbox,
                listed,
                since=since,
                horizon=at["horizon"],
                missing={"unknown", "denied once"},
                unasked={"half-written"},
                ahead=set(),
            )

        figures, extras = await drawn(at["later"])
        _, none_yet = await drawn(at["horizon"])  # all came while it was listed
    assert (extras, none_yet) == (["left"], [])
    assert (figures.at_provider, figures.in_ledger, figures.stored, figures.extra) == (6, 2, 2, 1)
    assert (figures.missing, figures.not_asked_for, figures.beyond_horizon) == (2, 2, 1)


async def test_the_progress_of_a_first_listing_is_no_backfill_of_its_own(desk) -> None:
    inbox, _ = await two_folders(desk)
    assert inbox.folder_id is not None
    (at,) = await desk.rows("select now() - interval '30 days' as at")
    key = (desk.tenant_id, inbox.folder_id)

    async def shown() -> tuple[object, ...]:
        (row,) = await desk.rows("select * from folders where id = :id", id=inbox.folder_id)
        return row["backfill_state"], row["backfill_done"], row["backfill_total"], row["listing_after"]

    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await begin_listing(connection, *key, horizon=at["at"])
        await advance_listing(connection, *key, after="page 2", done=5, total=12)
    assert await shown() == ("running", 5, 12, "page 2")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert await folders_under_way(connection, desk.tenant_id, desk.inbox_id) == []
        assert await order_backfill(connection, desk.tenant_id, desk.inbox_id, "pause") == []
        assert await open_gap_of_each_folder(connection, desk.tenant_id, desk.inbox_id, GapCause.REAUTH) == 1
        await finish_listing(connection, *key, done=3)
        await advance_listing(connection, *key, after="page 3", done=5, total=12)
    assert await shown() == ("done", 8, 8, None)
