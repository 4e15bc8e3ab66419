"""Writes back to the mail server what people chose in Mailroom, folder by folder, within a sync and under its lease.

The order makes crashes harmless: the intent stands before anything is sent; storing a flag twice is storing it once; a move is noted
before it is begun; and the intent is closed by what is then known of the server, so dying between the server and our rows
repeats or recognises it.
"""

import re
import uuid
from collections.abc import Sequence

from activities.write_back_moves import Moves, close_under
from providers.errors import Refused
from providers.imap.source import ImapSource
from providers.imap.values import FolderState
from store.folders import FolderRow, read_folder
from store.inbox_state import InboxState, Lease, hold_lease
from store.intents import Closed, IntentState, chosen, close
from store.intents_due import Due, due_in_folder, due_nowhere, settle
from store.ledger import Place
from store.mirror import mirror_flags
from store.unit_of_work import Database

BATCH = 500  # intents of one folder in one pass; the next pass takes the next ones
SEEN = "\\Seen"
_NO_ATOM = re.compile(r"[^A-Za-z0-9_.$-]+")


async def write_back(database: Database, source: ImapSource, inbox: InboxState, lease: Lease, folder_id: uuid.UUID) -> int:
    """Do at the server what was chosen here, in one folder: read, labelled, moved. Call it after the folder's flags were mirrored:
    what the server says has changed since then wins. Returns how many mails were written. Raises FolderGone, LeaseLost, and
    whatever ends the connection.

    Dying before the server is told leaves the intent; dying after it lets the next pass find it done, or do it again.
    """
    if not chosen(inbox.settings):
        return 0
    async with database.unit_of_work(inbox.tenant_id) as connection:
        await hold_lease(connection, lease)
        folder = await read_folder(connection, inbox.tenant_id, folder_id)
        place = _place(inbox, folder)
        due = await due_in_folder(connection, place, limit=BATCH) if place else []
        await settle(connection, inbox.tenant_id, inbox.id)
    if not due or folder is None or place is None:
        return 0
    work = _FolderWork(database, source, inbox, lease, folder, place)
    done = await work.read([d for d in due if d.kind == "read"])
    done += await work.label([d for d in due if d.kind == "label"])
    return done + await Moves(database, source, inbox, lease).out_of(folder, place, [d for d in due if d.kind == "place"])


async def look_for_moved(database: Database, source: ImapSource, inbox: InboxState, lease: Lease) -> int:
    """Intents about mails that lie in no folder that is read. Call it when all folders were. Raises as `write_back` does."""
    if not chosen(inbox.settings):
        return 0
    async with database.unit_of_work(inbox.tenant_id) as connection:
        await hold_lease(connection, lease)
        due = await due_nowhere(connection, inbox.tenant_id, inbox.id, limit=BATCH)
        labels = [Closed(d.id, IntentState.GONE) for d in due if d.kind == "label"]
        await close(connection, inbox.tenant_id, inbox.id, labels)
    return await Moves(database, source, inbox, lease).look_for([d for d in due if d.kind == "place"])


def keyword_of(name: str) -> str | None:
    """A tag's name as an IMAP keyword: an atom of ASCII (RFC 3501 §9), other runs of characters as one `_`. None where nothing
    of it is left.
    """
    keyword = _NO_ATOM.sub("_", name)
    return keyword if keyword.strip("_") else None


class _FolderWork:
    """Flags and keywords of one folder."""

    def __init__(
        self, database: Database, source: ImapSource, inbox: InboxState, lease: Lease, folder: FolderRow, place: Place
    ) -> None:
        self._database = database
        self._source = source
        self._inbox = inbox
        self._lease = lease
        self._folder = folder
        self._place = place
        self._flags: dict[int, frozenset[str]] = {}  # as they stand after what was stored here

    async def read(self, due: Sequence[Due]) -> int:
        return await self._store(due, SEEN, on=True) if due and await self._opened() else 0

    async def label(self, due: Sequence[Due]) -> int:
        """A keyword that the folder would not keep is refused, as a flag of this session only would be gone with it."""
        state = await self._opened() if due else None
        if state is None:
            return 0
        done, refused = 0, []
        groups: dict[tuple[str, bool], list[Due]] = {}
        for one in due:
            keyword = keyword_of(one.detail)
            if keyword is None or not state.keeps(keyword):
                refused.append(Closed(one.id, IntentState.REFUSED, "no_keywords"))
            else:
                groups.setdefault((keyword, one.wanted == "on"), []).append(one)
        await close_under(self._database, self._inbox, self._lease, refused)
        for (keyword, on), members in groups.items():
            done += await self._store(members, keyword, on=on)
        return done

    async def _opened(self) -> FolderState | None:
        """None where all numbers are void since; the next pass matches the mails anew (RFC 3501 §2.3.1.1)."""
        state = await self._source.select(self._folder.path)
        return state if state.uidvalidity == self._place.uidvalidity else None

    async def _store(self, due: Sequence[Due], flag: str, *, on: bool) -> int:
        uids = sorted({d.uid for d in due})
        try:
            await self._source.store_flags(uids, **{"add" if on else "remove": [flag]})
        except Refused:
            await close_under(self._database, self._inbox, self._lease, [Closed(d.id, IntentState.REFUSED, "not_allowed") for d in due])
            return 0
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            # As if the server had told us: the change coming back is no news then.
            for one in due:
                others = frozenset(f for f in self._flags.get(one.uid, one.flags) if f.lower() != flag.lower())
                self._flags[one.uid] = others | {flag} if on else others
            await mirror_flags(connection, self._place, {uid: self._flags[uid] for uid in uids})
            labels = [Closed(d.id, IntentState.DONE) for d in due if d.kind == "label"]
            await close(connection, self._inbox.tenant_id, self._inbox.id, labels)
            await settle(connection, self._inbox.tenant_id, self._inbox.id)
        return len(uids)


def _place(inbox: InboxState, folder: FolderRow | None) -> Place | None:
    if folder is None or folder.uidvalidity is None:
        return None
    return Place(inbox.tenant_id, inbox.id, folder.id, folder.uidvalidity)
