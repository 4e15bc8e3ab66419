"""Keeps tests on this machine: Python sockets may connect to loopback and Unix sockets only, names are not resolved."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class OutsideConnection(AssertionError):
    """A test tried to reach another machine."""


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host).split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _check(sock: socket.socket, address: Any) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise OutsideConnection(f"a test tried to connect to {address[0]!r}; use a server on localhost")


@contextmanager
def only_localhost() -> Iterator[None]:
    """Within, `connect`, `connect_ex`, `sendto` and `getaddrinfo` of other hosts raise `OutsideConnection`.

    Numeric addresses pass `getaddrinfo`, since classifying an address is not reaching it.
    """
    connect, connect_ex, sendto = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto
    getaddrinfo = socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _check(self, address)
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        _check(self, rest[-1])
        return sendto(self, data, *rest)

    def guarded_getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        if not _is_local(host):
            try:
                ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
            except ValueError:
                raise OutsideConnection(f"a test tried to resolve {host!r}; use a server on localhost") from None
        return getaddrinfo(host, *rest, **options)

    replacements = {"connect": guarded_connect, "connect_ex": guarded_connect_ex, "sendto": guarded_sendto}
    originals = {"connect": connect, "connect_ex": connect_ex, "sendto": sendto}
    for name, function in replacements.items():
        setattr(socket.socket, name, function)
    socket.getaddrinfo = guarded_getaddrinfo
    try:
        yield
    finally:
        for name, function in originals.items():
            setattr(socket.socket, name, function)
        socket.getaddrinfo = getaddrinfo
