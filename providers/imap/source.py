"""One mailbox connection for asynchronous callers: everything that syncing, watching and filing need.

Commands run one at a time in the IMAP lane. A connection that failed or was cancelled in the middle of a command is
never used again (`healthy` turns False); opening another is left to the pool or the caller.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from providers.egress import EgressPolicy
from providers.errors import FolderGone, ProtocolBroken, Refused, Throttled, TooLarge, Unreachable
from providers.executors import Lane, imap_lane
from providers.imap import fetching, flag_sync, listing, message_search, search, writing
from providers.imap.account import ImapAccount
from providers.imap.connection import ImapConnection, open_connection
from providers.imap.dialogue import Answer, Response
from providers.imap.idling import IDLE_RENEWAL, verdict, wait_readable
from providers.imap.uid_ranges import UidRanges
from providers.imap.values import (
    FetchBatch,
    FlagChanges,
    FlagCursor,
    FolderState,
    IdleWake,
    MailMeta,
    RemoteFolder,
)

P = ParamSpec("P")
T = TypeVar("T")


class ImapSource:
    """A mailbox. Use as `async with ImapSource(account, policy) as source:` or lease it from an ImapPool."""

    def __init__(self, account: ImapAccount, policy: EgressPolicy, *, lane: Lane | None = None) -> None:
        self.account = account
        self._policy = policy
        self._lane = lane or imap_lane()
        self._turn = asyncio.Lock()
        self._connection: ImapConnection | None = None
        self._state: FolderState | None = None
        self._writable = False
        self.healthy = False

    async def open(self) -> None:
        """Connect and sign in. Raises EgressBlocked, Unreachable, TlsFailed, AuthFailed, AuthUnavailable, Throttled."""
        opening = asyncio.ensure_future(self._lane.run(open_connection, self.account, self._policy))
        try:
            self._connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_cut_late)
            raise
        self.healthy = True

    async def close(self) -> None:
        """Say goodbye if the connection is in order, and close it. May be called twice. Cancelling ends the wait only."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        work = connection.end if self.healthy else connection.cut
        self.healthy = False
        # Without the shield a cancelled wait would take work out of the lane that no thread has begun, and nobody else
        # knows this connection any more.
        closing = asyncio.ensure_future(self._lane.run(work))
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            closing.add_done_callback(_seen)
            raise

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def capabilities(self) -> frozenset[str]:
        """Upper-case capability words as announced after sign-in."""
        return self._connection.capabilities if self._connection is not None else frozenset()

    @property
    def can_idle(self) -> bool:
        return "IDLE" in self.capabilities

    @property
    def state(self) -> FolderState | None:
        """The folder that is open, as it was when it was opened."""
        return self._state

    async def folders(self) -> list[RemoteFolder]:
        """All folders. Raises ProtocolBroken for an empty list, which never means "all deleted"."""
        return await self._run(listing.list_folders)

    async def examine(self, path: str) -> FolderState:
        """Open a folder for reading only. Raises FolderGone. Call it again for a fresh UIDVALIDITY and modseq."""
        return await self._open_folder(path, read_only=True)

    async def select(self, path: str) -> FolderState:
        """Open a folder so that flags can be stored and mails moved. Raises FolderGone."""
        return await self._open_folder(path, read_only=False)

    async def uids(self, after: int = 0) -> list[int]:
        """All UIDs above `after` in the open folder, ascending."""
        self._require_folder()
        return await self._run(search.uids_after, after)

    async def uid_ranges(self) -> UidRanges:
        """All UIDs of the open folder in little memory, however many there are."""
        self._require_folder()
        return await self._run(search.uid_ranges)

    async def sizes(self, uids: Sequence[int]) -> dict[int, MailMeta]:
        """Size, date, flags and lasting id of `uids`. What vanished meanwhile is absent."""
        self._require_folder()
        return await self._run(fetching.fetch_meta, uids)

    async def fetch(self, uids: Sequence[int]) -> FetchBatch:
        """Whole mails. All of a batch is held in memory: choose it by `sizes` (some MB at a time)."""
        self._require_folder()
        return await self._run(fetching.fetch_mails, uids)

    async def header_of(self, uid: int) -> bytes | None:
        """The header of one mail, for those too large to fetch; None if it vanished."""
        self._require_folder()
        return await self._run(fetching.fetch_header, uid)

    async def flag_changes(self, known: FlagCursor) -> FlagChanges:
        """What changed since `known`, measured against the state of the last `examine`: call that first."""
        return await self._run(flag_sync.flag_changes, self._require_folder(), known)

    async def search_message_id(self, message_id: str) -> list[int]:
        """UIDs in the open folder with exactly this Message-ID. ValueError if it is not of the strict form."""
        self._require_folder()
        return await self._run(message_search.search_message_id, message_id)

    async def append(
        self, path: str, raw: bytes, flags: Iterable[str] = (), when: datetime | None = None
    ) -> int | None:
        """Add a mail to `path`; its UID where the server tells. Not repeatable without searching first."""
        return await self._run(writing.append, path, raw, flags, when)

    async def store_flags(
        self, uids: Sequence[int], add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> None:
        """Change flags in the folder opened by `select`. Twice is once."""
        self._require_writable()
        await self._run(writing.store_flags, uids, add, remove)

    async def move(self, uids: Sequence[int], path: str) -> frozenset[int] | None:
        """Move mails from the folder opened by `select` to `path`; which were moved, where the server tells. Raises Refused
        where the server cannot do it safely.
        """
        self._require_writable()
        return await self._run(writing.move, uids, path)

    async def expunge(self, uids: Sequence[int]) -> None:
        """Take exactly these mails out of the folder opened by `select`."""
        self._require_writable()
        await self._run(writing.expunge, uids)

    async def check_alive(self) -> None:
        """Raises Unreachable if the connection is dead."""
        await self._run(writing.check_alive)

    async def idle(self, seconds: float, stop: asyncio.Event | None = None) -> IdleWake:
        """Wait in IDLE on the open folder until something is announced, `stop` is set or `seconds` have passed.

        IDLE is renewed every few minutes. "closed" means the connection is gone: look, then open another. Raises
        Refused if the server has no IDLE; poll then. Cancelling ends the wait at once and the connection with it.
        """
        self._require_folder()
        if not self.can_idle:
            raise Refused(
                "idle_unavailable", "The server does not announce new mail; it is looked for at intervals."
            )
        deadline = time.monotonic() + seconds
        try:
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    return IdleWake("timeout")
                ended, told = await self._idle_once(min(left, IDLE_RENEWAL), stop)
                news = verdict(told)
                if news != "nothing":
                    return IdleWake(news)
                if ended == "stop":
                    return IdleWake("timeout")
        except (Unreachable, ProtocolBroken, Throttled):
            self.healthy = False
            return IdleWake("closed")
        except BaseException:
            self.healthy = False  # the server still believes in IDLE
            raise

    async def _idle_once(self, seconds: float, stop: asyncio.Event | None) -> tuple[str, list[Response]]:
        tag, early = await self._run(_begin_idle)
        connection = self._require_connection()
        ended: str = "bytes"
        if verdict(early) == "nothing" and not connection.something_waiting():
            ended = await wait_readable(connection.socket, seconds, stop)
        answer: Answer = await self._run(_end_idle, tag)
        if answer.status != "OK":
            raise ProtocolBroken("idle_refused")
        return ended, [*early, *answer.untagged]

    async def _open_folder(self, path: str, *, read_only: bool) -> FolderState:
        self._state = None
        self._writable = False
        state = await self._run(listing.open_folder, path, read_only=read_only)
        self._state = state
        self._writable = not read_only
        return state

    async def _run(
        self, work: Callable[Concatenate[ImapConnection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self._turn:
            connection = self._require_connection()
            job = asyncio.ensure_future(self._lane.run(work, connection, *args, **kwargs))
            try:
                return await asyncio.shield(job)
            except asyncio.CancelledError:
                # The thread is in the middle of a command: break its read, and never speak on this line again.
                self.healthy = False
                self._connection = None
                connection.interrupt()
                job.add_done_callback(lambda done: _cut_after(done, connection))
                raise
            except (FolderGone, Refused, TooLarge):
                raise  # the server said no and the conversation goes on
            except BaseException:
                self.healthy = False  # anything else may have ended in the middle of a response
                raise

    def _require_connection(self) -> ImapConnection:
        if self._connection is None or not self.healthy:
            raise Unreachable("connection_lost")
        return self._connection

    def _require_folder(self) -> FolderState:
        if self._state is None:
            raise RuntimeError("no folder is open on this connection; call examine() or select() first")
        return self._state

    def _require_writable(self) -> None:
        self._require_folder()
        if not self._writable:
            raise RuntimeError("the folder is open for reading only; call select() first")


def _begin_idle(connection: ImapConnection) -> tuple[bytes, list[Response]]:
    return connection.dialogue.begin_idle()


def _end_idle(connection: ImapConnection, tag: bytes) -> Answer:
    return connection.dialogue.end_idle(tag)


def _cut_after(job: "asyncio.Future[T]", connection: ImapConnection) -> None:
    _seen(job)
    connection.cut()


def _seen(job: "asyncio.Future[T]") -> None:
    """Take note of its error: the caller was cancelled, there is nobody to tell."""
    if not job.cancelled():
        job.exception()


def _cut_late(opening: "asyncio.Future[ImapConnection]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().cut()
