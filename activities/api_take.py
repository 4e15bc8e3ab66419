"""Takes mails that a web API told of: what is known is mirrored, what is not is fetched, stored, and given its ledger rows.

Raw first, cursor last: octets are in the bucket before a row names them, and whatever the caller moves, it moves in the
transaction of the last rows. If it dies anywhere, the same mails are told again, and those with a row are not fetched again.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.api_boxes import ApiBox, flags_of
from activities.packing import Packer
from contracts.failpoints import Failpoint, reached
from providers.mail_api import MailApiSource, RawMail, RemoteMail
from store.api_ledger import ApiRow, KnownMail, count_failed_fetches, known_mails, reopen, write_api_rows
from store.api_mirror import ToldMail, mirror_left, mirror_told
from store.gaps import credit_gaps
from store.inbox_state import InboxState, Lease, hold_lease
from store.ledger import LedgerState, WrittenRows
from store.unit_of_work import Database

CLOCKS_DIFFER = dt.timedelta(minutes=10)
MOST = 40  # mails that are held at once; fewer where they are large
ENOUGH_BYTES = 8 * 1024 * 1024

Finish = Callable[[AsyncConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Taken:
    """`old`: mails that were left because they are older than the inbox's horizon. `changed`: flags or places."""

    written: WrittenRows = field(default_factory=WrittenRows)
    changed: int = 0
    old: int = 0

    def __add__(self, other: "Taken") -> "Taken":
        return Taken(self.written + other.written, self.changed + other.changed, self.old + other.old)


class ApiTaker:
    """Takes mails of one inbox under one lease. `run` names the workflow run; `credited` are open gaps, by folder, to which
    what comes in is counted; `pass_on` lets other inboxes go first.
    """

    def __init__(
        self,
        database: Database,
        packer: Packer,
        source: MailApiSource,
        inbox: InboxState,
        lease: Lease,
        *,
        run: str | None = None,
        credited: Mapping[uuid.UUID, Sequence[uuid.UUID]] | None = None,
        pass_on: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._packer = packer
        self._source = source
        self._inbox = inbox
        self._lease = lease
        self._run = run
        self._credited = dict(credited or {})
        self._pass_on = pass_on
        self._size = MOST // 4

    @property
    def horizon(self) -> dt.datetime:
        """Mail that is older was not asked for."""
        return self._inbox.created_at - dt.timedelta(days=self._inbox.backfill_days) - CLOCKS_DIFFER

    def credit(self, folder_id: uuid.UUID, gap_ids: Sequence[uuid.UUID]) -> None:
        """What comes into this folder from now on is counted to these gaps."""
        self._credited[folder_id] = gap_ids

    def is_history(self, date: dt.datetime | None) -> bool:
        """Mail that is older than the inbox starts nothing (integrity I-14)."""
        return date is not None and date < self._inbox.created_at - CLOCKS_DIFFER

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that begins with the lease. Raises LeaseLost."""
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            yield connection

    async def known(self, box: ApiBox, ids: Sequence[str]) -> Mapping[str, KnownMail]:
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            return await known_mails(connection, box.place, ids)

    async def take(self, box: ApiBox, mails: Sequence[RemoteMail], *, finish: Finish | None = None) -> Taken:
        """Mails in the order in which they are to be ingested. `finish` is called in the last transaction. Raises what the
        provider says of all of them, and LeaseLost.
        """
        once = {mail.id: mail for mail in mails}
        known = await self.known(box, list(once)) if once else {}
        here = [mail for mail in once.values() if mail.id in known and not known[mail.id].empty]
        new = [mail for mail in once.values() if to_fill(mail, known)]
        taken = Taken()
        while len(new) > self._size:
            piece, new = new[: self._size], new[self._size :]
            taken += await self._write(box, piece, (), None)
        if new or here or finish is not None:
            taken += await self._write(box, new, here, finish)
        return taken

    async def again(self, box: ApiBox, mails: Sequence[RemoteMail]) -> Taken:
        """Fetch mails whose rows wait for their octets."""
        taken = Taken()
        left = list(mails)
        while left:
            piece, left = left[: self._size], left[self._size :]
            taken += await self._write(box, piece, (), None, asked=True)
        return taken

    async def _write(
        self,
        box: ApiBox,
        new: Sequence[RemoteMail],
        here: Sequence[RemoteMail],
        finish: Finish | None,
        *,
        asked: bool = False,
    ) -> Taken:
        fetched = await self._fetched(box, new, asked=asked)
        rows, failed, old = await self._rows(box, fetched, asked=asked)
        changed = 0
        async with self.writing() as connection:
            await reopen(
                connection,
                box.place,
                [r.provider_message_id for r in rows if r.state != LedgerState.VANISHED],
            )
            written = await write_api_rows(connection, box.place, rows, run=self._run)
            written += await count_failed_fetches(connection, box.place, failed, run=self._run)
            await credit_gaps(
                connection,
                self._inbox.tenant_id,
                self._credited.get(box.folder.id, ()),
                refilled=written.stored,
                quarantined=written.quarantined,
            )
            changed = await self._mirror(connection, box, here)
            if finish is not None:
                await finish(connection)
            reached(Failpoint.FETCH_BEFORE_COMMIT)
        reached(Failpoint.FETCH_AFTER_COMMIT)
        if self._pass_on is not None:
            await self._pass_on()
        return Taken(written, changed, old)

    async def _fetched(self, box: ApiBox, mails: Sequence[RemoteMail], *, asked: bool) -> list[RawMail]:
        """One answer for each, with all that is known of the mail by now. What is not wanted is not fetched."""
        wanted = [m for m in mails if box.unwanted(m) is None and (asked or not self._too_old(m))]
        answers = await self._source.fetch([m.id for m in wanted]) if wanted else ()
        by_id = {answer.mail.id: answer for answer in answers}
        size = sum(len(answer.raw or b"") for answer in answers)
        self._size = max(1, self._size // 2) if size > ENOUGH_BYTES else min(MOST, self._size * 2)
        found = []
        for mail in mails:
            answer = by_id.get(mail.id)
            found.append(
                RawMail(mail, None) if answer is None else replace(answer, mail=_joined(mail, answer.mail))
            )
        return found

    async def _rows(
        self, box: ApiBox, fetched: Sequence[RawMail], *, asked: bool
    ) -> tuple[list[ApiRow], list[ApiRow], int]:
        """Rows to be written, rows of failures to be counted, and how many mails are too old; the octets are stored."""
        rows: list[ApiRow] = []
        failed: list[ApiRow] = []
        pack: list[tuple[ApiRow, bytes]] = []
        old = 0
        for answer in fetched:
            mail = answer.mail
            row = ApiRow(
                mail.id,
                LedgerState.STORED,
                internal_date=mail.received_at,
                flags=flags_of(mail) or (),
                historical=self.is_history(mail.received_at),
                folder_id=box.home(mail),
                provider_thread=mail.thread_id,
            )
            if not asked and self._too_old(mail):
                old += 1
            elif (reason := box.unwanted(mail)) is not None:
                rows.append(replace(row, state=LedgerState.SKIPPED, reason=reason))
            elif answer.missing == "gone":
                rows.append(replace(row, state=LedgerState.VANISHED))
            elif answer.missing == "too_large":
                rows.append(replace(row, state=LedgerState.QUARANTINED, reason="fetch_too_large"))
            elif answer.raw is None:
                failed.append(replace(row, state=LedgerState.SEEN))
            else:
                pack.append((row, answer.raw))
        if pack:
            rows += await self._packed(pack)
        return rows, failed, old

    async def _packed(self, pack: Sequence[tuple[ApiRow, bytes]]) -> list[ApiRow]:
        raws = [raw for _, raw in pack]
        hashes = [hashlib.sha256(raw).hexdigest() for raw in raws]
        key = await self._packer.put(self._inbox.tenant_id, raws, hashes)
        rows, offset = [], 0
        for (row, raw), sha256 in zip(pack, hashes, strict=True):
            rows.append(replace(row, raw_sha256=sha256, raw_key=key, raw_offset=offset, raw_length=len(raw)))
            offset += len(raw)
        return rows

    async def _mirror(self, connection: AsyncConnection, box: ApiBox, mails: Sequence[RemoteMail]) -> int:
        """What is told of mails that have a row. A listing of ids alone tells nothing."""
        told = [m for m in mails if m.flags is not None or m.labels is not None or box.path is not None]
        left = [m.id for m in told if box.unwanted(m) is not None]
        changed = await mirror_told(
            connection,
            box.place,
            [ToldMail(m.id, box.home(m), flags_of(m)) for m in told if box.unwanted(m) is None],
        )
        return changed + await mirror_left(connection, box.place, left)

    def _too_old(self, mail: RemoteMail) -> bool:
        return mail.received_at is not None and mail.received_at < self.horizon


def to_fill(mail: RemoteMail, known: Mapping[str, KnownMail]) -> bool:
    """Whether the mail has no row, or an empty one that may be filled: it had vanished and is told again, or it was not wanted
    and its labels are told anew.
    """
    row = known.get(mail.id)
    if row is None:
        return True
    told = mail.flags is not None or mail.labels is not None
    return row.empty and (told or row.state is LedgerState.VANISHED)


def _joined(listed: RemoteMail, fetched: RemoteMail) -> RemoteMail:
    """What the listing said, and over it what came with the octets."""
    return RemoteMail(
        listed.id,
        fetched.thread_id or listed.thread_id,
        listed.flags if fetched.flags is None else fetched.flags,
        listed.labels if fetched.labels is None else fetched.labels,
        fetched.received_at or listed.received_at,
    )
