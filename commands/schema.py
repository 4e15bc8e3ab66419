"""What must stand before a process can work: tables, the Temporal namespace with its search attributes, the bucket.

Every step may run twice, and at the same time in two places; the second finds the work done.
"""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.search_attributes import ALL as SEARCH_ATTRIBUTES
from settings import Settings
from stack.layout import Layout
from stack.ports import PortBook
from stack.postgres import Postgres

PROJECT = Path(__file__).resolve().parent.parent
HISTORY_KEPT = timedelta(days=30)


def alembic_config(url: str | None = None) -> Config:
    """Alembic's configuration; with `url` it needs no settings."""
    config = Config(str(PROJECT / "alembic.ini"))
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    if url is not None:
        config.attributes["url"] = url
    return config


def upgrade(url: str | None = None) -> None:
    """Bring the tables to this version."""
    command.upgrade(alembic_config(url), "head")


def check(url: str) -> None:
    """Raise when the models and the database at `url`, as migrated, say different things."""
    command.check(alembic_config(url))


async def check_from_nothing() -> None:
    """Apply every migration to a PostgreSQL of our own that is thrown away afterwards, and compare it with the models."""
    place = Path(tempfile.mkdtemp(prefix="mailroom-check-"))
    layout = Layout.at(place)
    layout.make()
    server = Postgres(layout, PortBook(layout.ports).port("postgres"), secrets.token_hex(16), durable=False)
    try:
        await server.start()
        url = server.url("postgres", driver="+psycopg")
        await asyncio.to_thread(upgrade, url)
        await asyncio.to_thread(check, url)
    finally:
        await server.stop()
        shutil.rmtree(place, ignore_errors=True)


@asynccontextmanager
async def temporal_client(settings: Settings) -> AsyncIterator[Client]:
    """A client for a short command.

    Seen in practice: a process that exits right after a call of the SDK's client dies by SIGABRT in a third of the runs,
    while the SDK's own threads end. A moment's wait ends that.
    """
    try:
        yield await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    finally:
        await asyncio.sleep(0.2)


async def prepare_temporal(client: Client) -> None:
    """Make the namespace and register the search attributes, where they are missing."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        kept = Duration(seconds=int(HISTORY_KEPT.total_seconds()))
        try:
            await client.workflow_service.register_namespace(
                RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=kept)
            )
        except RPCError as made:
            if made.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {
        key.name: IndexedValueType.ValueType(IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        for key in SEARCH_ATTRIBUTES
        if key.name not in listed.custom_attributes
    }
    if missing:
        try:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
