"""Which places of a mailbox behind a web API are read, and where in it each mail lies: by its labels, or by its folder."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providers.imap.values import RemoteFolder, Role
from providers.mail_api import RemoteMail
from store.api_folders import WHOLE, ApiFolder
from store.api_ledger import ApiPlace
from store.folders import FolderState, ListedFolder
from store.inbox_state import InboxState

GMAIL = "gmail"
# A label says what a mail is to the desk. What we sent to ourselves bears SENT and INBOX and is ours.
LABELS = {"SENT": Role.SENT, "SPAM": Role.JUNK, "INBOX": Role.INBOX}
TRASH, WRITING = "TRASH", "\\Draft"
DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class ApiBox:
    """One place with a cursor of its own. `path` is what the provider is asked for, None for a whole mailbox; `homes` are
    folders by the label that puts a mail there.
    """

    place: ApiPlace
    folder: ApiFolder
    path: str | None
    homes: Mapping[str, uuid.UUID]

    def home(self, mail: RemoteMail) -> uuid.UUID:
        """The folder in which the mail lies, whose role is the mail's."""
        held = mail.labels or frozenset()
        return next(
            (self.homes[label] for label in LABELS if label in held and label in self.homes), self.folder.id
        )

    def unwanted(self, mail: RemoteMail) -> str | None:
        """Why the desk does not want this mail as it is now: somebody still writes it, or has thrown it away."""
        if mail.flags is not None and WRITING in mail.flags:
            return DRAFT
        if self.path is None and mail.labels is not None and TRASH in mail.labels:
            return "trash"
        return None


def flags_of(mail: RemoteMail) -> tuple[str, ...] | None:
    """What the ledger keeps as a mail's flags: IMAP's words and the provider's labels. None where not both were told."""
    if mail.flags is None or mail.labels is None:
        return None
    return tuple(sorted(mail.flags | {label for label in mail.labels if not label.startswith("\\")}))


def listed(provider: str, folders: Sequence[RemoteFolder]) -> tuple[list[ListedFolder], tuple[Role, ...]]:
    """The folders to keep, and the roles of those that are synced unless a person chooses otherwise."""
    if provider != GMAIL:
        kept = [ListedFolder(f.path, f.name, f.role.value) for f in folders if f.selectable]
        return kept, (Role.INBOX, Role.SENT)
    whole = ListedFolder(WHOLE, "All mail", Role.ALL.value)
    return [whole, *(ListedFolder(f.path, f.name, f.role.value) for f in folders if f.path in LABELS)], (
        Role.ALL,
    )


def boxes(inbox: InboxState, folders: Sequence[ApiFolder]) -> list[ApiBox]:
    """What is read of this inbox. A folder that is gone at the provider rests until it is listed again."""
    if inbox.provider == GMAIL:
        homes = {folder.path: folder.id for folder in folders if folder.path != WHOLE}
        place = ApiPlace(inbox.tenant_id, inbox.id)
        return [ApiBox(place, folder, None, homes) for folder in folders if folder.path == WHOLE]
    return [
        ApiBox(ApiPlace(inbox.tenant_id, inbox.id, folder.id), folder, folder.path, {})
        for folder in folders
        if folder.synced and folder.state != FolderState.PARKED
    ]
