"""Conversations, what is changed in them, and what every list shows of them."""

import uuid
from typing import Annotated

from pydantic import AfterValidator, Field

from api.schemas.base import (
    Addr,
    Answer,
    Asked,
    AskedInstant,
    Channel,
    ConversationStatus,
    Direction,
    HeaderLine,
    Instant,
    Named,
    Priority,
)
from api.schemas.conversation_life import Follower


class Tag(Answer):
    name: str
    color: str


class SlaOfConversation(Answer):
    """Of its running clocks the one that is due next. `paused`: all stand, so nothing is due. `breached`: one was missed."""

    due_at: Instant | None
    warn_at: Instant | None
    paused: bool
    breached: bool


class ConversationItem(Answer):
    id: str
    number: int
    subject: str
    snippet: str
    status: ConversationStatus
    priority: Priority
    category: str | None
    channel: Channel
    inbox: Named
    customer: Addr
    assigned_to: Named | None
    tags: list[Tag]
    unread_count: int
    message_count: int
    last_message_at: Instant
    last_message_direction: Direction | None
    has_failed_send: bool
    has_unknown_send: bool
    version: int
    snoozed_until: Instant | None
    sla: SlaOfConversation | None
    created_at: Instant
    updated_at: Instant


class Suggestion(Answer):
    """A conversation that this one may belong to."""

    conversation_id: str
    number: int
    subject: str
    why: str


class Reply(Answer):
    """Whom a reply goes to unless the agent says otherwise."""

    to: list[Addr]
    cc: list[Addr]
    from_: Annotated[Addr, Field(alias="from")]
    subject: str


class Conversation(ConversationItem):
    participants: list[Addr]
    suggestions: list[Suggestion]
    followers: list[Follower]
    reply: Reply
    merged_into: str | None
    held: Annotated[bool, Field(description="under a hold: no retention policy and no erasure takes it")]


def tag_name(value: str) -> str:
    """Trimmed. Raises ValueError."""
    name = value.strip()
    if not name or any(c < " " or c in ",\x7f" for c in name):
        raise ValueError("is a word or a few, without commas and control characters")
    return name


class ChangeConversation(Asked):
    """What to change; what is left out stays. `version` refuses the change when the conversation has moved on."""

    status: ConversationStatus = "open"
    snoozed_until: Annotated[
        AskedInstant | None, Field(description="snoozes until then; a mail of the customer wakes it before")
    ] = None
    assigned_to: uuid.UUID | None = None
    category: Annotated[str, Field(max_length=100)] | None = None
    priority: Priority = "normal"
    subject: HeaderLine = ""
    tags: Annotated[
        tuple[Annotated[str, AfterValidator(tag_name), Field(min_length=1, max_length=50)], ...] | None,
        Field(max_length=50, description="exactly these; one that is not known yet is made"),
    ] = None
    version: Annotated[int, Field(ge=0, le=2**62)] | None = None
