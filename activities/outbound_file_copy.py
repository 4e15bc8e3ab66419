"""Files the one copy of a sent mail in Sent: searched for first, appended at most once (integrity S-11).

If it dies after the append, the next run finds the copy. Failing here never sends anything again: the mail is out. After
the eighth try the sweep comes back to it, a few times in four days.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._edges import edges, failure, name_of
from activities.accounts import Accounts
from activities.heartbeat import heartbeats
from activities.outbound_compose import run_id
from contracts.failpoints import Failpoint, reached
from contracts.failures import NON_RETRYABLE, SENTENCES
from contracts.outbound import CopyReport, OutboundSteps
from contracts.refs import MessageRef
from contracts.timing import COPY_ATTEMPTS
from providers.imap.pool import ImapPool
from providers.imap.sent_copy import file_sent_copy
from providers.s3.blobs import BlobStore
from store.outbound_attempts import plan
from store.outbound_frozen import read_envelope
from store.sent_copies import begin_round, mark_copied, no_copy, note_not_filed, sent_folders
from store.unit_of_work import Database

SERVER_FILES_ITSELF = frozenset({"gmail", "graph"})


class OutboundFileCopy(OutboundSteps):
    """`clock` gives aware instants."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        pool: ImapPool,
        blobs: BlobStore,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._pool = pool
        self._blobs = blobs
        self._clock = clock

    @activity.defn(name="outbound.file_copy")
    async def file_copy(self, ref: MessageRef) -> CopyReport:
        with edges():
            tenant_id, message_id = uuid.UUID(ref.tenant_id), uuid.UUID(ref.message_id)
            async with heartbeats():
                try:
                    return await self._file(tenant_id, message_id)
                except (
                    Exception
                ) as error:  # whatever it was, it is raised again: here it is only written down
                    await self._note_last_try(tenant_id, message_id, error)
                    raise

    async def _file(self, tenant_id: uuid.UUID, message_id: uuid.UUID) -> CopyReport:
        async with self._database.unit_of_work(tenant_id) as connection:
            current = await plan(connection, tenant_id=tenant_id, message_id=message_id, now=self._clock())
            envelope = await read_envelope(connection, tenant_id=tenant_id, message_id=message_id)
            if envelope is None or not current.copy_missing:
                return CopyReport(filed=False, already=envelope is not None and envelope.copied)
            await begin_round(connection, tenant_id=tenant_id, message_id=message_id, now=self._clock())
            folders = await sent_folders(connection, tenant_id=tenant_id, inbox_id=envelope.inbox_id)
        inbox = await self._accounts.inbox(str(tenant_id), str(envelope.inbox_id))
        if inbox.provider in SERVER_FILES_ITSELF:
            await self._mark(tenant_id, message_id, "kept by the server")
            return CopyReport(filed=False, already=True)
        if folders.file_into is None:
            async with self._database.unit_of_work(tenant_id) as connection:
                await no_copy(connection, tenant_id=tenant_id, message_id=message_id)
            return CopyReport(filed=False)
        raw = await self._blobs.get(envelope.raw_key)
        if hashlib.sha256(raw).hexdigest() != envelope.raw_sha256:
            raise failure("BlobMissing")
        reached(Failpoint.COPY_BEFORE_APPEND)
        async with self._pool.lease(str(inbox.id), self._accounts.imap(inbox)) as source:
            copy = await file_sent_copy(source, folders.file_into, raw, envelope.message_id, envelope.date)
        reached(Failpoint.COPY_APPENDED)
        await self._mark(tenant_id, message_id, "was there already" if copy.already else "filed")
        return CopyReport(filed=not copy.already, already=copy.already)

    async def _note_last_try(self, tenant_id: uuid.UUID, message_id: uuid.UUID, error: Exception) -> None:
        """The timeline tells of a round that failed, not of each of its tries."""
        name = error.type if isinstance(error, ApplicationError) else name_of(error)
        if activity.info().attempt < COPY_ATTEMPTS and name not in NON_RETRYABLE:
            return
        why = SENTENCES.get(name or "", "The copy could not be filed.")
        async with self._database.unit_of_work(tenant_id) as connection:
            await note_not_filed(
                connection, tenant_id=tenant_id, message_id=message_id, why=why, workflow_run=run_id()
            )

    async def _mark(self, tenant_id: uuid.UUID, message_id: uuid.UUID, how: str) -> None:
        async with self._database.unit_of_work(tenant_id) as connection:
            await mark_copied(
                connection,
                tenant_id=tenant_id,
                message_id=message_id,
                how=how,
                now=self._clock(),
                workflow_run=run_id(),
            )
        reached(Failpoint.COPY_MARKED)
