"""Problems, health and the stream: shapes that no person's data goes through."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.schemas.base import Answer, Asked


class WrongField(Answer):
    field: str
    message: str


class ProblemDocument(Answer):
    """RFC 9457. `detail` says what to do; `errors` names fields. Some problems have members of their own."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[WrongField]


class Alive(Answer):
    ok: bool


class Part(Answer):
    ok: bool
    ms: float
    detail: str


class Ready(Answer):
    ok: bool
    parts: dict[str, Part]


class StreamQuery(Asked):
    after: Annotated[str | None, Field(max_length=48)] = None


class OpenApiDocument(Answer):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]
