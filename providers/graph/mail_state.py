"""What people do to a mail, written to the mailbox: read, flagged, categories, another folder. Doing it twice is doing it once."""

from collections.abc import Iterable
from typing import Any

from providers.errors import NotThere, Refused
from providers.graph.account import GraphAccount, Request
from providers.graph.endpoint import quoted
from providers.graph.folders import WELL_KNOWN
from providers.graph.values import MAIL_FIELDS, remote_mail, text_of
from providers.imap.values import Role
from providers.mail_api import RemoteState

MAX_TRANSLATED = 1000
FIELDS = f"{MAIL_FIELDS},parentFolderId"
_WELL_KNOWN_NAME = {role: name for name, role in WELL_KNOWN.items()}


class GraphMailState:
    """A `MailApiState`. What the mailbox tells of a change later, by delta or notice, is the echo. The ids of well-known folders are
    remembered, so keep one for a pass and not for longer.
    """

    def __init__(self, account: GraphAccount) -> None:
        self._account = account
        self._folders: dict[Role, str | None] = {}

    async def now(self, mail_id: str) -> RemoteState:
        return await self._told(Request("GET", f"messages/{quoted(mail_id)}?$select={FIELDS}"))

    async def set_read(self, mail_id: str, *, read: bool) -> RemoteState:
        return await self._patch(mail_id, {"isRead": read})

    async def set_flagged(self, mail_id: str, *, flagged: bool) -> RemoteState:
        return await self._patch(mail_id, {"flag": {"flagStatus": "flagged" if flagged else "notFlagged"}})

    async def set_label(self, mail_id: str, name: str, *, on: bool) -> RemoteState:
        """The category of this name, letters' case ignored as Outlook does. A category of another program that is set between
        reading and writing is lost: Graph takes them only as a whole.
        """
        before = await self.now(mail_id)
        held = before.mail.labels or frozenset()
        same = {one for one in held if one.casefold() == name.casefold()}
        if on == bool(same):
            return before
        return await self._patch(mail_id, {"categories": sorted(held | {name} if on else held - same)})

    async def place(self, mail_id: str, role: Role) -> RemoteState:
        """A move keeps the id, as ids are immutable within the mailbox. A mail that lies there already is left."""
        wanted = await self._folder(role)
        if wanted is None:
            raise Refused("no_folder", "The mailbox has no such folder.")
        before = await self.now(mail_id)
        if before.folder == wanted:
            return before
        request = Request("POST", f"messages/{quoted(mail_id)}/move", json={"destinationId": wanted})
        text_of((await self._account.write(request)).json(), "id")
        return await self.now(mail_id)

    async def _patch(self, mail_id: str, values: dict[str, Any]) -> RemoteState:
        await self._account.read(Request("PATCH", f"messages/{quoted(mail_id)}?$select=id", json=values))
        return await self.now(mail_id)

    async def _told(self, request: Request) -> RemoteState:
        item = (await self._account.read(request)).json()
        lies_in = text_of(item, "parentFolderId")
        for role in _WELL_KNOWN_NAME:
            if await self._folder(role) == lies_in:
                return RemoteState(remote_mail(item), role, lies_in)
        return RemoteState(remote_mail(item), Role.OTHER, lies_in)

    async def _folder(self, role: Role) -> str | None:
        """The folder's id here; None where the mailbox has none (an archive is made at its first use)."""
        if role not in self._folders:
            request = Request("GET", f"mailFolders/{_WELL_KNOWN_NAME[role]}?$select=id")
            try:
                self._folders[role] = text_of((await self._account.read(request)).json(), "id")
            except NotThere:
                self._folders[role] = None
        return self._folders[role]


async def immutable_ids(account: GraphAccount, ids: Iterable[str]) -> dict[str, str]:
    """Immutable ids for ordinary ones, such as a web link or another program tells; those that are not there are left out.

    Raises ProviderError.
    """
    order = list(dict.fromkeys(ids))
    found: dict[str, str] = {}
    for start in range(0, len(order), MAX_TRANSLATED):
        body = {
            "inputIds": order[start : start + MAX_TRANSLATED],
            "sourceIdType": "restId",
            "targetIdType": "restImmutableEntryId",
        }
        answer = (await account.read(Request("POST", "translateExchangeIds", json=body))).json()
        for one in answer.get("value") or ():
            if one.get("targetId"):
                found[text_of(one, "sourceId")] = text_of(one, "targetId")
    return found
