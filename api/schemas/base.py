"""What all schemas share: unknown fields are refused, times are UTC, addresses cannot break a header."""

import datetime as dt
import re
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mail.outgoing_addresses import checked
from mail.outgoing_errors import ComposeError
from mail.values import Address
from store.pages import MOST, USUAL

T = TypeVar("T")
BREAKS_HEADER = re.compile("[\r\n\0]")

Role = Literal["owner", "admin", "agent", "viewer"]
Channel = Literal["email", "sms", "whatsapp", "slack", "discord", "telegram", "teams", "voice"]
ConversationStatus = Literal["open", "pending", "snoozed", "closed", "archived", "spam", "trash"]
Priority = Literal["urgent", "high", "normal", "low"]
Direction = Literal["inbound", "outbound"]
Health = Literal["connecting", "ok", "degraded", "auth_failed", "paused"]
Classification = Literal["message", "bounce", "complaint", "auto_reply", "spam"]
LedgerState = Literal["seen", "stored", "ingested", "skipped", "quarantined", "vanished"]


class Answer(BaseModel):
    """Something that we say."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Asked(BaseModel):
    """Something that a client says."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, str_max_length=4_000_000)


def _utc(value: dt.datetime) -> dt.datetime:
    return value.astimezone(dt.UTC)


def _aware(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone, as in 2025-01-31T09:00:00Z")
    return value


def _header_safe(value: str) -> str:
    if BREAKS_HEADER.search(value):
        raise ValueError("holds a line break or NUL, which a mail header cannot carry; remove it")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("may not be empty")
    return value


# Taken to UTC as it comes in, so that pydantic's own code writes it, with `Z`: half the time of a serializer in Python.
Instant = Annotated[dt.datetime, AfterValidator(_utc)]
AskedInstant = Annotated[dt.datetime, AfterValidator(_aware)]
HeaderLine = Annotated[str, AfterValidator(_header_safe), Field(max_length=998)]
Name = Annotated[str, AfterValidator(_header_safe), AfterValidator(_not_blank), Field(max_length=200)]


class Addr(Answer):
    address: str
    name: str = ""


class AskedAddr(Asked):
    """A recipient. It must be one that a mail header can carry (integrity S-10)."""

    address: Annotated[str, AfterValidator(_header_safe), Field(max_length=320)]
    name: Annotated[str, AfterValidator(_header_safe), Field(max_length=200)] = ""


def mail_address(value: str) -> str:
    """A validator for one's own addresses. The remedy names what is wrong, never the value."""
    try:
        checked(Address(value.strip()), "address")
    except ComposeError as wrong:
        raise ValueError(wrong.remedy) from None
    return value.strip()


MailAddress = Annotated[
    str, AfterValidator(_header_safe), AfterValidator(mail_address), Field(max_length=320)
]


class PageOf(Answer, Generic[T]):
    """One page of a list. `next` asks for the page behind it, null at the end."""

    items: list[T]
    next: str | None = None


class PageQuery(Asked):
    after: Annotated[str | None, Field(max_length=300)] = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = USUAL


class Named(Answer):
    """A row by its id and name."""

    id: str
    name: str
