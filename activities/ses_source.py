"""The mailbox of an SES inbox: the objects in the receipt bucket that are known to be its own.

Which mails there are is in rows (`store/ses_receipts.py`), written by notices and by listing the bucket; each has a `seen` row in the
ledger from the moment it is the inbox's, so the pass fetches it like anything that waits. Nothing changes such a mailbox but mail
that comes: there are no flags, labels or folders at SES, and an object that a lifecycle rule has removed is no deleted mail.
"""

import uuid
from collections.abc import Sequence
from typing import NoReturn

from providers.errors import Refused
from providers.imap.values import RemoteFolder, Role
from providers.mail_api import MailChanges, MailPage, RawMail, RemoteMail
from providers.ses.receipts import ReceiptBucket
from store.inbox_state import InboxState
from store.ses_receipts import receipts_of
from store.unit_of_work import Database

FOLDER = RemoteFolder("INBOX", "Inbox", None, Role.INBOX, True)
CURSOR = "ses"  # nothing is told since a cursor: what is new waits in the ledger
PAGE = 500
NOTHING: frozenset[str] = frozenset()
LARGEST = 64 * 1024 * 1024  # SES takes 40 MB


class SesSource:
    """A `MailApiSource`. The bucket is shared by all inboxes and stays open."""

    def __init__(self, database: Database, bucket: ReceiptBucket, inbox: InboxState) -> None:
        self._database = database
        self._bucket = bucket
        self._inbox = inbox

    async def addresses(self) -> frozenset[str]:
        return frozenset({self._inbox.email_address.casefold()})

    async def folders(self) -> tuple[RemoteFolder, ...]:
        """The one there is, if the bucket can be read."""
        await self._bucket.page(most=1)
        return (FOLDER,)

    async def listing(
        self, folder: str | None, after: str | None = None, *, states: bool = False
    ) -> MailPage:
        """Every mail that was ever known to be this inbox's, newest first."""
        del folder, states
        async with self._database.system_unit_of_work() as connection:
            rows = await receipts_of(
                connection, self._inbox.id, after=uuid.UUID(after) if after else None, limit=PAGE
            )
        mails = tuple(
            RemoteMail(r.object_id, flags=NOTHING, labels=NOTHING, received_at=r.received_at) for r in rows
        )
        more = str(rows[-1].id) if len(rows) == PAGE else None
        return MailPage(mails, more, None if more else CURSOR)

    async def changes(self, folder: str | None, cursor: str) -> MailChanges:
        del folder
        return MailChanges((), (), cursor)

    async def fetch(self, ids: Sequence[str]) -> tuple[RawMail, ...]:
        """What the bucket does not have is counted and then quarantined: it may be SES's delay, or the operator's lifecycle rule."""
        return tuple([await self._fetched(one) for one in ids])

    def state(self) -> NoReturn:
        raise Refused("no_mailbox", "Amazon SES keeps no mailbox, so there is nothing to write to.")

    async def close(self) -> None:
        return None

    async def _fetched(self, object_id: str) -> RawMail:
        bucket, _, key = object_id.partition("/")
        raw = await self._bucket.read(key) if bucket == self._bucket.bucket else None
        mail = RemoteMail(object_id, flags=NOTHING, labels=NOTHING)
        if raw is None:
            return RawMail(mail, None, "unreadable")
        return RawMail(mail, None, "too_large") if len(raw) > LARGEST else RawMail(mail, raw)
