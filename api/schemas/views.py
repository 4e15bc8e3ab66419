"""Saved views as people make and see them."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from api.schemas.base import Answer, Asked, Instant, Name
from api.schemas.conversation_lists import Sort

Color = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]
Icon = Annotated[str, Field(pattern="^[a-z][a-z-]{0,30}$", description="a symbol of the client's icon sheet")]
Tree = Annotated[
    dict[str, Any],
    Field(description='{"all": [...]} or {"any": [...]}, of such groups and of {"field", "op", "value"}; docs/search.md has the fields'),
]
ViewName = Annotated[Name, AfterValidator(str.strip), Field(max_length=60)]


class Filling(Answer):
    """How many conversations have been looked at since the conditions changed, of how many."""

    done: int
    total: int


class View(Answer):
    """`filling` is null when the counter is whole. `may_change`: it is the viewer's own, or the viewer is an administrator."""

    id: str
    name: str
    icon: str
    color: str
    shared: bool
    mine: bool
    may_change: bool
    position: int
    sort: Sort
    conditions: dict[str, Any]
    personal: bool
    filling: Filling | None
    created_at: Instant
    updated_at: Instant


class Views(Answer):
    """In their order; there are at most 300 in a tenant, so they come at once."""

    items: list[View]


class AddView(Asked):
    name: ViewName
    conditions: Tree
    icon: Icon = "list"
    color: Color = "#64748b"
    shared: bool = False
    sort: Sort = "newest"


class ChangeView(Asked):
    """What is left out stays."""

    name: ViewName = ""
    conditions: Tree = Field(default_factory=dict)
    icon: Icon = "list"
    color: Color = "#64748b"
    shared: bool = False
    sort: Sort = "newest"
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class PreviewView(Asked):
    conditions: Tree


class Preview(Answer):
    """`capped`: there are more than could be counted at once."""

    count: int
    capped: bool
