"""A Gmail mailbox on the stand-in, reached by Google's own client as the product reaches it."""

import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from providers.egress import EgressPolicy
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.quota import QuotaBudget, QuotaLimits
from providers.gmail.sender import GmailSender
from providers.gmail.source import GmailSource
from providers.secret import Secret
from tests.servers.certificates import Certificates
from tests.servers.gmail_mailbox import GmailMailbox
from tests.servers.gmail_server import GmailServer

ADDRESS = "team@example.com"


def mail(number: int = 1, *, subject: str = "hello", extra: str = "", body: str = "body") -> bytes:
    return (
        f"From: ann@example.org\r\nTo: {ADDRESS}\r\nSubject: {subject}\r\nMessage-ID: <m{number}@example.org>\r\n"
        f"{extra}\r\n{body} {number}\r\n"
    ).encode()


@pytest.fixture
def mailbox(google: GmailServer) -> GmailMailbox:
    return google.add_mailbox(ADDRESS)


@pytest.fixture
def endpoint(google: GmailServer, local_policy: EgressPolicy, gmail_tls: ssl.SSLContext) -> GmailEndpoint:
    return GmailEndpoint(google.url, local_policy, gmail_tls)


@pytest.fixture(scope="session")
def gmail_tls(certificates: Certificates) -> ssl.SSLContext:
    return certificates.client_context()


@dataclass(slots=True)
class Nap:
    """Sleeping that is written down instead of done, on a clock that it moves."""

    now: float = 1000.0
    slept: float = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def nap() -> Nap:
    return Nap()


@pytest_asyncio.fixture(loop_scope="session")
async def new_account(
    google: GmailServer, mailbox: GmailMailbox, endpoint: GmailEndpoint, nap: Nap
) -> AsyncIterator[Callable[..., GmailAccount]]:
    """Accounts on the mailbox, each with a token that is good for an hour; waits take no time."""
    opened: list[GmailAccount] = []

    def make(token: str | None = None, limits: QuotaLimits | None = None) -> GmailAccount:
        held = Secret(token or google.oauth.access_token(mailbox.address))

        async def access_token() -> Secret:
            return held

        budget = QuotaBudget(limits, clock=nap.clock, sleep=nap.sleep, chance=lambda: 0.5)
        opened.append(GmailAccount(access_token, endpoint=endpoint, budget=budget, sleep=nap.sleep))
        return opened[-1]

    yield make
    for account in opened:
        await account.close()


@pytest.fixture
def account(new_account: Callable[..., GmailAccount]) -> GmailAccount:
    return new_account()


@pytest.fixture
def source(account: GmailAccount) -> GmailSource:
    return GmailSource(account)


@pytest.fixture
def sender(account: GmailAccount) -> GmailSender:
    return GmailSender(account)
