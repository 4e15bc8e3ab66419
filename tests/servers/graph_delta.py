"""Delta queries of the Graph stand-in: rounds in pages, opaque tokens, and everything that the documentation says may happen.

A round begins at a delta token and ends with another one. Its pages may be empty, items may come twice, in any order and
again in a later round; what left the folder is `@removed`, with the reason `changed` when it lies somewhere else now.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from tests.servers.graph_faults import GraphError, not_found
from tests.servers.graph_items import shown
from tests.servers.graph_mailbox import GraphMailbox

DEFAULT_PAGE = 10


@dataclass(frozen=True, slots=True)
class _Place:
    """What a token stands for. `folder` None is the tree of folders. `rest`: what is still to be shown of a round."""

    folder: str | None
    upto: int
    rest: tuple[str, ...] = ()
    empty: int = 0
    select: tuple[str, ...] | None = None
    first: bool = False


class DeltaQueries:
    """The tokens of one mailbox."""

    def __init__(self, mailbox: GraphMailbox, base: str) -> None:
        self._mailbox, self._base = mailbox, base
        self._places: dict[str, _Place] = {}
        self._expired: str | None = None
        self.followed = 0

    def expire(self, how: str = "gone") -> None:
        """All tokens of now are void: `gone` is 410 with a Location, else it is the code of a 400."""
        self._places.clear()
        self._expired = how

    def messages(
        self, folder: str, token: str | None, select: tuple[str, ...] | None, page_size: int | None, *, immutable: bool
    ) -> dict[str, Any]:
        box = self._mailbox
        with box.lock:
            if token is None:
                where = box.folder_id(folder)
                order = tuple(item.immutable_id for item in box.in_folder(where))
                place = _Place(where, len(box.log), order, box.quirks.empty_pages, select, first=True)
            else:
                place = self._place(token, f"mailFolders/{folder}/messages/delta")
                if place.folder not in box.folders:
                    raise not_found()
                if not place.rest and not place.empty:
                    place = self._round(place)
            return self._page(place, f"mailFolders/{folder}/messages/delta", page_size, immutable=immutable)

    def _place(self, token: str, path: str) -> _Place:
        place = self._places.get(token)
        if place is not None:
            self.followed += 1
            return place
        if self._expired == "gone":
            raise GraphError(410, "resyncRequired", "Resync required.", {"Location": f"{self._base}/{path}?$deltatoken="})
        raise GraphError(400, self._expired or "syncStateNotFound", "The sync state generation is not found.")

    def _round(self, place: _Place) -> _Place:
        """What happened in the folder since; each mail once, as it is when its page is shown."""
        box, quirks = self._mailbox, self._mailbox.quirks
        upto = max(place.upto, len(box.log) - quirks.behind)
        touched = [c.item for c in box.log[place.upto : upto] if c.folder == place.folder]
        order = list(dict.fromkeys(touched))
        if quirks.replayed:
            before = [c.item for c in box.log[: place.upto] if c.folder == place.folder and c.item in box.items]
            order = [one for one in dict.fromkeys(before[-quirks.replayed :]) if one not in order] + order
        if quirks.shuffled:
            order.reverse()
        return _Place(place.folder, upto, tuple(order), quirks.empty_pages, place.select)

    def _page(self, place: _Place, path: str, page_size: int | None, *, immutable: bool) -> dict[str, Any]:
        box, quirks = self._mailbox, self._mailbox.quirks
        size = quirks.page_size or page_size or DEFAULT_PAGE
        if place.empty:
            now, rest, empty = (), place.rest, place.empty - 1
        else:
            now, rest, empty = place.rest[:size], place.rest[size:], 0
        value = []
        for key in now:
            item = box.items.get(key)
            if item is not None and item.folder == place.folder:
                value.append({"@odata.type": "#microsoft.graph.message"} | shown(item, immutable=immutable, select=place.select))
            else:
                reason = "deleted" if item is None else "changed"
                # A removal names the id that the mail had in this folder; only an immutable one can be found again.
                value.append({"id": key if immutable else f"AAMk{key[::-1]}", "@removed": {"reason": reason}})
            if quirks.duplicates:
                value.append(value[-1])
        answer: dict[str, Any] = {"@odata.context": f"{self._base.partition('/users/')[0]}/$metadata#Collection(message)", "value": value}
        more = bool(rest or empty)
        nxt = _Place(place.folder, place.upto, rest, empty, place.select)
        name = "@odata.nextLink" if more else "@odata.deltaLink"
        answer[name] = self._link(path, nxt, "$skiptoken" if more else "$deltatoken")
        return answer

    def _link(self, path: str, place: _Place, word: str) -> str:
        token = secrets.token_urlsafe(48)
        self._places[token] = place
        base = self._mailbox.quirks.links_elsewhere or self._base
        return f"{base}/{path}?{word}={token}"

    def folders(self, token: str | None, page_size: int | None) -> dict[str, Any]:
        """The tree, flat: every visible folder first, then what was added, renamed, moved or removed."""
        box = self._mailbox
        with box.lock:
            if token is None:
                order = tuple(one.id for one in box.folders.values() if not one.hidden)
                place = _Place(None, len(box.folder_log), order, box.quirks.empty_pages)
            else:
                place = self._place(token, "mailFolders/delta")
                if not place.rest and not place.empty:
                    changed = tuple(dict.fromkeys(entry[1] for entry in box.folder_log[place.upto :]))
                    place = _Place(None, len(box.folder_log), changed, box.quirks.empty_pages)
            size = box.quirks.page_size or page_size or DEFAULT_PAGE
            now, rest = ((), place.rest) if place.empty else (place.rest[:size], place.rest[size:])
            empty = max(place.empty - 1, 0)
            value = [
                folder_shown(box, one) if one in box.folders else {"id": one, "@removed": {"reason": "deleted"}} for one in now
            ]
            more = bool(rest or empty)
            link = self._link("mailFolders/delta", _Place(None, place.upto, rest, empty), "$skiptoken" if more else "$deltatoken")
            context = f"{self._base.partition('/users/')[0]}/$metadata#Collection(mailFolder)"
            return {"@odata.context": context, "value": value, "@odata.nextLink" if more else "@odata.deltaLink": link}


def folder_shown(box: GraphMailbox, folder_id: str) -> dict[str, Any]:
    """A mailFolder of v1.0, which has no `wellKnownName`: that property is of beta only."""
    folder = box.folders[folder_id]
    mails = [one for one in box.items.values() if one.folder == folder_id]
    return {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": folder.parent,
        "childFolderCount": len(box.children(folder.id)),
        "unreadItemCount": sum(not one.is_read for one in mails),
        "totalItemCount": len(mails),
        "isHidden": folder.hidden,
    }
