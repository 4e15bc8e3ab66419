"""What a benchmark runs against: a mailbox served by Dovecot, the real stack, and somewhere to submit answers."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from stack.demo_mail import DemoMail
from stack.layout import Layout
from stack.maildir import deliver
from stack.ports import HOST, PortBook
from stack.secrets import StackSecrets
from tests.servers.dovecot import Dovecot, dovecot_missing

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Mailbox:
    host: str
    port: int
    user: str
    password: str
    maildir: Path
    owner: Any  # the server, which knows how to deliver as the mailbox's user
    pid: int

    def deliver(self, raw: bytes) -> None:
        if isinstance(self.owner, Dovecot):
            self.owner.deliver(self.owner.accounts[self.user], raw)
        else:
            deliver(self.maildir, raw)


@asynccontextmanager
async def served_by_dovecot(port: int, tls_port: int) -> AsyncIterator[Mailbox]:
    missing = dovecot_missing()
    if missing:
        raise SystemExit(f"--server dovecot: {missing}; or use --server pymap")
    server = Dovecot(port, tls_port)
    await server.start()
    account = server.add_account("support@bench.example.com")
    try:
        yield Mailbox(
            HOST, port, account.user, account.password, account.maildir, server, imap_pid("dovecot")
        )
    finally:
        await server.stop()


@asynccontextmanager
async def mailroom(data: Path, *, demo_mail: bool) -> AsyncIterator[dict[str, Any]]:
    """A running `mailroom up` (or `demo`, for its pymap) over `data`; gives its stack.json."""
    environment = {**os.environ, "MAILROOM_EGRESS_ALLOW": f"{HOST}/32", "MAILROOM_LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "cli", "demo" if demo_mail else "up", "--data", str(data), "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=PROJECT, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    manifest = data / "stack.json"
    try:
        while not manifest.exists():
            if process.returncode is not None:
                raise SystemExit("mailroom did not start; its reason stands above")
            await asyncio.sleep(0.1)
        yield json.loads(manifest.read_text())
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


def imap_pid(mark: str) -> int:
    for process in psutil.Process().children(recursive=True):
        if any(mark in word for word in process.cmdline()[:3]):
            return process.pid
    raise SystemExit(f"no {mark} process below the benchmark: it cannot be measured")


@asynccontextmanager
async def submission(base: Path) -> AsyncIterator[dict[str, Any]]:
    """Somewhere to submit answers, as connecting checks it: the demo's SMTP server."""
    layout = Layout.at(base)
    layout.make()
    server = DemoMail(layout, PortBook(layout.ports), StackSecrets.make())
    await server.start()
    try:
        account = next(iter(server.accounts.values()))
        login = {"username": account.address, "password": account.password, "auth": "password"}
        yield {"host": server.host, "port": server.smtp_port, "security": "plain", **login}
    finally:
        await server.stop()
