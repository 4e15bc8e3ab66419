"""Old months of the event log: gone when everybody has read them, never while somebody has not, and never behind a long lock."""

import datetime as dt
import uuid

import psycopg
import pytest

from commands.events import drop_old_months
from store.event_log import Cursor, NewEvent, append_events, head
from store.event_months import months_to_drop
from store.event_wakeups import can_resume
from store.people import create_tenant
from store.unit_of_work import Database

TODAY = dt.datetime.now(dt.UTC).date()
OLD = ("2023-11", "2023-12")


@pytest.fixture
async def house(database):
    """A tenant with an event in each old month and one of today; its desk has read everything."""
    made = Database(database.url, pool_size=2)
    async with made.system_unit_of_work() as connection:
        tenant = await create_tenant(connection, name="One", slug=uuid.uuid4().hex)
    with psycopg.connect(database.admin_url.replace("+psycopg", ""), autocommit=True) as owner:
        for number, month in enumerate(OLD):
            ends = "2024-01-01" if number else "2023-12-01"
            owner.execute(f"create table events_{month.replace('-', '')} partition of events for values from ('{month}-01') to ('{ends}')")
            owner.execute("insert into events (tenant_id, type, created_at) values (%s, 'conversation.updated', %s)", (tenant, f"{month}-20"))
        async with made.unit_of_work(tenant) as connection:
            await append_events(connection, [NewEvent("conversation.updated", tenant)])
        owner.execute("insert into desk_cursors (tenant_id, xid, id, moved_at) select %s, xid, id, now() from events order by xid desc, id desc limit 1", (tenant,))
        yield made, tenant, owner
    await made.close()


def months(owner) -> int:
    return owner.execute("select count(*) from pg_class where relname in ('events_202311', 'events_202312') and relkind = 'r'").fetchone()[0]


async def test_what_everybody_has_read_goes_and_older_clients_load_again(database, house) -> None:
    made, _, owner = house
    (xid, number), *_ = owner.execute("select xid::text, id from events order by xid, id").fetchall()
    early = Cursor(int(xid), number)
    async with made.system_unit_of_work() as connection:
        assert await can_resume(connection, early)
    told = await drop_old_months(database.url, database.admin_url, keep=12, today=TODAY, dry=True)
    assert (told, months(owner)) == (([f"{m} would be dropped." for m in OLD], False), 2)
    assert await drop_old_months(database.url, database.admin_url, keep=12, today=TODAY) == ([f"{m} was dropped." for m in OLD], False)
    assert await drop_old_months(database.url, database.admin_url, keep=12, today=TODAY) == ([], False)
    assert (months(owner), owner.execute("select count(*) from events").fetchone()[0]) == (0, 1)
    async with made.system_unit_of_work() as connection:
        assert not await can_resume(connection, early), "a stream from there begins with a reset"
        assert await can_resume(connection, await head(connection))


async def test_a_month_stays_while_a_desk_has_not_read_it(database, house) -> None:
    _, _, owner = house
    owner.execute("update desk_cursors set (xid, id) = (select xid, id from events order by xid, id limit 1)")
    told = await drop_old_months(database.url, database.admin_url, keep=2, today=TODAY)
    assert told == (["2023-11 was dropped.", "2023-12 stays: 1 readers have not come so far."], True)


async def test_the_last_events_of_all_stay(database, house) -> None:
    _, _, owner = house
    owner.execute("delete from events where created_at > '2024-01-01'")
    told = await drop_old_months(database.url, database.admin_url, keep=2, today=TODAY)
    assert told == (["2023-11 was dropped.", "2023-12 stays: there is no later event."], True)


async def test_a_busy_log_is_left_alone_after_a_moment(database, house) -> None:
    _, _, owner = house
    with psycopg.connect(database.admin_url.replace("+psycopg", "")) as reader:
        reader.execute("select count(*) from events")
        told = await drop_old_months(database.url, database.admin_url, keep=2, today=TODAY)
        assert told == (["2023-11 stays: the log is busy. Run it again."], True)
        reader.rollback()
    assert months(owner) == 2


async def test_months_are_counted_over_the_turn_of_a_year(house) -> None:
    made, _, _ = house
    async with made.system_unit_of_work() as connection:
        for today, keep, first in ((dt.date(2024, 1, 31), 2, "2023-12"), (dt.date(2024, 2, 1), 2, "2024-01"), (dt.date(2024, 1, 1), 3, "2023-11")):
            found = [str(m) for m in await months_to_drop(connection, keep=keep, today=today)]
            assert found == [m for m in OLD if m < first]
        with pytest.raises(ValueError, match="at least 2"):
            await months_to_drop(connection, keep=1, today=TODAY)
