"""What people do to a mail, written to the mailbox: read, flagged, categories, another folder. Doing it twice is doing it once."""

from collections.abc import Iterable
from typing import Any

from providers.graph.account import GraphAccount, Request
from providers.graph.endpoint import quoted
from providers.graph.folders import WELL_KNOWN
from providers.graph.values import MAIL_FIELDS, remote_mail, text_of
from providers.imap.values import Role
from providers.mail_api import RemoteMail

MAX_TRANSLATED = 1000
_WELL_KNOWN_NAME = {role: name for name, role in WELL_KNOWN.items()}


class GraphMailState:
    """Each call says what shall be true afterwards, so a repeated one changes nothing; what the mailbox tells of it later, by
    delta or notice, is the echo. Raises NotThere where the mail is gone, else ProviderError.
    """

    def __init__(self, account: GraphAccount) -> None:
        self._account = account

    async def now(self, mail_id: str) -> tuple[RemoteMail, str]:
        """The mail as it is, and the id of its folder: what an intent is compared with."""
        fields = f"{MAIL_FIELDS},parentFolderId"
        item = (
            await self._account.read(Request("GET", f"messages/{quoted(mail_id)}?$select={fields}"))
        ).json()
        return remote_mail(item), text_of(item, "parentFolderId")

    async def set_read(self, mail_id: str, *, read: bool) -> None:
        await self._patch(mail_id, {"isRead": read})

    async def set_flagged(self, mail_id: str, *, flagged: bool) -> None:
        await self._patch(mail_id, {"flag": {"flagStatus": "flagged" if flagged else "notFlagged"}})

    async def set_labels(self, mail_id: str, categories: Iterable[str]) -> None:
        """Exactly these categories, by their names. Others are taken off: read `now` first to keep them."""
        await self._patch(mail_id, {"categories": sorted(set(categories))})

    async def move(self, mail_id: str, to: Role | str) -> str:
        """Into the folder of a role (archive, junk, trash, inbox), or a folder's id. The id that it has there: the same, as ids
        are immutable within the mailbox. A mail that lies there already is left. Raises NotThere also where that folder is not.
        """
        target = _WELL_KNOWN_NAME[to] if isinstance(to, Role) else to
        folder = (await self._account.read(Request("GET", f"mailFolders/{quoted(target)}?$select=id"))).json()
        _, lies_in = await self.now(mail_id)
        wanted = text_of(folder, "id")
        if lies_in == wanted:
            return mail_id
        request = Request("POST", f"messages/{quoted(mail_id)}/move", json={"destinationId": wanted})
        return text_of((await self._account.write(request)).json(), "id")

    async def delete(self, mail_id: str) -> None:
        """Into the bin, never for good."""
        await self.move(mail_id, Role.TRASH)

    async def _patch(self, mail_id: str, values: dict[str, Any]) -> None:
        await self._account.read(Request("PATCH", f"messages/{quoted(mail_id)}?$select=id", json=values))


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
