"""Merging, splitting and forwarding: what is asked, and what stands around a conversation because of them."""

import uuid
from typing import Annotated

from pydantic import Field

from api.schemas.base import Addr, Answer, Asked, AskedAddr, Instant


class MergeInto(Asked):
    into: uuid.UUID


class SplitOff(Asked):
    """Messages of the conversation, at least one fewer than it has."""

    message_ids: Annotated[tuple[uuid.UUID, ...], Field(min_length=1, max_length=500)]


class MergedConversation(Answer):
    """One whose messages stand here. `can_unmerge` is false for merges of older versions, which remembered no homes."""

    id: str
    number: int
    subject: str
    customer: Addr
    merged_at: Instant | None
    can_unmerge: bool


class TopicOfItsOwn(Answer):
    """Messages under another subject altogether, which a split would make a conversation of their own."""

    subject: str
    message_ids: list[str]


class Forwarded(Answer):
    """A message of one conversation that was passed on in another. `message_id` is the one that was passed on."""

    conversation_id: str
    number: int
    message_id: str
    to: list[Addr]
    sent_at: Instant
    status: str


class ConversationShape(Answer):
    """`forwards` are messages of this conversation that were passed on, `forwarded_from` where this one's first mail comes from;
    `contact_id` is who it is with.
    """

    contact_id: str | None
    merged: list[MergedConversation]
    topic: TopicOfItsOwn | None
    forwards: list[Forwarded]
    forwarded_from: Forwarded | None


class ForwardMessage(Asked):
    """Pass a message on, with its files. `note` stands above it; the customer's thread is not answered."""

    message_id: uuid.UUID
    to: Annotated[list[AskedAddr], Field(min_length=1, max_length=100)]
    cc: Annotated[list[AskedAddr], Field(max_length=100)] = []  # noqa: RUF012  # pydantic copies it
    note: Annotated[str, Field(max_length=100_000)] = ""
    attachments: bool = True
