"""Replays what happened in a mailbox behind a web API since its cursors: mails that came, changed, moved or left.

A mail that left one folder may lie in another, whose own changes tell it. So what left is judged last, after every folder was
read, and a cursor does not pass such a change before that. If it dies, the pages come again and change nothing twice.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.api_boxes import DRAFT, ApiBox
from activities.api_take import ApiTaker, Taken
from contracts.failpoints import Failpoint, reached
from providers.errors import FolderGone
from providers.mail_api import CursorExpired, MailApiSource, RemoteMail
from store.api_folders import begin_listing
from store.api_ledger import move_api_cursor, read_cursor
from store.api_mirror import mirror_left
from store.folders import park
from store.gaps import GapCause, gaps_of_folder, open_gap
from store.inbox_state import InboxState


@dataclass(slots=True)
class _Read:
    """A box that was read to `cursor`, of which `stored` is kept already; `left` are mails that are not in it any more."""

    box: ApiBox
    stored: str
    cursor: str
    left: set[str] = field(default_factory=set)


class ApiChanges:
    """Works under the lease of `taker`."""

    def __init__(self, source: MailApiSource, inbox: InboxState, taker: ApiTaker) -> None:
        self._source = source
        self._inbox = inbox
        self._taker = taker
        self.parked: set[uuid.UUID] = set()

    async def replay(self, boxes: Sequence[ApiBox]) -> Taken:
        """Bring every box that has a cursor up to date. One whose cursor expired gets a gap, and one that is gone at the
        provider is parked. Raises ProviderError, LeaseLost.
        """
        taken, reads = Taken(), []
        for box in boxes:
            async with self._taker.writing() as connection:
                cursor = await read_cursor(connection, box.place)
            if cursor is None:
                continue
            read = _Read(box, cursor, cursor)
            taken += await self._read(read)
            reads.append(read)
        if len(boxes) > 1 and any(read.left for read in reads):
            # Moved after the other folder was read: that one tells it now.
            for read in reads:
                taken += await self._look(read)
        for read in reads:
            taken += await self._let_go(read)
        return taken

    async def _read(self, read: _Read) -> Taken:
        taken, more = Taken(), True
        while more:
            try:
                told = await self._source.changes(read.box.path, read.cursor)
            except CursorExpired:
                await self._expired(read)
                return taken
            except FolderGone:
                await self._park(read.box)
                return taken
            read.left -= {mail.id for mail in told.changed}
            read.left |= set(told.gone)
            before, read.cursor, more = read.cursor, told.cursor, told.more
            keep = not read.left and before == read.stored
            changed = _mails(read.box, told.changed)
            if changed or (keep and told.cursor != before):
                finish = partial(_move, read.box, before, told.cursor) if keep else None
                taken += await self._taker.take(read.box, changed, finish=finish)
            if keep:
                read.stored = told.cursor
        return taken

    async def _look(self, read: _Read) -> Taken:
        """What came since, without moving on: the next pass reads it again."""
        cursor, more, taken = read.cursor, read.box.folder.id not in self.parked, Taken()
        while more:
            try:
                told = await self._source.changes(read.box.path, cursor)
            except (CursorExpired, FolderGone):
                return taken  # the next pass meets it again
            taken += await self._taker.take(read.box, _mails(read.box, told.changed))
            cursor, more = told.cursor, told.more
        return taken

    async def _let_go(self, read: _Read) -> Taken:
        if read.cursor == read.stored or read.box.folder.id in self.parked:
            return Taken()
        async with self._taker.writing() as connection:
            gone = await mirror_left(connection, read.box.place, sorted(read.left))
            await move_api_cursor(connection, read.box.place, before=read.stored, cursor=read.cursor)
        reached(Failpoint.FETCH_FLAGS_MIRRORED)
        return Taken(changed=gone)

    async def _expired(self, read: _Read) -> None:
        """The provider forgot our place: whatever happened since is unknown until the mailbox was listed again, in slices like
        the first time. The gap is open before the cursor is gone, in one transaction, so it is never forgotten.
        """
        box = read.box
        async with self._taker.writing() as connection:
            await open_gap(
                connection,
                box.place.tenant_id,
                box.place.inbox_id,
                box.folder.id,
                GapCause.HISTORY_404 if box.path is None else GapCause.DELTA_410,
                since=self._inbox.last_sync_at,
            )
            await move_api_cursor(connection, box.place, before=read.stored, cursor=None)
            await begin_listing(connection, box.place.tenant_id, box.folder.id, horizon=self._taker.horizon)
            gaps = await gaps_of_folder(connection, box.place.tenant_id, box.folder.id)
        self._taker.credit(box.folder.id, [gap.id for gap in gaps])
        read.cursor, read.left = read.stored, set()

    async def _park(self, box: ApiBox) -> None:
        async with self._taker.writing() as connection:
            await park(connection, box.place.tenant_id, box.folder.id, "gone")
        self.parked.add(box.folder.id)


async def _move(box: ApiBox, before: str, cursor: str, connection: AsyncConnection) -> None:
    await move_api_cursor(connection, box.place, before=before, cursor=cursor)


def _mails(box: ApiBox, told: Sequence[RemoteMail]) -> list[RemoteMail]:
    """Oldest first where the provider told dates, else as it told them. A draft is none yet: Gmail gives it another id each
    time it is saved, and tells of it once more when it is sent.
    """
    mails = [mail for mail in told if box.unwanted(mail) != DRAFT]
    dates = {mail.id: mail.received_at for mail in mails if mail.received_at is not None}
    return mails if len(dates) < len(mails) else sorted(mails, key=lambda mail: dates[mail.id])
