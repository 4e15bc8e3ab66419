"""An SMTP server that does what a test says at any step: answer, refuse, hang up, reset, fall silent, talk nonsense.

It runs in a thread of its own, so that blocking clients can be tested from anywhere, and notes each accepted mail with
its Message-ID and hash. Unscripted it is a correct server: EHLO, STARTTLS, AUTH, SIZE, 8BITMIME, DSN.

    server.on("rcpt", Reply("550 5.1.1 no such user"), nth=2)     # the second recipient of a transaction
    server.on("dot", Close(), stored=True)                        # mail taken, the reply lost
    server.on("body", Reset(), after_bytes=5000)                  # connection reset inside the body
"""

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certificates import Certificates, make_certificates
from tests.servers.loop_end import end_everything
from tests.servers.smtp_script import (
    Accepted,
    Action,
    Close,
    Garbage,
    Phase,
    Reply,
    Reset,
    Rule,
    Silence,
    Slow,
)

__all__ = ["Accepted", "Action", "Close", "Garbage", "Phase", "Reply", "Reset", "Rule", "ScriptedSmtp", "Silence", "Slow"]

@dataclass(slots=True)
class _Transaction:
    mail_from: str | None = None
    mail_options: str = ""
    rcpt_tos: list[str] = field(default_factory=list)
    rcpt_options: list[str] = field(default_factory=list)
    rcpt_seen: int = 0


class _HangUp(Exception):
    """The script or the client ends the connection."""


class ScriptedSmtp:
    """The server. `port` speaks plain SMTP with STARTTLS when `offer_starttls`, `tls_port` implicit TLS.

    `users` maps names to passwords for PLAIN and LOGIN, `tokens` names to XOAUTH2 bearer tokens; with neither, AUTH is
    not offered. `accepted`, `commands` (verbs and arguments, AUTH without its secret), `connections` and how many of them
    have `ended` are records.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self.tls_port = 0
        self.users: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.extensions = ["PIPELINING", "SIZE 40000000", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8"]
        self.offer_starttls = False
        self.accepted: list[Accepted] = []
        self.commands: list[str] = []
        self.connections = 0
        self.ended = 0
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._directory = tempfile.TemporaryDirectory(prefix="mailroom-smtp-")
        self.certificates: Certificates = make_certificates(Path(self._directory.name))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted-smtp", daemon=True)

    def on(
        self,
        phase: Phase,
        action: Action,
        *,
        nth: int = 0,
        times: int = 0,
        after_bytes: int = 0,
        stored: bool | None = None,
    ) -> None:
        """Add a rule; the first that fits is used. `stored` says for "dot" whether the mail counts as accepted
        (default: when the reply is 2yz or as usual)."""
        with self._lock:
            self._rules.append(Rule(phase, action, nth, times, after_bytes, stored))

    def behave(self) -> None:
        """Forget the script: a correct server again."""
        with self._lock:
            self._rules.clear()

    async def start(self) -> None:
        self._thread.start()
        self._servers = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._listen(), self._loop))

    async def stop(self) -> None:
        if self._thread.is_alive():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(end_everything(self._servers), self._loop))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        self._directory.cleanup()

    async def _listen(self) -> "list[asyncio.Server]":
        plain = await asyncio.start_server(self._accept, self.host, self.port, limit=1 << 17)
        context = self.certificates.server_context()
        secure = await asyncio.start_server(self._accept, self.host, self.tls_port, limit=1 << 17, ssl=context)
        self.port = plain.sockets[0].getsockname()[1]
        self.tls_port = secure.sockets[0].getsockname()[1]
        return [plain, secure]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        session = _Session(self, reader, writer)
        try:
            await session.talk()
        except (_HangUp, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass  # every way a conversation ends; cancelled: the test is over
        finally:
            self.ended += 1
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
                await asyncio.wait_for(writer.wait_closed(), 2)

    def rule(self, phase: Phase, nth: int, received: int = 0) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                fits = rule.phase == phase and rule.nth in {0, nth} and received >= rule.after_bytes
                if fits and (rule.times == 0 or rule.used < rule.times):
                    rule.used += 1
                    return rule
        return None


class _Session:
    """One connection."""

    def __init__(self, server: ScriptedSmtp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.user = ""
        self.secure = writer.get_extra_info("ssl_object") is not None
        self.transaction = _Transaction()

    async def talk(self) -> None:
        await self._step("connect", "")
        await self._step("banner", "220 scripted.example.com ESMTP")
        while True:
            line = (await self.reader.readuntil(b"\n")).rstrip(b"\r\n").decode("utf-8", "replace")
            verb, _, argument = line.partition(" ")
            verb = verb.upper()
            self.server.commands.append("AUTH" if verb == "AUTH" else line)
            handler = getattr(self, f"_do_{verb.lower()}", None)
            if handler is None:
                await self._send("500 5.5.2 what?")
            else:
                await handler(argument)

    async def _do_ehlo(self, _argument: str) -> None:
        lines = ["scripted.example.com", *self.server.extensions]
        if self.server.offer_starttls and not self.secure:
            lines.append("STARTTLS")
        mechanisms = (["PLAIN", "LOGIN"] if self.server.users else []) + (["XOAUTH2"] if self.server.tokens else [])
        if mechanisms:
            lines.append("AUTH " + " ".join(mechanisms))
        text = "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
        self.transaction = _Transaction()
        await self._step("ehlo", text)

    async def _do_helo(self, _argument: str) -> None:
        self.transaction = _Transaction()
        await self._step("ehlo", "250 scripted.example.com")

    async def _do_starttls(self, _argument: str) -> None:
        if not self.server.offer_starttls or self.secure:
            await self._send("502 5.5.1 not offered")
            return
        code = await self._step("starttls", "220 2.0.0 go ahead")
        if code.startswith("220"):
            await self.writer.start_tls(self.server.certificates.server_context())
            self.secure = True

    async def _do_auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if mechanism.upper() == "LOGIN":
            user = initial or await self._ask("VXNlcm5hbWU6")
            name = _decoded(user).decode("utf-8", "replace")
            secret = _decoded(await self._ask("UGFzc3dvcmQ6")).decode("utf-8", "replace")
            good = self.server.users.get(name) == secret
        elif mechanism.upper() == "PLAIN":
            parts = _decoded(initial or await self._ask("")).split(b"\0")
            name, secret = (parts[-2].decode(), parts[-1].decode()) if len(parts) == 3 else ("", "")
            good = bool(name) and self.server.users.get(name) == secret
        else:
            # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
            match = re.fullmatch(rb"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01", _decoded(initial))
            name = match[1].decode() if match else ""
            good = match is not None and self.server.tokens.get(name) == match[2].decode()
        self.user = name if good else ""
        await self._step("auth", "235 2.7.0 welcome" if good else "535 5.7.8 authentication failed")

    async def _do_mail(self, argument: str) -> None:
        match = re.match(r"FROM:\s*<([^>]*)>\s*(.*)", argument, re.IGNORECASE)
        if match is None:
            await self._send("501 5.5.4 MAIL FROM:<address>")
            return
        answer = await self._step("mail", "250 2.1.0 OK")
        if answer.startswith("2"):
            self.transaction = _Transaction(mail_from=match[1], mail_options=match[2])

    async def _do_rcpt(self, argument: str) -> None:
        match = re.match(r"TO:\s*<([^>]*)>\s*(.*)", argument, re.IGNORECASE)
        if match is None or self.transaction.mail_from is None:
            await self._send("503 5.5.1 MAIL first, then RCPT TO:<address>")
            return
        self.transaction.rcpt_seen += 1
        answer = await self._step("rcpt", "250 2.1.5 OK", self.transaction.rcpt_seen)
        if answer.startswith("2"):
            self.transaction.rcpt_tos.append(match[1])
            self.transaction.rcpt_options.append(match[2])

    async def _do_data(self, _argument: str) -> None:
        if not self.transaction.rcpt_tos:
            await self._send("554 5.5.1 no valid recipients")
            return
        answer = await self._step("data", "354 go on")
        if not answer.startswith("3"):
            return
        raw = await self._body()
        transaction, self.transaction = self.transaction, _Transaction()
        rule = self.server.rule("dot", 0)
        action = rule.action if rule is not None else None
        stored = rule.stored if rule is not None else None
        if stored is None:
            stored = action is None or isinstance(action, Slow) or (isinstance(action, Reply) and action.text[0] == "2")
        if stored:
            # Before the reply, as RFC 5321 §4.2.5 demands: whoever answers 250 has the mail.
            self._accept(raw, transaction)
        await self._act(action, "250 2.0.0 queued")
        await self._step("accepted", "")

    async def _body(self) -> bytes:
        lines: list[bytes] = []
        received = 0
        while True:
            line = await self._line()
            received += len(line)
            rule = self.server.rule("body", 0, received)
            if rule is not None:
                await self._act(rule.action, "")
            if line == b".\r\n":
                return b"".join(lines)
            # RFC 5321 §4.5.2, transparency
            lines.append(line[1:] if line.startswith(b".") else line)

    async def _line(self) -> bytes:
        """A line that ends in CRLF, however long (a bare LF or CR ends none)."""
        parts: list[bytes] = []
        while True:
            try:
                parts.append(await self.reader.readuntil(b"\r\n"))
                return b"".join(parts)
            except asyncio.LimitOverrunError as error:
                parts.append(await self.reader.readexactly(error.consumed))

    async def _do_rset(self, _argument: str) -> None:
        self.transaction = _Transaction()
        await self._step("rset", "250 2.0.0 OK")

    async def _do_noop(self, _argument: str) -> None:
        await self._step("noop", "250 2.0.0 OK")

    async def _do_quit(self, _argument: str) -> None:
        await self._step("quit", "221 2.0.0 bye")
        raise _HangUp

    async def _ask(self, challenge: str) -> str:
        await self._send(f"334 {challenge}")
        return (await self.reader.readuntil(b"\n")).rstrip(b"\r\n").decode("ascii", "replace")

    async def _step(self, phase: Phase, usual: str, nth: int = 0) -> str:
        rule = self.server.rule(phase, nth)
        return await self._act(rule.action if rule is not None else None, usual)

    async def _act(self, action: Action | None, usual: str) -> str:
        """Carry out `action` (None: the usual reply) and return the reply that was sent, "" for none."""
        match action:
            case None:
                return await self._send(usual)
            case Reply(text):
                return await self._send(text)
            case Slow(seconds, each):
                await asyncio.sleep(seconds)
                return await self._send(usual, each)
            case Garbage(content):
                self.writer.write(content)
                await self.writer.drain()
                return ""
            case Close(first):
                self.writer.write(first)
                await self.writer.drain()
                raise _HangUp
            case Silence(seconds):
                await asyncio.sleep(seconds)
                raise _HangUp
            case Reset():
                sock = self.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.writer.transport.abort()
                raise _HangUp

    async def _send(self, text: str, each: float = 0.0) -> str:
        if not text:
            return ""
        content = (text + "\r\n").encode("utf-8")
        pieces: Iterable[bytes] = [content] if each == 0.0 else [bytes([byte]) for byte in content]
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(each)
        return text

    def _accept(self, raw: bytes, transaction: _Transaction) -> None:
        head = raw.split(b"\r\n\r\n", 1)[0] + b"\r\n"
        match = re.search(rb"^message-id:\s*(<[^>]*>)", head, re.IGNORECASE | re.MULTILINE)
        self.server.accepted.append(
            Accepted(
                message_id=match[1].decode("ascii", "replace") if match else "",
                sha256=hashlib.sha256(raw).hexdigest(),
                mail_from=transaction.mail_from or "",
                rcpt_tos=tuple(transaction.rcpt_tos),
                raw=raw,
                user=self.user,
                mail_options=transaction.mail_options,
                rcpt_options=tuple(transaction.rcpt_options),
            )
        )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
