"""Sign-in, people and keys."""

from typing import Annotated, Literal

from pydantic import Field

from api.passwords import LEAST_CHARACTERS, MOST_CHARACTERS
from api.schemas.base import Answer, Asked, Instant, MailAddress, Name, Role


class SignIn(Asked):
    email: Annotated[str, Field(min_length=1, max_length=320)]
    password: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class Someone(Answer):
    """A person, or a key, which has a name and no address."""

    id: str | None
    email: str
    name: str
    role: Role


class Organisation(Answer):
    id: str
    name: str


class ServiceLinks(Answer):
    temporal_ui: str | None


class Limits(Answer):
    """What a message may carry, in octets and files."""

    file_bytes: int
    files: int
    message_bytes: int


class Me(Answer):
    """Who is signed in."""

    user: Someone
    tenant: Organisation
    links: ServiceLinks
    limits: Limits


class User(Answer):
    id: str
    email: str
    name: str
    role: Role


class NewUser(Asked):
    email: MailAddress
    name: Name
    role: Role
    password: Annotated[str, Field(min_length=LEAST_CHARACTERS, max_length=MOST_CHARACTERS)]


class ApiKey(Answer):
    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: Instant
    last_used_at: Instant | None


class NewApiKey(Asked):
    name: Name
    scopes: Annotated[list[Literal["read", "write", "admin"]], Field(min_length=1, max_length=3)]


class MadeApiKey(ApiKey):
    """`key` is shown this once."""

    key: str
