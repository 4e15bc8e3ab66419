"""Looks for a mail whose fate is unknown: found in Sent, it was sent; not found proves nothing (integrity S-3).

In a mailbox over IMAP it only reads, and running it twice looks twice; behind a web API see `activities/draft_trace.py`. What went
through SES nobody can look for: its event is waited for.
"""

import datetime as dt
import random
import uuid
from collections.abc import Callable

from temporalio import activity

from activities._edges import edges
from activities.accounts import API_PROVIDERS, SES, Accounts
from activities.draft_trace import look_for_draft
from activities.heartbeat import heartbeats
from contracts.failpoints import Failpoint, reached
from contracts.outbound import OutboundSteps, VerifyOutcome, VerifyReport
from contracts.refs import MessageRef
from providers.imap.pool import ImapPool
from providers.imap.sent_copy import look_for_sent
from store.outbound_frozen import read_envelope
from store.sent_copies import copy_seen, sent_folders
from store.unit_of_work import Database


class OutboundVerify(OutboundSteps):
    """`clock` gives aware instants, `chance` numbers in [0, 1) for the jitter of retries."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        pool: ImapPool,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._database = database
        self._accounts = accounts
        self._pool = pool

    @activity.defn(name="outbound.verify")
    async def verify(self, ref: MessageRef) -> VerifyReport:
        with edges():
            async with heartbeats():
                return await self._look(uuid.UUID(ref.tenant_id), uuid.UUID(ref.message_id))

    async def _look(self, tenant_id: uuid.UUID, message_id: uuid.UUID) -> VerifyReport:
        async with self._database.unit_of_work(tenant_id) as connection:
            if await copy_seen(connection, tenant_id=tenant_id, message_id=message_id):
                return VerifyReport(VerifyOutcome.FOUND)
            envelope = await read_envelope(connection, tenant_id=tenant_id, message_id=message_id)
            if envelope is None:
                return VerifyReport(VerifyOutcome.CANNOT_LOOK)
            folders = await sent_folders(connection, tenant_id=tenant_id, inbox_id=envelope.inbox_id)
        inbox = await self._accounts.inbox(str(tenant_id), str(envelope.inbox_id))
        if inbox.provider == SES:
            # There is nothing to look into: an event that repeats our tag settles the row by itself.
            sent = envelope.send_status == "sent"
            return VerifyReport(VerifyOutcome.FOUND if sent else VerifyOutcome.AWAITED)
        if inbox.provider in API_PROVIDERS:
            sender = self._accounts.mail_api_sender(inbox)
            try:
                return await look_for_draft(
                    self._database,
                    sender,
                    tenant_id=tenant_id,
                    message_id=message_id,
                    now=self._clock(),
                    chance=self._chance,
                )
            finally:
                await sender.close()
        if not folders.search:
            return VerifyReport(VerifyOutcome.CANNOT_LOOK)
        async with self._pool.lease(str(inbox.id), self._accounts.imap(inbox)) as source:
            found = await look_for_sent(source, folders.search, envelope.message_id)
        reached(Failpoint.VERIFY_LOOKED)
        return VerifyReport(VerifyOutcome.FOUND if found else VerifyOutcome.NOT_FOUND)
