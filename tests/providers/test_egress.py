"""Where we may connect to (X-20 to X-23): every answer checked, the checked address connected to."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from providers.egress import (
    EgressPolicy,
    Purpose,
    checked_socket,
    connect,
    is_allowed,
    parse_networks,
    refuse_unprotected,
    resolve,
    resolve_checked,
    tls_context,
)
from providers.errors import EgressBlocked, TlsFailed, Unreachable
from tests.servers.scripted_smtp import ScriptedSmtp

STRICT = EgressPolicy()


def answering(*addresses: str) -> Callable[..., list[Any]]:
    def getaddrinfo(_host: str, port: int, **_options: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
            for a in addresses
        ]

    return getaddrinfo


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.170", "192.168.1.1", "198.18.0.1", "198.19.255.255", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "192.0.2.1", "203.0.113.9", "::", "::1", "fc00::1", "fd00:ec2::254",
        "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1",
        "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::1", "2001:db8::1",
        "2001::1", "100::1", "5f00::1",
    ],
)  # fmt: skip
def test_blocked_addresses(address: str) -> None:
    """X-21"""
    assert not is_allowed(ip_address(address), STRICT)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "100.63.255.255", "172.32.0.1", "198.20.0.1", "2a00:1450:4001::1", "2620:fe::fe"]
)
def test_public_addresses(address: str) -> None:
    assert is_allowed(ip_address(address), STRICT)


def test_operator_networks() -> None:
    policy = EgressPolicy(allow=parse_networks(("10.20.0.0/16", "64:ff9b::/96")))
    assert is_allowed(ip_address("10.20.30.40"), policy)
    assert not is_allowed(ip_address("10.21.0.1"), policy)
    # NAT64 allowed by the operator reaches public addresses, and private ones only if they are allowed themselves.
    assert is_allowed(ip_address("64:ff9b::8.8.8.8"), policy)
    assert is_allowed(ip_address("64:ff9b::10.20.0.1"), policy)
    assert not is_allowed(ip_address("64:ff9b::127.0.0.1"), policy)


def test_a_bad_operator_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.20\.30\.40/16"):
        parse_networks(("10.20.30.40/16",))


def test_all_answers_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-20: one private answer among public ones blocks the host."""
    monkeypatch.setattr(socket, "getaddrinfo", answering("8.8.8.8", "10.0.0.1"))
    with pytest.raises(EgressBlocked) as caught:
        resolve_checked("mail.example.com", 993, STRICT, Purpose.IMAP)
    assert "10.0.0.1" not in str(caught.value)
    monkeypatch.setattr(socket, "getaddrinfo", answering("8.8.8.8", "2a00:1450:4001::1"))
    assert len(resolve_checked("mail.example.com", 993, STRICT, Purpose.IMAP)) == 2


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0", "localhost", "127.0.0.1", "::1"])
def test_odd_spellings_of_loopback(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if host != "localhost" and not host.startswith((":", "127.0")):
        monkeypatch.setattr(socket, "getaddrinfo", answering(socket.inet_ntoa(socket.inet_aton(host))))
    with pytest.raises(EgressBlocked):
        resolve_checked(host, 993, STRICT, Purpose.IMAP)


@pytest.mark.parametrize(
    ("purpose", "port", "allowed"),
    [
        (Purpose.IMAP, 993, True), (Purpose.IMAP, 143, True), (Purpose.IMAP, 25, False), (Purpose.SMTP, 587, True),
        (Purpose.SMTP, 2525, True), (Purpose.SMTP, 5432, False), (Purpose.WEB, 443, True), (Purpose.WEB, 80, False),
        (Purpose.IMAP, 0, False), (Purpose.IMAP, 70000, False),
    ],
)  # fmt: skip
def test_ports(monkeypatch: pytest.MonkeyPatch, purpose: Purpose, port: int, allowed: bool) -> None:
    """X-22"""
    monkeypatch.setattr(socket, "getaddrinfo", answering("8.8.8.8"))
    if allowed:
        assert resolve_checked("mail.example.com", port, STRICT, purpose) == (ip_address("8.8.8.8"),)
        return
    with pytest.raises(EgressBlocked) as caught:
        resolve_checked("mail.example.com", port, STRICT, purpose)
    assert caught.value.reason == "port_blocked"
    if 0 < port < 65536:
        assert resolve_checked("mail.example.com", port, EgressPolicy(check_ports=False), purpose)


def test_an_allowed_network_is_reached_on_any_port_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's own mail server may listen where it likes; that must not open odd ports of public hosts."""
    policy = EgressPolicy(allow=parse_networks(["10.20.0.0/16"]))
    monkeypatch.setattr(socket, "getaddrinfo", answering("10.20.0.5"))
    assert resolve_checked("mail.internal.example", 14143, policy, Purpose.IMAP) == (ip_address("10.20.0.5"),)
    for answer in (["8.8.8.8"], ["10.20.0.5", "8.8.8.8"]):
        monkeypatch.setattr(socket, "getaddrinfo", answering(*answer))
        with pytest.raises(EgressBlocked) as caught:
            resolve_checked("mail.example.com", 14143, policy, Purpose.IMAP)
        assert caught.value.reason == "port_blocked"


@pytest.mark.parametrize("host", ["", "a b.example.com", "mail.example.com\r\nx", "a\0b", "x" * 300])
def test_host_names_that_are_none(host: str) -> None:
    with pytest.raises(EgressBlocked) as caught:
        resolve_checked(host, 993, STRICT, Purpose.IMAP)
    assert caught.value.reason == "host_invalid"


@pytest.mark.parametrize(
    ("code", "reason"), [(socket.EAI_AGAIN, "dns_unavailable"), (socket.EAI_NONAME, "host_unknown")]
)
def test_names_that_do_not_resolve(monkeypatch: pytest.MonkeyPatch, code: int, reason: str) -> None:
    def getaddrinfo(*_args: Any, **_options: Any) -> list[Any]:
        raise socket.gaierror(code, "mail.example.com")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(Unreachable) as caught:
        resolve_checked("mail.example.com", 993, STRICT, Purpose.IMAP)
    assert caught.value.reason == reason


def test_refused_and_next_address(
    local_policy: EgressPolicy, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unreachable) as caught:
        checked_socket("127.0.0.1", closed_port, local_policy, 1.0, Purpose.IMAP)
    assert caught.value.reason == "connection_refused"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(socket, "getaddrinfo", answering("::1", "127.0.0.1"))  # nothing listens on ::1
        with checked_socket("mail.example.com", port, local_policy, 2.0, Purpose.IMAP) as sock:
            assert sock.getpeername()[0] == "127.0.0.1"


def test_resolved_once_and_connected_to_what_was_checked(
    local_policy: EgressPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X-20: a name that changes its answer between check and connection gains nothing."""
    calls: list[str] = []

    def getaddrinfo(host: str, port: int, **_options: Any) -> list[Any]:
        calls.append(host)
        return answering("127.0.0.1" if len(calls) == 1 else "10.0.0.1")(host, port)

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        with checked_socket(
            "mail.example.com", server.getsockname()[1], local_policy, 1.0, Purpose.IMAP
        ) as sock:
            assert sock.getpeername()[0] == "127.0.0.1"
    assert calls == ["mail.example.com"]


async def test_streams_over_tls_keep_the_host_name(
    scripted_smtp: ScriptedSmtp, local_policy: EgressPolicy
) -> None:
    context = tls_context(ca_file=str(scripted_smtp.certificates.authority))
    reader, writer = await connect(
        "localhost", scripted_smtp.tls_port, local_policy, purpose=Purpose.SMTP, seconds=5, tls=context
    )
    assert (await reader.readline()).startswith(b"220")
    assert isinstance(writer.get_extra_info("ssl_object"), ssl.SSLObject)
    writer.close()
    await writer.wait_closed()
    with pytest.raises(TlsFailed):
        await connect(
            "localhost",
            scripted_smtp.tls_port,
            local_policy,
            purpose=Purpose.SMTP,
            seconds=5,
            tls=tls_context(),
        )


async def test_resolving_without_blocking_the_loop() -> None:
    with pytest.raises(EgressBlocked):
        await resolve("127.0.0.1", 993, STRICT, Purpose.IMAP)


def test_unreadable_ca_file() -> None:
    with pytest.raises(TlsFailed) as caught:
        tls_context(ca_file="/nonexistent/ca.pem")
    assert caught.value.reason == "ca_file_unreadable"


async def test_a_socket_that_comes_too_late_is_closed(
    local_policy: EgressPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leaked socket would fail the suite by its ResourceWarning."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        plain = socket.getaddrinfo

        def slow(*args: Any, **options: Any) -> Any:
            import time

            time.sleep(0.3)
            return plain(*args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with pytest.raises(Unreachable):
            await connect(
                "127.0.0.1", server.getsockname()[1], local_policy, purpose=Purpose.WEB, seconds=0.05
            )
        await asyncio.sleep(0.4)


def test_a_connection_that_was_reset_before_the_sign_in_is_closed_and_named(local_policy: EgressPolicy) -> None:
    """Neither an OSError that no caller expects nor a socket left to the garbage collector."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = checked_socket("127.0.0.1", server.getsockname()[1], local_policy, 1.0, Purpose.SMTP)
        theirs, _ = server.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(Unreachable) as caught:
            refuse_unprotected(sock, local_policy)
    assert caught.value.reason == "connection_lost"
    assert sock.fileno() == -1
