r"""Gmail's labels as flags and folders. A mail has any number of labels; what IMAP calls \Seen is the absence of UNREAD."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from providers.imap.values import RemoteFolder, Role
from providers.mail_api import RemoteMail

UNREAD, STARRED, DRAFT, SENT = "UNREAD", "STARRED", "DRAFT", "SENT"
INBOX, SPAM, TRASH = "INBOX", "SPAM", "TRASH"

_ROLES = {INBOX: Role.INBOX, SENT: Role.SENT, DRAFT: Role.DRAFTS, SPAM: Role.JUNK, TRASH: Role.TRASH}
_NO_FOLDERS = frozenset({UNREAD, STARRED, "CHAT"})  # states of a mail, and chats, which the API does not list


def flags_of(labels: Iterable[str]) -> frozenset[str]:
    r"""IMAP's words: \Seen without UNREAD, \Flagged for STARRED, \Draft for DRAFT."""
    held = frozenset(labels)
    words = {"\\Flagged": STARRED in held, "\\Draft": DRAFT in held, "\\Seen": UNREAD not in held}
    return frozenset(word for word, is_so in words.items() if is_so)


def mail_of(message: dict[str, Any], labels: frozenset[str] | None = None) -> RemoteMail:
    """A message resource that tells its labels (an empty list is left out on the wire) and perhaps its date."""
    held = frozenset(message.get("labelIds", ())) if labels is None else labels
    stamp = message.get("internalDate")
    return RemoteMail(
        id=message["id"],
        thread_id=message.get("threadId"),
        flags=flags_of(held),
        labels=held,
        received_at=None if stamp is None else datetime.fromtimestamp(int(stamp) / 1000, UTC),
    )


def folders_of(labels: Iterable[dict[str, Any]]) -> tuple[RemoteFolder, ...]:
    """Labels as folders: `path` is the id, which outlives a renaming; `name` is for people."""
    return tuple(
        RemoteFolder(
            path=label["id"],
            name=label.get("name") or label["id"],
            delimiter="/",
            role=_ROLES.get(label["id"], Role.OTHER),
            selectable=True,
        )
        for label in labels
        if label["id"] not in _NO_FOLDERS
    )
