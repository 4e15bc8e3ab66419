"""The one door to the outside: resolve once, check every answer, connect to the address that was checked.

Tenants name the hosts we connect to, so without this a mailbox setting could reach the cloud's metadata service or
the database (integrity X-20 to X-22). The host name stays in use for TLS (SNI and certificate); what is said over
the connection is left to the caller.
"""

import asyncio
import ipaddress
import random
import socket
import ssl
import time
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from providers.errors import EgressBlocked, TlsFailed, Unreachable
from providers.executors import resolver_lane

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class Purpose(StrEnum):
    """What a connection is for; each has its own list of ports."""

    IMAP = "imap"
    SMTP = "smtp"
    WEB = "web"


# integrity X-22
PORTS: dict[Purpose, tuple[int, ...]] = {
    Purpose.IMAP: (143, 993),
    Purpose.SMTP: (25, 465, 587, 2525),
    Purpose.WEB: (443,),
}


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What the operator (never a tenant) allows beyond public addresses and standard ports.

    `allow` lists networks that are reachable although they are private, for mail servers in one's own house, on any port
    there, and without verified TLS if an inbox says so; `check_ports=False` lifts the list of ports for public hosts too.
    """

    allow: tuple[Network, ...] = ()
    check_ports: bool = True


# integrity X-21, with the documentation, relay and benchmark networks of the IANA special-purpose registries.
_BLOCKED_V4 = tuple(
    IPv4Network(n)
    for n in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# Only 2000::/3 is handed out for global unicast (RFC 4291 §2.4): everything else cannot be classified, so it is
# blocked. That covers ::, ::1, ::ffff:0:0/96, 64:ff9b::/96, fc00::/7, fe80::/10 and ff00::/8.
_GLOBAL_V6 = IPv6Network("2000::/3")
_BLOCKED_V6 = tuple(IPv6Network(n) for n in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")
# Where clouds hand out their machines' identities. They stay closed within an allowed network, unless one is allowed by
# itself: whoever allows 100.64.0.0/10 means a VPN, not Alibaba's metadata. 168.63.129.16 (Azure) is a public address.
_METADATA = frozenset(
    ip_address(a) for a in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)  # fmt: skip
# Seconds by which a failed attempt is told late, so that its time does not tell why it failed (integrity X-22).
BLUR = (0.2, 0.7)


def is_allowed(address: Address, policy: EgressPolicy) -> bool:
    """True if `address`, and the IPv4 address that it may carry inside, are both fit to connect to."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False  # fe80::1%eth0 names a link, not a host
    if address in _METADATA:
        return any(address in net and net.num_addresses == 1 for net in policy.allow)
    own = _is_listed(address, policy) or not _blocked(address)
    inner = _embedded(address)
    return own and (inner is None or is_allowed(inner, policy))


def _blocked(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in net for net in _BLOCKED_V4)
    return address not in _GLOBAL_V6 or any(address in net for net in _BLOCKED_V6)


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped, 6to4 or NAT64 address: the place where packets would really go."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Networks from the operator's setting, such as `10.20.0.0/16`. Raises ValueError that names the bad one."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip()))
        except ValueError:
            raise ValueError(
                f"{text!r} is not a network; write it like 10.20.0.0/16 with no host bits set"
            ) from None
    return tuple(networks)


def resolve_checked(host: str, port: int, policy: EgressPolicy, purpose: Purpose) -> tuple[Address, ...]:
    """Resolve `host` once and return its addresses if ALL of them may be connected to. Blocks.

    One bad answer among good ones blocks the host: mixing them is how rebinding attacks look. Raises EgressBlocked
    (final) or Unreachable (transient). The sentence does not tell what the name resolved to.
    """
    standard = port in PORTS[purpose] or not policy.check_ports
    if not 0 < port < 65536 or not (standard or policy.allow):
        raise _port_blocked(purpose)
    # Control characters and spaces never belong to a host name; they would go on to getaddrinfo and TLS.
    if not host or len(host) > 253 or any(c <= " " or c == "\x7f" for c in host):
        raise EgressBlocked("host_invalid", "The host name is not valid. Write it like mail.example.com.")
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Unreachable("dns_unavailable", "The host name could not be looked up just now.") from None
        raise Unreachable(
            "host_unknown", "There is no such host. Check the spelling of the host name."
        ) from None
    except UnicodeError:
        raise EgressBlocked(
            "host_invalid", "The host name is not valid. Write it like mail.example.com."
        ) from None
    addresses = tuple(dict.fromkeys(_address(str(answer[4][0])) for answer in answers))
    if not addresses:
        raise Unreachable("host_unknown", "There is no such host. Check the spelling of the host name.")
    if not all(is_allowed(address, policy) for address in addresses):
        raise EgressBlocked
    if not standard and not all(_is_listed(address, policy) for address in addresses):
        raise _port_blocked(purpose)
    return addresses


def _is_listed(address: Address, policy: EgressPolicy) -> bool:
    return any(address in network for network in policy.allow)


def _port_blocked(purpose: Purpose) -> EgressBlocked:
    return EgressBlocked(
        "port_blocked", f"This port is not allowed here; allowed are {_listed(PORTS[purpose])}."
    )


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ipaddress.AddressValueError:
        raise EgressBlocked from None
    except ValueError:
        raise EgressBlocked from None


def _listed(ports: tuple[int, ...]) -> str:
    return ", ".join(str(port) for port in ports)


def checked_socket(
    host: str, port: int, policy: EgressPolicy, timeout: float, purpose: Purpose
) -> socket.socket:
    """A connected TCP socket to a checked address of `host`. Blocks for at most about `timeout` seconds.

    The returned socket keeps `timeout` for its own operations. Raises EgressBlocked, Unreachable.
    """
    addresses = resolve_checked(host, port, policy, purpose)
    deadline = time.monotonic() + timeout
    refused = False
    for tried, address in enumerate(addresses):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            # An equal share for each address still to try, so that a dead IPv6 route leaves time for IPv4.
            sock.settimeout(max(left / (len(addresses) - tried), 0.05))
            sock.connect((str(address), port))
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError as error:
            refused = refused or isinstance(error, ConnectionRefusedError)
            sock.close()
            continue
        except BaseException:
            sock.close()
            raise
        return sock
    if refused:
        raise Unreachable(
            "connection_refused", "Nothing answers on this host and port. Check the port number."
        )
    raise Unreachable(
        "connect_timeout", "The server did not answer in time. Check host name, port and firewall."
    )


def tls_context(*, verify: bool = True, ca_file: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer with verification. `verify=False` is the operator's opt-in for self-signed house servers."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise TlsFailed(
            "ca_file_unreadable", "The CA file cannot be read as PEM. Check its path and content."
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def refuse_unprotected(sock: socket.socket, policy: EgressPolicy) -> None:
    """Call before a sign-in without verified TLS: that is the operator's choice by listing the network (integrity X-23), not
    a tenant's. Closes `sock` and raises TlsFailed elsewhere; Unreachable if the server has reset the connection by now.
    """
    try:
        peer = str(sock.getpeername()[0])
    except OSError:  # ENOTCONN: a reset connection has no peer any more
        sock.close()
        raise Unreachable("connection_lost") from None
    if not _is_listed(_address(peer), policy):
        sock.close()
        raise TlsFailed(
            "unprotected_sign_in",
            "Signing in without verified encryption is only allowed in networks that the operator has listed. Choose TLS.",
        )


async def blur() -> None:
    """Wait a random moment before telling a tenant that a connection failed."""
    await asyncio.sleep(random.uniform(*BLUR))  # noqa: S311  # hides a duration, protects no secret


def wrap_tls(sock: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """Make `sock` a TLS connection for `host`. Closes it on failure. Raises TlsFailed, Unreachable."""
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError:
        sock.close()
        raise TlsFailed(
            "certificate_invalid",
            "The server's certificate is not valid for this host name or not signed by a known authority.",
        ) from None
    except ssl.SSLError:
        sock.close()
        raise TlsFailed(
            "tls_handshake_failed",
            "The server does not speak TLS on this port. Check port and security setting (TLS or STARTTLS).",
        ) from None
    except ValueError:  # a host name that cannot be sent as SNI
        sock.close()
        raise TlsFailed(
            "host_invalid", "The host name cannot be used for TLS. Write it like mail.example.com."
        ) from None
    except OSError:
        sock.close()
        raise Unreachable(
            "tls_interrupted", "The server closed the connection while TLS was set up."
        ) from None


async def resolve(host: str, port: int, policy: EgressPolicy, purpose: Purpose) -> tuple[Address, ...]:
    """`resolve_checked` without blocking the event loop."""
    return await resolver_lane().run(resolve_checked, host, port, policy, purpose)


async def connect(
    host: str,
    port: int,
    policy: EgressPolicy,
    *,
    purpose: Purpose,
    seconds: float,
    tls: ssl.SSLContext | None = None,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams to a checked address of `host`, with `host` kept for SNI and certificate when `tls` is given.

    `seconds` covers resolving, connecting and the TLS handshake. Raises EgressBlocked, Unreachable,
    TlsFailed.
    """
    sock: socket.socket | None = None
    try:
        async with asyncio.timeout(seconds):
            sock = await _checked_socket_soon(host, port, policy, seconds, purpose)
            return await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=host if tls else None)
    except TimeoutError:
        raise Unreachable("connect_timeout", "The server did not answer in time.") from None
    except ssl.SSLCertVerificationError:
        raise TlsFailed("certificate_invalid") from None
    except ssl.SSLError:
        raise TlsFailed("tls_handshake_failed") from None
    except OSError:
        raise Unreachable("tls_interrupted" if sock else "unreachable") from None


async def _checked_socket_soon(
    host: str, port: int, policy: EgressPolicy, seconds: float, purpose: Purpose
) -> socket.socket:
    """`checked_socket` in its lane; a socket that arrives after the caller has gone is closed, not leaked."""
    opening = asyncio.ensure_future(resolver_lane().run(checked_socket, host, port, policy, seconds, purpose))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise


def _close_late(opening: asyncio.Future[socket.socket]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
