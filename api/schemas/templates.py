"""Canned replies and what becomes of one in a conversation."""

import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from api.schemas.base import Answer, Asked, HeaderLine, Instant, Name, Named
from api.schemas.messages import Uploaded
from rules.templates import REPLY_PLACEHOLDERS, unknown_placeholders


def _known(value: str) -> str:
    unknown = unknown_placeholders(value, REPLY_PLACEHOLDERS)
    if unknown:
        raise ValueError(
            f"holds placeholders that no conversation can fill ({', '.join(unknown)[:200]}); those of docs/templates.md can"
        )
    return value


def _shortcut(value: str) -> str:
    word = value.strip().removeprefix("/").lower()
    if not word or not all(c.isalnum() or c in "-_" for c in word):
        raise ValueError("is one word of letters, digits, - and _, such as thanks")
    return word


Shortcut = Annotated[str, Field(max_length=40), AfterValidator(_shortcut)]
Body = Annotated[str, Field(max_length=200_000), AfterValidator(_known)]


class NewTemplate(Asked):
    """`html` or `text` or both; what is left out is made from the other. `personal`: the caller's own. `inbox_id`: for one inbox, `team_id`:
    for one team. None of them: everybody's. `attachments` are uploads that are complete.
    """

    name: Name
    shortcut: Shortcut | None = None
    subject: Annotated[HeaderLine, AfterValidator(_known)] = ""
    html: Body | None = None
    text: Body | None = None
    inbox_id: uuid.UUID | None = None
    team_id: uuid.UUID | None = None
    personal: bool = False
    attachments: Annotated[tuple[uuid.UUID, ...], Field(max_length=10)] = ()

    @model_validator(mode="after")
    def _whole(self) -> "NewTemplate":
        if not (self.html or "").strip() and not (self.text or "").strip():
            raise ValueError("a template needs `html` or `text`")
        if sum((self.personal, self.inbox_id is not None, self.team_id is not None)) > 1:
            raise ValueError("a template is `personal`, an inbox's or a team's, not several of these")
        return self


class ChangeTemplate(Asked):
    """What is left out stays. A body is given whole: with `html` alone the text is made anew, and the other way round. A shortcut
    or a subject is taken away by an empty text; `attachments`, where given, are all of them.
    """

    name: Name | None = None
    shortcut: Annotated[str, Field(max_length=40)] | None = None
    subject: Annotated[HeaderLine, AfterValidator(_known)] | None = None
    html: Body | None = None
    text: Body | None = None
    attachments: Annotated[tuple[uuid.UUID, ...] | None, Field(max_length=10)] = None


class TemplateFile(Answer):
    filename: str
    size_bytes: int


class Template(Answer):
    """`inbox` and `team` null and not `personal`: everybody's. `placeholders` stand in it; `can_change` says whether the caller may. `nodes` are
    the HTML in the small language of replies: texts and `[tag, href, children]`.
    """

    id: str
    name: str
    shortcut: str | None
    subject: str
    html: str
    text: str
    nodes: list[Any]
    inbox: Named | None
    team: Named | None
    personal: bool
    placeholders: list[str]
    attachments: list[TemplateFile]
    uses: int
    can_change: bool
    updated_at: Instant


class Signature(Answer):
    """Both forms, without the line of dashes above; both empty where there is none. `nodes` as of a template."""

    html: str
    text: str
    nodes: list[Any]


class FillTemplate(Asked):
    conversation_id: uuid.UUID


class FilledTemplate(Answer):
    """A reply begun. `missing` placeholders had no value and stand in it as written: a reply that holds one is refused.
    `attachments` are uploads that the reply may name.
    """

    subject: str
    html: str
    text: str
    nodes: list[Any]
    missing: list[str]
    attachments: list[Uploaded]
