"""Mail servers for a rig: the team's mailbox on Dovecot (pymap where it is missing), and a submission server that takes notes."""

import datetime as dt
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack.demo_mail import DemoMail
from stack.layout import Layout
from stack.ports import HOST, PortBook
from stack.secrets import StackSecrets
from tests.faults.mailbox_truth import FolderTruth, read_folder, signed_in
from tests.servers.dovecot import Dovecot, dovecot_missing
from tests.servers.scripted_smtp import ScriptedSmtp

FOLDERS = ("INBOX", "Sent")
USER, PASSWORD = "submission", "let-me-out"


@dataclass(frozen=True, slots=True)
class PostBox:
    """One mailbox of the team. `owner` is the server that keeps it."""

    address: str
    password: str
    port: int
    owner: Any

    def put(self, raw: bytes, *, folder: str | None = None, received: dt.datetime | None = None, seen: bool = False) -> None:
        if isinstance(self.owner, Dovecot):
            self.owner.deliver(self.owner.accounts[self.address], raw, folder=folder, received=received, seen=seen)
        else:
            self.owner.deliver(self.address, raw, folder=folder, received=received, seen=seen)

    @property
    def imap(self) -> dict[str, Any]:
        return {"host": HOST, "port": self.port, "username": self.address, "password": self.password}

    def truth(self) -> dict[str, FolderTruth]:
        """Everything that lies in the folders that are synced."""
        with signed_in(HOST, self.port, self.address, self.password) as client:
            read = {path: read_folder(client, path) for path in FOLDERS}
        return {path: folder for path, folder in read.items() if folder is not None}

    def counts(self) -> dict[str, int]:
        """How many mails each folder lists now."""
        found = {}
        with signed_in(HOST, self.port, self.address, self.password) as client:
            for path in FOLDERS:
                answer, listed = client.select(f'"{path}"', readonly=True)
                if answer == "OK":
                    found[path] = int(listed[0] or b"0")
        return found


@dataclass(frozen=True, slots=True)
class PostOffice:
    """Makes mailboxes; `smtp` takes the team's mail. `secure_port` is IMAP over TLS, None where there is none."""

    owner: Any
    port: int
    smtp: ScriptedSmtp
    secure_port: int | None = None
    made: list[PostBox] = field(default_factory=list)

    def box(self, address: str) -> PostBox:
        return self.boxes([address])[0]

    def boxes(self, addresses: Sequence[str]) -> list[PostBox]:
        """New empty mailboxes."""
        accounts = [self.owner.add_account(address) for address in addresses]
        boxes = [PostBox(address, one.password, self.port, self.owner) for address, one in zip(addresses, accounts, strict=True)]
        if isinstance(self.owner, Dovecot):
            time.sleep(1.2)  # it looks at its list of users at most once in a second
        self.made.extend(boxes)
        return boxes

    @property
    def submission(self) -> dict[str, Any]:
        return {"host": HOST, "port": self.smtp.port, "username": USER, "password": PASSWORD}


@asynccontextmanager
async def post_office(directory: Path) -> AsyncIterator[PostOffice]:
    """Servers over `directory`, stopped at the end."""
    ports = PortBook(directory / "post-ports.json")
    async with AsyncExitStack() as stack:
        smtp = ScriptedSmtp(HOST)
        smtp.users = {USER: PASSWORD}
        await smtp.start()
        stack.push_async_callback(smtp.stop)
        if dovecot_missing() is None:
            dovecot = Dovecot(ports.port("imap"), ports.port("imaps"))
            await dovecot.start()
            stack.push_async_callback(dovecot.stop)
            yield PostOffice(dovecot, dovecot.port, smtp, dovecot.tls_port)
            return
        layout = Layout.at(directory / "post")
        layout.make()
        demo = DemoMail(layout, ports, StackSecrets.make())
        await demo.start()
        stack.push_async_callback(demo.stop)
        yield PostOffice(demo, demo.imap_port, smtp)
