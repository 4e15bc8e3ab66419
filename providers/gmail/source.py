"""A Gmail mailbox to be read, as `MailApiSource`: a listing that begins with the history id, then the history from there.

The mailbox is read as a whole: a reply does not inherit the labels of its thread, so a history filtered by label misses mails.
"""

from collections.abc import Sequence
from typing import Any

from providers.errors import NotThere, ProtocolBroken, Refused
from providers.gmail.account import GmailAccount
from providers.gmail.aliases import list_aliases
from providers.gmail.endpoint import GmailApi
from providers.gmail.faults import REQUEST_REFUSED
from providers.gmail.fetching import MAX_OCTETS, MailFetcher
from providers.gmail.labels import folders_of, mail_of
from providers.gmail.mail_state import GmailMailState
from providers.gmail.transport import CheckedHttp
from providers.imap.values import RemoteFolder
from providers.mail_api import CursorExpired, MailChanges, MailPage, RawMail, RemoteMail

PAGE = 500


class GmailSource:
    """`folder` is None for the whole mailbox, spam and trash included; a label's id lists what bears it, for the curious.

    A cursor is a history id, in the middle of a long history with a page token behind it. Both and `after` are opaque.
    Gmail lists ids only. `with_states` asks for each listed mail's labels too, at a get each: for listing again, when the
    octets are there and only labels may have changed. On a first listing they come with the octets anyway.
    """

    def __init__(
        self,
        account: GmailAccount,
        *,
        max_octets: int = MAX_OCTETS,
        page: int = PAGE,
        with_states: bool = False,
    ) -> None:
        self._account = account
        self._fetcher = MailFetcher(account, max_octets=max_octets)
        self._page = page
        self._with_states = with_states

    async def addresses(self) -> frozenset[str]:
        """With those that it may send as and whose mail comes to it."""
        own = str((await self._profile())["emailAddress"]).casefold()
        aliases = await list_aliases(self._account)
        return frozenset({own, *(a.address.casefold() for a in aliases if a.usable and a.treated_as_alias)})

    async def folders(self) -> tuple[RemoteFolder, ...]:
        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.labels.list(userId="me").execute(http=connection)

        answer = await self._account.repeatable(work, units=1)
        return folders_of(answer.get("labels", ()))

    async def listing(
        self, folder: str | None, after: str | None = None, *, states: bool = False
    ) -> MailPage:
        """One page, newest first. The history id is taken before the first page and comes as the `cursor` of each.

        Raises CursorExpired where `after` is no longer understood: list from the beginning.
        """
        start, total, token = await self._place(after)

        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            request = api.messages.list(
                userId="me",
                includeSpamTrash=True,
                maxResults=self._page,
                pageToken=token,
                labelIds=None if folder is None else [folder],
            )
            return request.execute(http=connection)

        try:
            answer = await self._account.repeatable(work, units=self._account.costs.list)
        except Refused as refused:
            if token is None or refused.reason != REQUEST_REFUSED:
                raise
            raise CursorExpired from None  # 400: page tokens have an age too
        mails = tuple(RemoteMail(m["id"], m.get("threadId")) for m in answer.get("messages", ()))
        if states or self._with_states:
            # One that is deleted meanwhile is not in the answer; the history will tell.
            told = await self._fetcher.states([one.id for one in mails])
            mails = tuple(told.get(one.id, one) for one in mails)
        further = answer.get("nextPageToken")
        if further:
            return MailPage(mails, f"{start}:{total}:{further}", cursor=start, total=total)
        return MailPage(mails, None, cursor=start, total=total)

    async def changes(self, folder: str | None, cursor: str) -> MailChanges:
        """One page of the history since `cursor`, each mail once with its last state.

        Repeating it is harmless: until the new cursor is stored the same page comes again.
        """
        start, _, token = cursor.partition(":")
        try:
            answer = await self._history(folder, start, token or None)
        except NotThere:
            raise CursorExpired from None
        except Refused as refused:
            if refused.reason != REQUEST_REFUSED:
                raise
            if not token:
                raise CursorExpired from None  # 400: this never was, or is no longer, a history id
            answer = await self._changes_again(folder, start)
        changed, gone = _last_states(answer.get("history", ()))
        if further := answer.get("nextPageToken"):
            return MailChanges(changed, gone, f"{start}:{further}", more=True)
        end = answer.get("historyId")
        if not end:
            raise ProtocolBroken
        # Only the last page's id is where we are: on earlier pages it is the mailbox's, beyond what was read.
        return MailChanges(changed, gone, str(end))

    async def fetch(self, ids: Sequence[str]) -> tuple[RawMail, ...]:
        return await self._fetcher.fetch(ids)

    def state(self) -> GmailMailState:
        return GmailMailState(self._account)

    async def close(self) -> None:
        await self._account.close()

    async def _place(self, after: str | None) -> tuple[str, int | None, str | None]:
        if after is None:
            profile = await self._profile()
            total = profile.get("messagesTotal")
            return str(profile["historyId"]), None if total is None else int(total), None
        start, _, rest = after.partition(":")
        total, _, token = rest.partition(":")
        if not token or not start.isdigit():
            raise CursorExpired
        return start, int(total) if total.isdigit() else None, token

    async def _changes_again(self, folder: str | None, start: str) -> Any:
        """The page token is too old: the same history from its beginning."""
        try:
            return await self._history(folder, start, None)
        except NotThere:
            raise CursorExpired from None
        except Refused as refused:
            if refused.reason != REQUEST_REFUSED:
                raise
            raise CursorExpired from None

    async def _history(self, folder: str | None, start: str, token: str | None) -> Any:
        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            request = api.history.list(
                userId="me", startHistoryId=start, pageToken=token, maxResults=self._page, labelId=folder
            )
            return request.execute(http=connection)

        return await self._account.repeatable(work, units=self._account.costs.history)

    async def _profile(self) -> Any:
        def work(api: GmailApi, connection: CheckedHttp) -> Any:
            return api.users.getProfile(userId="me").execute(http=connection)

        return await self._account.repeatable(work, units=1)


def _last_states(records: Sequence[dict[str, Any]]) -> tuple[tuple[RemoteMail, ...], tuple[str, ...]]:
    """Replay records in their order: ids that came or changed with their labels, ids that are deleted for good."""
    changed: dict[str, RemoteMail] = {}
    gone: dict[str, None] = {}
    for record in records:
        for entry in record.get("messagesAdded", ()):
            changed[entry["message"]["id"]] = mail_of(entry["message"])
        for key, sign in (("labelsAdded", True), ("labelsRemoved", False)):
            for entry in record.get(key, ()):
                message, named = entry["message"], frozenset(entry.get("labelIds", ()))
                # The entry shows the mail's labels, but leaves the list out when it is empty: the named ones are certain.
                shown = frozenset(message.get("labelIds", ()))
                changed[message["id"]] = mail_of(message, shown | named if sign else shown - named)
        for entry in record.get("messagesDeleted", ()):
            changed.pop(entry["message"]["id"], None)
            gone[entry["message"]["id"]] = None
    return tuple(mail for one, mail in changed.items() if one not in gone), tuple(gone)
