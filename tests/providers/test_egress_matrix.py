"""Every host that somebody else can name, crossed with every form of an address inside: no packet leaves for it (X-20 to X-22).

The doors are the product's own entrances, under the policy of an operator who has listed nothing. Sockets are real, but instead of
connecting they write down where to: what must not be reached must not be tried either. A public address is tried by each door, so
that a door which tries nothing at all does not pass.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import httpx
import pytest

from api.remote_pictures import NoPicture, RemotePictures
from providers.dns.lookup import DnsLookup
from providers.egress import EgressPolicy, Purpose, connect, tls_context
from providers.egress_http import web_client
from providers.errors import ProviderError
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.source import GmailSource
from providers.graph.account import GraphAccount
from providers.graph.endpoint import GraphEndpoint
from providers.graph.source import GraphSource
from providers.imap.account import ImapAccount
from providers.imap.source import ImapSource
from providers.oauth.application import google, microsoft
from providers.oauth.signing_in import SigningIn
from providers.secret import Secret
from providers.ses.sns_door import SnsDoor
from providers.smtp.account import SmtpAccount
from providers.smtp.session import SmtpSession
from tests.providers.test_egress_http import web
from tests.providers.test_egress_tricks import METADATA, SPELLINGS, SYSTEM_RESOLVER, answering
from tests.servers.certificates import Certificates
from tests.servers.dns import dns_server
from tests.servers.sns import HOST, TOPIC, SnsSigner, ToThisMachine

STRICT = EgressPolicy()
TLS = tls_context()
PUBLIC = "8.8.8.8"
Knock = Callable[[str], Awaitable[object]]


@pytest.fixture(scope="module")
def signer() -> SnsSigner:
    return SnsSigner()


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Where sockets would have gone. Addresses of this machine are connected to only where a test's own server listens."""
    addresses: list[str] = []
    real = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        if self.family not in (socket.AF_INET, socket.AF_INET6) or address[1] in SERVERS:
            real(self, address)
            return
        addresses.append(str(address[0]))
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(socket.socket, "connect", noted)
    yield addresses
    SERVERS.clear()


SERVERS: set[int] = set()  # ports of the running test's own servers


async def token() -> Secret:
    return Secret("token-of-the-test")


# -- the doors: what a tenant writes into a form, a mail shows, or a provider answers with ---------------------------


async def knock_imap(host: str) -> object:
    return await ImapSource(ImapAccount(host, 143, "plain", "ann", Secret("x")), STRICT).open()


async def knock_smtp(host: str) -> object:
    account = SmtpAccount(host, 587, "plain", "ann", Secret("x"), connect_timeout=5)
    return await asyncio.to_thread(SmtpSession(account, STRICT).open)


async def knock_picture(host: str) -> object:
    async def dial(name: str, port: int) -> Any:
        return await connect(name, port, STRICT, purpose=Purpose.WEB, seconds=5, tls=TLS)

    return await RemotePictures(dial).fetch(f"https://{written(host)}/picture.png")


async def knock_token_endpoint(host: str) -> object:
    application = replace(google("id", Secret("s")), token_url=f"https://{written(host)}/token")
    return await SigningIn(STRICT, tls=TLS).refresh(application, Secret("r"))


async def knock_profile(host: str) -> object:
    application = replace(microsoft("id", Secret("s")), profile_url=f"https://{written(host)}/v1.0/me")
    return await SigningIn(STRICT, tls=TLS).addresses(application, Secret("a"))


async def knock_gmail(host: str) -> object:
    account = GmailAccount(token, endpoint=GmailEndpoint(f"https://{written(host)}/", STRICT, TLS))
    try:
        return await GmailSource(account).folders()
    finally:
        await account.close()


async def knock_graph(host: str) -> object:
    account = GraphAccount(token, endpoint=GraphEndpoint(f"https://{written(host)}/v1.0/", policy=STRICT, tls=TLS), sleep=no_sleep)
    try:
        return await GraphSource(account).folders()
    finally:
        await account.close()


DOORS: dict[str, Knock] = {
    "IMAP host": knock_imap, "SMTP host": knock_smtp, "picture in a mail": knock_picture, "token endpoint": knock_token_endpoint,
    "profile endpoint": knock_profile, "Gmail's address": knock_gmail, "Graph's address": knock_graph,
}  # fmt: skip


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def written(host: str) -> str:
    """As a URL writes it."""
    return f"[{host}]" if ":" in host else host


async def refused(knock: Knock, host: str) -> str | None:
    """None where the door raised an error of the house, as it must; otherwise what happened instead."""
    try:
        async with asyncio.timeout(20):
            await knock(host)
    except (ProviderError, NoPicture):
        return None
    except (httpx.InvalidURL, ValueError) as error:
        # An address of the operator's that no URL parser takes ends before anything is looked up.
        return None if knock not in (knock_imap, knock_smtp, knock_picture) else repr(error)
    return "answered"


# -- forms of addresses ----------------------------------------------------------------------------------------------

MAPPED = tuple(str(IPv6Address(f"::ffff:{a}")) for a in METADATA if ":" not in a)
INSIDE = ("169.254.169.254", "127.0.0.1", "10.0.0.1")
ANSWERS: dict[str, list[list[str]]] = {
    **{f"a name of {a}": [[a]] for a in (*METADATA, *MAPPED, "127.0.0.1", "::1", "10.0.0.1", "100.64.0.1", "fd12::1", "fe80::1", "0.0.0.0")},
    **{f"NAT64 of {a}": [[f"64:ff9b::{a}"]] for a in INSIDE},
    "NAT64 of its local prefix": [["64:ff9b:1::a9fe:a9fe"]],
    "6to4 of metadata": [["2002:a9fe:a9fe::1"]],
    "6to4 of this machine": [["2002:7f00:1::"]],
    "Teredo": [["2001:0:a9fe:a9fe::1"]],
    "IPv4-compatible": [["::169.254.169.254"]],
    "two A records, one bad": [[PUBLIC, "169.254.169.254"]],
    "two A records, one bad, first": [["10.0.0.1", PUBLIC]],
    "A and AAAA, one bad": [[PUBLIC, "::ffff:127.0.0.1"]],
}


@pytest.mark.parametrize("door", list(DOORS))
async def test_no_spelling_of_an_address_inside_is_tried(door: str, tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """X-21: decimal, octal, hexadecimal, shortened, mapped, NAT64, 6to4, typed where a host name belongs."""

    def numbers_only(host: Any, port: Any, *_: Any, **more: Any) -> Any:
        return SYSTEM_RESOLVER(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", numbers_only)
    wrong = {host: why for host in SPELLINGS if (why := await refused(DOORS[door], host))}
    assert wrong == {}
    assert tried == []


@pytest.mark.parametrize("door", list(DOORS))
async def test_no_name_leads_inside(door: str, tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """X-20, X-21: whatever the resolver makes of a name, all answers decide."""
    wrong = {}
    for form, turns in ANSWERS.items():
        monkeypatch.setattr(socket, "getaddrinfo", answering(*turns))
        if why := await refused(DOORS[door], "mail.example.com"):
            wrong[form] = why
        assert tried == [], form
    assert wrong == {}


@pytest.mark.parametrize("door", list(DOORS))
async def test_a_name_that_is_bound_anew_gains_nothing(door: str, tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """X-20: what was checked is what is connected to; a second answer is never asked for within one attempt."""
    monkeypatch.setattr(socket, "getaddrinfo", answering([PUBLIC], ["169.254.169.254"]))
    assert await refused(DOORS[door], "mail.example.com") is None
    assert tried
    assert set(tried) == {PUBLIC}


# -- redirects -------------------------------------------------------------------------------------------------------

ELSEWHERE = ("http://169.254.169.254/latest", "https://169.254.169.254/latest", "https://[::ffff:a9fe:a9fe]/", "https://2852039166/", "//10.0.0.1/")


@pytest.fixture
async def redirecting(certificates: Certificates, tried: list[str]) -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    """A server on this machine that sends everybody to the address that it was told last."""
    target = [""]

    def answer(_request: bytes) -> bytes:
        return f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {target[0]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()

    async with web(certificates, answer) as port:
        SERVERS.add(port)

        async def to(where: str) -> int:
            target[0] = where
            return port

        yield to


@pytest.mark.parametrize("where", ELSEWHERE)
async def test_no_redirect_is_followed_inside(
    where: str, redirecting: Callable[[str], Awaitable[int]], tried: list[str], certificates: Certificates, local_policy: EgressPolicy,
    signer: SnsSigner,
) -> None:  # fmt: skip
    """X-22: pictures are checked anew at each hop; nobody else follows, so no token and no form goes elsewhere."""
    port = await redirecting(where)
    root, tls = f"https://localhost:{port}/", certificates.client_context()
    signing_in = SigningIn(local_policy, tls=tls)
    application = replace(google("id", Secret("s")), token_url=f"{root}token", profile_url=f"{root}me")
    gmail = GmailAccount(token, endpoint=GmailEndpoint(root, local_policy, tls))
    graph = GraphAccount(token, endpoint=GraphEndpoint(f"{root}v1.0/", policy=local_policy, tls=tls), sleep=no_sleep)

    async def dial(host: str, number: int) -> Any:
        own = host == "localhost"
        return await connect(host, number, local_policy if own else STRICT, purpose=Purpose.WEB, seconds=5, tls=tls)

    async with httpx.AsyncClient(transport=ToThisMachine(port, certificates)) as client:
        door = SnsDoor(client, [TOPIC])
        attempts: dict[str, Callable[[], Awaitable[object]]] = {
            "token endpoint": lambda: signing_in.refresh(application, Secret("r")),
            "profile endpoint": lambda: signing_in.addresses(application, Secret("a")),
            "Gmail": lambda: GmailSource(gmail).folders(),
            "Graph": lambda: GraphSource(graph).folders(),
            "SNS certificate": lambda: door.read(json.dumps(signer.notice("true")).encode()),
            "picture": lambda: RemotePictures(dial).fetch(f"{root}picture.png"),
        }
        for name, attempt in attempts.items():
            with pytest.raises((ProviderError, NoPicture)):
                await attempt()
            assert tried == [], name
    await gmail.close()
    await graph.close()


# -- addresses in messages and answers -------------------------------------------------------------------------------

FOREIGN = (
    *(f"https://{written(host)}" for host in SPELLINGS), "https://sns.us-east-1.amazonaws.com.example.com", "https://sns.us-east-1.amazonaws.com@10.0.0.1",
    "https://10.0.0.1#sns.us-east-1.amazonaws.com", "https://10.0.0.1\\@sns.us-east-1.amazonaws.com", "http://sns.us-east-1.amazonaws.com",
    "https://sns.us-east-1.amazonaws.com:8443", "https://graph.microsoft.com.example.com", "https://graph.microsoft.com@10.0.0.1",
    "https://10.0.0.1#graph.microsoft.com", "https://10.0.0.1\\@graph.microsoft.com", "http://graph.microsoft.com", "https://graph.microsoft.com:8443",
)  # fmt: skip


async def test_sns_names_no_certificate_and_no_confirmation_elsewhere(signer: SnsSigner, tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """SigningCertURL and SubscribeURL come from whoever posts: only the topic's own host is asked, and only at a public address."""
    asked: list[str] = []

    def resolving(host: str, port: int, *more: Any, **options: Any) -> Any:
        asked.append(host)
        return answering([PUBLIC])(host, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    async with web_client(STRICT, seconds=5, tls=TLS) as client:
        door = SnsDoor(client, [TOPIC])
        for host in FOREIGN:
            for message in (
                signer.notice("true", SigningCertURL=f"{host}/SimpleNotificationService-0123456789abcdef.pem"),
                signer.subscription(SigningCertURL=f"{host}/SimpleNotificationService-0123456789abcdef.pem"),
                signer.subscription(SubscribeURL=f"{host}/?Action=ConfirmSubscription&Token=t"),
            ):
                with pytest.raises(ProviderError):
                    await door.read(json.dumps(message).encode())
        assert (asked, tried) == ([], [])
        own = json.dumps(signer.notice("true")).encode()
        with pytest.raises(ProviderError):
            await door.read(own)
        assert set(tried) == {PUBLIC}
        tried.clear()
        for form, turns in ANSWERS.items():
            if len(turns) == 1:
                monkeypatch.setattr(socket, "getaddrinfo", answering(*turns))
                with pytest.raises(ProviderError):
                    await SnsDoor(client, [TOPIC]).read(own)
                assert tried == [], form


async def test_graph_sends_its_token_and_uploads_nowhere_else(tried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`@odata.nextLink`, `@odata.deltaLink` and `uploadUrl` are what an answer says; none leads away from Graph."""

    def resolving(host: str, *_: Any, **__: Any) -> Any:
        raise AssertionError(f"{host} was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    endpoint = GraphEndpoint(policy=STRICT, tls=TLS)
    account = GraphAccount(token, endpoint=endpoint, sleep=no_sleep)
    source = GraphSource(account)
    try:
        for host in FOREIGN:
            link = f"{host}/v1.0/me/mailFolders/inbox/messages/delta?$deltatoken=t"
            for attempt in (source.changes("inbox", link), source.listing("inbox", link)):
                with pytest.raises(ProviderError):
                    await attempt
            with pytest.raises(ProviderError):
                endpoint.uploaded_to(f"{host}/upload/1")
    finally:
        await account.close()
    assert tried == []


async def test_a_domains_name_chooses_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant names domains; their records are asked for at the operator's name servers and what they say is never connected to."""
    sent: set[tuple[str, int]] = set()
    real = socket.socket.sendto

    async with dns_server() as server:

        def noted(self: socket.socket, data: Any, *rest: Any) -> int:
            if self.getsockname()[1] != server.port:  # not the server's own answers
                sent.add(rest[-1][:2])
            return real(self, data, *rest)

        monkeypatch.setattr(socket.socket, "sendto", noted)
        server.put("shop.example.org", "MX", "0 localhost.", "1 169.254.169.254.")
        server.put("away.example.org", "NS", "inside.example.org.")
        ask = DnsLookup([server.address]).ask
        assert (await ask("shop.example.org", "MX")).values == ("0 localhost.", "1 169.254.169.254.")
        for host in (*SPELLINGS, "away.example.org", f"{HOST}/", "a..b", "x" * 300):
            await ask(host, "TXT")
        assert sent == {("127.0.0.1", server.port)}
