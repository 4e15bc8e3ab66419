"""The embedded stack as one thing: starts every server at once, reports progress, watches, and stops all of them.

It promises that `start` returns only when everything answers, that a failure names the part and quotes its log, and
that nothing keeps running after `stop`. Migrations, the worker and the API are given to it by the command line.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from stack.database import APP_ROLE, DATABASE, ensure_database, ensure_roles
from stack.demo_mail import DEFAULT_ADDRESSES, DEFAULT_REPLIES, DemoMail, MailAccount
from stack.layout import DataLock, Layout
from stack.manifest import remove_manifest, write_manifest
from stack.part import Part, Progress, StackEvent
from stack.ports import HOST, PortBook
from stack.postgres import Postgres
from stack.process import PartFailed
from stack.seaweed import BUCKET, REGION, Seaweed
from stack.secrets import load_or_make
from stack.temporal import NAMESPACE, Temporal


class EmbeddedStack:
    """All servers over one data directory. Use once: start, perhaps `start_part`, `wait_for_crash`, stop.

    `start` raises `PartFailed`, `DataDirectoryBusy`, `DataDirectoryUnusable`, `SecretsLost`, `UnreadableFile` or
    `PortTaken`, with everything stopped again.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        with_demo_mail: bool,
        progress: Progress,
        durable: bool = True,
        demo_addresses: tuple[str, ...] = DEFAULT_ADDRESSES,
        demo_replies: Mapping[str, str] = DEFAULT_REPLIES,
    ) -> None:
        self.layout = Layout.at(data_dir)
        self._progress = progress
        self._with_demo_mail = with_demo_mail
        self._durable = durable
        self._demo = (demo_addresses, demo_replies)
        self._lock = DataLock(self.layout)
        self._servers: list[Part] = []
        self._programs: list[Part] = []  # in the order of their start
        self._locked = False

    # -- what runs -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self.layout.make()
        self._lock.acquire()
        self._locked = True
        try:
            remove_manifest(self.layout)
            self._secrets = load_or_make(self.layout)
            self._ports = PortBook(self.layout.ports)
            self._compose()
            await _all_or_first_failure(self._start_server(part) for part in self._servers)
        except BaseException:
            # Also when cancelled by Ctrl-C half-way.
            await self.stop()
            raise

    def _compose(self) -> None:
        secrets, ports = self._secrets, self._ports
        self.postgres = Postgres(
            self.layout, ports.port("postgres"), secrets.database_admin_password, durable=self._durable
        )
        self.temporal = Temporal(self.layout, ports)
        self.s3 = Seaweed(self.layout, ports, secrets.s3_access_key, secrets.s3_secret_key, secrets.s3_internal_key)
        self._servers = [self.postgres, self.temporal, self.s3]
        self.demo_mail: DemoMail | None = None
        if self._with_demo_mail:
            addresses, replies = self._demo
            self.demo_mail = DemoMail(self.layout, ports, secrets, addresses=addresses, replies=replies)
            self._servers.append(self.demo_mail)

    async def _start_server(self, part: Part) -> None:
        await self._start(part, after=self._prepare_database if part is self.postgres else None)

    async def _prepare_database(self) -> None:
        await ensure_roles(self.postgres.url("postgres"), self._secrets.database_app_password)
        await ensure_database(self.postgres.url("postgres"))

    async def start_part(self, part: Part) -> None:
        """Start one of our own programs and watch it like the servers. It is stopped before them. Raises `PartFailed`."""
        self._programs.append(part)
        await self._start(part)

    async def _start(self, part: Part, after: Callable[[], Awaitable[None]] | None = None) -> None:
        began = time.monotonic()
        self._progress(StackEvent(part.name, "starting", 0.0))
        try:
            await part.start()
            if after is not None:
                await after()
        except PartFailed as failure:
            self._progress(StackEvent(part.name, "failed", time.monotonic() - began, failure.why))
            raise
        self._progress(StackEvent(part.name, "ready", time.monotonic() - began, self._detail(part)))

    def _detail(self, part: Part) -> str:
        if part is self.postgres:
            return self.postgres.address
        if part is self.temporal:
            return f"{self.temporal.address}, UI {self.temporal.ui_url}"
        if part is self.s3:
            return self.s3.endpoint
        if part is self.demo_mail and self.demo_mail is not None:
            return f"IMAP {HOST}:{self.demo_mail.imap_port}, SMTP {HOST}:{self.demo_mail.smtp_port}"
        return ""

    async def wait_for_crash(self) -> PartFailed:
        """Return when any part ends unasked, and report it. Waits for ever otherwise; cancel it to stop watching."""
        watches = [asyncio.create_task(part.wait_for_crash()) for part in (*self._servers, *self._programs)]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            failure = done.pop().result()
        finally:
            for watch in watches:
                watch.cancel()
        self._progress(StackEvent(failure.part, "failed", 0.0, failure.why))
        return failure

    async def stop(self) -> None:
        """Stop our programs, last started first, then all servers at once. Idempotent; errors do not stop the others."""
        if not self._locked:
            return
        remove_manifest(self.layout)
        try:
            for part in reversed(self._programs):
                await self._stop(part)
            await asyncio.gather(*(self._stop(part) for part in self._servers))
        finally:
            self._locked = False
            self._lock.release()

    async def _stop(self, part: Part) -> None:
        began = time.monotonic()
        await part.stop()
        self._progress(StackEvent(part.name, "stopped", time.monotonic() - began))

    # -- where it is -----------------------------------------------------------------------------------------------

    @property
    def database_admin_url(self) -> str:
        """SQLAlchemy URL of the superuser, for migrations."""
        return self.postgres.url(DATABASE, driver="+psycopg")

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the application's role."""
        return f"postgresql+psycopg://{APP_ROLE}:{self._secrets.database_app_password}@{self.postgres.address}/{DATABASE}"

    @property
    def temporal_address(self) -> str:
        return self.temporal.address

    @property
    def temporal_ui_url(self) -> str:
        return self.temporal.ui_url

    @property
    def s3_endpoint(self) -> str:
        return self.s3.endpoint

    @property
    def mail_accounts(self) -> tuple[MailAccount, ...]:
        return () if self.demo_mail is None else tuple(self.demo_mail.accounts.values())

    def port(self, name: str, *, preferred: int | None = None) -> int:
        """A remembered free port for one of our own programs, e.g. `port("api", preferred=8025)`."""
        return self._ports.port(name, preferred=preferred)

    def settings_env(self) -> dict[str, str]:
        """The MAILROOM_* environment of migrations, worker and API. API host, port and public URL are the caller's."""
        env = {
            "MAILROOM_DATABASE_URL": self.database_url,
            "MAILROOM_DATABASE_ADMIN_URL": self.database_admin_url,
            "MAILROOM_TEMPORAL_ADDRESS": self.temporal_address,
            "MAILROOM_TEMPORAL_NAMESPACE": NAMESPACE,
            "MAILROOM_TEMPORAL_UI_URL": self.temporal_ui_url,
            "MAILROOM_S3_ENDPOINT": self.s3_endpoint,
            "MAILROOM_S3_BUCKET": BUCKET,
            "MAILROOM_S3_ACCESS_KEY": self._secrets.s3_access_key,
            "MAILROOM_S3_SECRET_KEY": self._secrets.s3_secret_key,
            "MAILROOM_S3_REGION": REGION,
            "MAILROOM_CREDENTIAL_KEYS": self._secrets.credential_keys,
            "MAILROOM_SESSION_SECRET": self._secrets.session_secret,
            "MAILROOM_TOKEN_SECRET": self._secrets.token_secret,
        }
        if self._with_demo_mail:
            env["MAILROOM_EGRESS_ALLOW"] = f"{HOST}/32"
        return env

    def write_manifest(self, more: Mapping[str, object]) -> None:
        """Write `stack.json`: the servers' addresses plus `more` (API address, sign-in, API key)."""
        content: dict[str, object] = {
            "database_url": self.database_url,
            "database_admin_url": self.database_admin_url,
            "temporal_address": self.temporal_address,
            "temporal_namespace": NAMESPACE,
            "temporal_ui_url": self.temporal_ui_url,
            "s3_endpoint": self.s3_endpoint,
            "s3_bucket": BUCKET,
            "s3_region": REGION,
            "s3_access_key": self._secrets.s3_access_key,
            "s3_secret_key": self._secrets.s3_secret_key,
        }
        if self.demo_mail is not None:
            content["imap"] = {"host": HOST, "port": self.demo_mail.imap_port, "security": "plain"}
            content["smtp"] = {"host": HOST, "port": self.demo_mail.smtp_port, "security": "plain"}
            content["mail_accounts"] = [
                {"address": account.address, "password": account.password} for account in self.mail_accounts
            ]
        write_manifest(self.layout, {**content, **more})


async def _all_or_first_failure(steps: Iterable[Awaitable[None]]) -> None:
    """Run all steps at once; at the first failure cancel the others and raise it alone."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
