"""Mailboxes behind a web API: one row for each id, and a cursor that moves with its rows or not at all."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from models.enums import LedgerState
from store.api_ledger import (
    ApiPlace,
    ApiRow,
    CursorMoved,
    KnownMail,
    count_failed_fetches,
    known_mails,
    move_api_cursor,
    read_cursor,
    waiting_mails,
    write_api_rows,
)
from store.inbox_state import Lease, LeaseLost, hold_lease, take_lease
from store.ledger import WrittenRows
from store.unit_of_work import Database
from tests.store.desk import Desk, open_desk


@pytest.fixture
async def desk(database) -> AsyncIterator[Desk]:
    house = Database(database.url, pool_size=4)
    yield await open_desk(house)
    await house.close()


def stored(provider_message_id: str, **given) -> ApiRow:
    return ApiRow(
        provider_message_id, LedgerState.STORED, raw_key="raw/a.pack", raw_length=9, raw_sha256="ab", **given
    )


async def folder(desk: Desk, name: str) -> uuid.UUID:
    (row,) = await desk.rows(
        "insert into folders (tenant_id, inbox_id, name, path, synced) values (:tenant, :inbox, :name, :name, true)"
        " returning id",
        inbox=desk.inbox_id,
        name=name,
    )
    return uuid.UUID(str(row["id"]))


async def places(desk: Desk) -> tuple[ApiPlace, ApiPlace]:
    """The whole mailbox, as Gmail is read, and one of its folders, as Graph is."""
    return (
        ApiPlace(desk.tenant_id, desk.inbox_id),
        ApiPlace(desk.tenant_id, desk.inbox_id, await folder(desk, "Inbox")),
    )


async def ledger(desk: Desk) -> list[dict]:
    return await desk.rows(
        "select * from ledger where inbox_id = :inbox and provider_message_id is not null order by id",
        inbox=desk.inbox_id,
    )


async def write_and_move(
    desk: Desk, place: ApiPlace, name: str, *, before: str | None, cursor: str, lease: Lease | None = None
) -> None:
    """One transaction, as a pass makes it."""
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        if lease is not None:
            await hold_lease(connection, lease)
        await write_api_rows(connection, place, [stored(name)])
        await move_api_cursor(connection, place, before=before, cursor=cursor)


async def test_a_repeat_and_a_repeat_within_a_batch_write_one_row(desk) -> None:
    for place in await places(desk):
        name = "g" if place.folder_id is None else "m"
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            first = await write_api_rows(
                connection, place, [stored(f"{name}1"), stored(f"{name}2"), stored(f"{name}1")]
            )
            again = await write_api_rows(connection, place, [stored(f"{name}2"), stored(f"{name}3")])
        assert (first, again) == (WrittenRows(stored=2), WrittenRows(stored=1))
    assert sorted(r["provider_message_id"] for r in await ledger(desk)) == [
        "g1",
        "g2",
        "g3",
        "m1",
        "m2",
        "m3",
    ]


async def test_a_mail_that_another_folder_shows_too_keeps_its_one_row(desk) -> None:
    """Graph: an immutable id stays the same when the mail is moved."""
    _, inbox = await places(desk)
    other = ApiPlace(desk.tenant_id, desk.inbox_id, await folder(desk, "Archive"))
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, inbox, [stored("m1")])
        assert await write_api_rows(connection, other, [stored("m1")]) == WrittenRows()
        assert await known_mails(connection, other, ["m1", "m2"]) == {
            "m1": KnownMail(LedgerState.STORED, empty=False)
        }
    assert [r["folder_id"] for r in await ledger(desk)] == [inbox.folder_id]


async def test_the_same_id_in_another_inbox_is_another_mail(desk) -> None:
    place, _ = await places(desk)
    (row,) = await desk.rows(
        "insert into inboxes (tenant_id, name, email_address, provider) values (:tenant, 'B', 'b@example.org', 'gmail')"
        " returning id"
    )
    second = ApiPlace(desk.tenant_id, row["id"])
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, place, [stored("1")])
        assert await write_api_rows(connection, second, [stored("1")]) == WrittenRows(stored=1)


async def test_mails_are_ingested_in_the_order_in_which_they_were_given(desk) -> None:
    place, _ = await places(desk)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, place, [stored("z"), stored("a"), stored("m")])
    assert [r["provider_message_id"] for r in await ledger(desk)] == ["z", "a", "m"]


async def test_rows_and_cursor_are_written_together_or_not_at_all(desk) -> None:
    for place in await places(desk):
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            assert await read_cursor(connection, place) is None
            await move_api_cursor(connection, place, before=None, cursor="10")
        before = len(await ledger(desk))
        with pytest.raises(CursorMoved):
            await write_and_move(desk, place, f"{place.folder_id}", before="9", cursor="11")
        assert len(await ledger(desk)) == before
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            assert await read_cursor(connection, place) == "10"
            await move_api_cursor(connection, place, before="10", cursor="11")
            assert await read_cursor(connection, place) == "11"


async def test_cursors_of_two_folders_do_not_touch_each_other(desk) -> None:
    whole, inbox = await places(desk)
    sent = ApiPlace(desk.tenant_id, desk.inbox_id, await folder(desk, "Sent"))
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await move_api_cursor(connection, inbox, before=None, cursor="inbox")
        await move_api_cursor(connection, sent, before=None, cursor="sent")
        found = [await read_cursor(connection, place) for place in (whole, inbox, sent)]
    assert found == [None, "inbox", "sent"]


async def test_a_zombie_moves_neither_rows_nor_cursor(desk) -> None:
    place, _ = await places(desk)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        old = await take_lease(connection, desk.tenant_id, desk.inbox_id)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await take_lease(connection, desk.tenant_id, desk.inbox_id)
    assert old is not None
    with pytest.raises(LeaseLost):
        await write_and_move(desk, place, "1", before=None, cursor="10", lease=old)
    assert await ledger(desk) == []


async def fail(desk: Desk, place: ApiPlace, *ids: str) -> WrittenRows:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        return await count_failed_fetches(connection, place, [ApiRow(i, LedgerState.SEEN) for i in ids])


async def test_a_mail_that_cannot_be_fetched_is_quarantined_at_the_third_failure(desk) -> None:
    place, _ = await places(desk)
    for _ in range(2):
        assert await fail(desk, place, "bad", "bad") == WrittenRows()
    assert [(r["state"], r["attempts"]) for r in await ledger(desk)] == [("seen", 2)]
    assert await fail(desk, place, "bad") == WrittenRows(quarantined=1)
    assert await fail(desk, place, "bad") == WrittenRows()
    (row,) = await ledger(desk)
    assert (row["state"], row["attempts"]) == ("quarantined", 3)
    reasons = await desk.rows("select reason from quarantine where ledger_id = :id", id=row["id"])
    assert reasons == [{"reason": "fetch_unreadable"}]


async def test_a_mail_that_comes_after_a_failure_begins_its_attempts_anew(desk) -> None:
    """Attempts at fetching must not use up those at parsing."""
    place, _ = await places(desk)
    await fail(desk, place, "slow")
    await fail(desk, place, "slow", "slower")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        assert [w.id for w in await waiting_mails(connection, place)] == ["slower", "slow"]
        assert await write_api_rows(connection, place, [stored("slow")]) == WrittenRows(stored=1)
        assert [w.id for w in await waiting_mails(connection, place)] == ["slower"]
    states = {r["provider_message_id"]: (r["state"], r["attempts"]) for r in await ledger(desk)}
    assert states == {"slow": ("stored", 0), "slower": ("seen", 1)}


async def test_a_failure_after_the_mail_was_stored_changes_nothing(desk) -> None:
    place, _ = await places(desk)
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await write_api_rows(connection, place, [stored("1")])
    assert await fail(desk, place, "1") == WrittenRows()
    assert [(r["state"], r["attempts"]) for r in await ledger(desk)] == [("stored", 0)]


async def test_rows_are_locked_in_the_order_of_ids_so_that_writers_do_not_deadlock(desk) -> None:
    """The second writer is given `b` before `a`. It has to wait for `a` without holding `b`, which the first wants next."""
    place, _ = await places(desk)

    async def second() -> WrittenRows:
        async with desk.database.unit_of_work(desk.tenant_id) as connection:
            return await write_api_rows(connection, place, [stored("b"), stored("a")])

    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await connection.execute(text("set local lock_timeout = '500ms'"))
        await write_api_rows(connection, place, [stored("a")])
        waiting = asyncio.create_task(second())
        ours = text("select pg_backend_pid() = any(pg_blocking_pids(pid)) from pg_locks where not granted")
        for _ in range(500):
            if True in (await connection.execute(ours)).scalars().all():
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("the second writer never waited for the first")
        assert await write_api_rows(connection, place, [stored("b")]) == WrittenRows(stored=1)
    assert await waiting == WrittenRows()
    assert len(await ledger(desk)) == 2
