"""Rooms for the inbound flow: parser children once per session, an inbox on Dovecot or on Gmail's stand-in for each test."""

import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from activities.parser_pool import ParserPool
from contracts import failpoints
from contracts.failpoints import Failpoint
from providers.egress import tls_context
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.sender import GmailSender
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from providers.graph.sender import GraphSender
from providers.s3.blobs import BlobStore
from store.unit_of_work import Database
from tests.activities.api_room import ApiRoom, no_wait
from tests.activities.api_send_room import ADDRESS, ApiSendRoom, Provider
from tests.activities.dying import Died
from tests.activities.mail_room import SECRET, MailRoom
from tests.activities.send_room import LOCAL
from tests.conftest import S3Server
from tests.servers.certificates import Certificates
from tests.servers.databases import Database as ServerDatabase
from tests.servers.dovecot import Dovecot, DovecotAccount
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_server import GmailServer
from tests.servers.graph_server import GraphServer
from tests.store.desk import open_desk


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


@pytest.fixture(scope="session")
def gmail_tls(certificates: Certificates) -> ssl.SSLContext:
    return certificates.client_context()


@pytest.fixture
def gmail_box(google: GmailServer) -> GmailMailbox:
    return google.add_mailbox("desk@example.org")


@pytest_asyncio.fixture
async def gmail_room(
    mail_database: Database,
    blobs: BlobStore,
    parsers: ParserPool,
    google: GmailServer,
    gmail_box: GmailMailbox,
    gmail_tls: ssl.SSLContext,
) -> AsyncIterator[ApiRoom]:
    """An inbox whose mailbox is at Gmail, connected."""
    made = await ApiRoom(
        mail_database, blobs, parsers, port=1, user="", password="",
        provider="gmail", root=google.url, tls=gmail_tls, page=5,
        make_token=lambda: google.oauth.access_token(gmail_box.address),
    ).open()  # fmt: skip
    yield made
    await made.close()


@pytest.fixture(scope="session")
def graph_tls() -> ssl.SSLContext:
    return tls_context()


@pytest.fixture(params=["gmail", "graph"])
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    if request.param == "gmail":
        google: GmailServer = request.getfixturevalue("google")
        endpoint = GmailEndpoint(google.url, LOCAL, request.getfixturevalue("gmail_tls"))
        yield Provider(
            "gmail",
            google,
            google.add_mailbox(ADDRESS),
            lambda token: GmailSender(GmailAccount(token, endpoint=endpoint, sleep=no_wait)),
        )
        return
    with GraphServer() as graph:
        tls = request.getfixturevalue("graph_tls")
        graph_endpoint = GraphEndpoint(graph.root, policy=LOCAL, tls=tls)
        yield Provider(
            "graph",
            graph,
            graph.mailbox(ADDRESS),
            lambda token: GraphSender(GraphAccount(token, endpoint=graph_endpoint, sleep=no_wait)),
        )
        assert graph.forgotten == []


@pytest_asyncio.fixture
async def api_send_room(module_database: ServerDatabase, provider: Provider) -> AsyncIterator[ApiSendRoom]:
    database = Database(module_database.url, pool_size=25)
    made = ApiSendRoom(await open_desk(database), provider=provider)
    await made.desk.rows(
        "update inboxes set provider = :provider where id = :id",
        id=made.desk.inbox_id,
        provider=provider.name,
    )
    yield made
    await database.close()


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Failpoint], None]]:
    """Work falls at a failpoint, once, and nothing after it runs."""

    def fall(_: object, point: Failpoint) -> None:
        failpoints.arm(None)
        raise Died(point)

    monkeypatch.setattr(failpoints, "_fall", fall)
    yield lambda point: failpoints.arm(failpoints.parse(point.value))
    failpoints.arm(None)
