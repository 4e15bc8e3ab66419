"""Fixtures of the whole suite: every real server once per session and only when asked for, and no way off this machine.

Servers keep their data in one temporary directory that is removed at the end. Room-specific fixtures live in
`tests/<room>/conftest.py`.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from stack.database import ensure_roles
from stack.demo_mail import DemoMail, MailAccount
from stack.layout import Layout
from stack.ports import HOST, PortBook
from stack.postgres import Postgres
from stack.seaweed import BUCKET, REGION, Seaweed
from stack.secrets import StackSecrets
from stack.temporal import NAMESPACE, Temporal
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.databases import TEMPLATE, Database, PostgresServer, migrate
from tests.servers.dovecot import Dovecot, dovecot_missing
from tests.servers.emulate import Emulate, emulate_missing
from tests.servers.gmail_server import GmailServer
from tests.servers.scripted_smtp import ScriptedSmtp
from tests.servers.socket_guard import only_localhost
from tests.servers.time_skipping import time_skipping

# What a test process inherits, of readline for one, would be the width of each console that is made with its module.
os.environ.pop("COLUMNS", None)

SHARED_SAMPLES = Path(__file__).parents[1].parent / "shared" / "samples"


@pytest.fixture(scope="session", autouse=True)
def _only_localhost() -> Iterator[None]:
    with only_localhost():
        yield


@dataclass(frozen=True, slots=True)
class StackHome:
    """Where the session's servers live."""

    layout: Layout
    ports: PortBook
    secrets: StackSecrets


@pytest.fixture(scope="session")
def stack_home() -> Iterator[StackHome]:
    root = Path(tempfile.mkdtemp(prefix="mailroom-tests-"))
    layout = Layout.at(root)
    layout.make()
    yield StackHome(layout, PortBook(layout.ports), StackSecrets.make())
    shutil.rmtree(root)


# -- PostgreSQL ----------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server(stack_home: StackHome) -> AsyncIterator[PostgresServer]:
    """A PostgreSQL without crash safety, with the roles of the application."""
    secrets = stack_home.secrets
    part = Postgres(
        stack_home.layout, stack_home.ports.port("postgres"), secrets.database_admin_password, durable=False
    )
    try:
        await part.start()
        await ensure_roles(part.url("postgres"), secrets.database_app_password)
        yield PostgresServer(part.address, secrets.database_admin_password, secrets.database_app_password)
    finally:
        await part.stop()


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A new database without any table, for the tests of migrations and of the stack itself."""
    database = postgres_server.create()
    yield database
    postgres_server.drop(database.name)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database with all migrations applied, from which the others are cloned."""
    empty = postgres_server.create()
    migrate(empty.admin_url)
    postgres_server.rename(empty.name, TEMPLATE)
    return TEMPLATE


@pytest.fixture
def database(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Database]:
    """A fresh migrated database of this test's own: `.url` for the application's role, `.admin_url` for its owner."""
    clone = postgres_server.create(migrated_template)
    yield clone
    postgres_server.drop(clone.name)


@pytest.fixture(scope="module")
def module_database(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Database]:
    """As `database`, shared by one module, for tests that only read or use tenants of their own."""
    clone = postgres_server.create(migrated_template)
    yield clone
    postgres_server.drop(clone.name)


# -- Temporal ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TemporalServer:
    """The session's Temporal dev server, with all search attributes."""

    address: str
    ui_url: str
    namespace: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_server(stack_home: StackHome) -> AsyncIterator[TemporalServer]:
    part = Temporal(stack_home.layout, stack_home.ports)
    try:
        await part.start()
        yield TemporalServer(part.address, part.ui_url, NAMESPACE)
    finally:
        await part.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_client(temporal_server: TemporalServer) -> Client:
    """A client of the dev server. Workflow ids and task queues are shared by the session: make yours unique."""
    return await Client.connect(temporal_server.address, namespace=temporal_server.namespace)


@pytest_asyncio.fixture(loop_scope="session")
async def time_skipping_env() -> AsyncIterator[WorkflowEnvironment]:
    """A time-skipping server of this test's own, for timers. `await env.get_current_time()` is its clock."""
    async with time_skipping() as environment:
        yield environment


# -- S3 ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class S3Server:
    """The session's S3. Keys of objects are shared by the session: use a prefix of your own."""

    endpoint: str
    bucket: str
    region: str
    access_key: str
    secret_key: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def s3_server(stack_home: StackHome) -> AsyncIterator[S3Server]:
    secrets = stack_home.secrets
    part = Seaweed(
        stack_home.layout, stack_home.ports, secrets.s3_access_key, secrets.s3_secret_key, secrets.s3_internal_key
    )
    try:
        await part.start()
        yield S3Server(part.endpoint, BUCKET, REGION, part.access_key, part.secret_key)
    finally:
        await part.stop()


# -- mail ----------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo_mail(stack_home: StackHome) -> AsyncIterator[DemoMail]:
    """The demo's IMAP and SMTP servers (`host`, `imap_port`, `smtp_port`, `accounts`, `deliver`, `set_reply`)."""
    part = DemoMail(stack_home.layout, stack_home.ports, stack_home.secrets)
    try:
        await part.start()
        yield part
    finally:
        await part.stop()


@pytest.fixture
def mail_account(demo_mail: DemoMail) -> Callable[[], MailAccount]:
    """Makes empty mailboxes on the demo servers with addresses that no other test has."""

    def make() -> MailAccount:
        return demo_mail.add_account(f"box-{uuid.uuid4().hex[:12]}@example.com")

    return make


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dovecot(stack_home: StackHome) -> AsyncIterator[Dovecot]:
    """A Dovecot with CONDSTORE, QRESYNC, SPECIAL-USE, plain and TLS ports; `add_account()` for mailboxes of your own."""
    missing = dovecot_missing()
    if missing is not None:
        pytest.skip(missing)
    server = Dovecot(stack_home.ports.port("dovecot-imap"), stack_home.ports.port("dovecot-imaps"))
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def scripted_smtp() -> AsyncIterator[ScriptedSmtp]:
    """An SMTP server of this test's own that misbehaves on demand; see `tests/servers/scripted_smtp.py`."""
    server = ScriptedSmtp(HOST)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


# -- web APIs ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A private authority and a certificate for localhost, for stand-ins of services that speak https."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def google(certificates: Certificates) -> Iterator[GmailServer]:
    """Gmail and Google's OAuth of this test's own; see `tests/servers/gmail_server.py`."""
    server = GmailServer(certificates)
    yield server
    server.close()


@pytest.fixture(scope="session")
def emulated_google(stack_home: StackHome) -> Iterator[Emulate]:
    yield from _emulated("google", stack_home)


@pytest.fixture(scope="session")
def emulated_microsoft(stack_home: StackHome) -> Iterator[Emulate]:
    yield from _emulated("microsoft", stack_home)


def _emulated(service: str, home: StackHome) -> Iterator[Emulate]:
    if missing := emulate_missing():
        pytest.skip(missing)
    one = Emulate(service, home.ports.port(f"emulate-{service}"), home.layout.root)
    try:
        one.start()
        yield one
    finally:
        one.stop()


# -- samples -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real mail with expected results, which is kept outside the repository."""
    if not SHARED_SAMPLES.is_dir():
        pytest.skip(f"the mail samples are not on this machine (expected in {SHARED_SAMPLES})")
    return SHARED_SAMPLES
