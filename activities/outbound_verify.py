"""Looks in Sent for a mail whose fate is unknown: found there, it was sent; not found proves nothing (integrity S-3).

Reads only, on the server and here. Running it twice looks twice.
"""

import uuid

from temporalio import activity

from activities._edges import edges
from activities.accounts import Accounts
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
    def __init__(self, database: Database, accounts: Accounts, pool: ImapPool) -> None:
        self._database = database
        self._accounts = accounts
        self._pool = pool

    @activity.defn(name="outbound.verify")
    async def verify(self, ref: MessageRef) -> VerifyReport:
        with edges():
            async with heartbeats():
                return VerifyReport(await self._look(uuid.UUID(ref.tenant_id), uuid.UUID(ref.message_id)))

    async def _look(self, tenant_id: uuid.UUID, message_id: uuid.UUID) -> VerifyOutcome:
        async with self._database.unit_of_work(tenant_id) as connection:
            if await copy_seen(connection, tenant_id=tenant_id, message_id=message_id):
                return VerifyOutcome.FOUND
            envelope = await read_envelope(connection, tenant_id=tenant_id, message_id=message_id)
            if envelope is None:
                return VerifyOutcome.CANNOT_LOOK
            folders = await sent_folders(connection, tenant_id=tenant_id, inbox_id=envelope.inbox_id)
        if not folders.search:
            return VerifyOutcome.CANNOT_LOOK
        inbox = await self._accounts.inbox(str(tenant_id), str(envelope.inbox_id))
        async with self._pool.lease(str(inbox.id), self._accounts.imap(inbox)) as source:
            found = await look_for_sent(source, folders.search, envelope.message_id)
        reached(Failpoint.VERIFY_LOOKED)
        return VerifyOutcome.FOUND if found else VerifyOutcome.NOT_FOUND
