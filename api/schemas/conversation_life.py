"""What people put beside the mail of a conversation: notes, followers, drafts, their presence; and what is new since somebody looked."""

import uuid
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import Answer, Asked, AskedAddr, AskedInstant, HeaderLine, Instant, Named

DRAFT_MOST = 2 * 1024 * 1024
PresenceState = Literal["viewing", "writing", "gone"]


def _words(value: str) -> str:
    if not value.strip():
        raise ValueError("may not be empty")
    return value.strip()


class Note(Answer):
    """Internal: it never leaves the team. `author` is null for a program's, and for that of somebody who is gone."""

    id: str
    conversation_id: str
    author: Named | None
    content: str
    mentions: list[Named]
    version: int
    created_at: Instant
    edited_at: Instant | None


class WriteNote(Asked):
    """`mentions` are people who may see the inbox; they follow the conversation from now on."""

    content: Annotated[str, AfterValidator(_words), Field(min_length=1, max_length=50_000)]
    mentions: Annotated[tuple[uuid.UUID, ...], Field(max_length=50)] = ()


class Follower(Named):
    reason: Literal["self", "added", "mentioned", "assigned"]


class Followers(Answer):
    """Everybody who follows now, by name."""

    items: list[Follower]


class DraftFile(Answer):
    """An upload that waits for the send."""

    id: str
    filename: str
    size_bytes: int


class DraftFileAsked(Asked):
    id: uuid.UUID
    filename: Annotated[str, Field(max_length=255)]
    size_bytes: Annotated[int, Field(ge=0, le=2**53)] = 0


class DraftAddr(Answer):
    address: str
    name: str = ""


class Draft(Answer):
    """`updated_at` goes back with the next save, which is refused when another window has saved since."""

    html: str
    subject: str | None
    to: list[DraftAddr] | None
    cc: list[DraftAddr] | None
    bcc: list[DraftAddr] | None
    attachments: list[DraftFile]
    updated_at: Instant


class KeptDraft(Answer):
    draft: Draft | None


class SaveDraft(Asked):
    """The whole draft as it stands. `updated_at` left out: whatever stands is replaced; null: nothing may stand yet."""

    html: Annotated[str, Field(max_length=DRAFT_MOST)] = ""
    subject: HeaderLine | None = None
    to: Annotated[list[AskedAddr], Field(max_length=500)] | None = None
    cc: Annotated[list[AskedAddr], Field(max_length=500)] | None = None
    bcc: Annotated[list[AskedAddr], Field(max_length=500)] | None = None
    attachments: Annotated[tuple[DraftFileAsked, ...], Field(max_length=50)] = ()
    updated_at: AskedInstant | None = None


class ShowPresence(Asked):
    """Said again every fifteen seconds while it is so; it is forgotten after forty. `tab` tells windows of one person apart."""

    state: PresenceState
    tab: Annotated[str, Field(max_length=40, pattern="^[A-Za-z0-9-]*$")] = ""


class Present(Named):
    state: Literal["viewing", "writing"]


class PresentPeople(Answer):
    """The others who are there, as far as this process has heard."""

    items: list[Present]


class Difference(Answer):
    """`who` is null for customers, programs and the house itself; `name` says it in words where there are any. `snippet` is the beginning
    of the text; for an assignment the name of who has it now, empty for nobody; for a status its word.
    """

    kind: Literal["message", "note", "assignment", "status"]
    id: str | None
    who: Named | None
    name: str
    at: Instant
    version: int
    snippet: str
