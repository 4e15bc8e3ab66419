"""The steps of the inbound flow with everything real: rows, a bucket, parser children, an IMAP server."""

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.accounts import Accounts
from activities.backfill import Backfilling
from activities.connect import Connecting
from activities.inbound_fetch import InboundFetch
from activities.inbound_ingest import InboundIngest
from activities.inbound_open import InboundOpen
from activities.inbound_react import InboundReact
from activities.inbound_watch import InboundWatch
from activities.ingestion import Ingestion
from activities.parser_pool import ParserPool
from contracts.backfill import BackfillProgress
from contracts.inbound import FetchOrder, FetchReport, IngestReport, ResyncScope
from contracts.refs import FolderRef, InboxRef
from providers.egress import EgressPolicy
from providers.imap.pool import ImapPool
from providers.s3.blobs import BlobStore
from store.inbox_state import Lease, take_lease
from store.sealing import Sealer
from store.unit_of_work import Database

LOCAL = EgressPolicy(allow=(ip_network("127.0.0.0/8"),), check_ports=False)
SECRET = b"a secret of at least thirty-two characters"
SEALER = Sealer({"k1": b"k" * 32})


def letter(
    number: int | str = 1,
    *,
    subject: str = "Printer on fire",
    sender: str = "Carla <carla@customer.example.com>",
    to: str = "desk@example.org",
    cc: str = "",
    body: str = "Please help.",
    parents: tuple[str, ...] = (),
    message_id: str | None = None,
    files: tuple[tuple[str, bytes], ...] = (),
    **headers: str,
) -> bytes:
    """A mail as customers write them. `number` makes its Message-ID."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    if cc:
        mail["Cc"] = cc
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = message_id or f"<m{number}@customer.example.com>"
    if parents:
        mail["In-Reply-To"], mail["References"] = parents[-1], " ".join(parents)
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    for name, content in files:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes().replace(b"\n", b"\r\n")


@dataclass
class MailRoom:
    """One inbox with its steps. `port` and the credentials are those of a real server."""

    database: Database
    blobs: BlobStore
    parsers: ParserPool
    port: int
    user: str
    password: str
    tenant_id: uuid.UUID = field(default_factory=uuid.uuid4)
    inbox_id: uuid.UUID = field(default_factory=uuid.uuid4)
    address: str = "desk@example.org"
    backfill_days: int = 30
    smtp_port: int = 1
    remember: bool = False  # whether packs are read from memory

    def __post_init__(self) -> None:
        self.pool = ImapPool(LOCAL)
        self.accounts = Accounts(self.database, SEALER)
        self.ingestion = Ingestion(self.database, self.blobs, self.parsers)
        self.opening = InboundOpen(self.accounts)
        self.fetching = InboundFetch(
            self.database, self.blobs, self.pool, self.accounts, packs=self.ingestion.packs if self.remember else None
        )
        self.ingesting = InboundIngest(self.database, self.ingestion)
        self.watching = InboundWatch(self.database, self.pool, self.accounts, poll_seconds=1.0)
        self.reacting = InboundReact(self.database)
        self.backfilling = Backfilling(self.database, self.blobs, self.pool, self.accounts, self.ingestion)
        self.connecting = Connecting(self.database, self.pool, self.accounts, LOCAL)
        self.ref = InboxRef(str(self.tenant_id), str(self.inbox_id))

    async def open(self) -> "MailRoom":
        """Make the inbox, and its tenant unless another room has done so. Not connected yet."""
        secrets = {"imap": {"secret": self.password}, "smtp": {"secret": self.password}}
        sealed, key_id = SEALER.seal(
            secrets, tenant_id=str(self.tenant_id), inbox_id=str(self.inbox_id), column="credentials_sealed"
        )
        server = {"host": "127.0.0.1", "security": "plain", "username": self.user, "auth": "password"}
        settings = {"imap": {**server, "port": self.port}, "smtp": {**server, "port": self.smtp_port}}
        async with self.database.system_unit_of_work() as connection:
            await connection.execute(
                text("insert into tenants (id, name, slug) values (:id, 'Test', :slug) on conflict do nothing"),
                {"id": self.tenant_id, "slug": self.tenant_id.hex},
            )
        await self.rows(
            """
            insert into inboxes (tenant_id, id, name, email_address, settings, credentials_sealed, credentials_key_id,
              backfill_days)
            values (:tenant, :id, 'Desk', :address, cast(:settings as jsonb), :sealed, :key, :days)
            """,
            id=self.inbox_id,
            address=self.address,
            settings=json.dumps(settings),
            sealed=sealed,
            key=key_id,
            days=self.backfill_days,
        )
        return self

    async def close(self) -> None:
        await self.pool.close()

    async def rows(self, statement: str, **bound: Any) -> list[dict[str, Any]]:
        async with self.database.unit_of_work(self.tenant_id) as connection:
            found = await connection.execute(text(statement), {"tenant": self.tenant_id, **bound})
            return [dict(row) for row in found.mappings()] if found.returns_rows else []

    async def one(self, statement: str, **bound: Any) -> Any:
        (row,) = await self.rows(statement, **bound)
        return next(iter(row.values())) if len(row) == 1 else row

    async def overtaken(self) -> Lease:
        """A lease that somebody else has taken over since."""
        async with self.database.unit_of_work(self.tenant_id) as connection:
            old = await take_lease(connection, self.tenant_id, self.inbox_id)
        async with self.database.unit_of_work(self.tenant_id) as connection:
            await take_lease(connection, self.tenant_id, self.inbox_id)
        assert old is not None
        return old

    async def connect(self) -> None:
        await ActivityEnvironment().run(self.connecting.discover, self.ref)

    async def fetch(self, scope: ResyncScope = ResyncScope.NEW, **options: Any) -> FetchReport:
        order = FetchOrder(self.ref.tenant_id, self.ref.inbox_id, scope, **options)
        return await ActivityEnvironment().run(self.fetching.fetch, order)

    async def ingest(self) -> IngestReport:
        return await ActivityEnvironment().run(self.ingesting.ingest, self.ref)

    async def sync(self, **options: Any) -> IngestReport:
        """Fetch and ingest until nothing is left."""
        fetched = await self.fetch(**options)
        assert fetched.failure is None, fetched
        report = await self.ingest()
        while report.remaining:
            report = await self.ingest()
        return report

    async def folder(self, role: str = "inbox") -> dict[str, Any]:
        (row,) = await self.rows("select * from folders where inbox_id = :i and role = :role", i=self.inbox_id, role=role)
        return row

    async def backfill(self, role: str = "inbox") -> BackfillProgress:
        """Plan and step to the end."""
        folder = await self.folder(role)
        ref = FolderRef(self.ref.tenant_id, self.ref.inbox_id, str(folder["id"]))
        progress = await ActivityEnvironment().run(self.backfilling.plan, ref)
        while progress.state == "running":
            assert progress.failure is None
            progress = await ActivityEnvironment().run(self.backfilling.step, ref)
        return progress

    async def events(self) -> list[str]:
        return [r["type"] for r in await self.rows("select type from events order by id")]

    async def threads(self) -> set[frozenset[str]]:
        """The grouping of all threaded mails by their Message-IDs."""
        rows = await self.rows(
            "select conversation_id, message_id_header from messages where conversation_id is not null"
        )
        groups: dict[uuid.UUID, set[str]] = {}
        for row in rows:
            groups.setdefault(row["conversation_id"], set()).add(row["message_id_header"])
        return {frozenset(g) for g in groups.values()}

    async def states(self) -> dict[str, int]:
        rows = await self.rows("select state, count(*) as n from ledger group by state")
        return {r["state"]: r["n"] for r in rows}
