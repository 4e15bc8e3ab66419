"""The balance sheet of one place of a mailbox behind a web API: listed again, compared with the ledger, and what is missing fetched.

The same for a night's audit, a resync, and every gap, whatever opened it: an expired cursor, a long lockout. When its time is up
it lets go, so that live mail is never kept waiting, and the next pass goes on at the page of record. What was listed so far is
in memory: where another process has the next pass, it lists from the beginning. Everything else that it finds out is in rows
before it acts: dying anywhere leaves the gap open or the audit due, and the next pass compares again.
"""

import datetime as dt
import time
import uuid
from dataclasses import dataclass, field

from activities.api_boxes import ApiBox
from activities.api_take import ApiTaker, Taken, to_fill
from contracts.failpoints import Failpoint, reached
from providers.errors import FolderGone, ProtocolBroken
from providers.mail_api import CursorExpired, MailApiSource, RemoteMail
from store.api_balance import api_figures, record_api_audit, time_of
from store.api_ledger import read_cursor
from store.api_mirror import mirror_left
from store.audits import AuditReason, BalanceFigures
from store.gaps import GapCause, GapRow, close_gap, found_missing, gaps_of_folder, open_gap

PIECE = 40
RELIST_TRIES = 3
TOO_OLD = 3_600.0  # seconds after which a listing that nobody went on with begins anew
TOLD_PAGES = 10  # of changes that are looked through for mail that is only on its way
STATES = (
    2_000  # of the newest mails, labels are read again after a gap; older ones show them when they change
)


@dataclass(slots=True)
class Relisted:
    """`missing` should be here and are not, newest first; `unasked` are drafts and thrown away ones without a row; `ahead` came
    after the changes were read: the next pass is told of them. `whole`: the
    listing was read to its end and is as long as the provider said. `since`: the database's time at its beginning; rows that
    changed later are told by changes and not by it. `after` is the next page, `done` that there is none; `touched` the
    monotonic time of the last page.
    """

    since: dt.datetime
    states: bool
    after: str | None = None
    total: int | None = None
    done: bool = False
    tries: int = 1
    touched: float = field(default_factory=time.monotonic)
    ids: set[str] = field(default_factory=set)
    missing: list[RemoteMail] = field(default_factory=list)
    unasked: list[RemoteMail] = field(default_factory=list)
    ahead: set[str] = field(default_factory=set)
    whole: bool = False


@dataclass(slots=True)
class UnderWay:
    """What an inbox's earlier passes began: listings that are not at their end, and places whose sheet is `drawn` while others
    are still listed.
    """

    listings: dict[uuid.UUID, Relisted] = field(default_factory=dict)
    drawn: set[uuid.UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Balanced:
    """`more`: time was up, and the next pass has something to go on with. `compared`: the listing came to its end."""

    taken: Taken = field(default_factory=Taken)
    more: bool = False
    compared: bool = True


class ApiBalance:
    """Works under the lease of `taker`; `ends` is when it lets go, on the monotonic clock. `begun` are listings that earlier
    passes did not finish.
    """

    def __init__(
        self,
        source: MailApiSource,
        taker: ApiTaker,
        *,
        ends: float,
        begun: dict[uuid.UUID, Relisted],
    ) -> None:
        self._source = source
        self._taker = taker
        self._ends = ends
        self._begun = begun

    async def balance(self, box: ApiBox, *, reason: AuditReason | None) -> Balanced:
        """With a `reason` a sheet is drawn up and kept; without one only where gaps are open. A first listing that is under
        way comes first. Raises ProviderError, LeaseLost.
        """
        tenant_id, folder_id = box.place.tenant_id, box.folder.id
        async with self._taker.writing() as connection:
            gaps = await gaps_of_folder(connection, tenant_id, folder_id)
        if box.folder.listing or not box.folder.begun or (reason is None and not gaps):
            return Balanced()
        again = await self._relisted(box, gaps)
        if not again.done:
            return Balanced(more=True, compared=False)
        await self._set_apart_the_new(box, again)
        figures, extras = await self._figures(box, again)
        gaps = await self._note(box, figures, gaps, reason)
        reached(Failpoint.GAP_OPENED if figures.missing else Failpoint.AUDIT_RECORDED)
        taken = Taken()
        taken += await self._taker.take(box, again.unasked[::-1])
        for start in range(0, len(again.missing), PIECE):
            if time.monotonic() >= self._ends:
                return Balanced(taken, more=True)
            taken += await self._taker.take(box, again.missing[start : start + PIECE][::-1])
        reached(Failpoint.GAP_REFILLED)
        if extras and again.whole:
            async with self._taker.writing() as connection:
                await mirror_left(connection, box.place, extras)
        changed = bool(figures.missing or extras or again.unasked)
        if changed:
            figures, _ = await self._figures(box, again)
        if figures.missing:
            return Balanced(taken, more=taken != Taken())
        await self._close(box, figures, gaps, recorded=reason is not None and not changed)
        return Balanced(taken)

    async def _relisted(self, box: ApiBox, gaps: list[GapRow]) -> Relisted:
        """The listing, as far as it came until the time was up. How far is told to the gaps, where people see it."""
        folder_id = box.folder.id
        again = self._begun.pop(folder_id, None)
        if again is None or time.monotonic() - again.touched > TOO_OLD or (gaps and not again.states):
            again = await self._beginning(states=bool(gaps))
        while True:
            try:
                await self._pages(box, again)
                break
            except CursorExpired:  # a page grew too old while the others were read
                if again.tries >= RELIST_TRIES:
                    raise ProtocolBroken("listing_expires") from None
                tries = again.tries + 1
                again = await self._beginning(states=again.states)
                again.tries = tries
        if not again.done:
            self._begun[folder_id] = again
            async with self._taker.writing() as connection:
                await found_missing(
                    connection, box.place.tenant_id, [g.id for g in gaps], listed=len(again.ids), missing=0
                )
        return again

    async def _beginning(self, *, states: bool) -> Relisted:
        async with self._taker.writing() as connection:
            return Relisted(await time_of(connection), states)

    async def _pages(self, box: ApiBox, again: Relisted) -> None:
        while True:
            after, states = again.after, again.states and len(again.ids) < STATES
            page = await self._source.listing(box.path, after, states=states)
            again.total = page.total if again.total is None else again.total
            known = await self._taker.known(box, [m.id for m in page.mails])
            new = [m for m in page.mails if to_fill(m, known)]
            mails = page.mails
            if any(m.received_at is None for m in new):
                # Dates and labels say whether these are missing or were never asked for.
                mails = (await self._source.listing(box.path, after, states=True)).mails
                unseen = {m.id for m in new}
                new = [m for m in mails if m.id in unseen]
            await self._taker.take(box, [m for m in mails if m.id in known and not known[m.id].empty])
            again.ids |= {m.id for m in mails}
            for mail in new:
                if box.unwanted(mail) is not None:
                    again.unasked += [mail] if mail.id not in known else []
                elif mail.received_at is None or mail.received_at >= self._taker.horizon:
                    again.missing.append(mail)
            again.after, again.touched = page.after, time.monotonic()
            if page.after is None:
                again.whole = again.total is None or again.total <= len(again.ids)
                again.done = True
                return
            dates = [m.received_at for m in new if m.received_at is not None]
            if new and len(dates) == len(mails) and max(dates) < self._taker.horizon:
                again.whole = again.done = True  # down to the horizon, and rows below it are not compared
                return
            if again.touched >= self._ends:
                return

    async def _set_apart_the_new(self, box: ApiBox, again: Relisted) -> None:
        """A mail that the provider tells as a change since our cursor is not missing, it is on its way. Nothing moves on here."""
        known = await self._taker.known(box, [m.id for m in again.missing])
        unknown = {mail.id for mail in again.missing} - known.keys()
        if not unknown:
            return
        async with self._taker.writing() as connection:
            cursor = await read_cursor(connection, box.place)
        pages = TOLD_PAGES
        while cursor is not None and unknown and pages:
            try:
                told = await self._source.changes(box.path, cursor)
            except (CursorExpired, FolderGone):
                return  # the next pass meets it, and opens a gap
            news = {mail.id for mail in told.changed} & unknown
            again.ahead |= news
            unknown -= news
            cursor, pages = (told.cursor if told.more else None), pages - 1
        again.missing = [mail for mail in again.missing if mail.id not in again.ahead]

    async def _figures(self, box: ApiBox, again: Relisted) -> tuple[BalanceFigures, list[str]]:
        """The sheet of the moment, and the ids of rows without a mail."""
        known = await self._taker.known(box, [m.id for m in (*again.missing, *again.unasked)])
        missing = {m.id for m in again.missing if m.id not in known or known[m.id].empty}
        unasked = {m.id for m in again.unasked if m.id not in known}
        async with self._taker.writing() as connection:
            return await api_figures(
                connection,
                box.place,
                again.ids,
                since=again.since,
                horizon=self._taker.horizon,
                missing=missing,
                unasked=unasked,
                ahead=again.ahead,
            )

    async def _note(
        self, box: ApiBox, figures: BalanceFigures, gaps: list[GapRow], reason: AuditReason | None
    ) -> list[GapRow]:
        """Keep the sheet and what it found, in one transaction; the gaps that are open now."""
        place, folder_id = box.place, box.folder.id
        async with self._taker.writing() as connection:
            if reason is not None:
                await record_api_audit(connection, place, folder_id, figures, reason)
            if figures.missing and not gaps:
                await open_gap(
                    connection,
                    place.tenant_id,
                    place.inbox_id,
                    folder_id,
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
            found = await gaps_of_folder(connection, place.tenant_id, folder_id)
        self._taker.credit(folder_id, [g.id for g in found])
        return found

    async def _close(
        self, box: ApiBox, figures: BalanceFigures, gaps: list[GapRow], *, recorded: bool
    ) -> None:
        async with self._taker.writing() as connection:
            for gap in gaps:
                await close_gap(connection, box.place.tenant_id, gap.id, listed=figures.at_provider)
            if not recorded:
                await record_api_audit(connection, box.place, box.folder.id, figures, AuditReason.REFILLED)
        reached(Failpoint.GAP_CLOSED)
