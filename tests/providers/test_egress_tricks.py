"""Ways around the egress rule that have been tried elsewhere: odd spellings, metadata, rebinding, redirects, missing TLS."""

import asyncio
import ipaddress
import socket
import time
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from api.remote_pictures import NoPicture, RemotePictures
from providers import egress
from providers.egress import EgressPolicy, Purpose, blur, connect, is_allowed, parse_networks, resolve_checked
from providers.errors import EgressBlocked, TlsFailed
from providers.imap.account import ImapAccount
from providers.imap.source import ImapSource
from providers.secret import Secret
from providers.smtp.session import SmtpSession
from tests.providers.imap.scripted_imap import ScriptedImap
from tests.providers.smtp.attempts import account_for
from tests.servers.scripted_smtp import ScriptedSmtp

STRICT = EgressPolicy()
# The real resolver, which reads what people type into host fields as numbers; the suite's guard lets addresses only through.
SYSTEM_RESOLVER = socket.getaddrinfo

SPELLINGS = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "017700000001", "0177.0.0.1",
    "0177.1", "0", "0x0", "00.0.0.0", "::", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1",
    "0:0:0:0:0:ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::",
    "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "10.1", "192.168.257", "172.1048577", "0xac.0x10.1",
    "100.64.1", "100.100.25800", "198.18.1", "224.1", "255.255.255.255", "fd00:ec2::254", "fe80::1", "ff02::1",
)  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
@pytest.mark.parametrize("purpose", [Purpose.IMAP, Purpose.WEB])
def test_no_spelling_leads_inside(host: str, purpose: Purpose, monkeypatch: pytest.MonkeyPatch) -> None:
    """X-21: decided on what the resolver made of it, whatever it looked like."""
    monkeypatch.setattr(socket, "getaddrinfo", SYSTEM_RESOLVER)
    port = egress.PORTS[purpose][-1]
    try:
        resolved = [answer[4][0] for answer in SYSTEM_RESOLVER(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)]
    except socket.gaierror:
        pytest.skip("this resolver does not read it as an address")
    assert resolved
    with pytest.raises(EgressBlocked) as caught:
        resolve_checked(host, port, STRICT, purpose)
    assert (caught.value.reason, caught.value.sentence) == ("egress_blocked", EgressBlocked.sentence)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost."])
def test_names_of_this_machine(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering(["127.0.0.1"]))
    with pytest.raises(EgressBlocked):
        resolve_checked(host, 993, STRICT, Purpose.IMAP)


METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")


@pytest.mark.parametrize("address", METADATA)
def test_metadata_stays_closed_within_an_allowed_network(address: str) -> None:
    """A VPN's 100.64.0.0/10 or a house's fc00::/7 must not hand out the machine's cloud identity."""
    own = ip_address(address)
    assert not is_allowed(own, STRICT)
    wide = ipaddress.ip_network(f"{address}/{8 if own.version == 4 else 16}", strict=False)
    assert not is_allowed(own, EgressPolicy(allow=(wide,)))
    assert is_allowed(own, EgressPolicy(allow=(ipaddress.ip_network(address),)))
    assert is_allowed(ip_address("100.100.100.201"), EgressPolicy(allow=parse_networks(("100.64.0.0/10",))))


def test_every_special_network_of_the_standard_library_is_blocked() -> None:
    """Python knows the IANA registries: whatever it does not call global is not reached, first and last address."""
    for version in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        constants = ipaddress._IPv4Constants if version is ipaddress.IPv4Address else ipaddress._IPv6Constants  # type: ignore[attr-defined]
        for network in constants._private_networks:
            for address in (network[0], network[-1]):
                if not address.is_global:
                    assert not is_allowed(address, STRICT), address


def answering(*turns: list[str]) -> Any:
    """A resolver that gives these answers, one list a call, the last one for good."""
    left = list(turns)

    def getaddrinfo(_host: str, port: int, *_args: Any, **_options: Any) -> list[Any]:
        now = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in now
        ]

    return getaddrinfo


@pytest.mark.parametrize(
    "answers",
    [
        ["8.8.8.8", "169.254.169.254"], ["10.0.0.1", "8.8.8.8"], ["2a00:1450:4001::1", "::1"], ["8.8.8.8", "fd00:ec2::254"],
        ["8.8.8.8", "::ffff:10.0.0.1"], ["8.8.8.8", "168.63.129.16"],
    ],
)  # fmt: skip
def test_one_bad_answer_spoils_all(answers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering(answers))
    with pytest.raises(EgressBlocked) as caught:
        resolve_checked("mail.example.com", 993, STRICT, Purpose.IMAP)
    assert not any(a in str(caught.value) + repr(caught.value.__cause__) for a in answers)


async def test_a_redirect_is_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture's public host that sends the fetcher inside: the second dial is refused before anything is connected."""
    dialled: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", answering(["10.0.0.5"]))

    async def dial(host: str, port: int) -> Any:
        dialled.append(host)
        if host == "pictures.example.com":
            return _scripted(b"HTTP/1.1 302 Found\r\nLocation: https://intern.example.com/\r\n\r\n")
        return await connect(host, port, STRICT, purpose=Purpose.WEB, seconds=2)

    with pytest.raises(NoPicture) as caught:
        await RemotePictures(dial).fetch("https://pictures.example.com/a")
    assert dialled == ["pictures.example.com", "intern.example.com"]
    assert "10.0.0.5" not in str(caught.value)


def _scripted(answer: bytes) -> tuple[Any, Any]:
    reader = asyncio.StreamReader()
    reader.feed_data(answer)
    reader.feed_eof()

    class Writer:
        def write(self, _data: bytes) -> None: ...
        async def drain(self) -> None: ...
        def close(self) -> None: ...

    return reader, Writer()


@pytest.fixture
def public_loopback(monkeypatch: pytest.MonkeyPatch) -> EgressPolicy:
    """A policy under which this machine counts as a public host, so that it is reached but not listed."""
    monkeypatch.setattr(egress, "_BLOCKED_V4", ())
    return EgressPolicy(check_ports=False)


def noticed(server: ScriptedSmtp) -> None:
    """Wait until the server has seen us come and go, so that what we said is in its records."""
    until = time.monotonic() + 5
    while not server.ended:
        assert time.monotonic() < until, "the server has not seen the connection end"
        time.sleep(0.01)


@pytest.mark.parametrize("change", [{"security": "plain"}, {"security": "starttls", "verify_tls": False}])
def test_no_sign_in_without_verified_tls_on_public_hosts(
    scripted_smtp: ScriptedSmtp, public_loopback: EgressPolicy, change: dict[str, Any]
) -> None:
    """X-23: no password in clear text or to whoever poses as the server, unless the operator listed the network."""
    scripted_smtp.offer_starttls = True
    session = SmtpSession(account_for(scripted_smtp, **change), public_loopback)
    with pytest.raises(TlsFailed) as caught:
        session.open()
    assert caught.value.reason == "unprotected_sign_in"
    noticed(scripted_smtp)
    assert scripted_smtp.commands == []


def test_a_relay_that_knows_our_address_may_speak_plain(
    scripted_smtp: ScriptedSmtp, public_loopback: EgressPolicy
) -> None:
    """Nothing secret is said to it: mail itself crosses the world like that (RFC 3207 §1)."""
    account = replace(account_for(scripted_smtp, security="plain"), username=None, secret=None)
    session = SmtpSession(account, public_loopback)
    session.open()
    session.end()
    noticed(scripted_smtp)


async def test_imap_always_signs_in_so_it_always_needs_tls(public_loopback: EgressPolicy) -> None:
    async with ScriptedImap() as server:
        with pytest.raises(TlsFailed) as caught:
            await ImapSource(ImapAccount("127.0.0.1", server.port, "plain", "ann", Secret("x")), public_loopback).open()
        async with asyncio.timeout(5):
            while not server.connections or server._tasks:  # noqa: ASYNC110  # a stand-in announces nothing
                await asyncio.sleep(0.01)
        assert not server.commands
    assert caught.value.reason == "unprotected_sign_in"


async def test_failures_are_told_at_a_random_moment() -> None:
    """X-22: long enough to hide a look-up in our own network, short enough for a person who waits."""
    began = time.monotonic()
    await blur()
    assert 0.15 < time.monotonic() - began < 1.5
    assert egress.BLUR[1] - egress.BLUR[0] >= 0.3
