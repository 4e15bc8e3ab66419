"""An API over a database of each module's own, with a tenant that has everything, and a second one that must see none of it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.deps import Deps
from store.unit_of_work import Database
from tests.api.route_rows import fill
from tests.api.stand_ins import make_deps
from tests.api.world import World, make_world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(module_database) -> AsyncIterator[Database]:
    made = Database(module_database.url, pool_size=8)
    yield made
    await made.close()


@pytest.fixture
def deps(house: Database, module_database) -> Deps:
    return make_deps(house, module_database.url)


@pytest_asyncio.fixture(loop_scope="session")
async def world(deps: Deps) -> World:
    return await make_world(deps)


@pytest_asyncio.fixture(loop_scope="session")
async def other(deps: Deps) -> World:
    return await make_world(deps)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(house: Database, module_database) -> tuple[World, World]:
    """Two filled tenants for calls that change nothing."""
    shared = make_deps(house, module_database.url)
    first, second = await make_world(shared), await make_world(shared)
    for one in (first, second):
        await fill(one)
    return first, second
