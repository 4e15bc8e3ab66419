"""The whole sending flow against a server that misbehaves: the real workflow and steps on rows, with days that pass at once.

Each sending has a tenant and an SMTP server of its own; Temporal, its workers and the database are shared by a module.
"""

import asyncio
import dataclasses
import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.accounts import COLUMN, Accounts
from activities.outbound_compose import OutboundCompose
from activities.outbound_deliver import OutboundDeliver, Submitter
from activities.outbound_file_copy import OutboundFileCopy
from activities.outbound_record import OutboundRecord
from activities.outbound_verify import OutboundVerify
from contracts import ids, queues
from contracts.outbound import SendEnd
from contracts.refs import MessageRef
from providers.imap.pool import ImapPool
from providers.smtp.account import SmtpAccount
from providers.smtp.outcome import Stage, SubmitOutcome
from providers.smtp.sender import SmtpSender
from store.outbound import NewReply, Recipient, queue_reply
from store.sealing import Sealer
from store.unit_of_work import Database
from tests.activities.send_room import LOCAL, SECRET, MemoryBlobs
from tests.servers.scripted_smtp import ScriptedSmtp
from tests.store.desk import NOW, Desk, open_desk
from workflows.send_message import SendMessage

USER, PASSWORD = "agent", "a long secret"
SEALER = Sealer({"k1": b"k" * 32})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sending waits for its server, in seconds; `before_dot` lets the server speak first, as on a slow line."""

    connect: float = 10.0
    command: float = 10.0
    dot: float = 10.0
    before_dot: float = 0.0


@dataclass(slots=True)
class Mill:
    environment: WorkflowEnvironment
    database: Database
    patience: dict[int, Patience] = field(default_factory=dict)

    async def desk(self, server: ScriptedSmtp, patience: Patience) -> Desk:
        """A desk whose inbox submits to this server with STARTTLS and a password."""
        desk = await open_desk(self.database)
        server.users[USER] = PASSWORD
        server.offer_starttls = True
        self.patience[server.port] = patience
        place = {"host": "127.0.0.1", "port": server.port, "security": "starttls", "username": USER}
        sealed, key_id = SEALER.seal(
            {"smtp": {"secret": PASSWORD}},
            tenant_id=str(desk.tenant_id),
            inbox_id=str(desk.inbox_id),
            column=COLUMN,
        )
        await desk.rows(
            "update inboxes set settings = cast(:settings as jsonb), credentials_sealed = :sealed, credentials_key_id = :key",
            settings=json.dumps({"smtp": place, "verify_tls": False}),
            sealed=sealed,
            key=key_id,
        )
        return desk

    async def queue(self, desk: Desk, recipients: Sequence[str] = ()) -> MessageRef:
        reply = NewReply(
            desk.conversation_id,
            desk.agent_id,
            text="We are coming.\n.\nThe line above holds a dot alone.",
            recipients=tuple(Recipient("to", address) for address in recipients),
        )
        async with self.database.unit_of_work(desk.tenant_id) as connection:
            queued = await queue_reply(connection, tenant_id=desk.tenant_id, reply=reply, now=NOW)
        return MessageRef(str(desk.tenant_id), str(queued.message_id))

    async def send(self, ref: MessageRef) -> tuple[SendEnd, WorkflowHandle[SendMessage, SendEnd]]:
        """Run the flow to its end, however many virtual hours that takes."""
        handle = await self.environment.client.start_workflow(
            SendMessage.run, ref, id=ids.send_message(ref.message_id), task_queue=queues.FLOW
        )
        async with asyncio.timeout(60):
            return await handle.result(), handle

    def submitter(self, account: SmtpAccount) -> Submitter:
        patience = self.patience[account.port]
        sender = SmtpSender(
            dataclasses.replace(
                account,
                connect_timeout=patience.connect,
                command_timeout=patience.command,
                dot_timeout=patience.dot,
            ),
            LOCAL,
        )
        return _Hesitant(sender, patience.before_dot) if patience.before_dot else sender


@dataclass(slots=True)
class _Hesitant:
    """A sender that takes a moment before its dot, so that what the server said in the middle of the body has come in."""

    sender: SmtpSender
    seconds: float

    async def submit(
        self,
        raw: bytes,
        mail_from: str,
        recipients: Sequence[str],
        on_stage: Callable[[Stage], Awaitable[None]],
        smtputf8: bool = False,
    ) -> SubmitOutcome:
        async def slower(stage: Stage) -> None:
            if stage is Stage.DOT:
                await asyncio.sleep(self.seconds)
            await on_stage(stage)

        return await self.sender.submit(raw, mail_from, recipients, slower, smtputf8)


@asynccontextmanager
async def open_mill(environment: WorkflowEnvironment, database: Database) -> AsyncIterator[Mill]:
    """Workers that run the real steps; their clock is the virtual one."""
    mill = Mill(environment, database)
    accounts, blobs, pool = Accounts(database, SEALER), MemoryBlobs(), ImapPool(LOCAL)
    composing = OutboundCompose(database, blobs, SECRET, clock=virtual_now)
    delivering = OutboundDeliver(
        database, accounts, blobs, mill.submitter, clock=virtual_now, chance=lambda: 0.5
    )
    recording = OutboundRecord(database, clock=virtual_now)
    looking = OutboundVerify(database, accounts, pool)
    filing = OutboundFileCopy(database, accounts, pool, blobs, clock=virtual_now)
    steps: dict[str, list[Callable[..., Any]]] = {
        queues.FLOW: [recording.plan, recording.settle],
        queues.SEND: [composing.compose, delivering.deliver],
        queues.IMAP: [looking.verify, filing.file_copy],
    }
    async with AsyncExitStack() as stack:
        for queue, activities in steps.items():
            flows = [SendMessage] if queue == queues.FLOW else []
            await stack.enter_async_context(
                Worker(environment.client, task_queue=queue, workflows=flows, activities=activities)
            )
        yield mill
    await pool.close()


def virtual_now() -> dt.datetime:
    return activity.info().started_time


async def seconds_to_the_question(handle: WorkflowHandle[SendMessage, SendEnd]) -> float:
    """From the moment the last submission was begun to the moment the doubt was put to a person, in virtual seconds."""
    began, named = dt.datetime.max.replace(tzinfo=dt.UTC), {}
    asked = began
    async for event in handle.fetch_history_events():
        at = event.event_time.ToDatetime(tzinfo=dt.UTC)
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            named[event.event_id] = name
            began = at if name == "outbound.deliver" else began
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            name = named[event.activity_task_completed_event_attributes.scheduled_event_id]
            asked = at if name == "outbound.settle" else asked
    return (asked - began).total_seconds()


async def message_row(desk: Desk, ref: MessageRef) -> dict[str, Any]:
    return await desk.message(uuid.UUID(ref.message_id))
