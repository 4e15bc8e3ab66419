"""Reading a Microsoft 365 mailbox: folders, one delta query for each folder, and raw mails."""

from collections.abc import Sequence
from typing import Any

from providers.errors import FolderGone, NotThere, ProtocolBroken
from providers.graph.account import GraphAccount, Request
from providers.graph.endpoint import quoted
from providers.graph.fetching import fetch_all
from providers.graph.folders import FolderTree
from providers.graph.mail_state import GraphMailState
from providers.graph.profile import profile_of
from providers.graph.values import MAIL_FIELDS, remote_mail, text_of
from providers.imap.values import RemoteFolder
from providers.mail_api import MailChanges, MailPage, RawMail, RemoteMail

MAX_MAIL = 50 * 1024 * 1024


class GraphSource:
    """A `MailApiSource`; `state` writes, all else reads only. `folder` is always a `RemoteFolder.path`: Graph has no delta over a whole mailbox.

    Cursors and `after` are whole addresses from Graph, opaque and stored as they are; before the token goes there they are
    checked to lie at our own endpoint.
    """

    def __init__(self, account: GraphAccount, *, page_size: int = 200, max_octets: int = MAX_MAIL) -> None:
        self._account = account
        self._tree = FolderTree(account)
        self._prefer = f"odata.maxpagesize={page_size}"
        self._max_octets = max_octets

    async def addresses(self) -> frozenset[str]:
        return (await profile_of(self._account)).addresses

    async def folders(self) -> tuple[RemoteFolder, ...]:
        return await self._tree.folders()

    async def listing(
        self,
        folder: str | None,
        after: str | None = None,
        *,
        states: bool = False,  # noqa: ARG002 - they come anyway
    ) -> MailPage:
        """A page of the first round of the delta query, newest first. What comes while it is listed follows in `changes`.

        `total` is told with the first page, and `states` come anyway. Raises CursorExpired when `after` got too old: begin again.
        """
        name = _named(folder)
        total = None if after else await self._count(name)
        first = f"mailFolders/{quoted(name)}/messages/delta?$select={MAIL_FIELDS}&$orderby=receivedDateTime%20desc"
        mails, more, cursor = await self._page(after or first)
        found = tuple(mail for mail in mails.values() if mail is not None)
        return MailPage(found, after=cursor if more else None, cursor=None if more else cursor, total=total)

    async def changes(self, folder: str | None, cursor: str) -> MailChanges:
        """One page; `more` also after an empty one. `gone`: not in this folder any more. It may lie in another one, under the
        same id, whose own changes show it; so nothing may be deleted before the others were looked at.
        """
        _named(folder)
        mails, more, following = await self._page(cursor)
        return MailChanges(
            changed=tuple(mail for mail in mails.values() if mail is not None),
            gone=tuple(key for key, mail in mails.items() if mail is None),
            cursor=following,
            more=more,
        )

    async def fetch(self, ids: Sequence[str]) -> tuple[RawMail, ...]:
        """Raw MIME. Of each mail only the id is told besides: flags, labels and times come with the listing."""
        return await fetch_all(self._account, ids, self._max_octets)

    def state(self) -> GraphMailState:
        return GraphMailState(self._account)

    async def close(self) -> None:
        await self._account.close()

    async def _count(self, folder: str) -> int | None:
        try:
            answer = await self._account.read(
                Request("GET", f"mailFolders/{quoted(folder)}?$select=totalItemCount")
            )
        except NotThere:
            raise FolderGone from None
        total = answer.json().get("totalItemCount")
        return total if isinstance(total, int) else None

    async def _page(self, target: str) -> tuple[dict[str, RemoteMail | None], bool, str]:
        """Mails by id, the last state of each, None for those that left; whether more follows; the next address."""
        try:
            page = (await self._account.read(Request("GET", target, prefer=self._prefer))).json()
        except NotThere:
            raise FolderGone from None
        value = page.get("value")
        if not isinstance(value, list):
            raise ProtocolBroken("answer_incomplete")
        mails: dict[str, RemoteMail | None] = {}
        for item in value:
            _apply(mails, item)
        more = "@odata.nextLink" in page
        link = self._account.endpoint.followed(page.get("@odata.nextLink" if more else "@odata.deltaLink"))
        if more and link == target:
            raise ProtocolBroken("link_repeats")
        return mails, more, link


def _apply(mails: dict[str, RemoteMail | None], item: Any) -> None:
    if not isinstance(item, dict):
        raise ProtocolBroken("answer_incomplete")
    mail = None if "@removed" in item else remote_mail(item)
    mails[text_of(item, "id")] = mail


def _named(folder: str | None) -> str:
    if not folder:
        raise ValueError("Graph tells changes of one folder at a time: give the folder's path")
    return folder
