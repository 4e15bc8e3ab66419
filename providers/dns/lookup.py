"""Asks DNS for one kind of record of one name, for a bounded time, and tells *there is none* from *nobody could say*.

The name servers are the operator's; what a tenant chooses is only the name that is asked for.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

Kind = Literal["TXT", "MX", "CNAME"]
SECONDS = 4.0
PAYLOAD = 1232  # octets: fits into every path's packets; what is longer comes over TCP (RFC 7766 §5)
MOST_VALUES = 50
LONGEST = 2000  # characters: a DKIM key of 4096 bits takes 750


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """`values`: TXT with its strings joined, MX as `preference host`, CNAME as the name, all printable ASCII. `trouble` is
    None when the answer is sure, also when it is empty.
    """

    values: tuple[str, ...] = ()
    trouble: str | None = None


def read_server(text: str) -> tuple[str, int]:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. Raises ValueError."""
    address, port = text, "53"
    if text.startswith("["):
        address, closing, rest = text[1:].partition("]")
        port = (rest.removeprefix(":") or "53") if closing else ""
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("a name server is an address, with `:port` where it is not 53")
    return str(ipaddress.ip_address(address)), int(port)


class DnsLookup:
    """`servers` as for `read_server`; none means those of this machine (`/etc/resolv.conf`). `seconds` bounds one look-up
    with all its tries over UDP and TCP.
    """

    def __init__(self, servers: Sequence[str] = (), *, seconds: float = SECONDS) -> None:
        self._servers = [read_server(s) for s in servers]
        self._seconds = seconds
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def ask(self, name: str, kind: Kind) -> DnsAnswer:
        """Never raises for what DNS answers or fails to."""
        try:
            absolute = dns.name.from_text(name.rstrip(".") + ".")
            answer = await self._made().resolve(absolute, kind, search=False, lifetime=self._seconds)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return DnsAnswer()
        except dns.resolver.LifetimeTimeout:
            return DnsAnswer(trouble="no answer in time")
        except dns.resolver.NoNameservers:
            return DnsAnswer(trouble="the name servers report a failure")
        except (dns.exception.DNSException, OSError) as error:
            return DnsAnswer(trouble=type(error).__name__)
        values = sorted(_text(record, kind) for record in answer)
        return DnsAnswer(tuple(v[:LONGEST] for v in values[:MOST_VALUES]))

    def _made(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in self._servers]
            resolver.timeout = self._seconds / 2
            resolver.use_edns(0, 0, PAYLOAD)
            self._resolver = resolver
        return self._resolver


def _text(record: Any, kind: Kind) -> str:
    if kind == "MX":
        return f"{record.preference} {record.exchange.to_text()}"
    if kind == "CNAME":
        return str(record.target.to_text())
    joined = b"".join(record.strings).decode("utf-8", "backslashreplace")
    # Anybody may publish anything: control characters would break a column, a page or a terminal.
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in joined)
