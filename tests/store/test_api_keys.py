"""Keys are found by their prefix, proven by their hash, and over when revoked."""

import uuid
from dataclasses import replace

import pytest

from store.api_keys import MakerGone, find_key, make_key, note_use, revoke_key
from store.people import create_tenant
from store.unit_of_work import Database


@pytest.fixture
async def house(module_database):
    made = Database(module_database.url, pool_size=2)
    yield made
    await made.close()


async def test_a_key_opens_until_it_is_revoked(house) -> None:
    async with house.system_unit_of_work() as connection:
        tenant = await create_tenant(connection, name="One", slug=uuid.uuid4().hex)
    async with house.unit_of_work(tenant) as connection:
        row, key = await make_key(connection, tenant, name="k", scopes=("read",), created_by=None)
        kept = (await connection.exec_driver_sql("select key_sha256 from api_keys")).scalar_one()
    assert key.encode() not in bytes(kept)
    prefix, secret = key.rsplit("_", 1) if key.count("_") == 2 else (key[:15], key[16:])
    async with house.system_unit_of_work() as connection:
        found = await find_key(connection, key)
        assert found is not None
        assert (found.key_id, found.tenant_id, found.scopes, found.to_note) == (row.id, tenant, ("read",), True)
        await note_use(connection, found)
        assert await find_key(connection, key) == replace(found, to_note=False)
        for wrong in (key[:-1], key + "x", f"{prefix}_{secret[::-1]}", key.upper(), "", "mr__"):
            assert await find_key(connection, wrong) is None
    async with house.unit_of_work(tenant) as connection:
        assert await revoke_key(connection, tenant, row.id)
        assert not await revoke_key(connection, tenant, row.id)
    async with house.system_unit_of_work() as connection:
        assert await find_key(connection, key) is None


async def test_who_is_gone_makes_no_key(house) -> None:
    async with house.system_unit_of_work() as connection:
        tenant = await create_tenant(connection, name="One", slug=uuid.uuid4().hex)
    async with house.unit_of_work(tenant) as connection:
        with pytest.raises(MakerGone):
            await make_key(connection, tenant, name="k", scopes=("read",), created_by=uuid.uuid4())


async def test_a_tenant_is_made_once(house) -> None:
    slug = uuid.uuid4().hex
    async with house.system_unit_of_work() as connection:
        first = await create_tenant(connection, name="One", slug=slug)
        assert await create_tenant(connection, name="Two", slug=slug) == first
