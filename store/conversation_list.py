"""The list of conversations: one statement for a page, filtered and sorted in PostgreSQL, and the counts beside it."""

import datetime as dt
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection

from models import (
    Conversation,
    ConversationTag,
    Inbox,
    LedgerEntry,
    Message,
    Quarantine,
    SearchDocument,
    Tag,
    User,
)
from store.pages import Page, read_time_cursor, time_cursor
from store.visibility import Viewer, may_see

COUNT_MOST = 10_000  # counts stop here, so that an old desk's closed conversations cost no more than these
NUMBER = re.compile(r"\s*(#)?\s*(\d{1,12})\s*")
ENDS_IN_A_WORD = re.compile(r"\w\Z")


@dataclass(frozen=True, slots=True)
class TagOfConversation:
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """What a list shows of a conversation."""

    id: uuid.UUID
    number: int
    subject: str
    snippet: str
    status: str
    priority: str
    category: str | None
    channel: str
    inbox_id: uuid.UUID
    inbox_name: str
    customer_name: str
    customer_identifier: str
    assigned_to: uuid.UUID | None
    assignee_name: str | None
    unread_count: int
    message_count: int
    last_message_at: dt.datetime
    last_message_direction: str | None
    failed_sends: int
    unknown_sends: int
    version: int
    merged_into: uuid.UUID | None
    created_at: dt.datetime
    updated_at: dt.datetime
    tags: tuple[TagOfConversation, ...] = ()


@dataclass(frozen=True, slots=True)
class ListFilter:
    """`assigned_to` is a person's id, or "none". Empty sequences do not filter."""

    status: Sequence[str] = ()
    category: Sequence[str] = ()
    channel: Sequence[str] = ()
    inbox: Sequence[uuid.UUID] = ()
    assigned_to: uuid.UUID | str | None = None
    tag: Sequence[str] = ()
    unread: bool | None = None
    search: str = ""
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How much waits where, each at most `COUNT_MOST`."""

    open: int = 0
    pending: int = 0
    closed: int = 0
    unread: int = 0
    mine: int = 0
    unassigned: int = 0
    spam: int = 0
    quarantined: int = field(default=0)


def conversation_columns() -> Select[*tuple[Any, ...]]:
    """The columns of a `ConversationRow` without its tags, to be narrowed by the caller."""
    return (
        select(
            Conversation.id,
            Conversation.number,
            Conversation.subject,
            Conversation.snippet,
            Conversation.status,
            Conversation.priority,
            Conversation.category,
            Conversation.channel,
            Conversation.inbox_id,
            Inbox.name.label("inbox_name"),
            Conversation.customer_name,
            Conversation.customer_identifier,
            Conversation.assigned_to,
            User.name.label("assignee_name"),
            Conversation.unread_count,
            Conversation.message_count,
            Conversation.last_message_at,
            Conversation.last_message_direction,
            Conversation.failed_sends,
            Conversation.unknown_sends,
            Conversation.version,
            Conversation.merged_into,
            Conversation.created_at,
            Conversation.updated_at,
        )
        .join(Inbox, and_(Inbox.tenant_id == Conversation.tenant_id, Inbox.id == Conversation.inbox_id))
        .outerjoin(User, and_(User.tenant_id == Conversation.tenant_id, User.id == Conversation.assigned_to))
    )


async def list_conversations(
    connection: AsyncConnection, viewer: Viewer, wanted: ListFilter, *, after: str | None, limit: int
) -> Page[ConversationRow]:
    """One page, newest first unless asked otherwise. Merged ones are left out. Raises BadCursor."""
    key = tuple_(Conversation.last_message_at, Conversation.id)
    statement = conversation_columns().where(*_conditions(viewer, wanted))
    if after is not None:
        at, row_id = read_time_cursor(after)
        place = tuple_(literal(at), literal(row_id))
        statement = statement.where(key > place if wanted.oldest_first else key < place)
    order = (
        (Conversation.last_message_at, Conversation.id)
        if wanted.oldest_first
        else (Conversation.last_message_at.desc(), Conversation.id.desc())
    )
    rows = (await connection.execute(statement.order_by(*order).limit(limit + 1))).all()
    kept = rows[:limit]
    tags = await tags_of(connection, viewer.tenant_id, [r.id for r in kept])
    items = [ConversationRow(**r._asdict(), tags=tags.get(r.id, ())) for r in kept]
    following = time_cursor(kept[-1].last_message_at, kept[-1].id) if len(rows) > limit else None
    return Page(items, following)


async def tags_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversations: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[TagOfConversation, ...]]:
    """The tags of these conversations, by name, in one statement."""
    if not conversations:
        return {}
    rows = await connection.execute(
        select(ConversationTag.conversation_id, Tag.name, Tag.color)
        .join(Tag, and_(Tag.tenant_id == ConversationTag.tenant_id, Tag.id == ConversationTag.tag_id))
        .where(ConversationTag.tenant_id == tenant_id, ConversationTag.conversation_id.in_(conversations))
        .order_by(Tag.name)
    )
    found: dict[uuid.UUID, tuple[TagOfConversation, ...]] = {}
    for row in rows:
        found[row.conversation_id] = (
            *found.get(row.conversation_id, ()),
            TagOfConversation(row.name, row.color),
        )
    return found


async def count_conversations(connection: AsyncConnection, viewer: Viewer) -> Counts:
    """What the side bar shows. Each number is bounded, so it costs the same on an old desk."""
    own = (
        Conversation.tenant_id == viewer.tenant_id,
        Conversation.merged_into.is_(None),
        Conversation.deleted_at.is_(None),
        may_see(viewer, Conversation.inbox_id),
    )
    active = Conversation.status.in_(("open", "pending"))
    mine = Conversation.assigned_to == viewer.user_id if viewer.user_id else false()
    counted = {
        "open": _bounded(select(literal(1)).where(*own, Conversation.status == "open")),
        "pending": _bounded(select(literal(1)).where(*own, Conversation.status == "pending")),
        "closed": _bounded(select(literal(1)).where(*own, Conversation.status == "closed")),
        "unread": _bounded(select(literal(1)).where(*own, active, Conversation.unread_count > 0)),
        "mine": _bounded(select(literal(1)).where(*own, active, mine)),
        "unassigned": _bounded(select(literal(1)).where(*own, active, Conversation.assigned_to.is_(None))),
        "spam": _bounded(
            select(literal(1)).where(
                Message.tenant_id == viewer.tenant_id,
                Message.conversation_id.is_(None),
                Message.classification == "spam",
                may_see(viewer, Message.inbox_id),
            )
        ),
        "quarantined": _bounded(
            select(literal(1))
            .select_from(Quarantine)
            .join(
                LedgerEntry,
                and_(LedgerEntry.tenant_id == Quarantine.tenant_id, LedgerEntry.id == Quarantine.ledger_id),
            )
            .where(
                Quarantine.tenant_id == viewer.tenant_id,
                Quarantine.resolved_at.is_(None),
                may_see(viewer, LedgerEntry.inbox_id),
            )
        ),
    }
    row = (await connection.execute(select(*(c.label(n) for n, c in counted.items())))).one()
    return Counts(**row._asdict())


def _bounded(rows: Select[*tuple[Any, ...]]) -> ColumnElement[int]:
    limited = rows.limit(COUNT_MOST).subquery()
    return select(func.count()).select_from(limited).scalar_subquery()


def _conditions(viewer: Viewer, wanted: ListFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        Conversation.tenant_id == viewer.tenant_id,
        Conversation.merged_into.is_(None),
        Conversation.deleted_at.is_(None),
        may_see(viewer, Conversation.inbox_id),
    ]
    if wanted.status:
        found.append(Conversation.status.in_(wanted.status))
    if wanted.category:
        found.append(Conversation.category.in_(wanted.category))
    if wanted.channel:
        found.append(Conversation.channel.in_(wanted.channel))
    if wanted.inbox:
        found.append(Conversation.inbox_id.in_(wanted.inbox))
    if isinstance(wanted.assigned_to, uuid.UUID):
        found.append(Conversation.assigned_to == wanted.assigned_to)
    elif wanted.assigned_to == "none":
        found.append(Conversation.assigned_to.is_(None))
    if wanted.unread is not None:
        found.append(Conversation.unread_count > 0 if wanted.unread else Conversation.unread_count == 0)
    if wanted.tag:
        found.append(
            exists().where(
                ConversationTag.tenant_id == viewer.tenant_id,
                ConversationTag.conversation_id == Conversation.id,
                ConversationTag.tag_id == Tag.id,
                Tag.tenant_id == viewer.tenant_id,
                Tag.name.in_(wanted.tag),
            )
        )
    if wanted.search.strip():
        found.append(_matching(viewer.tenant_id, wanted.search.strip()))
    return found


def _matching(tenant_id: uuid.UUID, search: str) -> ColumnElement[bool]:
    """Words as people type them (`websearch_to_tsquery`); a last word that is still being typed matches its beginnings.
    A bare number is also the conversation's number.
    """
    query: ColumnElement[Any] = func.websearch_to_tsquery(text("'simple'"), search, type_=TSQUERY)
    if ENDS_IN_A_WORD.search(search):
        # The query's text form ends in a quoted word unless a bracket closes it; `:*` asks for words that begin so.
        written = cast(query, Text)
        query = case((written.like("%'"), cast(written + ":*", TSQUERY)), else_=query)
    documents = select(SearchDocument.conversation_id).where(
        SearchDocument.tenant_id == tenant_id, SearchDocument.document.op("@@")(query)
    )
    condition: ColumnElement[bool] = Conversation.id.in_(documents)
    number = NUMBER.fullmatch(search)
    if number is not None:
        condition = or_(condition, Conversation.number == int(number[2]))
    return condition
