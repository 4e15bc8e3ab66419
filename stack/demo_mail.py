"""Demo mail: real IMAP (pymap over maildirs) and real SMTP (aiosmtpd) for a list of local accounts, on loopback.

Both are processes of their own. Passwords are derived from the data directory's secret, so they stay the same over
restarts. Nothing here reaches another machine.
"""

import asyncio
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pysasl.hashing import BuiltinHash

from stack.layout import Layout
from stack.maildir import deliver, make_maildir
from stack.ports import HOST, PortBook
from stack.private_file import write_private_json
from stack.probes import banner_ready
from stack.process import Command, PartFailed, SupervisedProcess, plain_environment
from stack.python_part import PROJECT
from stack.secrets import StackSecrets

READY_WITHIN = 30.0
HASH_ROUNDS = 2_000  # a loopback toy: a quick login matters more than a slow guess

DEFAULT_ADDRESSES = (
    "support@mailroom.example.com",
    "ada@customers.example.com",
    "grace@customers.example.com",
    "linus@customers.example.org",
    "barbara@customers.example.org",
)
DEFAULT_REPLIES: Mapping[str, str] = {
    "refused@customers.example.com": "550 5.1.1 The mailbox does not exist",
    "later@customers.example.com": "451 4.7.1 Greylisted, please try again later",
}


@dataclass(frozen=True, slots=True)
class MailAccount:
    """One demo mailbox: the address is the user name of both IMAP and SMTP."""

    address: str
    password: str
    maildir: Path

    def __repr__(self) -> str:
        return f"MailAccount({self.address!r})"


class DemoMail:
    """The demo mail part. `accounts` by address; `replies` are answers to RCPT for addresses without a mailbox."""

    name = "demo-mail"

    def __init__(
        self,
        layout: Layout,
        ports: PortBook,
        secrets: StackSecrets,
        *,
        addresses: tuple[str, ...] = DEFAULT_ADDRESSES,
        replies: Mapping[str, str] = DEFAULT_REPLIES,
    ) -> None:
        self.host = HOST
        self.imap_port = ports.port("demo-imap")
        self.smtp_port = ports.port("demo-smtp")
        self.accounts = {
            address: MailAccount(address, secrets.demo_mail_password(address), layout.mail / address)
            for address in addresses
        }
        self._replies = {address.lower(): reply for address, reply in replies.items()}
        self._secrets = secrets
        self._base = layout.mail
        self._smtp_config = layout.mail / "smtp.json"
        python_path = {"PYTHONPATH": str(PROJECT)}
        self._imap = SupervisedProcess(
            "demo-imap",
            Command(
                argv=(
                    sys.executable, "-m", "stack.demo_imap",
                    "--host", HOST, "--port", str(self.imap_port), "--no-tls", "maildir", str(layout.mail),
                ),
                env={**plain_environment(layout.mail), **python_path},
                cwd=layout.mail,
                stop=((signal.SIGTERM, 2.0),),
            ),
            log=layout.log("demo-imap"),
            hold=layout.hold("demo-imap"),
        )  # fmt: skip
        self._smtp = SupervisedProcess(
            "demo-smtp",
            Command(
                argv=(sys.executable, "-m", "stack.demo_smtp", str(self._smtp_config)),
                env={**plain_environment(layout.mail), **python_path},
                cwd=layout.mail,
                stop=((signal.SIGTERM, 2.0),),
            ),
            log=layout.log("demo-smtp"),
            hold=layout.hold("demo-smtp"),
        )

    def deliver(
        self, address: str, raw: bytes, *, folder: str | None = None, received: datetime | None = None, seen: bool = False
    ) -> None:
        """Put a mail straight into an account's mailbox, e.g. history. Raises KeyError for an unknown address."""
        deliver(self.accounts[address].maildir, raw, folder=folder, received=received, seen=seen)

    def add_account(self, address: str) -> MailAccount:
        """Open a mailbox, also while the servers run. An existing one is returned as it is."""
        if address not in self.accounts:
            password = self._secrets.demo_mail_password(address)
            self.accounts[address] = MailAccount(address, password, self._base / address)
            self._write_accounts()
        return self.accounts[address]

    def set_reply(self, address: str, reply: str | None) -> None:
        """Answer RCPT for `address` with `reply` ("550 5.1.1 …", "451 4.7.1 …") from now on; None: as usual again."""
        self._replies.pop(address.lower(), None)
        if reply is not None:
            self._replies[address.lower()] = reply
        self._write_accounts()

    async def start(self) -> None:
        self._write_accounts()
        await asyncio.gather(self._imap.start(), self._smtp.start())
        await asyncio.gather(
            self._imap.ready(banner_ready(HOST, self.imap_port, b"* OK"), READY_WITHIN),
            self._smtp.ready(banner_ready(HOST, self.smtp_port, b"220"), READY_WITHIN),
        )

    async def stop(self) -> None:
        await asyncio.gather(self._imap.stop(), self._smtp.stop())

    async def wait_for_crash(self) -> PartFailed:
        watches = [asyncio.create_task(process.wait_for_crash()) for process in (self._imap, self._smtp)]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for watch in watches:
                watch.cancel()

    def _write_accounts(self) -> None:
        """The user lists of both servers. Mailboxes are made if missing and never emptied."""
        hasher = BuiltinHash(rounds=HASH_ROUNDS)
        users, passwords = [], []
        for account in self.accounts.values():
            make_maildir(account.maildir)
            users.append(f"{account.address}:x:::{account.address}:{account.maildir.name}:\n")
            passwords.append(f"{account.address}:{hasher.hash(account.password)}:::::::\n")
        for name, lines in (("passwd", users), ("shadow", passwords), ("group", [])):
            path = self._base / f"pymap-etc-{name}"
            fresh = path.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_text("".join(lines), encoding="utf-8")
            fresh.replace(path)
        write_private_json(
            self._smtp_config,
            {
                "host": HOST,
                "port": self.smtp_port,
                "passwords": {account.address.lower(): account.password for account in self.accounts.values()},
                "maildirs": {account.address.lower(): str(account.maildir) for account in self.accounts.values()},
                "replies": self._replies,
            },
        )
