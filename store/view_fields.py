"""The fields that a saved view may ask about: what may be said of each, and the SQL that says it.

SQL is fixed text here; what people gave is bound. `conversations` is the table's own name, so that a condition stands in every
statement that reads from it.
"""

import datetime as dt
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.enums import Channel, ConversationStatus, Direction, Priority

MOST_VALUES = 50
MOST_TEXT = 200
AGE = re.compile(r"(\d{1,4})(m|h|d|w)")
AGES = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
ME = "me"
NONE = "none"


class BadValue(ValueError):
    """What was given does not fit the field; the text says what does."""


class Shape(StrEnum):
    """What a field holds, which decides what may be said of it."""

    WORDS = "words"
    IDS = "ids"
    PERSON = "person"
    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    YES = "yes"


OPERATIONS = {
    Shape.WORDS: ("in", "not_in"),
    Shape.IDS: ("in", "not_in"),
    Shape.PERSON: ("in", "not_in"),
    Shape.TEXT: ("contains", "not_contains", "is", "is_not"),
    Shape.NUMBER: ("at_least", "at_most"),
    Shape.TIME: ("before", "after", "older_than", "newer_than", "within", "is_set"),
    Shape.YES: ("is",),
}
# What time alone makes true or false: kept up by looking at those conversations whose time has come.
MOVING = ("older_than", "newer_than", "within")


@dataclass(frozen=True, slots=True)
class Field:
    """`sql` is the column, or for WORDS and IDS of another table a condition with `{values}`. `only` are the words that it may hold."""

    shape: Shape
    sql: str
    only: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    related: bool = False  # `sql` is a condition about rows of another table
    optional: bool = False  # words that a conversation may lack

    @property
    def allowed(self) -> tuple[str, ...]:
        return self.operations or OPERATIONS[self.shape]


def _words(values: type[StrEnum]) -> tuple[str, ...]:
    return tuple(v.value for v in values)


LISTED = "conversations.last_message_at"
FIXED_TIMES = ("before", "after")
FIELDS = {
    "status": Field(Shape.WORDS, "conversations.status", _words(ConversationStatus)),
    "priority": Field(Shape.WORDS, "conversations.priority", _words(Priority)),
    "channel": Field(Shape.WORDS, "conversations.channel", _words(Channel)),
    "category": Field(Shape.WORDS, "conversations.category", optional=True),
    "last_direction": Field(Shape.WORDS, "conversations.last_message_direction", _words(Direction), optional=True),
    "inbox": Field(Shape.IDS, "conversations.inbox_id"),
    "contact": Field(Shape.IDS, "conversations.contact_id"),
    "team": Field(Shape.IDS, "conversations.team_id"),
    "assignee": Field(Shape.PERSON, "conversations.assigned_to"),
    "tag": Field(
        Shape.IDS,
        "exists (select from conversation_tags g where g.tenant_id = conversations.tenant_id"
        " and g.conversation_id = conversations.id and g.tag_id = any({values}))",
        related=True,
    ),
    "follower": Field(
        Shape.PERSON,
        "exists (select from followers f where f.tenant_id = conversations.tenant_id"
        " and f.conversation_id = conversations.id and f.user_id = any({values}))",
        related=True,
    ),
    "subject": Field(Shape.TEXT, "conversations.subject"),
    "customer_name": Field(Shape.TEXT, "conversations.customer_name"),
    "customer_address": Field(Shape.TEXT, "conversations.customer_identifier"),
    "customer_domain": Field(Shape.TEXT, "split_part(conversations.customer_identifier, '@', 2)", operations=("is", "is_not")),
    "message_count": Field(Shape.NUMBER, "conversations.message_count"),
    "unread": Field(Shape.YES, "conversations.unread_count > 0"),
    "has_attachment": Field(
        Shape.YES,
        "exists (select from messages m join attachments a on a.tenant_id = m.tenant_id and a.message_id = m.id"
        " where m.tenant_id = conversations.tenant_id and m.conversation_id = conversations.id and a.disposition = 'attachment')",
    ),
    "vip": Field(
        Shape.YES,
        "exists (select from contacts p where p.tenant_id = conversations.tenant_id and p.id = conversations.contact_id and p.vip)",
    ),
    "failed_send": Field(Shape.YES, "conversations.failed_sends > 0"),
    "unknown_send": Field(Shape.YES, "conversations.unknown_sends > 0"),
    "sla_breached": Field(Shape.YES, "conversations.sla_breached"),
    "created_at": Field(Shape.TIME, "conversations.created_at", operations=FIXED_TIMES),
    "last_message_at": Field(
        Shape.TIME, "conversations.last_message_at", operations=("before", "after", "older_than", "newer_than")
    ),
    "waiting_since": Field(
        Shape.TIME, "conversations.waiting_since", operations=("before", "after", "older_than", "newer_than", "is_set")
    ),
    "snoozed_until": Field(Shape.TIME, "conversations.snoozed_until", operations=("before", "after", "is_set")),
    "sla_due_at": Field(Shape.TIME, "conversations.sla_due_at", operations=("before", "after", "within", "is_set")),
}


def checked(field: Field, operation: str, value: Any) -> Any:
    """The value as it is kept. Raises BadValue."""
    if operation == "is_set" or field.shape is Shape.YES:
        if not isinstance(value, bool):
            raise BadValue("is true or false")
        return value
    if field.shape in (Shape.WORDS, Shape.IDS, Shape.PERSON):
        return _several(field, value)
    if field.shape is Shape.NUMBER:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
            raise BadValue("is a whole number from 0 on")
        return value
    if not isinstance(value, str) or not 0 < len(value) <= MOST_TEXT or "\0" in value:
        raise BadValue(f"is a text of 1 to {MOST_TEXT} characters")
    if field.shape is Shape.TIME:
        return value if operation not in MOVING and read_time(value) else _age(operation, value)
    return value


def _several(field: Field, value: Any) -> list[str]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_VALUES or not all(isinstance(v, str) for v in value):
        raise BadValue(f"is a list of 1 to {MOST_VALUES} texts")
    return [_one(field, v) for v in dict.fromkeys(value)]


def _one(field: Field, value: str) -> str:
    if field.shape is Shape.WORDS:
        if field.only and value not in field.only:
            raise BadValue(f"is one of {', '.join(field.only)}")
        if not 0 < len(value) <= MOST_TEXT or "\0" in value:
            raise BadValue(f"holds texts of 1 to {MOST_TEXT} characters")
        return value
    words = {Shape.PERSON: (ME, NONE)}.get(field.shape, () if field.related else (NONE,))
    if value in words and not (field.related and value == NONE):
        return value
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise BadValue(f"holds ids{' or the words ' + ', '.join(words) if words else ''}") from None


def read_time(value: str) -> dt.datetime:
    """An instant, or a day's beginning in UTC. Raises BadValue."""
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError:
        raise BadValue("is a day or an instant, as in 2025-01-31 or 2025-01-31T09:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


def _age(operation: str, value: str) -> str:
    if AGE.fullmatch(value) is None:
        raise BadValue(f"is a span for `{operation}`, as in 30m, 4h, 2d or 1w")
    return value


def age_of(value: str) -> dt.timedelta:
    """The span of a checked value."""
    number, unit = AGE.fullmatch(value).groups()  # type: ignore[union-attr]
    return dt.timedelta(**{AGES[unit]: int(number)})


Bind = Callable[[Any], str]
"""Keeps a value for the statement and gives the name that stands for it, as in `:view3`."""


def sql_of(field: Field, operation: str, value: Any, bind: Bind, me: str) -> str:
    """The condition. `me` is the SQL for the person that looks; `now()` is the moment of asking."""
    if field.shape is Shape.YES:
        return field.sql if value else f"not ({field.sql})"
    if field.shape in (Shape.WORDS, Shape.IDS, Shape.PERSON):
        return _among(field, operation, value, bind, me)
    if field.shape is Shape.NUMBER:
        return f"{field.sql} {'>=' if operation == 'at_least' else '<='} {bind(value)}"
    if field.shape is Shape.TEXT:
        return _text(field, operation, value, bind)
    # Only the list's own time may choose an index: by another one, all that meet it would be fetched and sorted for a page.
    column = field.sql if field.sql == LISTED else f"({field.sql} + interval '0')"
    if operation == "is_set":
        return f"{column} is {'not ' if value else ''}null"
    if operation in MOVING:
        sign, way = {"older_than": ("<=", "-"), "newer_than": (">", "-"), "within": ("<=", "+")}[operation]
        return f"({column} is not null and {column} {sign} now() {way} cast({bind(age_of(value))} as interval))"
    sign = "<" if operation == "before" else ">="
    return f"({column} is not null and {column} {sign} cast({bind(read_time(value))} as timestamptz))"


def _among(field: Field, operation: str, values: list[str], bind: Bind, me: str) -> str:
    if field.shape is Shape.WORDS:
        # A column that is never null is left alone: the planner has statistics of it, and none of an expression.
        column = f"coalesce({field.sql}, '')" if field.optional else field.sql
        found = f"({column} = any(cast({bind(values)} as text[])))"
        return found if operation == "in" else f"not {found}"
    named = [uuid.UUID(v) for v in values if v not in (ME, NONE)]
    ids = f"cast({bind(named)} as uuid[])"
    if ME in values:
        ids = f"array_append({ids}, cast({me} as uuid))"
    if field.related:
        found = field.sql.format(values=ids)
    else:
        found = f"({field.sql} is not null and {field.sql} = any({ids}))"
        if NONE in values:
            found = f"({field.sql} is null or {found})"
    return found if operation == "in" else f"not {found}"


def _text(field: Field, operation: str, value: str, bind: Bind) -> str:
    word = f"lower(cast({bind(value)} as text))"
    found = f"position({word} in lower({field.sql})) > 0" if "contains" in operation else f"lower({field.sql}) = {word}"
    return f"not ({found})" if "not" in operation else f"({found})"
