"""Who holds an epoch keeps others from taking the next one, and from nothing else."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from store.inbox_state import LeaseLost, hold_lease, take_lease
from store.unit_of_work import Database
from tests.store.desk import Desk, open_desk


@pytest.fixture
async def desk(database):
    house = Database(database.url, pool_size=3)
    yield await open_desk(house)
    await house.close()


async def impatient(desk: Desk, statement: str) -> None:
    """Runs `statement` beside the test's own transaction; raises DBAPIError when it would have to wait."""
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await connection.execute(text("set local lock_timeout = '200ms'"))
        await connection.execute(text(statement), {"inbox": desk.inbox_id})


@pytest.mark.parametrize("shared", [True, False])
async def test_nobody_takes_the_next_epoch_before_the_transaction_ends(desk: Desk, shared: bool) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        lease = await take_lease(connection, desk.tenant_id, desk.inbox_id)
    assert lease is not None
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await hold_lease(connection, lease, shared=shared)
        with pytest.raises(DBAPIError):
            await impatient(desk, "update inboxes set lease_epoch = lease_epoch + 1 where id = :inbox")
    await impatient(desk, "update inboxes set lease_epoch = lease_epoch + 1 where id = :inbox")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        with pytest.raises(LeaseLost):
            await hold_lease(connection, lease, shared=shared)


async def test_who_only_wants_the_epoch_to_stay_is_in_nobodys_way(desk: Desk) -> None:
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        lease = await take_lease(connection, desk.tenant_id, desk.inbox_id)
    assert lease is not None
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await hold_lease(connection, lease, shared=True)
        await impatient(desk, "update inboxes set last_sync_at = now() where id = :inbox")
    async with desk.database.unit_of_work(desk.tenant_id) as connection:
        await hold_lease(connection, lease)
        with pytest.raises(DBAPIError):
            await impatient(desk, "update inboxes set last_sync_at = now() where id = :inbox")
