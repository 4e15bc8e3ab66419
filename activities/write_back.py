"""Writes back to the mail server what people chose in Mailroom, folder by folder, within a sync and under its lease.

The order makes crashes harmless: the intent stands before anything is sent; storing a flag twice is storing it once; and the
intent is closed by what the ledger knows of the server, so dying between the server and our rows repeats or recognises it.
"""

import uuid

from providers.errors import Refused
from providers.imap.source import ImapSource
from store.folders import FolderRow, read_folder
from store.inbox_state import InboxState, Lease, hold_lease
from store.intents import due_in_folder, refuse, settle, writes_back
from store.ledger import Place
from store.mirror import mirror_flags
from store.unit_of_work import Database

BATCH = 500  # mails of one folder in one pass; the next pass takes the next ones
SEEN = "\\Seen"


async def write_back(database: Database, source: ImapSource, inbox: InboxState, lease: Lease, folder_id: uuid.UUID) -> int:
    """Mark as read at the server what was read here, in one folder. Call it after the folder's flags were mirrored: what the
    server says has changed since then wins. Returns how many mails were written. Raises FolderGone, LeaseLost, and whatever
    ends the connection.

    Dying before STORE leaves the intent; dying after it lets the next pass find the flag set, or set it again.
    """
    if not writes_back(inbox.settings):
        return 0
    async with database.unit_of_work(inbox.tenant_id) as connection:
        await hold_lease(connection, lease)
        folder = await read_folder(connection, inbox.tenant_id, folder_id)
        place = _place(inbox, folder)
        due = await due_in_folder(connection, place, limit=BATCH) if place else []
        await settle(connection, inbox.tenant_id, inbox.id)
    if not due or folder is None or place is None:
        return 0
    state = await source.select(folder.path)
    if state.uidvalidity != place.uidvalidity:
        return 0  # all numbers are void since; the next pass matches the mails anew (RFC 3501 §2.3.1.1)
    uids = [d.uid for d in due]
    try:
        await source.store_flags(uids, add=[SEEN])
    except Refused:
        async with database.unit_of_work(inbox.tenant_id) as connection:
            await hold_lease(connection, lease)
            await refuse(connection, place, uids)
        return 0
    async with database.unit_of_work(inbox.tenant_id) as connection:
        await hold_lease(connection, lease)
        # As if the server had told us: the change coming back is no news then.
        await mirror_flags(connection, place, {d.uid: d.flags | {SEEN} for d in due})
        await settle(connection, inbox.tenant_id, inbox.id)
    return len(uids)


def _place(inbox: InboxState, folder: FolderRow | None) -> Place | None:
    if folder is None or folder.uidvalidity is None:
        return None
    return Place(inbox.tenant_id, inbox.id, folder.id, folder.uidvalidity)
