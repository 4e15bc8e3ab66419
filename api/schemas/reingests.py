"""Re-ingest: what to read again, how far a run is, and what it would change."""

import datetime as dt
import uuid
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from api.schemas.base import Answer, Asked, AskedInstant, Classification, Instant, Named, PageQuery
from store.reingest_selection import MOST_IDS, Selection

ReingestState = Literal["planning", "planned", "applying", "applied", "cancelled"]
ReingestChangeState = Literal["planned", "applied", "stale", "refused", "unread"]
ChangeKind = Literal[
    "any",
    "version",
    "body",
    "parts",
    "headers",
    "identity",
    "classification",
    "thread",
    "defects",
    "quarantine",
]
Ids = Annotated[tuple[uuid.UUID, ...], Field(max_length=100)]
Words = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=20)]


class AskedSelection(Asked):
    """Which mails; all that is given must hold. Without any condition, `everything` must be said."""

    inbox: Ids = ()
    folder: Ids = ()
    since: Annotated[AskedInstant | None, Field(description="received at this instant or later")] = None
    until: Annotated[AskedInstant | None, Field(description="received before this instant")] = None
    classification: Annotated[tuple[Classification, ...], Field(max_length=5)] = ()
    quarantine_reason: Words = ()
    message: Annotated[tuple[uuid.UUID, ...], Field(max_length=MOST_IDS)] = ()
    older_parser: Annotated[bool, Field(description="read by an older parser than the one that runs")] = False
    has_defects: Annotated[bool, Field(description="with defects that the parser noted")] = False
    everything: Annotated[bool, Field(description="all mail of the team; needed when nothing else is given")] = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("`until` must be later than `since`")
        return self

    @property
    def selection(self) -> Selection:
        return Selection(
            inbox_ids=self.inbox,
            folder_ids=self.folder,
            since=self.since,
            until=self.until,
            classifications=tuple(self.classification),
            quarantine_reasons=self.quarantine_reason,
            message_ids=self.message,
            older_parser=self.older_parser,
            has_defects=self.has_defects,
            everything=self.everything,
        )


class PreviewQuery(AskedSelection):
    """The conditions of a run, as parameters."""


class SelectionSaid(Answer):
    """A run's conditions; what asks nothing is empty."""

    inbox: list[str]
    folder: list[str]
    since: Instant | None
    until: Instant | None
    classification: list[Classification]
    quarantine_reason: list[str]
    message: list[str]
    older_parser: bool
    has_defects: bool
    everything: bool


class Preview(Answer):
    """What a selection meets now. `older` counts all mail of the team that an older parser read."""

    parser_version: int
    older: int
    messages: int
    size_bytes: int
    quarantined: int
    bounded: Annotated[bool, Field(description="whether any condition narrows it down")]


class Reingest(Answer):
    """One run. `changed` mails differ, of `outdated` ones only the parser's version does; both are taken over."""

    id: str
    state: ReingestState
    paused: bool
    selection: SelectionSaid
    asked_by: Named | None
    parser_version: int
    total: int
    done: int
    changed: int
    outdated: int
    to_apply: int
    applied: int
    failed: int
    failures: dict[str, int]
    error: str | None
    created_at: Instant
    planned_at: Instant | None
    apply_asked_at: Instant | None
    ended_at: Instant | None
    links: dict[str, str | None]


class ReingestChange(Answer):
    """What a run would change, or has changed, at one mail. `detail` has one member for each kind, and `parser_version`;
    the diffs of its bodies come with the single change only.
    """

    ledger_id: str
    message_id: str
    conversation_id: str | None
    inbox: Named
    subject: str | None
    from_: Annotated[str | None, Field(alias="from")]
    received_at: Instant | None
    kinds: list[str]
    state: ReingestChangeState
    reason: str | None
    settled_at: Instant | None
    detail: dict[str, Any]


class ChangeQuery(PageQuery):
    kind: ChangeKind = "any"
    state: ReingestChangeState | None = None


def said(kept: dict[str, Any]) -> SelectionSaid:
    """A selection as it is kept with a run, in the words of the API."""
    selection = Selection.from_json(kept)
    return SelectionSaid(
        inbox=[str(i) for i in selection.inbox_ids],
        folder=[str(i) for i in selection.folder_ids],
        since=_moment(selection.since),
        until=_moment(selection.until),
        classification=list(kept.get("classifications", ())),
        quarantine_reason=list(selection.quarantine_reasons),
        message=[str(i) for i in selection.message_ids],
        older_parser=selection.older_parser,
        has_defects=selection.has_defects,
        everything=selection.everything,
    )


def _moment(at: dt.datetime | None) -> dt.datetime | None:
    return at.astimezone(dt.UTC) if at else None
