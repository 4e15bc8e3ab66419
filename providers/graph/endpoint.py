"""Where Graph is, and which addresses that an answer names may be followed. The operator names the host, never a tenant."""

import logging
import ssl
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from providers.egress import EgressPolicy, tls_context
from providers.errors import ProtocolBroken

GRAPH = "https://graph.microsoft.com/v1.0/"
# Upload sessions of mail live beside Graph; their addresses are the permission and go there without a token.
UPLOAD_HOSTS = frozenset({"outlook.office.com", "outlook.office365.com"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def quoted(segment: str) -> str:
    """An id or address as one segment of a path: ids may hold `=`, `+` and `/`."""
    return quote(segment, safe="")


@dataclass(frozen=True, slots=True)
class GraphEndpoint:
    """`root_url` is Microsoft's unless the operator names another (national clouds); plain http is for this machine only.

    Make one and share it: loading the trusted authorities takes milliseconds. Raises ValueError for an unusable address.
    """

    root_url: str = GRAPH
    policy: EgressPolicy = field(default_factory=EgressPolicy)
    tls: ssl.SSLContext | None = None
    upload_hosts: frozenset[str] = UPLOAD_HOSTS

    def __post_init__(self) -> None:
        parts = urlsplit(self.root_url)
        if parts.scheme not in ("https", "http") or not parts.hostname or not self.root_url.endswith("/"):
            raise ValueError(
                "the Graph address must look like https://graph.microsoft.com/v1.0/ with a slash at its end"
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("the Graph address must use https; plain http carries the access token openly")
        # Both log the addresses of requests, in which mailboxes and search words stand (integrity X-52).
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        if self.tls is None:
            object.__setattr__(self, "tls", tls_context())

    def followed(self, link: object) -> str:
        """`link` unchanged if it stays under our own address, for links of pages and deltas, which are sent our token.

        Raises ProtocolBroken.
        """
        if not isinstance(link, str) or not self._is_own(link):
            raise ProtocolBroken("link_elsewhere")
        return link

    def uploaded_to(self, link: object) -> str:
        """`link` unchanged if an upload session may lie there. Raises ProtocolBroken."""
        if not isinstance(link, str):
            raise ProtocolBroken("link_elsewhere")
        parts, own = _split(link), _split(self.root_url)
        if parts.username is not None or "\\" in link:  # what two parsers may read as two hosts
            raise ProtocolBroken("link_elsewhere")
        there = (parts.scheme, parts.hostname, parts.port) == (own.scheme, own.hostname, own.port)
        if not there and not (
            parts.scheme == "https" and parts.port in (None, 443) and parts.hostname in self.upload_hosts
        ):
            raise ProtocolBroken("link_elsewhere")
        return link

    def _is_own(self, link: str) -> bool:
        parts, own = _split(link), _split(self.root_url)
        return (
            parts.scheme == own.scheme
            and parts.hostname == own.hostname
            and _port(parts.scheme, parts.port) == _port(own.scheme, own.port)
            and parts.username is None
            and parts.path.startswith(own.path)
            and "/../" not in parts.path
            and "\\" not in link
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    scheme: str
    hostname: str | None
    port: int | None
    username: str | None
    path: str


def _split(link: str) -> _Parts:
    try:
        parts = urlsplit(link)
        return _Parts(parts.scheme, parts.hostname, parts.port, parts.username, parts.path)
    except ValueError:
        raise ProtocolBroken("link_elsewhere") from None


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)
