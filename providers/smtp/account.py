"""How to reach one SMTP submission server. A value; the talking is left to `sender.py`."""

from dataclasses import dataclass
from typing import Literal

from providers.secret import Secret


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """Host, security and credentials of a submission server (RFC 6409). Without `username` there is no sign-in.

    `security` as for IMAP: "tls" is implicit TLS (465), "starttls" upgrades (587), "plain" is the operator's choice.
    Times are in seconds: RFC 5321 §4.5.3.2 wants at least 300 for a command and 600 for the reply to the final dot,
    because giving up early on the dot is how mails are sent twice.
    """

    host: str
    port: int
    security: Literal["tls", "starttls", "plain"]
    username: str | None = None
    secret: Secret | None = None
    auth: Literal["password", "xoauth2"] = "password"
    verify_tls: bool = True
    ca_file: str | None = None
    connect_timeout: float = 60.0
    command_timeout: float = 300.0
    dot_timeout: float = 630.0
    ehlo_name: str | None = None
