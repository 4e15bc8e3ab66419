"""How to reach one IMAP account. A value; opening the connection is left to `connection.py`."""

from dataclasses import dataclass
from typing import Literal

from providers.secret import Secret


@dataclass(frozen=True, slots=True)
class ImapAccount:
    """Host, security and credentials of one mailbox.

    `security`: "tls" encrypts from the first byte (993), "starttls" upgrades (143), "plain" sends everything in the
    clear and is the operator's choice for a server in the same house. `auth`: with "xoauth2" the secret is an access
    token. `verify_tls` and `ca_file` (PEM) are for private certificate authorities. `timeout` is seconds per read.
    """

    host: str
    port: int
    security: Literal["tls", "starttls", "plain"]
    username: str
    secret: Secret
    auth: Literal["password", "xoauth2"] = "password"
    verify_tls: bool = True
    ca_file: str | None = None
    timeout: float = 60.0
    connect_timeout: float = 20.0
