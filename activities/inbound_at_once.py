"""What IDLE announced, fetched and ingested by the step that heard of it, so that people see a mail before the workflow knows of it.

The short way for the common case: a few new mails in a folder that is in order. Anything else, and everything that is not
new mail (flags, deletions, other folders, balance sheets), is left to the pass that follows every wake-up.
"""

import uuid
from dataclasses import dataclass

from temporalio import activity

from activities.folder_pass import FolderPass
from activities.ingestion import Ingestion, live_lane
from activities.packing import LARGEST_MAIL, Packer
from activities.turns import FairTurns
from contracts.failpoints import Failpoint, reached
from providers.imap.source import ImapSource
from providers.s3.blobs import BlobStore
from store.folders import FolderRow, FolderState, read_folder
from store.gaps import gaps_of_folder
from store.inbox_state import InboxState, Lease, read_inbox, take_lease
from store.ledger import Place
from store.unit_of_work import Database

FEW = 20
INGEST_SECONDS = 10.0
SEAT_SECONDS = 0.02  # whoever would have to wait for a seat lets the workflow put things in order


@dataclass(frozen=True, slots=True)
class Taken:
    """What the short way has done: `last_uid` is the cursor, `answerable` how many conversations await a decision on an answer."""

    last_uid: int
    answerable: int


@dataclass(frozen=True, slots=True)
class _Stored:
    lease: Lease
    last_uid: int
    answers: bool


class InboundAtOnce:
    """`under_way` holds the inboxes that this process is fetching at the moment; `turns` are those of fetching."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        ingestion: Ingestion,
        *,
        under_way: set[uuid.UUID],
        turns: FairTurns,
        largest: int = LARGEST_MAIL,
    ) -> None:
        self._database = database
        self._packer = Packer(blobs, ingestion.packs)
        self._ingestion = ingestion
        self._under_way = under_way
        self._turns = turns
        self._largest = largest

    async def take(self, known: InboxState, folder_id: uuid.UUID, source: ImapSource) -> Taken | None:
        """Take what is new in the folder that `source` has open; None when nothing was taken.

        Runs under a new lease epoch, so a pass of another worker ends without writing and is begun again a little later;
        one of this worker is not disturbed. If it dies, the mail is fetched or ingested by the next pass, from the cursor and
        the ledger as ever. Raises ProviderError, and LeaseLost when somebody took over meanwhile.
        """
        if known.id in self._under_way:
            return None
        try:
            async with self._turns.turn(known.tenant_id, within=SEAT_SECONDS):
                stored = await self._fetch(known, folder_id, source)
        except TimeoutError:
            return None
        if stored is None:
            return None
        reached(Failpoint.AT_ONCE_STORED)
        total = await self._ingestion.drain(live_lane(stored.lease), seconds=INGEST_SECONDS)
        return Taken(stored.last_uid, total.answerable if stored.answers else 0)

    async def _fetch(self, known: InboxState, folder_id: uuid.UUID, source: ImapSource) -> _Stored | None:
        """New mail in the bucket and the ledger; None when there was none, or when it is not for the short way."""
        open_folder = source.state
        async with self._database.unit_of_work(known.tenant_id) as connection:
            inbox = await read_inbox(connection, known.tenant_id, known.id)
            folder = await read_folder(connection, known.tenant_id, folder_id)
            if inbox is None or folder is None or open_folder is None or not _in_order(inbox, folder):
                return None
            if folder.uidvalidity != open_folder.uidvalidity:
                return None
            if await gaps_of_folder(connection, known.tenant_id, folder_id):
                return None  # what is found now may have to be counted to a gap
            lease = await take_lease(connection, known.tenant_id, known.id)
        if lease is None:
            return None
        one_pass = FolderPass(
            self._database,
            self._packer,
            source,
            inbox,
            lease,
            largest=self._largest,
            run=activity.info().workflow_run_id,
        )
        place = Place(known.tenant_id, known.id, folder.id, open_folder.uidvalidity)
        last_uid = await one_pass.news(folder, place, most=FEW)
        return None if last_uid is None else _Stored(lease, last_uid, inbox.auto_response_enabled)


def _in_order(inbox: InboxState, folder: FolderRow) -> bool:
    return (
        inbox.connected_at is not None
        and inbox.paused_at is None
        and folder.synced
        and folder.state == FolderState.ACTIVE
    )
