"""Looks after the bucket where SES puts incoming mail: lists it for what no notice told of, and gives every mail to its inboxes.

A notice is only a wake-up; the bucket is the mailbox. Each step is a transaction of its own: dying repeats the one under way, twice
finds it done. A mail whose recipients have no inbox stays on record and waits for one.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import InterfaceError, OperationalError

from mail.ses_receipts import SETUP_NOTICE, recipients_told
from providers.errors import ProviderError
from providers.ses.receipts import HEAD_OCTETS, ReceiptBucket
from store.domain_inboxes import AddressedInbox
from store.ses_receipts import (
    claim_again,
    headless,
    note_recipients,
    note_unread,
    note_unrouted,
    ready_receipts,
    route_receipt,
    unknown_objects,
    write_receipt,
)
from store.unit_of_work import Database

log = logging.getLogger(__name__)
LEFT_TO_NOTICES = dt.timedelta(seconds=60)  # a notice knows the envelope, so it has the first word
LIST_SECONDS = 90.0
LIST_EVERY = 300.0


class SesSpool:
    """`every` is how many seconds lie between two listings; `ticks` is a clock that never goes back."""

    def __init__(
        self,
        database: Database,
        bucket: ReceiptBucket,
        *,
        every: float = LIST_EVERY,
        left_to_notices: dt.timedelta = LEFT_TO_NOTICES,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._bucket = bucket
        self._every = every
        self._left = left_to_notices
        self._ticks = ticks
        self._listed_at: float | None = None
        self._after: str | None = None

    async def look(self, *, now: dt.datetime) -> list[AddressedInbox]:
        """One round; the inboxes that have new mail. What the bucket refuses is logged, and the rest goes on."""
        try:
            if self._after is not None or self._listed_at is None or self._ticks() - self._listed_at >= self._every:
                await self._list(now)
            await self._read_heads(now)
        except ProviderError as error:
            log.warning("the bucket of Amazon SES could not be looked at (%s)", error.reason)
        async with self._database.system_unit_of_work() as connection:
            await claim_again(connection, now=now)
        return await route_ready(self._database, now=now)

    async def _list(self, now: dt.datetime) -> None:
        """All of it, or as much as fits into its time; the next round goes on behind that."""
        ends = self._ticks() + LIST_SECONDS
        while True:
            page = await self._bucket.page(self._after)
            told = {
                f"{self._bucket.bucket}/{o.key}": o.stored_at
                for o in page.objects
                if o.size and now - o.stored_at >= self._left and not o.key.endswith((SETUP_NOTICE, "/"))
            }
            async with self._database.system_unit_of_work() as connection:
                for object_id in sorted(await unknown_objects(connection, list(told))):
                    await write_receipt(connection, object_id, None, at=told[object_id])
            self._after = page.after
            if page.after is None:
                self._listed_at = self._ticks()
                return
            if self._ticks() >= ends:
                return

    async def _read_heads(self, now: dt.datetime) -> None:
        async with self._database.system_unit_of_work() as connection:
            waiting = await headless(connection)
        for one in waiting:
            bucket, _, key = one.object_id.partition("/")
            head = await self._bucket.read(key, octets=HEAD_OCTETS) if bucket == self._bucket.bucket else None
            async with self._database.system_unit_of_work() as connection:
                if head is None:
                    await note_unread(connection, one.id, reason="the object is not there", now=now)
                else:
                    await note_recipients(connection, one.id, recipients_told(head))


async def route_ready(database: Database, *, now: dt.datetime) -> list[AddressedInbox]:
    """Give what is known to its inboxes, each mail in a transaction of its own; the inboxes to wake."""
    async with database.system_unit_of_work() as connection:
        ready = await ready_receipts(connection)
    woken: dict[str, AddressedInbox] = {}
    for receipt_id in ready:
        try:
            async with database.system_unit_of_work() as connection:
                found = await route_receipt(connection, receipt_id, now=now)
        except (OperationalError, InterfaceError):
            raise  # the database, not the mail: the next sweep goes on
        except Exception as error:
            log.warning("a mail in the bucket of Amazon SES could not be given to its inboxes (%s)", type(error).__name__)
            async with database.system_unit_of_work() as connection:
                await note_unrouted(connection, receipt_id)
            continue
        if not found:
            log.warning("a mail came through Amazon SES for which there is no inbox")
        woken |= {str(inbox.inbox_id): inbox for inbox in found}
    return list(woken.values())
