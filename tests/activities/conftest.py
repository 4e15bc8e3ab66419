"""Rooms for the inbound flow: parser children once per session, an inbox on Dovecot for each test."""

import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from activities.parser_pool import ParserPool
from providers.s3.blobs import BlobStore
from store.unit_of_work import Database
from tests.activities.mail_room import SECRET, MailRoom
from tests.conftest import S3Server
from tests.servers.databases import Database as ServerDatabase
from tests.servers.dovecot import Dovecot, DovecotAccount


@pytest.fixture(scope="session")
def parsers() -> Iterator[ParserPool]:
    pool = ParserPool(workers=2, secret=SECRET)
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def blobs(s3_server: S3Server) -> Iterator[BlobStore]:
    store = BlobStore(
        s3_server.endpoint, s3_server.bucket, s3_server.access_key, s3_server.secret_key, s3_server.region
    )
    yield store
    store.close()


@pytest_asyncio.fixture
async def mail_database(module_database: ServerDatabase) -> AsyncIterator[Database]:
    database = Database(module_database.url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def mailboxes(dovecot: Dovecot) -> Iterator[DovecotAccount]:
    """Empty mailboxes, made ahead: Dovecot looks at its list of users at most once in a second."""
    made = [dovecot.add_account() for _ in range(200)]
    time.sleep(1.2)
    return iter(made)


@pytest.fixture
def account(mailboxes: Iterator[DovecotAccount]) -> DovecotAccount:
    return next(mailboxes)


@pytest.fixture
def deliver(dovecot: Dovecot, account: DovecotAccount) -> Callable[..., None]:
    """Puts a mail into the test's mailbox."""

    def put(raw: bytes, **options: object) -> None:
        dovecot.deliver(account, raw, **options)  # type: ignore[arg-type]

    return put


@pytest_asyncio.fixture
async def room(
    mail_database: Database, blobs: BlobStore, parsers: ParserPool, dovecot: Dovecot, account: DovecotAccount
) -> AsyncIterator[MailRoom]:
    """An inbox whose mailbox is on Dovecot, not connected yet."""
    made = await MailRoom(
        mail_database, blobs, parsers, port=dovecot.port, user=account.user, password=account.password
    ).open()
    yield made
    await made.close()
