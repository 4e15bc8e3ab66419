"""Moves mails at an IMAP server to where people chose in Mailroom, and finds again what was moved before a crash.

That a move is begun is noted before the server is told. A mail that then left its folder may have been moved by us: it is looked for
by its Message-ID where it was to go before it is called gone, so neither our own move nor a repeated one is news to anybody.
"""

import hashlib
from collections.abc import Sequence

from providers.errors import FolderGone, Refused
from providers.imap.source import ImapSource
from store.folders import FolderRow
from store.inbox_state import InboxState, Lease, hold_lease
from store.intents import Closed, IntentState, close
from store.intents_due import Due, begin, folder_for
from store.ledger import Place
from store.mirror import mirror_moved, tell_gone
from store.unit_of_work import Database


class Moves:
    """Moves of one inbox under one lease. `source` is signed in."""

    def __init__(self, database: Database, source: ImapSource, inbox: InboxState, lease: Lease) -> None:
        self._database = database
        self._source = source
        self._inbox = inbox
        self._lease = lease

    async def out_of(self, folder: FolderRow, place: Place, due: Sequence[Due]) -> int:
        """Mails of this folder. One that lies neither where it was when a person chose nor where it was wanted has been moved by
        somebody else: that stays. How many were moved. Raises FolderGone, LeaseLost, and whatever ends the connection.
        """
        lies = "archive" if folder.role == "all" else folder.role
        ends, moving = [], dict[str, list[Due]]()
        for one in due:
            if lies == one.expected:
                moving.setdefault(one.wanted, []).append(one)
            elif not one.elsewhere:
                ends.append(_end(one, lies))
        await close_under(self._database, self._inbox, self._lease, ends)
        moved = 0
        for wanted, mails in moving.items():
            target = await self._target(wanted)
            if target is None:
                await close_under(self._database, self._inbox, self._lease, [Closed(d.id, IntentState.REFUSED, "no_folder") for d in mails])
            else:
                moved += await self._move(folder, place, mails, target)
        return moved

    async def look_for(self, due: Sequence[Due]) -> int:
        """Mails that lie in no folder that is read: where they were to go, if we may have moved them; else where we put them
        before, to take them out of there again. How many were moved.
        """
        moved, ends = 0, list[Closed]()
        gone: list[Due] = []
        for one in due:
            if one.tried and await self._found(one.wanted, one.header):
                ends.append(Closed(one.id, IntentState.DONE))
            elif one.expected != "inbox" and await self._found(one.expected, one.header):
                end = await self._take_back(one)
                moved += end.state is IntentState.DONE
                ends.append(end)
            else:
                gone.append(one)
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            closed = [*ends, *(Closed(one.id, IntentState.GONE) for one in gone)]
            await close(connection, self._inbox.tenant_id, self._inbox.id, closed)
            # Nobody was told while we might have moved it.
            await tell_gone(connection, self._inbox.tenant_id, self._inbox.id, [d.message_id for d in gone if d.tried])
        return moved

    async def _move(self, folder: FolderRow, place: Place, due: Sequence[Due], target: str) -> int:
        again = [d for d in due if d.tried] if "MOVE" not in self._source.capabilities else []
        copied = [d for d in again if await self._is_copied(target, d)]  # died between COPY and EXPUNGE
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            still = await begin(connection, self._inbox.tenant_id, self._inbox.id, [d.id for d in due])
        state = await self._source.select(folder.path)
        if state.uidvalidity != place.uidvalidity:
            return 0  # all numbers are void since; the next pass matches the mails anew (RFC 3501 §2.3.1.1)
        rest = [d for d in due if d.id in still and d not in copied]
        try:
            if copied:
                await self._source.expunge([d.uid for d in copied])
            uids = sorted({d.uid for d in rest})
            told = await self._source.move(uids, target) if uids else frozenset[int]()
        except Refused as refused:
            await close_under(self._database, self._inbox, self._lease, [Closed(d.id, IntentState.REFUSED, _reason(refused)) for d in due])
            return 0
        # What was no longer there is looked for by the next pass.
        moved = [*copied, *(d for d in rest if told is None or d.uid in told)]
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            await mirror_moved(connection, place, [d.uid for d in moved])
            ends = [Closed(d.id, IntentState.DONE) for d in moved]
            await close(connection, self._inbox.tenant_id, self._inbox.id, ends)
        return len(moved)

    async def _take_back(self, one: Due) -> Closed:
        """Out of the folder where we put it. Dying after the move lets the next pass find it where it was wanted."""
        target, path = await self._target(one.wanted), await self._target(one.expected)
        if target is None or path is None:
            return Closed(one.id, IntentState.REFUSED, "no_folder")
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            await begin(connection, self._inbox.tenant_id, self._inbox.id, [one.id])
        await self._source.select(path)
        uids = await self._source.search_message_id(one.header or "")
        try:
            await self._source.move(uids[-1:], target)
        except Refused as refused:
            return Closed(one.id, IntentState.REFUSED, _reason(refused))
        return Closed(one.id, IntentState.DONE)

    async def _found(self, role: str, header: str | None) -> bool:
        path = await self._target(role)
        return path is not None and await self._lies_in(path, header)

    async def _is_copied(self, path: str, one: Due) -> bool:
        """Whether its very octets lie there: another mail under its Message-ID must not cost it its own place."""
        if not await self._lies_in(path, one.header):
            return False
        there = await self._source.fetch(await self._source.search_message_id(one.header or ""))
        return any(hashlib.sha256(mail.raw).hexdigest() == one.raw_sha256 for mail in there.mails)

    async def _lies_in(self, path: str, header: str | None) -> bool:
        if header is None:
            return False
        try:
            await self._source.examine(path)
            return bool(await self._source.search_message_id(header))
        except FolderGone:
            return False
        except ValueError:
            return False  # an id that cannot be searched for safely

    async def _target(self, role: str) -> str | None:
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            return await folder_for(connection, self._inbox.tenant_id, self._inbox.id, role)


async def close_under(database: Database, inbox: InboxState, lease: Lease, ends: Sequence[Closed]) -> None:
    """Close intents in a transaction of their own that holds the lease; nothing for none. Raises LeaseLost."""
    if not ends:
        return
    async with database.unit_of_work(inbox.tenant_id) as connection:
        await hold_lease(connection, lease)
        await close(connection, inbox.tenant_id, inbox.id, ends)


def _end(one: Due, lies: str) -> Closed:
    return Closed(one.id, IntentState.DONE) if lies == one.wanted else Closed(one.id, IntentState.CONFLICT, lies)


def _reason(refused: Refused) -> str:
    return refused.reason if refused.reason == "no_safe_move" else "not_allowed"
