"""The steps of the send flow with everything real but the bucket: rows, an SMTP server that misbehaves, and a clock to turn."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.accounts import Accounts
from activities.auto_response import AutoResponseClaiming
from activities.outbound_compose import OutboundCompose
from activities.outbound_deliver import OutboundDeliver, Submitter
from activities.outbound_record import OutboundRecord
from contracts.auto_response import AutoResponseClaim
from contracts.outbound import (
    ComposeReport,
    DeliverOutcome,
    DeliverReport,
    SendPlan,
    SettleOrder,
    SettleReport,
)
from contracts.refs import ConversationRef, MessageRef
from providers.egress import EgressPolicy
from providers.s3.blobs import BlobMissing, BlobStore
from providers.smtp.account import SmtpAccount
from providers.smtp.sender import SmtpSender
from store.outbound import NewReply, queue_reply
from store.sealing import Sealer
from tests.store.desk import NOW, Desk

SECRET = b"a secret of at least thirty-two characters"
LOCAL = EgressPolicy(allow=(ip_network("127.0.0.0/8"),), check_ports=False)


class MemoryBlobs(BlobStore):
    """A bucket for tests of what is around it; the real one has tests of its own."""

    def __init__(self) -> None:  # the real one would open a client
        self.objects: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes, content_type: str = "", *, sha256: str | None = None) -> str:
        self.objects[key] = data
        return sha256 or ""

    async def get(self, key: str, offset: int | None = None, length: int | None = None) -> bytes:
        if key not in self.objects:
            raise BlobMissing
        return self.objects[key]


class Clock:
    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += dt.timedelta(**span)


@dataclass
class SendRoom:
    desk: Desk
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    clock: Clock = field(default_factory=lambda: Clock(NOW + dt.timedelta(minutes=10)))
    dot_timeout: float = 1.0
    wrap: Callable[[SmtpSender], Submitter] | None = None

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.desk.database, Sealer({"k1": b"k" * 32}))
        self.composing = OutboundCompose(self.desk.database, self.blobs, SECRET, clock=self.clock)
        self.delivering = OutboundDeliver(
            self.desk.database,
            self.accounts,
            self.blobs,
            self.sender,
            clock=self.clock,
            chance=lambda: 0.5,
        )
        self.recording = OutboundRecord(self.desk.database, clock=self.clock)
        self.answering = AutoResponseClaiming(self.desk.database, clock=self.clock)

    def sender(self, account: SmtpAccount) -> Submitter:
        patient = dataclasses.replace(
            account, dot_timeout=self.dot_timeout, command_timeout=2.0, connect_timeout=2.0
        )
        made = SmtpSender(patient, LOCAL)
        return self.wrap(made) if self.wrap else made

    async def connect(self, port: int) -> None:
        """The inbox submits to this port, without sign-in."""
        await self.desk.rows(
            "update inboxes set settings = settings || cast(:settings as jsonb) where id = :id",
            id=self.desk.inbox_id,
            settings=f'{{"smtp": {{"host": "127.0.0.1", "port": {port}, "security": "plain"}}}}',
        )

    async def reply(self, **given: Any) -> MessageRef:
        """A queued reply whose undo window is over."""
        wanted = NewReply(self.desk.conversation_id, self.desk.agent_id, text="We are coming.")
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            queued = await queue_reply(
                connection, tenant_id=self.desk.tenant_id, reply=dataclasses.replace(wanted, **given), now=NOW
            )
        return MessageRef(str(self.desk.tenant_id), str(queued.message_id))

    async def compose(self, ref: MessageRef) -> ComposeReport:
        return await ActivityEnvironment().run(self.composing.compose, ref)

    async def deliver(self, ref: MessageRef) -> DeliverReport:
        return await ActivityEnvironment().run(self.delivering.deliver, ref)

    async def plan(self, ref: MessageRef) -> SendPlan:
        return await ActivityEnvironment().run(self.recording.plan, ref)

    async def settle(
        self, ref: MessageRef, outcome: DeliverOutcome, failure: str | None = None
    ) -> SettleReport:
        order = SettleOrder(ref.tenant_id, ref.message_id, outcome, failure)
        return await ActivityEnvironment().run(self.recording.settle, order)

    async def claim_answer(self, conversation_id: uuid.UUID | None = None) -> AutoResponseClaim:
        ref = ConversationRef(str(self.desk.tenant_id), str(conversation_id or self.desk.conversation_id))
        return await ActivityEnvironment().run(self.answering.claim, ref)

    async def message(self, ref: MessageRef) -> dict[str, Any]:
        return await self.desk.message(uuid.UUID(ref.message_id))

    async def status(self, ref: MessageRef) -> tuple[object, object]:
        row = await self.message(ref)
        return row["send_status"], row["send_stage"]

    async def run_sql(self, statement: str, **bound: Any) -> None:
        async with self.desk.database.unit_of_work(self.desk.tenant_id) as connection:
            await connection.execute(text(statement), bound)
