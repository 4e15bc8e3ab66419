"""Opens one IMAP connection: checked address, TLS, sign-in, ID, and the extensions that syncing lives on.

Promises that no credential leaves before TLS is up (unless the account says "plain") and that nothing a server said
before TLS is believed afterwards (integrity X-23). What is done with the mailbox is left to `source.py`.
"""

import base64
import contextlib
import functools
import imaplib
import socket
import ssl

from imapclient import IMAPClient

from providers.egress import EgressPolicy, Purpose, checked_socket, refuse_unprotected, tls_context, wrap_tls
from providers.errors import AuthFailed, ProtocolBroken, ProviderError, TlsFailed, Unreachable
from providers.imap.account import ImapAccount
from providers.imap.arguments import text
from providers.imap.dialogue import Dialogue
from providers.imap.faults import bye_fault, login_fault
from providers.line_reader import LineReader

_GREETING_LIMIT = 1_000_000


class _CheckedImap4(imaplib.IMAP4):
    """imaplib on our socket and our reader. Keeps no log of commands, which would hold the password."""

    lines: LineReader

    def __init__(self, account: ImapAccount, policy: EgressPolicy, context: ssl.SSLContext | None) -> None:
        self._account = account
        self._policy = policy
        self._context = context
        super().__init__(account.host, account.port, account.connect_timeout)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        account = self._account
        self.host = host
        self.port = port
        sock = checked_socket(host, port, self._policy, timeout or account.connect_timeout, Purpose.IMAP)
        if account.security == "plain" or not account.verify_tls:
            refuse_unprotected(sock, self._policy)
        if account.security == "tls" and self._context is not None:
            sock = wrap_tls(sock, self._context, host)
        self.use_socket(sock)

    def use_socket(self, sock: socket.socket) -> None:
        self.sock = sock
        self.lines = LineReader(sock)

    def read(self, size: int) -> bytes:
        return self.lines.read(size)

    def readline(self) -> bytes:
        line = self.lines.readline(_GREETING_LIMIT)
        if len(line) > _GREETING_LIMIT:
            raise self.error("line too long")
        return line

    def shutdown(self) -> None:
        with contextlib.suppress(OSError):  # the other side may have closed first
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def _log(self, line: object) -> None:
        """Nothing: imaplib would remember the last ten commands, LOGIN among them (integrity X-52)."""


class _CheckedClient(IMAPClient):  # type: ignore[misc]  # imapclient ships no usable types
    def __init__(self, account: ImapAccount, policy: EgressPolicy, context: ssl.SSLContext | None) -> None:
        self._account = account
        self._policy = policy
        self._checked_context = context
        super().__init__(account.host, account.port, ssl=False, timeout=account.timeout)
        self._imap.debug = 0  # IMAPClient turns it up to 5, which formats every line for a logger
        self.folder_encode = False
        self.normalise_times = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802  # IMAPClient's own name for the method to override
        return _CheckedImap4(self._account, self._policy, self._checked_context)


class ImapConnection:
    """A signed-in connection. `capabilities` are upper-case words as announced after sign-in. Blocks."""

    def __init__(self, client: IMAPClient, imap: "_CheckedImap4") -> None:
        self.client = client
        self._imap = imap
        self.dialogue = Dialogue(imap.lines, imap.send, imap._new_tag)  # noqa: SLF001  # one tag series per connection
        self.capabilities: frozenset[str] = frozenset()
        self.qresync = False
        self.condstore = False

    @property
    def socket(self) -> socket.socket:
        return self._imap.sock

    def something_waiting(self) -> bool:
        return self._imap.lines.waiting()

    def use_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Upgrade. Bytes received before the handshake are dropped with the old reader, words said before too."""
        self._imap.use_socket(wrap_tls(self._imap.sock, context, host))
        self._imap.untagged_responses.clear()
        self.dialogue = Dialogue(self._imap.lines, self._imap.send, self._imap._new_tag)  # noqa: SLF001  # as above

    def ask_capabilities(self) -> None:
        answer = self.dialogue.run("CAPABILITY")
        capabilities, words = _announced(tuple(answer.lines(b"CAPABILITY")))
        if not words:
            raise ProtocolBroken("no_capabilities")
        self.capabilities = capabilities
        self.dialogue.literal_plus = "LITERAL+" in self.capabilities
        # IMAPClient's fetch, used as a fallback, decides by its own copy.
        self.client._cached_capabilities = words  # noqa: SLF001  # no setter exists

    def mark_selected(self, selected: bool) -> None:
        """Keep imaplib's idea of the state in step, else it refuses the fallback's FETCH as illegal."""
        self._imap.state = "SELECTED" if selected else "AUTH"

    def end(self) -> None:
        """Say LOGOUT and close. A server that is already gone is no error: closing was the aim."""
        with contextlib.suppress(ProviderError, OSError):
            self._imap.sock.settimeout(2.0)
            self.dialogue.start("LOGOUT")
        self.cut()

    def interrupt(self) -> None:
        """End a read under way in another thread. The descriptor stays ours until `cut`, so it cannot be reused early."""
        with contextlib.suppress(OSError):
            # Not SSLSocket.shutdown: that would take TLS away from under the reading thread.
            socket.socket.shutdown(self._imap.sock, socket.SHUT_RDWR)

    def cut(self) -> None:
        """Close at once, without a word. Only when no thread is reading."""
        self.interrupt()
        self._imap.sock.close()


@functools.lru_cache(maxsize=100)
def _announced(lines: tuple[bytes, ...]) -> tuple[frozenset[str], tuple[bytes, ...]]:
    """The words of a CAPABILITY answer, as ours and as IMAPClient's. Connections to servers of one kind share them: some forty
    words are a tenth of what an idle inbox costs.
    """
    words = [word for line in lines for word in line.decode("ascii", "replace").upper().split()]
    return frozenset(words), tuple(word.encode() for word in words)


def open_connection(account: ImapAccount, policy: EgressPolicy) -> ImapConnection:
    """Connect, secure, sign in, introduce ourselves, enable CONDSTORE or QRESYNC. Blocks.

    Raises EgressBlocked, Unreachable, TlsFailed, AuthFailed, AuthUnavailable, Throttled, ProtocolBroken.
    """
    context = None
    if account.security != "plain":
        context = tls_context(verify=account.verify_tls, ca_file=account.ca_file)
    connection = _connect(account, policy, context)
    try:
        if account.security == "starttls" and context is not None:
            _upgrade(connection, context, account.host)
        connection.ask_capabilities()
        _sign_in(connection, account)
        connection.ask_capabilities()  # they differ after sign-in on most servers
        _introduce(connection)
        _enable(connection)
        connection.socket.settimeout(account.timeout)
    except BaseException:
        connection.cut()
        raise
    return connection


def _connect(account: ImapAccount, policy: EgressPolicy, context: ssl.SSLContext | None) -> ImapConnection:
    try:
        client = _CheckedClient(account, policy, context)
    except imaplib.IMAP4.error as error:
        # imaplib raises the whole greeting line; a crowded server says BYE in it.
        raw = error.args[0] if error.args else b""
        words = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
        if "BYE" in words.upper()[:60]:
            raise bye_fault(words.upper().partition("BYE")[2]) from None
        if "EOF" in words or "socket error" in words:
            raise Unreachable(
                "server_closed", "The server closed the connection at once. Check port and security."
            ) from None
        raise ProtocolBroken(
            "not_imap", "The server does not speak IMAP on this port. Check the port number."
        ) from None
    except OSError:
        raise Unreachable(
            "greeting_timeout", "The server did not greet in time. Check port and security setting."
        ) from None
    return ImapConnection(client, client._imap)  # noqa: SLF001  # the connection object is IMAPClient's inside


def _upgrade(connection: ImapConnection, context: ssl.SSLContext, host: str) -> None:
    if connection.client._imap.state == "AUTH":  # noqa: SLF001  # PREAUTH greeting
        # A greeting of PREAUTH forbids STARTTLS; accepting it would let anyone on the path speak in clear text.
        raise TlsFailed("preauth_without_tls")
    answer = connection.dialogue.run("STARTTLS", check=False)
    if answer.status != "OK":
        raise TlsFailed(
            "starttls_refused", "The server does not offer STARTTLS on this port. Choose TLS or another port."
        )
    connection.use_tls(context, host)


def _sign_in(connection: ImapConnection, account: ImapAccount) -> None:
    user, secret = account.username, account.secret.reveal()
    if any(sign in user + secret for sign in "\r\n\x00"):
        raise AuthFailed(
            "credentials_malformed", "User name or password holds a line break. Enter them again."
        )
    capabilities = connection.capabilities
    if connection.client._imap.state == "AUTH":  # noqa: SLF001  # PREAUTH over TLS or plain: already signed in
        return
    sasl: bytes | None = None
    if account.auth == "xoauth2":
        if "AUTH=XOAUTH2" not in capabilities:
            raise AuthFailed(
                "xoauth2_not_offered", "The server does not offer sign-in with OAuth. Use a password."
            )
        mechanism = b"XOAUTH2"
        sasl = f"user={user}\x01auth=Bearer {secret}\x01\x01".encode()
    elif "LOGINDISABLED" in capabilities or not (user + secret).isascii():
        if "AUTH=PLAIN" not in capabilities:
            raise AuthFailed(
                "login_disabled", "The server refuses passwords on this connection. Choose TLS or STARTTLS."
            )
        mechanism = b"PLAIN"
        sasl = f"\x00{user}\x00{secret}".encode()
    if sasl is None:
        answer = connection.dialogue.run("LOGIN", text(user), text(secret), check=False)
    elif "SASL-IR" in capabilities:
        answer = connection.dialogue.run("AUTHENTICATE", mechanism, base64.b64encode(sasl), check=False)
    else:
        answer = connection.dialogue.run(
            "AUTHENTICATE", mechanism, continuations=(base64.b64encode(sasl),), check=False
        )
    if answer.status != "OK":
        raise login_fault(answer.words)
    connection.mark_selected(False)


def _introduce(connection: ImapConnection) -> None:
    # RFC 2971. Seen in practice: 163.com refuses SELECT with "Unsafe Login" until ID was sent; Gmail asks for it.
    if "ID" in connection.capabilities:
        connection.dialogue.run("ID", b'("name" "mailroom")', check=False)


def _enable(connection: ImapConnection) -> None:
    capabilities = connection.capabilities
    connection.condstore = "CONDSTORE" in capabilities or "QRESYNC" in capabilities
    if "QRESYNC" in capabilities and "ENABLE" in capabilities:
        answer = connection.dialogue.run("ENABLE", b"QRESYNC", check=False)
        enabled = b" ".join(answer.lines(b"ENABLED")).upper().split()
        connection.qresync = answer.status == "OK" and b"QRESYNC" in enabled
