"""A pooled connection that died costs its next user nothing: the transaction begins again on a new one."""

import asyncio
import uuid

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.unit_of_work import Database


@pytest.fixture
async def house(database):
    made = Database(database.url, pool_size=4)
    yield made
    await made.close()


def end_all(database) -> int:
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        return len(connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'mailroom_app' and datname = current_database()").fetchall())


async def ask(house: Database, tenant: uuid.UUID) -> str:
    async with house.unit_of_work(tenant) as connection:
        return str((await connection.execute(text("select current_setting('app.tenant')"))).scalar_one())


async def test_dead_connections_of_the_pool_are_replaced_unseen(database, house) -> None:
    tenant = uuid.uuid4()
    for _ in range(3):
        assert await asyncio.gather(*(ask(house, tenant) for _ in range(4))) == [str(tenant)] * 4
        assert end_all(database) >= 4


async def test_a_connection_that_dies_in_the_middle_is_an_error(database, house) -> None:
    """What was begun may have been done in part: nobody but the caller knows whether to do it again."""

    async def interrupted() -> None:
        async with house.unit_of_work(uuid.uuid4()) as connection:
            end_all(database)
            await connection.execute(text("select 1"))

    with pytest.raises(DBAPIError):
        await interrupted()
    assert await ask(house, uuid.UUID(int=1))


async def test_a_server_that_is_away_is_told_as_such(database) -> None:
    house = Database(database.url.replace(database.name, "nowhere"))
    with pytest.raises(DBAPIError):
        await ask(house, uuid.uuid4())
    await house.close()


async def test_cancelling_while_it_opens_leaves_a_sound_pool(house) -> None:
    tenant = uuid.uuid4()
    for delay in (0.0, 0.0005, 0.001, 0.002, 0.004):
        asking = asyncio.create_task(ask(house, tenant))
        await asyncio.sleep(delay)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert await asyncio.gather(*(ask(house, tenant) for _ in range(8))) == [str(tenant)] * 8


async def test_what_reads_over_all_tenants_can_do_nothing_else(house) -> None:
    """And its connections are used for nothing else."""

    async def inboxes(connection: AsyncConnection) -> int:
        return int((await connection.execute(text("select count(*) from inboxes"))).scalar_one())

    for tenant in (uuid.uuid4(), uuid.uuid4()):
        async with house.system_unit_of_work() as connection:
            await connection.execute(text("insert into tenants (id, name, slug) values (:id, 'x', :slug)"), {"id": tenant, "slug": tenant.hex})
        async with house.unit_of_work(tenant) as connection:
            await connection.execute(text("insert into inboxes (tenant_id, name, email_address) values (:t, 'a', 'a@example.com')"), {"t": tenant})
            assert await inboxes(connection) == 1
    assert await house.read_as_system(inboxes) == 2
    with pytest.raises(DBAPIError, match="read-only transaction"):
        await house.read_as_system(lambda connection: connection.execute(text("delete from inboxes")))
    async with house.unit_of_work(uuid.uuid4()) as connection:
        assert (await connection.execute(text("select current_user"))).scalar_one() == "mailroom_app"
        assert await inboxes(connection) == 0


async def test_dead_connections_of_the_readers_are_replaced_unseen(database, house) -> None:
    async def one(connection: AsyncConnection) -> int:
        return int((await connection.execute(text("select 1"))).scalar_one())

    for _ in range(3):
        assert await asyncio.gather(*(house.read_as_system(one) for _ in range(4))) == [1] * 4
        assert end_all(database) >= 1
