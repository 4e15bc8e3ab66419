"""Finds out that a server counts UIDs from lower than we have read, under the same UIDVALIDITY, and begins anew there.

RFC 3501 §2.3.1.1 forbids it; it happens when a mail server is restored from a backup. Left alone, the next mails would get
numbers below our cursor and never be fetched, and numbers that we know could mean other mails than they did.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from providers.imap.source import ImapSource
from providers.imap.values import FolderState
from store.folders import FolderRow, lower_cursor
from store.gaps import GapCause, open_gap
from store.ledger import Place, identities_of
from store.mirror import void_rows
from store.unit_of_work import Database

WINDOW = 500  # mails whose dates and sizes are compared at once


@dataclass(frozen=True, slots=True)
class WentBack:
    """`next_uid` is the server's next UID; below it `changed` are numbers that mean another mail by now. `listed` mails are
    in the folder.
    """

    next_uid: int
    changed: tuple[int, ...]
    listed: int


async def numbers_went_back(
    database: Database, source: ImapSource, folder: FolderRow, place: Place, state: FolderState
) -> WentBack | None:
    """Look at the folder that is open in `source`; None where the numbers only grew. Reads only.

    A mail keeps its internal date and its size for ever, so another date or size means another mail. Numbers that were given
    out again lie together at the top: the search goes downwards and ends with the first window in which all agree.
    """
    if state.uidnext is None or state.uidnext > folder.last_uid:
        return None
    uids = await source.uids()
    if uids and uids[-1] >= state.uidnext:
        return None  # this server's UIDNEXT means nothing
    changed: list[int] = []
    for end in range(len(uids), 0, -WINDOW):
        window = uids[max(0, end - WINDOW) : end]
        told = await source.sizes(window)
        async with database.unit_of_work(place.tenant_id) as connection:
            known = await identities_of(connection, place, window)
        other = [
            uid
            for uid, (date, size) in known.items()
            if uid in told and (told[uid].internal_date not in (None, date) or (size and told[uid].size != size))
        ]
        if not other:
            break
        changed += other
    return WentBack(state.uidnext, tuple(changed), len(uids))


async def begin_below(
    connection: AsyncConnection, folder: FolderRow, place: Place, back: WentBack
) -> None:
    """Under the lease, in one transaction: a gap, no row any more for numbers that are void, and the cursor where the
    server counts on. What the rows stood for is matched by its content when it is fetched again.
    """
    await open_gap(
        connection, place.tenant_id, place.inbox_id, folder.id, GapCause.LOST_STATE, listed=back.listed
    )
    await void_rows(connection, place, first=back.next_uid, uids=back.changed)
    await lower_cursor(connection, place.tenant_id, folder, next_uid=back.next_uid)
