"""Contacts: who writes to us."""

import datetime as dt
import uuid
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from api.schemas.base import Answer, Asked, Channel, HeaderLine, Instant, Named, PageQuery

FieldType = Literal["text", "number", "bool", "date"]
FieldKey = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character; remove it")
    return value


class CustomField(Asked):
    """A field with its type. A date is `2025-01-31`."""

    type: FieldType
    value: Annotated[str, AfterValidator(_no_nul), Field(max_length=1_000)] | bool | float

    @model_validator(mode="after")
    def _fits(self) -> "CustomField":
        value = self.value
        fits = {
            "text": isinstance(value, str),
            "number": isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < 1e15,
            "bool": isinstance(value, bool),
            "date": isinstance(value, str),
        }[self.type]
        if not fits:
            raise ValueError(f"is no {self.type}")
        if self.type == "date":
            try:
                dt.date.fromisoformat(str(value))
            except ValueError:
                raise ValueError("is no date such as 2025-01-31") from None
        return self


class ShownField(Answer):
    type: FieldType
    value: str | bool | float


class Identity(Answer):
    channel: Channel
    identifier: str


class Contact(Answer):
    """`open` counts the conversations that are not closed and that you may see, at most 99; `merged` are other names of this person."""

    id: str
    name: str
    company: str
    vip: bool
    custom: dict[str, ShownField]
    identities: list[Identity]
    merged: list[Named]
    merged_into: str | None
    open: int
    last_message_at: Instant | None
    created_at: Instant


class ContactQuery(PageQuery):
    search: Annotated[str, AfterValidator(_no_nul), Field(max_length=200)] = ""
    vip: bool | None = None


class ChangeContact(Asked):
    """What is left out stays. `custom` changes the fields that it names; null takes one away. At most fifty stand."""

    name: Annotated[HeaderLine, Field(max_length=200)] | None = None
    company: Annotated[HeaderLine, Field(max_length=200)] | None = None
    vip: bool | None = None
    custom: Annotated[dict[FieldKey, CustomField | None], Field(max_length=50)] | None = None


class MergeContact(Asked):
    into: uuid.UUID
