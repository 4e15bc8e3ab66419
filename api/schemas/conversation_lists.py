"""What a list of conversations is asked for, what it says beside each of them, and the counters."""

import uuid
from typing import Annotated, Literal

from pydantic import Field, field_validator

from api.schemas.base import Answer, AskedInstant, Channel, ConversationStatus, Instant, PageQuery, Priority
from api.schemas.conversations import ConversationItem

ME, NONE = "me", "none"
Words = Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=50)]
Ids = Annotated[tuple[uuid.UUID, ...], Field(max_length=100)]
Sort = Literal["newest", "oldest", "waiting", "sla_due"]
Mark = Annotated[list[int], Field(min_length=2, max_length=2, description="from, to (not included), in characters")]


class Match(Answer):
    """Why a conversation was found. The ranges are those of what was looked for, in Unicode characters (not UTF-16 units). In the field
    `note` the snippet is of the internal note `note_id`.
    """

    message_id: str | None
    note_id: str | None
    field: Literal["body", "subject", "people", "file", "note", "number"]
    snippet: str
    marks: list[Mark]
    subject_marks: list[Mark]


class ListedConversation(ConversationItem):
    waiting_since: Instant | None
    match: Match | None = None


class InboxCounts(Answer):
    open: int
    pending: int
    unread: int
    unassigned: int


class Counts(Answer):
    """`inboxes` by id, those with anything in them; `views` by id. A view that is being filled has the count of what was found so far."""

    open: int
    pending: int
    snoozed: int
    closed: int
    unread: int
    mine: int
    unassigned: int
    spam: int
    spam_conversations: int
    quarantined: int
    inboxes: dict[str, InboxCounts]
    views: dict[str, int]


class ConversationQuery(PageQuery):
    view: Annotated[uuid.UUID | None, Field(description="a saved view; everything else narrows it")] = None
    status: Annotated[tuple[ConversationStatus, ...], Field(max_length=10)] = ()
    priority: Annotated[tuple[Priority, ...], Field(max_length=4)] = ()
    category: Words = ()
    channel: Annotated[tuple[Channel, ...], Field(max_length=10)] = ()
    inbox: Ids = ()
    team: Annotated[Words, Field(description="`none` or ids of teams")] = ()
    assigned_to: Annotated[Words, Field(description="`me`, `none` or ids of people")] = ()
    tag: Words = ()
    contact: Ids = ()
    customer: Annotated[str, Field(max_length=320, description="the customer's whole address")] = ""
    number: Annotated[int | None, Field(ge=1, le=10**12)] = None
    unread: bool | None = None
    followed: bool | None = None
    attachment: bool | None = None
    waiting: Annotated[bool | None, Field(description="whether the customer waits for our answer")] = None
    waiting_before: AskedInstant | None = None
    search: Annotated[str, Field(max_length=300)] = ""
    sort: Annotated[Sort | None, Field(description="`newest`, or the view's own order, unless given")] = None

    @field_validator("assigned_to", "team")
    @classmethod
    def _known(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(v if v in (ME, NONE) else str(_id(v)) for v in values)


def _id(value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        raise ValueError(f"`{ME}`, `{NONE}` or an id") from None
