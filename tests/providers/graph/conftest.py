"""A Graph stand-in with one mailbox for each test; every call of the test must have asked for immutable ids."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from providers.egress import EgressPolicy, tls_context
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from providers.secret import Secret
from tests.servers.graph_mailbox import GraphMailbox
from tests.servers.graph_server import GraphServer

ADDRESS = "support@example.com"


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server
        assert server.forgotten == []


@pytest.fixture
def box(graph: GraphServer) -> GraphMailbox:
    return graph.mailbox(ADDRESS)


LOCAL = EgressPolicy(allow=(ip_network("127.0.0.0/8"),), check_ports=False)
TLS = tls_context()  # loaded once; the stand-in speaks plain http


@dataclass
class Opened:
    """Accounts for the stand-in; `slept` is what they waited, none of it really."""

    graph: GraphServer
    slept: list[float] = field(default_factory=list)
    accounts: list[GraphAccount] = field(default_factory=list)

    def __call__(self, mailbox: str | None = None, *, user: str | None = ADDRESS, tokens: list[str] | None = None) -> GraphAccount:
        """`user` None: application permission. `tokens`: what is handed out, the last one for ever."""
        line = list(tokens or [self.graph.login.access_token(user)])

        async def token() -> Secret:
            return Secret(line.pop(0) if len(line) > 1 else line[0])

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        endpoint = GraphEndpoint(self.graph.root, policy=LOCAL, tls=TLS)
        account = GraphAccount(token, mailbox=mailbox, endpoint=endpoint, sleep=sleep)
        self.accounts.append(account)
        return account


@pytest.fixture
async def opened(graph: GraphServer) -> AsyncIterator[Opened]:
    opened = Opened(graph)
    yield opened
    for account in opened.accounts:
        await account.close()


@pytest.fixture
def account(opened: Opened, box: GraphMailbox) -> GraphAccount:
    return opened()


def mail(number: int = 1, *, to: str = ADDRESS, sender: str = "kim@example.org", extra: str = "", body: str = "hello") -> bytes:
    text = f"From: {sender}\nTo: {to}\nSubject: Mail {number}\nMessage-ID: <m{number}@example.org>\n{extra}\n{body}\n"
    return text.replace("\n", "\r\n").encode()
