"""Free loopback ports, remembered in the data directory so that a restart keeps its addresses while they are still free.

A port is claimed (`stack/port_claims.py`), so that another start does not choose it before its server listens, be it the one that all
prefer; a server that finds its port taken all the same says so itself.
"""

import errno
import random
import socket
from pathlib import Path

from stack.port_claims import claim
from stack.private_file import read_json, write_private_json

HOST = "127.0.0.1"
# Below the range from which kernels take the local ports of outgoing connections (Linux 32768, IANA and macOS 49152),
# so that a remembered port is not taken by chance; and below 22768 so that a partner 10000 above stays below it too.
FIRST, LAST = 20000, 22767
PARTNER_OFFSET = 10000


class PortTaken(Exception):
    """A port that the operator asked for is in use."""


def is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen on `port` now. Addresses in TIME_WAIT count as free, as they do for servers."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
        return True


def require_free(port: int, option: str, host: str = HOST) -> None:
    """Raise `PortTaken`, naming `option`, when the operator's own choice of a port cannot be had."""
    if not is_free(port, host):
        raise PortTaken(f"{option}: port {port} of {host} is in use; stop what listens there or choose another port")


class PortBook:
    """The ports of one data directory by name. Names ask once per start; the book is saved at every change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known = read_json(path) or {}
        self._remembered = {name: port for name, port in known.items() if isinstance(port, int)}
        self._given: set[int] = set()

    def port(self, name: str, *, preferred: int | None = None, with_partner: bool = False) -> int:
        """The remembered port of `name` if still free, else `preferred` if free, else a new one, never given twice.

        `with_partner` also asks for the port 10000 above to be free (a server that derives one from the other).
        """
        remembered = self._remembered.get(name)
        for candidate in (remembered, preferred):
            if candidate is not None and self._can_be_had(candidate, with_partner=with_partner):
                return self._take(name, candidate, with_partner=with_partner)
        choice = random.SystemRandom()
        for _ in range(500):
            candidate = choice.randint(FIRST, LAST)
            if self._can_be_had(candidate, with_partner=with_partner):
                return self._take(name, candidate, with_partner=with_partner)
        raise PortTaken(f"no free port between {FIRST} and {LAST} was found for {name}; stop some servers")

    def _can_be_had(self, port: int, *, with_partner: bool) -> bool:
        """And is claimed then."""
        wanted = _wanted(port, with_partner=with_partner)
        if self._given.intersection(wanted) or not all(is_free(one) for one in wanted):
            return False
        return claim(wanted, str(self._path.absolute()))

    def _take(self, name: str, port: int, *, with_partner: bool) -> int:
        self._given.update(_wanted(port, with_partner=with_partner))
        if self._remembered.get(name) != port:
            self._remembered[name] = port
            write_private_json(self._path, self._remembered)
        return port


def _wanted(port: int, *, with_partner: bool) -> list[int]:
    return [port, port + PARTNER_OFFSET] if with_partner else [port]
