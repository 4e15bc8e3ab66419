"""Writing a mail's state back to Gmail: read, archived, spam, bin, labels. Each sets a state, so twice is once."""

from collections.abc import Iterable
from typing import Any

from providers.errors import ProtocolBroken, Refused
from providers.gmail.account import GmailAccount
from providers.gmail.endpoint import GmailApi
from providers.gmail.faults import NameTaken
from providers.gmail.labels import INBOX, SPAM, STARRED, TRASH, UNREAD, mail_of
from providers.gmail.transport import CheckedHttp
from providers.imap.values import Role
from providers.mail_api import RemoteState

_KEPT_BY_GMAIL = frozenset({"SENT", "DRAFT"})  # nobody may add or remove these


# Where a mail lies is told by one of these; without any it is archived. First match, since the bin and spam hide the rest.
_ROLES = {TRASH: Role.TRASH, SPAM: Role.JUNK, INBOX: Role.INBOX}
_LABEL = {role: label for label, role in _ROLES.items()}


class GmailMailState:
    """A `MailApiState`. Labels that it has found or made are remembered: keep one for a pass and not for longer."""

    def __init__(self, account: GmailAccount) -> None:
        self._account = account
        self._ids: dict[str, str] = {}

    async def now(self, mail_id: str) -> RemoteState:
        """The mail's labels now, for one that has to be compared before it is changed."""

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.messages.get(userId="me", id=mail_id, format="minimal").execute(http=connection)

        return _state(await self._account.repeatable(work, units=self._account.costs.get))

    async def modify(
        self, mail_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> RemoteState:
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
            return api.messages.modify(userId="me", id=mail_id, body=body).execute(http=connection)

        return _state(await self._account.repeatable(work, units=self._account.costs.small))

    async def set_read(self, mail_id: str, *, read: bool) -> RemoteState:
        return await self.modify(mail_id, **{"remove" if read else "add": [UNREAD]})

    async def set_flagged(self, mail_id: str, *, flagged: bool) -> RemoteState:
        return await self.modify(mail_id, **{"add" if flagged else "remove": [STARRED]})

    async def place(self, mail_id: str, role: Role) -> RemoteState:
        """Archived is without INBOX, SPAM and TRASH. Gmail empties the bin after thirty days; with gmail.modify nothing is ever
        deleted for good. Out of the bin Gmail alone would leave a mail archived; INBOX is named, so it goes there.
        """
        if role is Role.TRASH:
            return await self._trash(mail_id)
        if role not in {Role.INBOX, Role.ARCHIVE, Role.JUNK}:
            raise Refused("no_folder", "A mail is put into the inbox, the archive, spam or the bin.")
        add = {_LABEL[role]} if role in _LABEL else set()
        return await self.modify(mail_id, add=add, remove=set(_ROLES) - add)

    async def set_label(self, mail_id: str, name: str, *, on: bool) -> RemoteState:
        if on:
            return await self.modify(mail_id, add=[await self.ensure_label(name)])
        found = await self._label(name)
        return await self.modify(mail_id, remove=[found]) if found else await self.now(mail_id)

    async def ensure_label(self, name: str) -> str:
        """The id of the user's label `name` (letters' case ignored, as Gmail does), made where there is none.

        Dying in between is harmless: the next call finds it.
        """
        if found := await self._label(name):
            return found

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.labels.create(userId="me", body={"name": name}).execute(http=connection)

        try:
            made = str((await self._account.repeatable(work, units=self._account.costs.small))["id"])
        except NameTaken:
            if found := await self._label(name):  # somebody was quicker, or an answer to us was lost
                return found
            raise
        self._ids[name.lower()] = made
        return made

    async def _trash(self, mail_id: str) -> RemoteState:
        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.messages.trash(userId="me", id=mail_id).execute(http=connection)

        return _state(await self._account.repeatable(work, units=self._account.costs.small))

    async def _label(self, name: str) -> str | None:
        if name.lower() in self._ids:
            return self._ids[name.lower()]

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.labels.list(userId="me").execute(http=connection)

        labels = (await self._account.repeatable(work, units=1)).get("labels", ())
        self._ids |= {str(one["name"]).lower(): str(one["id"]) for one in labels if one.get("type") != "system" and one.get("name")}
        return self._ids.get(name.lower())


def _state(message: Any) -> RemoteState:
    try:
        mail = mail_of(message)
    except (KeyError, TypeError, ValueError):
        raise ProtocolBroken from None
    held = mail.labels or frozenset()
    return RemoteState(mail, next((role for label, role in _ROLES.items() if label in held), Role.ARCHIVE))
