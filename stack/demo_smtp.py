"""The demo's SMTP server: `python -m stack.demo_smtp CONFIG.json`. Delivers into the maildirs of local accounts.

It takes mail for its accounts from anybody and refuses every other recipient, so no mail ever leaves the machine.
Chosen addresses answer with a set reply instead, to show refusals and delays. Accounts and replies may change while it
runs: it reads its file again whenever that was replaced.
"""

import asyncio
import hmac
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from stack.maildir import deliver

SIZE_LIMIT = 40_000_000


@dataclass(frozen=True, slots=True)
class SmtpConfig:
    """`passwords` and `maildirs` by lower-case address; `replies` to RCPT by lower-case address, e.g. "550 5.1.1 …"."""

    host: str
    port: int
    passwords: Mapping[str, str]
    maildirs: Mapping[str, Path]
    replies: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> "SmtpConfig":
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            host=content["host"],
            port=content["port"],
            passwords=content["passwords"],
            maildirs={address: Path(place) for address, place in content["maildirs"].items()},
            replies=content["replies"],
        )


class LiveConfig:
    """The configuration file as it is now. It is replaced atomically, so a half-written one is never read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._config: SmtpConfig | None = None

    def now(self) -> SmtpConfig:
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        if self._config is None or stamp != self._stamp:
            self._config, self._stamp = SmtpConfig.read(self._path), stamp
        return self._config


class Delivery:
    """aiosmtpd's handler: recipients are judged one by one, a mail is stored for all of them before the 250."""

    def __init__(self, config: LiveConfig) -> None:
        self._config = config

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        config = self._config.now()
        key = address.lower()
        if key in config.replies:
            return config.replies[key]
        if key not in config.maildirs:
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Dies it between two recipients, the sender got no reply and may send again: the usual SMTP duplicate."""
        content = envelope.content
        if not isinstance(content, bytes):
            return "451 4.3.0 No content"
        raw = f"Return-Path: <{envelope.mail_from}>\r\n".encode("utf-8", "surrogateescape") + content
        maildirs = self._config.now().maildirs
        for place in dict.fromkeys(maildirs[address.lower()] for address in envelope.rcpt_tos):
            await asyncio.to_thread(deliver, place, raw)
        return "250 2.0.0 Delivered"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        """Answer aiosmtpd's question: PLAIN and LOGIN against the accounts' passwords, in constant time."""
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        known = self._config.now().passwords.get(data.login.decode("utf-8", "replace").lower(), "")
        return AuthResult(success=bool(known) and hmac.compare_digest(known.encode(), data.password), handled=False)


async def serve(path: Path) -> None:
    """Listen until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    live = LiveConfig(path)
    config, handler = live.now(), Delivery(live)

    def protocol() -> SMTP:
        return SMTP(
            handler,
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="Mailroom demo mail",
            authenticator=handler.authenticate,
            auth_require_tls=False,  # loopback only
            loop=loop,
        )

    server = await loop.create_server(protocol, config.host, config.port)
    async with server:
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
