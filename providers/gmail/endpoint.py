"""Where the Gmail API is, and its methods as Google's own client builds them from the discovery document it ships.

Nothing is fetched to build them. `root_url` replaces every address in the document: given only as `api_endpoint` the client
would still send batches and uploads to Google.
"""

import json
import logging
import ssl
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn
from urllib.parse import urlsplit

from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc

from providers.egress import EgressPolicy, tls_context

GOOGLE = "https://gmail.googleapis.com/"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class GmailEndpoint:
    """`root_url` is Google's unless the operator names another; plain http is for this machine only.

    Make one and share it: loading the trusted authorities takes milliseconds. Raises ValueError for an unusable address.
    """

    root_url: str = GOOGLE
    policy: EgressPolicy = field(default_factory=EgressPolicy)
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.root_url)
        if parts.scheme not in ("https", "http") or not parts.hostname or not self.root_url.endswith("/"):
            raise ValueError(
                "the Gmail address must look like https://gmail.googleapis.com/ with a slash at its end"
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("the Gmail address must use https; plain http carries the access token openly")
        if parts.scheme == "https" and self.tls is None:
            object.__setattr__(self, "tls", tls_context())

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: the only place that calls may go to."""
        parts = urlsplit(self.root_url)
        return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def api(self) -> "GmailApi":
        return _api(self.root_url)


@dataclass(frozen=True, slots=True)
class GmailApi:
    """The collections of methods. Building them is slow, calling them is quick and safe from any thread."""

    service: Any
    users: Any
    messages: Any
    threads: Any
    drafts: Any
    labels: Any
    history: Any
    send_as: Any


class _NoConnection:
    """What requests are built with; each is executed over a connection of its own, given with the call."""

    def request(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError("a Gmail request was executed without a connection")


@cache
def _api(root_url: str) -> GmailApi:
    # The client logs addresses, search words and bodies of error answers (integrity X-52).
    logging.getLogger("googleapiclient").setLevel(logging.CRITICAL + 1)
    document = json.loads(get_static_doc("gmail", "v1"))
    document["rootUrl"] = document["baseUrl"] = root_url
    document.pop("mtlsRootUrl", None)
    service = build_from_document(document, http=_NoConnection())
    users = service.users()
    return GmailApi(
        service=service,
        users=users,
        messages=users.messages(),
        threads=users.threads(),
        drafts=users.drafts(),
        labels=users.labels(),
        history=users.history(),
        send_as=users.settings().sendAs(),
    )
