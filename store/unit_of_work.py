"""The one door to the database: a transaction that belongs to one tenant, or, for a few listed jobs, to the whole house.

The tenant is set for the transaction only (`set_config(…, true)`): a session-level setting would leak through the pool
to the next tenant (integrity X-43). Without a tenant no row is visible: it fails closed.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

# Beginning and saying for whom is one round trip: the driver would send its own `begin` and wait for the answer first.
BEGIN_AS_TENANT = "begin; select set_config('app.tenant', '{}', true)"
BEGIN_AS_SYSTEM = "begin; set local role mailroom_system"
# A statement that runs longer than this is a defect; bulk work is cut into batches.
SETTINGS = "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
READER_OF_ALL = "-c role=mailroom_system -c default_transaction_read_only=on"
# A server that vanished from the network without a word is noticed within a minute; by default it takes two hours.
KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 50_000,  # milliseconds
}


T = TypeVar("T")


class Database:
    """A pool of connections as the role that owns nothing, and one of those that read over all tenants and do nothing else. Each
    opens what is asked of it, at most twice `pool_size`. Closed by `close`.
    """

    def __init__(self, url: str, *, pool_size: int = 10, application: str = "mailroom") -> None:
        self._dsn = url.replace("postgresql+psycopg://", "postgresql://", 1)
        connecting: dict[str, Any] = {"application_name": application, "connect_timeout": 5, **KEEPALIVE}
        kept: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": pool_size,
            "pool_use_lifo": True,  # few that know the statements already, instead of many in turn
            # No ping before each use: the first statement shows whether the line is dead, and then another one is taken.
            "pool_timeout": 10,
            "isolation_level": "AUTOCOMMIT",  # of the driver: it begins nothing by itself, `_opened` does
            "hide_parameters": True,  # an error's text must not quote mail
        }
        self._engine: AsyncEngine = create_async_engine(url, connect_args={**connecting, "options": SETTINGS}, **kept)
        self._readers: AsyncEngine = create_async_engine(
            url, connect_args={**connecting, "options": f"{SETTINGS} {READER_OF_ALL}"}, **kept
        )

    @asynccontextmanager
    async def unit_of_work(self, tenant_id: uuid.UUID | str) -> AsyncIterator[AsyncConnection]:
        """One transaction that sees and writes this tenant's rows only. Commits at the end, rolls back on an error."""
        async with self._begun(BEGIN_AS_TENANT.format(uuid.UUID(str(tenant_id)))) as connection:
            yield connection

    @asynccontextmanager
    async def system_unit_of_work(self) -> AsyncIterator[AsyncConnection]:
        """One transaction over all tenants. Only the jobs that `tests/house/test_tenancy.py` lists may call it."""
        async with self._begun(BEGIN_AS_SYSTEM) as connection:
            yield connection

    async def read_as_system(self, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `read` finds over all tenants with one statement: a round trip instead of the three of a transaction, for what
        each request asks. Writes are refused. Only who may call `system_unit_of_work` may call it. `read` may run twice.
        """
        try:
            async with self._readers.connect() as connection:
                return await read(connection)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        async with self._readers.connect() as connection:
            return await read(connection)

    @asynccontextmanager
    async def _begun(self, opening: str) -> AsyncIterator[AsyncConnection]:
        """A transaction that `opening` began. A pooled connection may have died since its last use; nothing was done on it
        yet, so a new one begins again, and SQLAlchemy replaces all that are as old.
        """
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._opened(opening))
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                connection = await stack.enter_async_context(self._opened(opening))
            yield connection

    @asynccontextmanager
    async def _opened(self, opening: str) -> AsyncIterator[AsyncConnection]:
        """Committed by SQLAlchemy at the end, or rolled back, whoever began."""
        async with self._engine.begin() as connection:
            await connection.exec_driver_sql(opening)
            yield connection

    async def ping(self) -> None:
        """One round trip. Raises what the driver raises when the server is away."""
        async with self._engine.connect() as connection:
            await connection.execute(text("select 1"))

    async def probe(self) -> None:
        """Sign in over a connection of its own. Raises psycopg.Error when the server is away.

        Ends at once when it is cancelled, unlike a statement of the pool: that one first waits ten seconds for the server
        to confirm the cancellation.
        """
        connection = await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, connect_timeout=5, application_name="mailroom-probe"
        )
        await connection.close()

    async def close(self) -> None:
        await self._engine.dispose()
        await self._readers.dispose()
