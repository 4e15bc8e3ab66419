"""The tree of folders: read once, then by `mailFolders/delta`, with the roles that Graph's well-known names give."""

import asyncio
from dataclasses import dataclass
from typing import Any

from providers.errors import NotThere, ProtocolBroken
from providers.graph.account import GraphAccount, Reply, Request
from providers.graph.values import text_of
from providers.imap.values import RemoteFolder, Role
from providers.mail_api import CursorExpired

DELIMITER = "/"
# A slash within a name is shown as its typographic twin, so that a path can be taken apart again; calls use ids only.
_SLASH = "\N{DIVISION SLASH}"
_MAX_DEPTH = 300
# v1.0 tells no `wellKnownName`; asking for each name gives the id that it has here.
WELL_KNOWN: dict[str, Role] = {
    "inbox": Role.INBOX,
    "sentitems": Role.SENT,
    "drafts": Role.DRAFTS,
    "archive": Role.ARCHIVE,
    "junkemail": Role.JUNK,
    "deleteditems": Role.TRASH,
}


@dataclass(frozen=True, slots=True)
class _Folder:
    name: str
    parent: str | None
    searched: bool


class FolderTree:
    """What is known of the folders. Kept between calls, so that the next one asks for changes only; dying forgets it."""

    def __init__(self, account: GraphAccount) -> None:
        self._account = account
        self._known: dict[str, _Folder] = {}
        self._cursor: str | None = None
        self._turn = asyncio.Lock()

    async def folders(self) -> tuple[RemoteFolder, ...]:
        """All folders, sorted by name. `path` is the id, which stays when a folder is renamed or moved.

        Raises ProviderError; then what was known before is still known.
        """
        async with self._turn:
            try:
                await self._refresh()
            except CursorExpired:
                self._cursor = None
                await self._refresh()
            roles = await self._roles()
            return tuple(
                sorted(
                    (self._shown(key, roles) for key in self._known),
                    key=lambda one: (one.name.casefold(), one.path),
                )
            )

    async def _refresh(self) -> None:
        known = {} if self._cursor is None else dict(self._known)
        target = self._cursor or "mailFolders/delta"
        while True:
            page = (await self._account.read(Request("GET", target, prefer="odata.maxpagesize=200"))).json()
            for item in _items(page):
                _apply(known, item)
            after = page.get("@odata.nextLink")
            if after is None:
                break
            if after == target:
                raise ProtocolBroken("link_repeats")
            target = self._account.endpoint.followed(after)
        self._cursor = self._account.endpoint.followed(page.get("@odata.deltaLink"))
        self._known = known

    async def _roles(self) -> dict[str, Role]:
        """By id. A mailbox without an archive says 404 for it; any other failure is raised, since a folder without its
        role would quietly no longer be synced.
        """
        names = list(WELL_KNOWN)
        answers = await self._account.batch(
            [Request("GET", f"mailFolders/{name}?$select=id") for name in names]
        )
        roles: dict[str, Role] = {}
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, Reply):
                roles[text_of(answer.json(), "id")] = WELL_KNOWN[name]
            elif not isinstance(answer, NotThere):
                raise answer
        return roles

    def _shown(self, key: str, roles: dict[str, Role]) -> RemoteFolder:
        folder = self._known[key]
        return RemoteFolder(
            path=key,
            name=self._name(key),
            delimiter=DELIMITER,
            role=roles.get(key, Role.OTHER),
            selectable=not folder.searched,
        )

    def _name(self, key: str) -> str:
        names: list[str] = []
        at: str | None = key
        while at in self._known and len(names) < _MAX_DEPTH:
            folder = self._known[at]
            names.append(folder.name.replace(DELIMITER, _SLASH))
            at = folder.parent
        return DELIMITER.join(reversed(names))


def _items(page: dict[str, Any]) -> list[dict[str, Any]]:
    value = page.get("value")
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ProtocolBroken("answer_incomplete")
    return value


def _apply(known: dict[str, _Folder], item: dict[str, Any]) -> None:
    """The last state wins; what an entry leaves out stays as it was."""
    key = text_of(item, "id")
    if "@removed" in item:
        known.pop(key, None)
        return
    before = known.get(key)
    known[key] = _Folder(
        name=str(item.get("displayName") or (before.name if before else "?")),
        parent=item.get("parentFolderId") or (before.parent if before else None),
        # A search folder shows mails that lie elsewhere: syncing it would fetch them twice.
        searched=item.get("@odata.type") == "#microsoft.graph.mailSearchFolder",
    )
