"""A Temporal of a test's own whose time passes as soon as everybody waits. Up in 0.1 s, on a busy machine in seconds.

Its port is one of ours: the SDK would choose from those that outgoing connections get, and a connection of another test that got
it meanwhile keeps the server from starting.
"""

import datetime as dt
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from stack.ports import PortBook
from stack.temporal import add_search_attributes, find_program

PATIENCE = dt.timedelta(seconds=60)


@asynccontextmanager
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    """The server, with our search attributes. It answers no queries over updates: those belong on the dev server."""
    with tempfile.TemporaryDirectory(prefix="mailroom-time-") as directory:
        port = PortBook(Path(directory) / "ports.json").port("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        port=port,
        test_server_existing_path=find_program("temporal-test-server"),
        test_server_startup_timeout=PATIENCE,
    ) as environment:
        await add_search_attributes(environment.client)
        yield environment
