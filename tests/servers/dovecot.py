"""Dovecot as a test server: CONDSTORE, QRESYNC, SPECIAL-USE, NOTIFY, on a plain and a TLS port of localhost.

Runs as root (mailboxes then belong to `nobody`) and as an ordinary user. Accounts are added while it runs.
"""

import asyncio
import contextlib
import getpass
import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from stack.maildir import deliver
from stack.probes import banner_ready
from tests.servers.certificates import Certificates, make_certificates

HOST = "127.0.0.1"
PROGRAM = "dovecot"
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"])

CONFIG = """
base_dir = {root}/run
state_dir = {root}/run
instance_name = {instance}
log_path = {root}/dovecot.log
protocols = imap
listen = {host}
ssl = yes
ssl_cert = <{chain}
ssl_key = <{key}
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Lu
mail_location = maildir:{root}/mail/%u
mailbox_list_index = yes
mail_max_userip_connections = 200
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_login_user = {login_user}
default_process_limit = 200
default_client_limit = 1000
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%Lu {root}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
  mailbox Archive {{
    special_use = \\Archive
    auto = subscribe
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = {host}
    port = {port}
  }}
  inet_listener imaps {{
    address = {host}
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap {{
  process_limit = 400
}}
protocol imap {{
  mail_max_userip_connections = 200
  imap_idle_notify_interval = 2 mins
}}
"""


def dovecot_missing() -> str | None:
    """Why the Dovecot tests cannot run here; None when they can."""
    if shutil.which(PROGRAM, path=SEARCH) is None:
        return "Dovecot is not installed on this machine (Debian: apt-get install dovecot-imapd)"
    return None


@dataclass(frozen=True, slots=True)
class DovecotAccount:
    """One mailbox. `maildir` is its Maildir++ directory."""

    user: str
    password: str
    maildir: Path


@dataclass
class Dovecot:
    """The server. `port` is plain with STARTTLS, `tls_port` implicit TLS; clients trust `certificates.authority`."""

    port: int
    tls_port: int
    host: str = HOST
    accounts: dict[str, DovecotAccount] = field(default_factory=dict)

    async def start(self) -> None:
        # Not below pytest's directory, which only its owner may walk through.
        self._root = Path(tempfile.mkdtemp(prefix="mailroom-dovecot-"))
        self._root.chmod(0o711)
        self._uid, self._gid = os.geteuid(), os.getegid()
        internal_user = login_user = getpass.getuser() if self._uid else "dovecot"
        internal_group = grp.getgrgid(self._gid).gr_name if self._uid else "dovecot"
        if self._uid == 0:
            nobody = pwd.getpwnam("nobody")
            self._uid, self._gid = nobody.pw_uid, nobody.pw_gid
            login_user = "dovenull"
        self.certificates: Certificates = make_certificates(self._root)
        for name in ("run", "mail"):
            (self._root / name).mkdir()
        os.chown(self._root / "mail", self._uid, self._gid)
        (self._root / "users").touch(mode=0o644)
        config = self._root / "dovecot.conf"
        config.write_text(
            CONFIG.format(
                root=self._root,
                instance=self._root.name,
                host=HOST,
                port=self.port,
                tls_port=self.tls_port,
                chain=self.certificates.chain,
                key=self.certificates.key,
                internal_user=internal_user,
                internal_group=internal_group,
                login_user=login_user,
                uid=self._uid,
                gid=self._gid,
            ),
            encoding="utf-8",
        )
        self._spawn(config)
        ready = banner_ready(HOST, self.port, b"* OK")
        deadline = time.monotonic() + 20
        while (reason := await ready()) is not None:
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Dovecot did not start: {reason}\n{self.log_tail()}")
            await asyncio.sleep(0.05)

    def _spawn(self, config: Path) -> None:
        program = shutil.which(PROGRAM, path=SEARCH)
        assert program is not None
        environment = {"PATH": SEARCH, "HOME": str(self._root)}
        with (self._root / "start.log").open("wb") as log:
            self._child = subprocess.Popen(
                [program, "-F", "-c", str(config)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def stop(self) -> None:
        child = getattr(self, "_child", None)
        if child is not None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(child.wait, 10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        await asyncio.to_thread(self._remove)

    def _remove(self) -> None:
        """A mail process may still write its index for a moment after the master has gone."""
        for _ in range(50):
            with contextlib.suppress(OSError):
                shutil.rmtree(self._root)
                return
            time.sleep(0.1)
        shutil.rmtree(self._root)

    def log_tail(self) -> str:
        logs = [self._root / "start.log", self._root / "dovecot.log"]
        return "\n".join(log.read_text("utf-8", "replace")[-2000:] for log in logs if log.exists())

    def add_account(self, user: str | None = None) -> DovecotAccount:
        """An empty mailbox; without `user`, of a name that no other test has."""
        user = user or f"box-{uuid.uuid4().hex[:12]}@example.com"
        account = DovecotAccount(user, uuid.uuid4().hex, self._root / "mail" / user)
        account.maildir.mkdir()
        for name in ("cur", "new", "tmp"):
            (account.maildir / name).mkdir()
            os.chown(account.maildir / name, self._uid, self._gid)
        os.chown(account.maildir, self._uid, self._gid)
        self.accounts[user] = account
        fresh = self._root / "users.new"
        fresh.write_text("".join(f"{one.user}:{{plain}}{one.password}\n" for one in self.accounts.values()))
        fresh.chmod(0o644)
        fresh.replace(self._root / "users")
        return account

    def deliver(
        self,
        account: DovecotAccount,
        raw: bytes,
        *,
        folder: str | None = None,
        received: datetime | None = None,
        seen: bool = False,
    ) -> None:
        """Put a mail straight into the maildir, as a local delivery agent does. The folder must exist."""
        # Owned by the mailbox's user before it comes into sight.
        with _acting_as(self._uid, self._gid):
            deliver(account.maildir, raw, folder=folder, received=received, seen=seen)

    def forget_uids(self, account: DovecotAccount, folder: str | None = None) -> None:
        """Make the folder's UIDVALIDITY change and renumber its mails, as after a restore from a backup.

        Clients must not have the folder open.
        """
        place = account.maildir if folder is None else account.maildir / f".{folder}"
        for name in ("dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.log.2", "dovecot.index.cache"):
            (place / name).unlink(missing_ok=True)
        # Without its own memory of the highest value it takes the clock's second, which must differ from the old one.
        for name in ("dovecot-uidvalidity", *(path.name for path in account.maildir.glob("dovecot-uidvalidity.*"))):
            (account.maildir / name).unlink(missing_ok=True)
        for path in account.maildir.glob("dovecot.list.index*"):
            path.unlink()
        time.sleep(1.1)


@contextlib.contextmanager
def _acting_as(uid: int, gid: int) -> Iterator[None]:
    """File access as the mailbox's user while we are root."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
