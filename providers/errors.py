"""What can go wrong between us and a provider, as exceptions that are safe to log, store and show.

Neither `reason` nor `sentence` ever holds an address, a secret or a server's own words. Whether to try again is
said by `transient`; when and how often is left to the caller.
"""

# errors say what happened, in the words of the field
from typing import ClassVar


class ProviderError(Exception):
    """A provider could not do what was asked.

    `reason` is a stable machine phrase (lower case, underscores), `sentence` tells a person what happened and what to
    do. `transient` means that the same request may succeed later without anybody changing anything. `retry_after` is
    in seconds, where the provider named a time.
    """

    reason: str = "provider_error"
    sentence: str = (
        "The provider could not complete the request. Try again; if it persists, look at its status page."
    )
    transient: ClassVar[bool] = True

    def __init__(
        self,
        reason: str | None = None,
        sentence: str | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        self.reason = reason or type(self).reason
        self.sentence = sentence or type(self).sentence
        self.retry_after = retry_after
        super().__init__(f"{self.reason}: {self.sentence}")


class AuthFailed(ProviderError):
    """The credentials were refused. Trying again with the same ones locks accounts (integrity I-13)."""

    reason = "auth_failed"
    sentence = (
        "The server refused the sign-in. Check user name and password (many providers want an app password), "
        "or connect the account again."
    )
    transient = False


class AuthUnavailable(ProviderError):
    """The server could not check the credentials just now (RFC 5530 UNAVAILABLE, SMTP 454). They may be right."""

    reason = "auth_unavailable"
    sentence = (
        "The server cannot check sign-ins at the moment. Nothing needs to be changed; it will be tried again."
    )


class Unreachable(ProviderError):
    """No connection, or the connection ended before the answer."""

    reason = "unreachable"
    sentence = (
        "The server could not be reached or closed the connection. Check host name and port if it persists."
    )


class Throttled(ProviderError):
    """The provider asks us to slow down, or too many connections are open."""

    reason = "throttled"
    sentence = "The server limits how often or how many times we may connect. It will be tried again later."


class FolderGone(ProviderError):
    """The folder was renamed, deleted or is closed to us. It may come back: park it, keep its messages."""

    reason = "folder_gone"
    sentence = "The folder no longer exists on the server or may not be opened. Choose the folder again if it was renamed."
    transient = False


class NotThere(ProviderError):
    """No such mail, draft, label, folder or subscription. Mostly normal: it was moved or deleted while we looked elsewhere."""

    reason = "not_found"
    sentence = "This is no longer in the mailbox."
    transient = False


class ProtocolBroken(ProviderError):
    """The server answered something that the protocol does not allow; nothing may be concluded from it."""

    reason = "protocol_broken"
    sentence = (
        "The server gave an answer that cannot be understood. It will be tried again on a new connection."
    )


class Refused(ProviderError):
    """The server, or a rule of the protocol, finally says no to this request."""

    reason = "refused"
    sentence = "The server refuses this request for good. Trying the same again will not help."
    transient = False


class EgressBlocked(ProviderError):
    """The destination is not one that this installation may connect to (integrity X-20 to X-22)."""

    reason = "egress_blocked"
    sentence = (
        "This host or port is not allowed as a destination. Use a public host and a standard port, "
        "or ask the operator to allow it."
    )
    transient = False


class TlsFailed(ProviderError):
    """No trustworthy encrypted connection: bad certificate, or STARTTLS not offered. Never downgraded."""

    reason = "tls_failed"
    sentence = (
        "No secure connection could be made: the certificate is not valid for this host, or the server does not "
        "offer TLS on this port. Check host name, port and security setting."
    )
    transient = False


class TooLarge(ProviderError):
    """The item is larger than the server or we accept."""

    reason = "too_large"
    sentence = "The item is larger than the server accepts. Make it smaller, for example by sharing a link instead of a file."
    transient = False
