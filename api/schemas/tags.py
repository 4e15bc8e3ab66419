"""Tags with their colours."""

from typing import Annotated

from pydantic import AfterValidator, Field

from api.schemas.base import Answer, Asked
from api.schemas.conversations import tag_name

TagName = Annotated[str, AfterValidator(tag_name), Field(min_length=1, max_length=50)]
Colour = Annotated[str, AfterValidator(str.lower), Field(pattern="^#[0-9A-Fa-f]{6}$")]


class TagItem(Answer):
    id: str
    name: str
    color: str


class NewTag(Asked):
    name: TagName
    color: Colour = "#64748b"


class ChangeTag(Asked):
    """What is left out stays."""

    name: TagName | None = None
    color: Colour | None = None
