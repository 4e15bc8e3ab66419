"""One SMTP connection, step by step: greeting, EHLO, STARTTLS, sign-in, envelope, body, final dot. Blocks.

smtplib is not used because it hides what decides here: it closes the connection before an early 421 can be read,
invents a 500 of its own for long lines, and sends body and final dot in one go. Which step comes when, and what an
outcome means, is left to `sender.py`.
"""

import base64
import contextlib
import re
import select
import socket

from providers.egress import EgressPolicy, Purpose, checked_socket, refuse_unprotected, tls_context, wrap_tls
from providers.errors import (
    AuthFailed,
    AuthUnavailable,
    ProviderError,
    Refused,
    TlsFailed,
    Unreachable,
)
from providers.line_reader import LineReader
from providers.smtp.account import SmtpAccount
from providers.smtp.replies import Reply, read_reply

_FORBIDDEN = re.compile(r"[\r\n\x00]")
_BLOCK = 64 * 1024
_KEYWORD = re.compile(r"[A-Z0-9][A-Z0-9-]*", re.IGNORECASE)


class ReplyRefused(Exception):
    """The server answered a step with a code that ends the attempt. `fault` names it for callers without outcomes."""

    def __init__(self, reply: Reply, fault: ProviderError) -> None:
        super().__init__(f"the server answered {reply.code}")
        self.reply = reply
        self.fault = fault


class SmtpSession:
    """An SMTP connection in the making. After any exception only `drop` may be called."""

    def __init__(self, account: SmtpAccount, policy: EgressPolicy) -> None:
        self._account = account
        self._policy = policy
        self._sock: socket.socket | None = None
        self._lines: LineReader | None = None
        self._dropped = False
        self.extensions: dict[str, str] = {}

    def open(self) -> None:
        """Connect, greet, secure. Raises ReplyRefused, EgressBlocked, Unreachable, TlsFailed, ProtocolBroken."""
        account = self._account
        context = None
        if account.security != "plain":
            context = tls_context(verify=account.verify_tls, ca_file=account.ca_file)
        sock = checked_socket(account.host, account.port, self._policy, account.connect_timeout, Purpose.SMTP)
        if account.username is not None and (account.security == "plain" or not account.verify_tls):
            refuse_unprotected(sock, self._policy)
        if account.security == "tls" and context is not None:
            sock = wrap_tls(sock, context, account.host)
        self._use(sock)
        if self._dropped:
            self._close()
            raise Unreachable("interrupted", "The attempt was called off while connecting.")
        greeting = self._reply()
        if greeting.code != 220:
            raise ReplyRefused(
                greeting, Unreachable("greeting_refused", "The server does not accept connections now.")
            )
        self._socket().settimeout(account.command_timeout)
        self._hello()
        if account.security == "starttls" and context is not None:
            if "STARTTLS" not in self.extensions:
                raise TlsFailed(
                    "starttls_missing", "The server does not offer STARTTLS. Choose TLS or another port."
                )
            answer = self.command("STARTTLS")
            if answer.code != 220:
                raise ReplyRefused(answer, TlsFailed("starttls_refused"))
            # A new reader: bytes that came with the 220 were never protected and are dropped (RFC 3207 §6, X-23).
            self._use(wrap_tls(self._socket(), context, account.host))
            self._hello()

    def sign_in(self) -> None:
        """AUTH, if the account has credentials. Raises ReplyRefused, AuthFailed, Unreachable, ProtocolBroken."""
        account = self._account
        if account.username is None or account.secret is None:
            return
        user, secret = account.username, account.secret.reveal()
        if _FORBIDDEN.search(user + secret):
            raise AuthFailed(
                "credentials_malformed", "User name or password holds a line break. Enter them again."
            )
        offered = self.extensions.get("AUTH", "").upper().split()
        if account.auth == "xoauth2":
            if "XOAUTH2" not in offered:
                raise AuthFailed(
                    "xoauth2_not_offered", "The server does not offer sign-in with OAuth. Use a password."
                )
            reply = self.command("AUTH XOAUTH2", _b64(f"user={user}\x01auth=Bearer {secret}\x01\x01"))
            if reply.code == 334:
                reply = self.command("")  # the reason came as a challenge; an empty line asks for the verdict
        elif "PLAIN" in offered:
            reply = self.command("AUTH PLAIN", _b64(f"\x00{user}\x00{secret}"))
        elif "LOGIN" in offered:
            reply = self.command("AUTH LOGIN")
            for answer in (user, secret):
                if reply.code == 334:
                    reply = self.command(_b64(answer))
        else:
            raise AuthFailed(
                "no_sign_in_offered", "The server offers no password sign-in here. Choose TLS or STARTTLS."
            )
        if reply.code != 235:
            raise ReplyRefused(reply, AuthUnavailable() if reply.refusal == "deferred" else AuthFailed())

    def mail_from(self, path: str, parameters: list[str]) -> Reply:
        return self.command(" ".join([f"MAIL FROM:<{path}>", *parameters]))

    def rcpt_to(self, path: str) -> Reply:
        return self.command(f"RCPT TO:<{path}>")

    def data(self) -> Reply:
        return self.command("DATA")

    def send_body(self, stuffed: bytes) -> Reply | None:
        """Send the body without its end. Returns the server's reply if it spoke up early: then nothing was accepted.

        In blocks, each with the command's time (RFC 5321 §4.5.3.2.5): Python's `sendall` holds its time-out against the
        whole of what it is given, so a large mail on a slow line could never be sent.
        """
        whole = memoryview(stuffed)
        try:
            for start in range(0, len(whole), _BLOCK):
                self._socket().sendall(whole[start : start + _BLOCK])
        except OSError:
            # Perhaps it said why before it closed.
            with contextlib.suppress(OSError, ProviderError):
                self._socket().settimeout(2.0)
                return self._reply()
            raise Unreachable("connection_lost") from None
        return self.early_reply()

    def early_reply(self) -> Reply | None:
        """A reply nobody asked for, such as 421 or 552, if one is waiting."""
        if not self._reader().waiting() and not select.select([self._socket()], [], [], 0)[0]:
            return None
        return self._reply()

    def send_dot(self) -> None:
        """Send the end of the body. From here on a missing reply means that the outcome is unknown."""
        self._socket().settimeout(self._account.dot_timeout)
        try:
            self._socket().sendall(b"\r\n.\r\n")
        except OSError:
            raise Unreachable("connection_lost") from None

    def dot_reply(self) -> Reply:
        return self._reply()

    def end(self) -> None:
        """Say QUIT and close. What the server answers changes nothing any more, so errors here are of no interest."""
        with contextlib.suppress(OSError, ProviderError):
            self._socket().settimeout(2.0)
            self.command("QUIT")
        self._close()

    def command(self, verb: str, argument: str = "") -> Reply:
        """Send one line and read its reply. ValueError if it would be more than one line (integrity X-30)."""
        line = f"{verb} {argument}" if argument else verb
        if _FORBIDDEN.search(line):
            raise ValueError("an SMTP command must not hold CR, LF or NUL")
        try:
            self._socket().sendall(line.encode("utf-8") + b"\r\n")
        except OSError:
            with contextlib.suppress(OSError, ProviderError):
                self._socket().settimeout(2.0)
                return self._reply()
            raise Unreachable("connection_lost") from None
        return self._reply()

    def drop(self) -> None:
        """Close without a word: whatever was not confirmed did not happen (RFC 5321 §4.1.1.4). Not while reading."""
        self._dropped = True
        self._close()

    def interrupt(self) -> None:
        """From another thread: end what is being read or connected, without freeing the descriptor under the reader."""
        self._dropped = True
        if self._sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _hello(self) -> None:
        name = self._account.ehlo_name or _address_literal(self._socket())
        reply = self.command("EHLO", name)
        if 500 <= reply.code < 505:
            reply = self.command("HELO", name)  # a server without extensions (RFC 5321 §3.2)
            self.extensions = {}
        else:
            self.extensions = _extensions(reply)
        if not reply.positive:
            raise ReplyRefused(
                reply, Refused("hello_refused", "The server does not accept mail from this machine.")
            )

    def _use(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lines = LineReader(sock)

    def _reply(self) -> Reply:
        return read_reply(self._reader())

    def _reader(self) -> LineReader:
        if self._lines is None:
            raise Unreachable("connection_lost")
        return self._lines

    def _socket(self) -> socket.socket:
        if self._sock is None:
            raise Unreachable("connection_lost")
        return self._sock

    def _close(self) -> None:
        sock, self._sock, self._lines = self._sock, None, None
        if sock is not None:
            sock.close()


def _extensions(reply: Reply) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword = _KEYWORD.match(line)
        if keyword is None:
            continue
        # "AUTH=LOGIN" is how servers of the nineties wrote it, and some still do beside "AUTH LOGIN".
        name, rest = keyword.group().upper(), line[keyword.end() :].lstrip("= ")
        found[name] = f"{found[name]} {rest}" if name in found else rest
    return found


def _b64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _address_literal(sock: socket.socket) -> str:
    """RFC 5321 §4.1.3. A submission client has no name of its own, and asking the resolver for one may take seconds."""
    address = str(sock.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
