"""Draws up a folder's balance sheet, opens a gap for what is missing, fetches it, and closes gaps when a sheet proves it.

Everything it finds out is in rows before it acts: dying anywhere leaves an open gap, and the next pass over the folder
compares again and goes on with what is still missing. New mail is fetched before, at every pass, so it never waits long.
"""

import datetime as dt
import time
import uuid
from dataclasses import dataclass, field

from activities.folder_balance import Sheet, draw_up
from activities.folder_pass import FolderPass
from contracts.failpoints import Failpoint, reached
from providers.imap.source import ImapSource
from store.audits import AuditReason, record_audit
from store.folders import FolderRow, FolderState, read_folder
from store.gaps import GapCause, GapRow, close_gap, found_missing, gaps_of_folder, open_gap
from store.inbox_state import InboxState, Lease, hold_lease
from store.ledger import Place, WrittenRows
from store.mirror import mirror_gone, void_identities
from store.unit_of_work import Database

PIECE = 200  # mails between two looks at the clock


@dataclass(frozen=True, slots=True)
class RefillReport:
    """`more`: time was up, and the next pass has something to go on with."""

    written: WrittenRows = field(default_factory=WrittenRows)
    more: bool = False


class FolderRefill:
    """Works on folders of one inbox under one lease; `one_pass` fetches for it. `ends` is when it lets go, on the
    monotonic clock.
    """

    def __init__(
        self,
        database: Database,
        source: ImapSource,
        inbox: InboxState,
        lease: Lease,
        one_pass: FolderPass,
        *,
        ends: float,
    ) -> None:
        self._database = database
        self._source = source
        self._inbox = inbox
        self._lease = lease
        self._pass = one_pass
        self._ends = ends

    async def balance(self, folder_id: uuid.UUID, *, reason: AuditReason | None) -> RefillReport:
        """With a `reason` a sheet is drawn up and kept; without one only where gaps are open. Raises FolderGone, and
        whatever ends the connection.
        """
        folder, gaps = await self._read(folder_id)
        if folder is None or (reason is None and not gaps):
            return RefillReport()
        state = await self._source.examine(folder.path)
        if folder.state != FolderState.ACTIVE or folder.uidvalidity != state.uidvalidity:
            return RefillReport(more=folder.state != FolderState.PARKED)  # listed anew first, by the next pass
        place = Place(self._inbox.tenant_id, self._inbox.id, folder.id, state.uidvalidity)
        sheet = await self._draw_up(folder, place)
        gaps = await self._note(folder, place, sheet, gaps, reason)
        reached(Failpoint.GAP_OPENED if sheet.figures.missing else Failpoint.AUDIT_RECORDED)
        written = WrittenRows()
        for uids in sheet.missing.windows(PIECE):
            if time.monotonic() >= self._ends:
                return RefillReport(written, more=True)
            written += await self._pass.refill(folder, place, uids, gaps)
        reached(Failpoint.GAP_REFILLED)
        if sheet.extras:
            await self._let_go(place, sheet)
        if sheet.figures.missing or sheet.extras:
            sheet, reason = await self._draw_up(folder, place), None
        if sheet.figures.missing:
            return RefillReport(written, more=written != WrittenRows())
        await self._close(place, sheet, gaps, recorded=reason is not None)
        return RefillReport(written)

    async def _read(self, folder_id: uuid.UUID) -> tuple[FolderRow | None, list[GapRow]]:
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            folder = await read_folder(connection, self._inbox.tenant_id, folder_id)
            gaps = await gaps_of_folder(connection, self._inbox.tenant_id, folder_id)
        return folder, [g for g in gaps if g.cause != GapCause.UIDVALIDITY]  # those end with their reset

    async def _draw_up(self, folder: FolderRow, place: Place) -> Sheet:
        wanted_since = self._inbox.created_at - dt.timedelta(days=self._inbox.backfill_days)
        horizon = folder.backfill_horizon or wanted_since
        return await draw_up(self._database, self._source, folder, place, horizon=horizon)

    async def _note(
        self, folder: FolderRow, place: Place, sheet: Sheet, gaps: list[GapRow], reason: AuditReason | None
    ) -> list[GapRow]:
        """Keep the sheet and what it found, in one transaction; the gaps that are open now."""
        figures = sheet.figures
        async with self._database.unit_of_work(place.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            if reason is not None:
                await record_audit(connection, place, figures, reason)
            if figures.missing and not gaps:
                await open_gap(
                    connection,
                    place.tenant_id,
                    place.inbox_id,
                    folder.id,
                    GapCause.AUDIT,
                    listed=figures.at_provider,
                    missing=figures.missing,
                )
            await found_missing(
                connection,
                place.tenant_id,
                [g.id for g in gaps],
                listed=figures.at_provider,
                missing=figures.missing,
            )
            found = await gaps_of_folder(connection, place.tenant_id, folder.id)
        return [g for g in found if g.cause != GapCause.UIDVALIDITY]

    async def _let_go(self, place: Place, sheet: Sheet) -> None:
        """Mails that the server does not list any more went away without its telling us. An answer that is shorter than
        the folder says it is proves nothing.
        """
        state = await self._source.examine(self._source.state.path) if self._source.state else None
        if state is None or state.exists > sheet.figures.at_provider:
            return
        async with self._database.unit_of_work(place.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            await mirror_gone(connection, place, sheet.extras)

    async def _close(self, place: Place, sheet: Sheet, gaps: list[GapRow], *, recorded: bool) -> None:
        async with self._database.unit_of_work(place.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            if not recorded:
                await record_audit(connection, place, sheet.figures, AuditReason.REFILLED)
            if any(g.cause == GapCause.LOST_STATE for g in gaps):
                await void_identities(connection, place)
            for gap in gaps:
                await close_gap(connection, place.tenant_id, gap.id, listed=sheet.figures.at_provider)
        reached(Failpoint.GAP_CLOSED)
