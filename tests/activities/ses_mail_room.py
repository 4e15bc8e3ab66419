"""An inbox that receives through SES: the steps of the inbound flow, a receipt bucket, and the rows that notices and listings write."""

import datetime as dt
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from activities.accounts import Accounts
from activities.connect import Connecting
from activities.inbound_fetch import InboundFetch
from activities.inbound_watch import InboundWatch
from activities.ses_source import SesSource
from activities.ses_spool import SesSpool, route_ready
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.receipts import ReceiptBucket
from store.sns_notices import ProvenNotice, apply_notice, write_notice
from tests.activities.api_room import ApiRoom, Tokens
from tests.activities.mail_room import LOCAL, SEALER
from tests.activities.ses_room import give_domain
from tests.servers.ses_payloads import receipt, ses_id

RECEIVED = (
    "Received: from mx.customer.example.com (mx.customer.example.com [192.0.2.7])\r\n"
    " by inbound-smtp.us-east-1.amazonaws.com with SMTP id {id}\r\n for {to};\r\n Tue, 04 Mar 2025 09:00:00 +0000 (UTC)\r\n"
)


@dataclass
class SesMailRoom(ApiRoom):
    """The receipt bucket is the test bucket, under a prefix of this room's own; `domain` is the inbox's."""

    provider: str = "ses"
    prefix: str = field(default_factory=lambda: f"ses-{uuid.uuid4().hex}/")
    domain: str = field(default_factory=lambda: f"d{uuid.uuid4().hex}.example.org")
    s3: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        account = SesAccount(self.s3.region, self.s3.access_key, Secret(self.s3.secret_key))
        self.bucket = ReceiptBucket(account, self.s3.bucket, self.prefix, endpoint=self.s3.endpoint)
        self.accounts = Accounts(
            self.database, SEALER, tokens=Tokens(str),
            sources={"ses": lambda inbox, _: SesSource(self.database, self.bucket, inbox)},
        )  # fmt: skip
        self.fetching = InboundFetch(self.database, self.blobs, self.pool, self.accounts)
        self.watching = InboundWatch(self.database, self.pool, self.accounts, poll_seconds=1.0)
        self.connecting = Connecting(self.database, self.pool, self.accounts, LOCAL)
        self.spool = SesSpool(self.database, self.bucket, every=0.0, left_to_notices=dt.timedelta(0))

    async def open(self) -> "SesMailRoom":
        await super().open()
        await give_domain(self.rows, self.inbox_id, self.domain)
        return self

    async def close(self) -> None:
        await super().close()
        self.bucket.close()

    async def put(self, raw: bytes, *to: str, told: bool = True) -> str:
        """SES puts a mail into the bucket, and tells of it or not; the object's id."""
        message = ses_id()
        key = f"{self.prefix}{message}"
        whole = RECEIVED.format(id=message, to=to[0]).encode() + raw
        await self.blobs.put(key, whole)
        if told:
            await self.tell(message, *to)
        return f"{self.bucket.bucket}/{key}"

    async def tell(self, message: str, *to: str, at: dt.datetime | None = None) -> None:
        """SES's notice, as the webhook takes it."""
        now = dt.datetime.now(dt.UTC)
        where = {"bucket": self.bucket.bucket, "key": f"{self.prefix}{message}"}
        body = json.dumps(receipt(message, *to, at=at or now, **where))
        async with self.database.system_unit_of_work() as connection:
            notice = ProvenNotice(uuid.uuid4().hex, "t", "Notification", body)
            new = await write_notice(connection, notice, now=now)
            assert new is not None
            await apply_notice(connection, new, now=now)

    async def route(self) -> int:
        return len(await route_ready(self.database, now=dt.datetime.now(dt.UTC)))

    async def look(self) -> int:
        return len(await self.spool.look(now=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)))

    async def receipts(self) -> dict[str, dict[str, Any]]:
        async with self.database.system_unit_of_work() as connection:
            rows = await connection.execute(text("select * from ses_receipts where object_id like :p"), {"p": f"%{self.prefix}%"})
            return {row["object_id"]: dict(row) for row in rows.mappings()}

    async def unclaimed(self) -> int:
        return int(await self.one("select unclaimed_mails from domains where name = :d", d=self.domain))
