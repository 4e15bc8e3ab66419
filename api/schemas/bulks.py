"""One change to many conversations."""

import uuid
from typing import Annotated, Literal

from pydantic import Field, model_validator

from api.schemas.base import Answer, Asked, Instant, Priority
from api.schemas.conversation_lists import ConversationQuery

BulkStatus = Literal["open", "pending", "closed", "archived", "spam", "trash"]
TagNames = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[^,\x00-\x1f\x7f]+$")], ...], Field(max_length=50)
]


class BulkMerge(Asked):
    """`into` is one of the chosen conversations; the oldest where it is left out."""

    into: uuid.UUID | None = None


class BulkFields(Asked):
    """What is left out stays. `assigned_to` null takes it from whoever has it. `merge` stands alone: the chosen conversations, of one
    inbox, at most a hundred, become one.
    """

    status: BulkStatus = "open"
    priority: Priority = "normal"
    category: Annotated[str, Field(max_length=100)] | None = None
    assigned_to: uuid.UUID | None = None
    add_tags: TagNames = ()
    remove_tags: TagNames = ()
    merge: BulkMerge | None = None

    @model_validator(mode="after")
    def _something(self) -> "BulkFields":
        if not self.model_fields_set:
            raise ValueError("names nothing to change; give a status, priority, category, assigned_to or tags, or a merge")
        if self.merge is not None and len(self.model_fields_set) > 1:
            raise ValueError("merges and changes; do one after the other")
        if "merge" in self.model_fields_set and self.merge is None:
            raise ValueError("merge may not be null; leave it out, or give `{}` to merge into the oldest")
        return self


class NewBulk(Asked):
    """Either `ids`, or the `filter` of a list (as of `GET /v1/conversations`, without cursor), which means all that it shows now."""

    ids: Annotated[tuple[uuid.UUID, ...] | None, Field(min_length=1, max_length=10_000)] = None
    filter: ConversationQuery | None = None
    change: BulkFields

    @model_validator(mode="after")
    def _one(self) -> "NewBulk":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("names conversations by `ids` or by a `filter`; give one of the two")
        return self


class BulkRun(Answer):
    """`done` of `total` conversations were looked at, `changed` of them changed. `can_undo` until `undo_until`; then `restored` ones
    are as before, and `left` ones as somebody has made them since. `merged_into` is the conversation that a merge left.
    """

    id: str
    state: Literal["running", "done", "cancelled", "undoing", "undone"]
    total: int
    done: int
    changed: int
    restored: int
    left: int
    created_at: Instant
    ended_at: Instant | None
    undo_until: Instant | None
    can_undo: bool
    merged_into: str | None
