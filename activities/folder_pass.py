"""One pass over one folder: new mail, a changed UIDVALIDITY or numbers that went back, flags and deletions.

Every write is one transaction that begins with the lease, and the cursor moves only in the transaction that gave every
UID below it a row (integrity I-3). If it dies anywhere, the next pass finds the cursor where the rows end.
"""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.numbers_went_back import begin_below, numbers_went_back
from activities.packing import LARGEST_MAIL, Packer, prefetched, stretches
from contracts.failpoints import Failpoint, reached
from providers.imap.source import ImapSource
from providers.imap.values import FlagCursor
from providers.imap.values import FolderState as Examined
from store.folders import (
    FolderRow,
    FolderState,
    begin_reset,
    finish_reset,
    flags_read,
    move_cursor,
    read_folder,
    set_first_cursor,
)
from store.gaps import GapCause, GapRow, credit_gaps, gaps_of_folder
from store.inbox_state import InboxState, Lease, hold_lease
from store.ledger import (
    KnownRaw,
    LedgerState,
    Place,
    WrittenRows,
    asked_again,
    rematched,
    see_again,
    write_rows,
)
from store.mirror import mirror_flags, mirror_gone, mirror_present, void_identities
from store.unit_of_work import Database

WINDOW = 2_000  # UIDs whose sizes are asked for at once
# A folder that appears later and is small was made by a mail program at its first use: its mails are news. A large one
# is an archive that somebody brought along.
SMALL_FOLDER = 2_000
CLOCKS_DIFFER = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PassReport:
    written: WrittenRows = field(default_factory=WrittenRows)
    flags_changed: int = 0

    def __add__(self, other: "PassReport") -> "PassReport":
        return PassReport(self.written + other.written, self.flags_changed + other.flags_changed)


class FolderPass:
    """A pass over one folder of one inbox under one lease. `source` is signed in; `run` names the workflow run."""

    def __init__(
        self,
        database: Database,
        packer: Packer,
        source: ImapSource,
        inbox: InboxState,
        lease: Lease,
        *,
        largest: int = LARGEST_MAIL,
        run: str | None = None,
        pass_on: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._pass_on = pass_on
        self._database = database
        self._packer = packer
        self._source = source
        self._inbox = inbox
        self._lease = lease
        self._largest = largest
        self._run = run

    async def sync(self, folder: FolderRow, *, whole: bool, flags: bool) -> PassReport:
        """Bring one folder up to date. `whole` and `flags` read flags even when they were read a moment ago. What comes in
        while gaps are open is counted to them. Raises FolderGone, and whatever ends the connection.
        """
        state = await self._source.examine(folder.path)
        if folder.uidvalidity is None:
            folder = await self._begin(folder, state)
        elif folder.uidvalidity != state.uidvalidity:
            reset = await self._reset(folder, state)
            if reset is None:
                return PassReport()
            reached(Failpoint.RESET_BEGUN)
            folder = reset
        place = Place(self._inbox.tenant_id, self._inbox.id, folder.id, state.uidvalidity)
        back = await numbers_went_back(self._database, self._source, folder, place, state)
        if back is not None:
            async with self._writing() as connection:
                await begin_below(connection, folder, place, back)
                folder = await self._again(connection, folder)
        async with self._database.unit_of_work(place.tenant_id) as connection:
            gaps = await gaps_of_folder(connection, place.tenant_id, folder.id)
        report = PassReport(await self._new(folder, place, state, gaps))
        report += PassReport(await self._asked_again(place))
        if folder.state == FolderState.RESETTING:
            reached(Failpoint.RESET_BEFORE_END)
            async with self._writing() as connection:
                await void_identities(connection, place)
                await finish_reset(connection, self._inbox.tenant_id, self._inbox.id, folder)
            reached(Failpoint.RESET_ENDED)
        if flags or whole or _flags_due(folder, state):
            report += PassReport(flags_changed=await self._flags(place))
            reached(Failpoint.FETCH_FLAGS_MIRRORED)
        return report

    async def news(self, folder: FolderRow, place: Place, *, most: int) -> int | None:
        """Store what came into the open folder above its cursor, when it is no more than `most` mails; where the cursor then
        stands. None when there was nothing or more: then nothing is done.
        """
        uids = await self._source.uids(after=folder.last_uid)
        if not 0 < len(uids) <= most:
            return None
        await self._store(uids, place, cursor=folder)
        return uids[-1]

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            yield connection

    async def _begin(self, folder: FolderRow, state: Examined) -> FolderRow:
        """The first cursor of a folder that appeared after the inbox was connected."""
        uids = await self._source.uids()
        news = len(uids) <= SMALL_FOLDER
        days = self._inbox.backfill_days
        horizon = self._inbox.created_at - dt.timedelta(days=days) if days and not news else None
        async with self._writing() as connection:
            await set_first_cursor(
                connection,
                self._inbox.tenant_id,
                folder.id,
                uidvalidity=state.uidvalidity,
                last_uid=0 if news or not uids else uids[-1],
                backfill_from=horizon,
            )
            return await self._again(connection, folder)

    async def _reset(self, folder: FolderRow, state: Examined) -> FolderRow | None:
        """All UIDs are void (RFC 3501 §2.3.1.1). What is as old as what we ever wanted is listed anew and re-matched."""
        uids = await self._source.uids()
        created = self._inbox.created_at - CLOCKS_DIFFER
        wanted_since = min(folder.backfill_horizon or created, created)
        first = uids[-1] + 1 if uids else 1
        # Downwards, until a whole window is too old: a folder's UIDs follow its dates closely enough.
        for end in range(len(uids), 0, -WINDOW):
            window = uids[max(0, end - WINDOW) : end]
            metas = await self._source.sizes(window)
            recent = [
                m.uid for m in metas.values() if m.internal_date is None or m.internal_date >= wanted_since
            ]
            if not recent:
                break
            first = min(recent)
        reached(Failpoint.RESET_BEFORE_BEGIN)
        async with self._writing() as connection:
            kept = await begin_reset(
                connection,
                self._inbox.tenant_id,
                self._inbox.id,
                folder,
                uidvalidity=state.uidvalidity,
                first_uid=first,
                listed=len(uids),
            )
            return await self._again(connection, folder) if kept else None

    async def _again(self, connection: AsyncConnection, folder: FolderRow) -> FolderRow:
        row = await read_folder(connection, self._inbox.tenant_id, folder.id)
        return row or folder

    async def _new(
        self, folder: FolderRow, place: Place, state: Examined, gaps: Sequence[GapRow]
    ) -> WrittenRows:
        """Everything above the cursor, upwards, the cursor following each stored stretch."""
        if state.uidnext is not None and state.uidnext - 1 <= folder.last_uid:
            return WrittenRows()  # nothing was assigned since
        uids = await self._source.uids(after=folder.last_uid)
        resetting = folder.state == FolderState.RESETTING
        return await self._store(uids, place, resetting=resetting, cursor=folder, gaps=gaps)

    async def _asked_again(self, place: Place) -> WrittenRows:
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            uids = await asked_again(connection, place)
        return await self._store(uids, place) if uids else WrittenRows()

    async def refill(
        self, folder: FolderRow, place: Place, uids: Sequence[int], gaps: Sequence[GapRow]
    ) -> WrittenRows:
        """Fetch mails of the open folder that a sheet shows to be missing. Every one of them gets a row, if only one that
        says why there are no bytes. What lay there before the inbox was connected is history.
        """
        history = [uid for uid in uids if uid < folder.first_uid]
        live = [uid for uid in uids if uid >= folder.first_uid]
        written = await self._store(history, place, gaps=gaps, missing=True, historical=True)
        return written + await self._store(live, place, gaps=gaps, missing=True)

    async def _store(
        self,
        uids: Sequence[int],
        place: Place,
        *,
        resetting: bool = False,
        cursor: FolderRow | None = None,
        gaps: Sequence[GapRow] = (),
        missing: bool = False,
        historical: bool = False,
    ) -> WrittenRows:
        """Fetch and write `uids`, ascending; the next stretch is fetched while the last one is stored. `missing` says that
        a row of theirs that calls them vanished is wrong.
        """
        written = WrittenRows()
        # A reset counts for itself: what it matches again was never missing to another gap.
        credited = [] if resetting else [g.id for g in gaps if g.cause != GapCause.UIDVALIDITY]
        rematch = partial(self._rematch, place)
        known_before = resetting or any(g.cause == GapCause.LOST_STATE for g in gaps)
        for start in range(0, len(uids), WINDOW):
            window = uids[start : start + WINDOW]
            metas = await self._source.sizes(window)
            async for stretch, fetched in prefetched(self._source, stretches(window, metas, largest=self._largest)):
                rows = await self._packer.pack(
                    place.tenant_id,
                    fetched,
                    metas,
                    is_history=_always if historical else self._is_history,
                    rematch=rematch if known_before else None,
                )
                async with self._writing() as connection:
                    if missing:
                        await see_again(connection, place, [r.uid for r in rows if r.state != LedgerState.VANISHED])
                    new = await write_rows(connection, place, rows, run=self._run)
                    await credit_gaps(
                        connection,
                        place.tenant_id,
                        credited,
                        refilled=new.stored + new.skipped,
                        quarantined=new.quarantined,
                    )
                    written += new
                    if cursor is not None:
                        await move_cursor(connection, place.tenant_id, cursor, max(stretch.every))
                    reached(Failpoint.FETCH_BEFORE_COMMIT)
                reached(Failpoint.RESET_MATCHED if resetting else Failpoint.FETCH_AFTER_COMMIT)
                if self._pass_on is not None:
                    await self._pass_on()  # a long backlog lets other inboxes fetch between its stretches
        return written

    async def _rematch(self, place: Place, hashes: Iterable[str]) -> Mapping[str, KnownRaw]:
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            return await rematched(connection, place, hashes)

    def _is_history(self, date: dt.datetime | None) -> bool:
        """Mail that is older than the inbox starts nothing (integrity I-14)."""
        return date is not None and date < self._inbox.created_at - CLOCKS_DIFFER

    async def _flags(self, place: Place) -> int:
        """Mirror flags and deletions inward, measured from before new mail was fetched, so that nothing falls between."""
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            folder = await read_folder(connection, place.tenant_id, place.folder_id)
        if folder is None or folder.last_uid == 0:
            return 0
        known = FlagCursor(folder.highest_modseq, 1, folder.last_uid)
        told = await self._source.flag_changes(known)
        changed = 0
        async with self._writing() as connection:
            changed += await mirror_flags(connection, place, told.flags)
            if told.vanished is not None:
                changed += await mirror_gone(connection, place, told.vanished)
            elif told.present is not None:
                changed += await mirror_present(connection, place, told.present, last=folder.last_uid)
            await flags_read(connection, place.tenant_id, folder, told.highest_modseq)
        return changed


def _always(_: dt.datetime | None) -> bool:
    return True


def _flags_due(folder: FolderRow, state: Examined) -> bool:
    """With CONDSTORE when something changed; without it every so often, less often for large folders."""
    if state.highest_modseq is not None:
        return state.highest_modseq != folder.highest_modseq
    if folder.flags_at is None:
        return True
    pause = dt.timedelta(seconds=15 + state.exists / 50)
    return dt.datetime.now(dt.UTC) - folder.flags_at > pause
