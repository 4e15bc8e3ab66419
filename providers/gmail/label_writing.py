"""Writing a mail's state back to Gmail: read, archived, spam, bin, labels. Each sets a state, so twice is once."""

from collections.abc import Iterable
from typing import Any

from providers.errors import NotThere, ProtocolBroken, Refused
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailApi
from providers.gmail.faults import NameTaken
from providers.gmail.labels import INBOX, SPAM, STARRED, TRASH, UNREAD, mail_of
from providers.gmail.transport import CheckedHttp
from providers.mail_api import RemoteMail

_KEPT_BY_GMAIL = frozenset({"SENT", "DRAFT"})  # nobody may add or remove these


class GmailLabels:
    """Every method answers with the mail as it is then, or None where it no longer exists."""

    def __init__(self, account: GmailAccount) -> None:
        self._account = account

    async def modify(
        self, message_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> RemoteMail | None:
        """Labels by id. Raises Refused before asking where a label is in both, or is one that Gmail keeps itself."""
        added, removed = frozenset(add), frozenset(remove)
        if added & removed:
            raise Refused("label_in_both", "The same label cannot be added and removed at once.")
        if (added | removed) & _KEPT_BY_GMAIL:
            raise Refused("label_kept", "Gmail itself decides what is sent and what is a draft.")
        if not added | removed:
            raise Refused("label_missing", "Name at least one label to add or to remove.")
        body = {"addLabelIds": sorted(added), "removeLabelIds": sorted(removed)}

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.messages.modify(userId="me", id=message_id, body=body).execute(http=connection)

        try:
            return _mail(await self._account.repeatable(work, units=self._account.costs.small))
        except NotThere:
            return None

    async def set_seen(self, message_id: str, seen: bool) -> RemoteMail | None:
        return await self.modify(message_id, **{"remove" if seen else "add": [UNREAD]})

    async def set_flagged(self, message_id: str, flagged: bool) -> RemoteMail | None:
        return await self.modify(message_id, **{"add" if flagged else "remove": [STARRED]})

    async def archive(self, message_id: str) -> RemoteMail | None:
        return await self.modify(message_id, remove=[INBOX])

    async def to_inbox(self, message_id: str) -> RemoteMail | None:
        """Out of the archive, out of spam."""
        return await self.modify(message_id, add=[INBOX], remove=[SPAM])

    async def mark_spam(self, message_id: str) -> RemoteMail | None:
        return await self.modify(message_id, add=[SPAM], remove=[INBOX])

    async def trash(self, message_id: str) -> RemoteMail | None:
        """Into the bin, which Gmail empties after thirty days. With gmail.modify nothing is ever deleted for good."""

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.messages.trash(userId="me", id=message_id).execute(http=connection)

        try:
            return _mail(await self._account.repeatable(work, units=self._account.costs.small))
        except NotThere:
            return None

    async def untrash(self, message_id: str) -> RemoteMail | None:
        """Out of the bin and back into INBOX, from where `trash` took it; Gmail alone would leave it archived."""
        return await self.modify(message_id, add=[INBOX], remove=[TRASH])

    async def state(self, message_id: str) -> RemoteMail | None:
        """The mail's labels now, for one that has to be compared before it is changed."""

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.messages.get(userId="me", id=message_id, format="minimal").execute(http=connection)

        try:
            return _mail(await self._account.repeatable(work, units=self._account.costs.get))
        except NotThere:
            return None

    async def ensure_label(self, name: str) -> str:
        """The id of the user's label `name` (letters' case ignored, as Gmail does), made where there is none.

        Dying in between is harmless: the next call finds it.
        """
        if found := await self._label(name):
            return found

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.labels.create(userId="me", body={"name": name}).execute(http=connection)

        try:
            return str((await self._account.repeatable(work, units=self._account.costs.small))["id"])
        except NameTaken:
            if found := await self._label(name):  # somebody was quicker, or an answer to us was lost
                return found
            raise

    async def _label(self, name: str) -> str | None:
        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.labels.list(userId="me").execute(http=connection)

        labels = (await self._account.repeatable(work, units=1)).get("labels", ())
        matching = (label["id"] for label in labels if str(label.get("name", "")).lower() == name.lower())
        return next(matching, None)


def _mail(message: Any) -> RemoteMail:
    try:
        return mail_of(message)
    except (KeyError, TypeError, ValueError):
        raise ProtocolBroken from None
