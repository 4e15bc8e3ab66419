"""One Microsoft 365 mailbox as Graph shows it: folders, mails with two kinds of ids, and a log of what happened where.

The ordinary id of a mail changes when it moves, its immutable id does not; both open it. What a client asked for decides
which one it is shown, so a forgotten `Prefer` header is seen as a changed id.
"""

import base64
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.servers.graph_faults import GraphError, not_found

WELL_KNOWN = {
    "inbox": "Inbox", "drafts": "Drafts", "sentitems": "Sent Items", "deleteditems": "Deleted Items",
    "junkemail": "Junk Email", "archive": "Archive", "outbox": "Outbox",
}  # fmt: skip


def _id(prefix: str) -> str:
    return prefix + base64.urlsafe_b64encode(secrets.token_bytes(33)).decode() + "="


@dataclass(slots=True)
class Folder:
    id: str
    name: str
    parent: str
    hidden: bool = False
    seq: int = 0


@dataclass(slots=True)
class Item:
    """A mail. `raw` is what `$value` gives; `json_only` holds a draft's JSON until it is rendered as MIME."""

    immutable_id: str
    rest_id: str
    raw: bytes
    folder: str
    received_at: datetime
    is_read: bool = False
    is_draft: bool = False
    flag: str = "notFlagged"
    categories: list[str] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    submitted: bool = False
    hidden_looks: int = 0
    change_key: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A mail that the provider took to deliver: the measure of "sent once"."""

    id: str
    raw: bytes
    sender: str
    recipients: tuple[str, ...]


@dataclass(slots=True)
class Quirks:
    """How this mailbox misbehaves. `page_size` None: as the client asks (ten without asking).

    `behind`: delta hides the last so many log entries (replication delay). `empty_pages`: at the begin of each round.
    `duplicates`: each page repeats the item before it. `shuffled`: a round comes backwards. `replayed`: so many
    items of before come again in each later round. `sent_looks`: for so many looks a sent mail is still a draft under way,
    or with `sent_absent` nowhere. `sent_vanishes`: no copy is kept. `rewrite_message_id`: as Exchange does at times.
    """

    page_size: int | None = None
    behind: int = 0
    empty_pages: int = 0
    duplicates: bool = False
    shuffled: bool = False
    replayed: int = 0
    sent_looks: int = 0
    sent_absent: bool = False
    sent_vanishes: bool = False
    rewrite_message_id: bool = False
    links_elsewhere: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log: something happened to `item` in `folder`. `kind`: created, updated, moved, deleted."""

    seq: int
    folder: str
    item: str
    kind: str


class GraphMailbox:
    """State and its log. Every public method may be called from tests and from the server's threads."""

    def __init__(self, user_id: str, address: str, *, display_name: str = "") -> None:
        self.user_id, self.address, self.display_name = user_id, address, display_name
        self.quirks = Quirks()
        self.delegates: set[str] = set()
        self.send_as: set[str] = {address.lower()}
        self.folders: dict[str, Folder] = {}
        self.items: dict[str, Item] = {}
        self.log: list[Change] = []
        self.accepted: list[Accepted] = []
        self.folder_log: list[tuple[int, str, str]] = []
        self.unreadable: set[str] = set()
        self.lock = threading.RLock()
        self.listeners: list[Any] = []
        self.root = _id("AAMkRoot")
        self.well_known: dict[str, str] = {}
        for word, name in WELL_KNOWN.items():
            self.well_known[word] = self.add_folder(name)

    # --- folders ----------------------------------------------------------------------------------------------------

    def add_folder(self, name: str, parent: str | None = None, *, hidden: bool = False) -> str:
        """A folder's id. `parent` is an id or a well-known name."""
        with self.lock:
            above = self.folder_id(parent) if parent else self.root
            folder = Folder(_id("AAMkFold"), name, above, hidden)
            self.folders[folder.id] = folder
            self._folder_changed(folder.id, "upsert")
            return folder.id

    def rename_folder(self, folder: str, name: str) -> None:
        with self.lock:
            self.folders[self.folder_id(folder)].name = name
            self._folder_changed(self.folder_id(folder), "upsert")

    def remove_folder(self, folder: str) -> None:
        with self.lock:
            gone = self.folder_id(folder)
            for item in [one for one in self.items.values() if one.folder == gone]:
                self.delete(item.immutable_id)
            del self.folders[gone]
            self._folder_changed(gone, "deleted")

    def _folder_changed(self, folder: str, kind: str) -> None:
        self.folder_log.append((len(self.folder_log) + 1, folder, kind))

    def folder_id(self, name: str) -> str:
        """By id, exactly, or by well-known name in any case. Raises GraphError 404."""
        found = self.well_known.get(name.lower(), name)
        if found == "msgfolderroot":
            return self.root
        if found not in self.folders:
            raise not_found()
        return found

    def children(self, parent: str) -> list[Folder]:
        return [one for one in self.folders.values() if one.parent == parent]

    # --- mails ------------------------------------------------------------------------------------------------------

    def deliver(
        self,
        raw: bytes,
        folder: str = "inbox",
        *,
        read: bool = False,
        received_at: datetime | None = None,
        categories: Iterable[str] = (),
        draft: bool = False,
    ) -> Item:
        """Put a mail into a folder, as if it had just come."""
        with self.lock:
            item = Item(
                _id("AAkALgAA"), _id("AAMkADAA"), raw, self.folder_id(folder), received_at or datetime.now(UTC),
                is_read=read, is_draft=draft, categories=list(categories), change_key=secrets.token_hex(8),
            )  # fmt: skip
            self.items[item.immutable_id] = item
            self._note(item, "created")
            return item

    def find(self, mail_id: str) -> Item:
        """By immutable id or by the ordinary id of now, case-sensitively. Raises GraphError 404."""
        with self.lock:
            item = self.items.get(mail_id)
            if item is None:
                item = next((one for one in self.items.values() if one.rest_id == mail_id), None)
            if item is None:
                raise not_found()
            return item

    def in_folder(self, folder: str) -> list[Item]:
        """Newest first."""
        with self.lock:
            wanted = self.folder_id(folder)
            mails = [one for one in self.items.values() if one.folder == wanted]
            return sorted(mails, key=lambda one: one.received_at, reverse=True)

    def update(self, mail_id: str, **values: Any) -> Item:
        with self.lock:
            item = self.find(mail_id)
            for name, value in values.items():
                setattr(item, name, value)
            item.change_key = secrets.token_hex(8)
            self._note(item, "updated")
            return item

    def move(self, mail_id: str, folder: str) -> Item:
        """Its ordinary id changes, its immutable id stays."""
        with self.lock:
            item = self.find(mail_id)
            target = self.folder_id(folder)
            if target == item.folder:
                return item
            self._note(item, "moved")
            item.folder, item.rest_id = target, _id("AAMkADAA")
            item.change_key = secrets.token_hex(8)
            self._note(item, "created")
            return item

    def delete(self, mail_id: str) -> None:
        """For good, as a person empties the bin."""
        with self.lock:
            item = self.find(mail_id)
            self._note(item, "deleted")
            del self.items[item.immutable_id]

    vanish = delete

    def _note(self, item: Item, kind: str) -> None:
        self.log.append(Change(len(self.log) + 1, item.folder, item.immutable_id, kind))
        for listener in self.listeners:
            listener(self, item, kind)

    # --- sending ----------------------------------------------------------------------------------------------------

    def look(self, mail_id: str) -> Item:
        """`find` for a GET of one mail: each such look brings a mail that is under way nearer to Sent."""
        with self.lock:
            item = self.find(mail_id)
            if item.submitted and item.is_draft:
                if item.hidden_looks <= 0:
                    self.file_sent(item)
                else:
                    item.hidden_looks -= 1
                    if self.quirks.sent_absent:
                        raise not_found()
            return item

    def file_sent(self, item: Item) -> None:
        item.is_draft, item.is_read = False, True
        self.move(item.immutable_id, "sentitems")

    def release_sent(self) -> None:
        """What was under way now stands in Sent."""
        with self.lock:
            for item in [one for one in self.items.values() if one.submitted and one.is_draft]:
                self.file_sent(item)

    def may_send_as(self, sender: str) -> None:
        if sender.lower() not in {self.address.lower(), *self.send_as}:
            raise GraphError(403, "ErrorSendAsDenied", "The user account which was used to submit this request does not have the right.")
