"""The first listing of a mailbox behind a web API, in slices between passes: newest mails first, down to the inbox's horizon.

Live mail never waits for it: changes are replayed before each slice where the cursor is known from the beginning (Gmail);
where it comes with the last page (Graph), the first page is looked at again. If it dies, the slice begins again at the page of
record, and mails with a row are not fetched again.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.api_boxes import ApiBox
from activities.api_take import ApiTaker, Taken
from providers.mail_api import CursorExpired, MailApiSource, MailPage, RemoteMail
from store.api_folders import advance_listing, begin_listing, finish_listing
from store.api_ledger import move_api_cursor, read_cursor

SLICE_SECONDS = 10.0
PIECE = 40


@dataclass(frozen=True, slots=True)
class Sliced:
    """`more`: the listing is not at its end."""

    taken: Taken = field(default_factory=Taken)
    more: bool = False


class ApiListing:
    """Works under the lease of `taker`."""

    def __init__(self, source: MailApiSource, taker: ApiTaker, *, seconds: float = SLICE_SECONDS) -> None:
        self._source = source
        self._taker = taker
        self._seconds = seconds

    async def slice(self, box: ApiBox) -> Sliced:
        """Go on with the listing of `box`, or begin it. Nothing where it is done. Raises ProviderError, LeaseLost."""
        folder = box.folder
        if folder.begun and not folder.listing:
            return Sliced()
        ends = time.monotonic() + self._seconds
        after, total = folder.listing_after, Taken()
        if not folder.begun:
            async with self._taker.writing() as connection:
                await begin_listing(connection, box.place.tenant_id, folder.id, horizon=self._taker.horizon)
        elif after is not None and await self._cursor(box) is None:
            newest = await self._source.listing(box.path)
            total += await self._taker.take(box, newest.mails[::-1])
        while True:
            try:
                page = await self._source.listing(box.path, after)
            except CursorExpired:
                async with self._taker.writing() as connection:
                    await begin_listing(
                        connection, box.place.tenant_id, folder.id, horizon=self._taker.horizon
                    )
                return Sliced(total, more=True)
            cursor = await self._cursor(box) or await self._early_cursor(box, page)
            # Only a provider that told its cursor already can be left before the last page.
            known = cursor is not None
            pieces = [page.mails[i : i + PIECE] for i in range(0, len(page.mails), PIECE)] or [()]
            done = 0
            for number, piece in enumerate(pieces, 1):
                done += len(piece)
                last = number == len(pieces)
                old = _old_without_asking(piece, self._taker)
                if old and not last and not known:
                    continue  # the pages go on to the cursor, but these mails are not wanted
                taken = await self._taker.take(
                    box, piece[::-1], finish=_Kept(box, page, cursor, done) if last else None
                )
                total += taken
                if known and piece and (taken.old == len(piece) or old):
                    await self._end(box, 0 if last else done)
                    return Sliced(total)
                if not last and time.monotonic() >= ends:
                    return Sliced(total, more=True)  # this page again: what has a row is not fetched again
            if page.after is None:
                return Sliced(total)
            after = page.after
            if time.monotonic() >= ends:
                return Sliced(total, more=True)

    async def _cursor(self, box: ApiBox) -> str | None:
        async with self._taker.writing() as connection:
            return await read_cursor(connection, box.place)

    async def _early_cursor(self, box: ApiBox, page: MailPage) -> str | None:
        """Gmail's cursor, kept before the first mail is: from then on every change to a mail that has a row is told."""
        if box.path is not None or page.cursor is None:
            return None
        async with self._taker.writing() as connection:
            await move_api_cursor(connection, box.place, before=None, cursor=page.cursor)
        return page.cursor

    async def _end(self, box: ApiBox, done: int) -> None:
        """The horizon is reached: what follows is older still."""
        async with self._taker.writing() as connection:
            await finish_listing(connection, box.place.tenant_id, box.folder.id, done=done)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is written with the last rows of a page: the place of the next one, or the end, and the cursor as soon as it is told."""

    box: ApiBox
    page: MailPage
    cursor: str | None
    done: int

    async def __call__(self, connection: AsyncConnection) -> None:
        place, folder_id = self.box.place, self.box.folder.id
        if self.cursor is None and self.page.cursor is not None:
            await move_api_cursor(connection, place, before=None, cursor=self.page.cursor)
        if self.page.after is None:
            await finish_listing(connection, place.tenant_id, folder_id, done=self.done)
            return
        await advance_listing(
            connection,
            place.tenant_id,
            folder_id,
            after=self.page.after,
            done=self.done,
            total=self.page.total,
        )


def _old_without_asking(mails: Sequence[RemoteMail], taker: ApiTaker) -> bool:
    return all(mail.received_at is not None and mail.received_at < taker.horizon for mail in mails)
