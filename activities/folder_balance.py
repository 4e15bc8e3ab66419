"""The balance sheet of one folder: what lies at the provider against what the ledger says lies there (integrity I-4).

Reads only. Each mail at the provider is in the ledger, or not wanted for a reason that has a name, or missing.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from providers.imap.source import ImapSource
from providers.imap.uid_ranges import UidRanges
from store.audits import BalanceFigures, compare_window
from store.backfill import BackfillState
from store.folders import FolderRow
from store.ledger import LedgerState, Place
from store.unit_of_work import Database

WINDOW = 5_000  # UIDs compared at once; memory and one statement are bounded by it
DATES = 2_000  # mails whose date is asked for at once
LAST_UID = (1 << 32) - 1
AT_WORK = (BackfillState.WAITING, BackfillState.RUNNING, BackfillState.PAUSED)


@dataclass(frozen=True, slots=True)
class Sheet:
    """`missing` are the UIDs to be had, `extras` some of the rows without a mail."""

    figures: BalanceFigures
    missing: UidRanges
    extras: tuple[int, ...]


@dataclass(slots=True)
class _Unknown:
    """Mails at the provider that the ledger does not have, by what explains them."""

    ahead: int = 0
    history_waiting: int = 0
    beyond_horizon: int = 0
    not_asked_for: int = 0
    left: int = 0


async def draw_up(
    database: Database, source: ImapSource, folder: FolderRow, place: Place, *, horizon: dt.datetime
) -> Sheet:
    """Compare the folder that is open in `source`. `horizon` is the date of the oldest history that was wanted. Mail that
    comes or goes meanwhile shows up in the next sheet.
    """
    listed = await source.uid_ranges()
    unknown = _Unknown()
    states = dict.fromkeys(LedgerState, 0)
    vanished = gone = deleted = extra = 0
    found: list[UidRanges] = []
    extras: list[int] = []
    for uids, first, last in _windows(listed):
        async with database.unit_of_work(place.tenant_id) as connection:
            figures = await compare_window(connection, place, uids, first=first, last=last)
        for state, count in figures.states.items():
            states[LedgerState(state)] += count
        vanished += figures.vanished
        gone += figures.gone
        deleted += figures.deleted
        extra += figures.extra
        extras += figures.extras
        missing = await _unexplained(source, folder, figures.unknown, unknown, horizon)
        if missing:
            found.append(UidRanges.of(missing))
    all_missing = UidRanges.of(uid for ranges in found for uid in ranges)
    figures_of_all = BalanceFigures(
        at_provider=len(listed) - unknown.left,
        in_ledger=sum(states.values()),
        stored=states[LedgerState.STORED],
        ingested=states[LedgerState.INGESTED],
        skipped=states[LedgerState.SKIPPED],
        quarantined=states[LedgerState.QUARANTINED],
        seen=states[LedgerState.SEEN],
        vanished=vanished,
        gone=gone,
        deleted=deleted,
        ahead=unknown.ahead,
        history_waiting=unknown.history_waiting,
        beyond_horizon=unknown.beyond_horizon,
        not_asked_for=unknown.not_asked_for,
        missing=len(all_missing),
        extra=extra,
    )
    return Sheet(figures_of_all, all_missing, tuple(extras))


def _windows(listed: UidRanges) -> Iterator[tuple[list[int], int, int]]:
    """UIDs with the range that they stand for: together the ranges are all that a UID can be."""
    first = 1
    for uids in listed.windows(WINDOW):
        yield uids, first, uids[-1]
        first = uids[-1] + 1
    yield [], first, LAST_UID


async def _unexplained(
    source: ImapSource, folder: FolderRow, uids: Sequence[int], counts: _Unknown, horizon: dt.datetime
) -> list[int]:
    """Those of `uids` that we should have; the others are counted by their reason."""
    ours: list[int] = []
    dated: list[int] = []
    state = BackfillState(folder.backfill_state)
    # Below it nothing was read yet, or nothing will be. A reset reads all that is wanted by itself and leaves no mark.
    mark = folder.first_uid if folder.backfill_uid is None else min(folder.backfill_uid, folder.first_uid)
    for uid in uids:
        if uid > folder.last_uid:
            counts.ahead += 1
        elif uid >= folder.first_uid:
            ours.append(uid)
        elif uid >= mark:
            dated.append(uid)
        elif state in AT_WORK:
            counts.history_waiting += 1
        elif state is BackfillState.DONE:
            counts.beyond_horizon += 1
        else:
            counts.not_asked_for += 1
    for start in range(0, len(dated), DATES):
        asked = dated[start : start + DATES]
        metas = await source.sizes(asked)
        for uid in asked:
            if uid not in metas:
                counts.left += 1  # expunged since it was listed
            elif (date := metas[uid].internal_date) is not None and date < horizon:
                counts.beyond_horizon += 1
            else:
                ours.append(uid)
    return ours
