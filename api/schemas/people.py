"""Sign-in, people and keys."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api.passwords import LEAST_CHARACTERS, MOST_CHARACTERS
from api.schemas.base import Answer, Asked, Instant, MailAddress, Name, PageQuery, Role

Status = Literal["online", "away", "offline"]
Password = Annotated[str, Field(min_length=LEAST_CHARACTERS, max_length=MOST_CHARACTERS)]


def _word(value: str) -> str:
    word = " ".join(value.lower().split())
    if not word or any(c < " " or c in ",\x7f" for c in word):
        raise ValueError("is a word or a few, without commas and control characters")
    return word


Word = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_word)]
Words = Annotated[tuple[Word, ...], Field(max_length=50)]


class SignIn(Asked):
    email: Annotated[str, Field(min_length=1, max_length=320)]
    password: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class Someone(Answer):
    """A person, or a key, which has a name and neither address nor status."""

    id: str | None
    email: str
    name: str
    role: Role
    status: Status | None


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
    """`open` counts the open conversations that are theirs, of `capacity` at most. `invited`: has set no password yet."""

    id: str
    email: str
    name: str
    role: Role
    status: Status
    offline_since: Instant | None
    capacity: int
    open: int
    skills: list[str]
    languages: list[str]
    seniority: int
    teams: list[str]
    invited: bool


class Link(Answer):
    """A link by which one person sets their password, once. It is shown this once; a new one ends the older."""

    url: str
    expires_at: Instant


class MadeUser(User):
    invitation: Link | None


class Profile(Asked):
    """What people and teams are given work by. Skills are compared with tags and the category, without capitals."""

    capacity: Annotated[int, Field(ge=0, le=1000)] = 20
    skills: Words = ()
    languages: Words = ()
    seniority: Annotated[int, Field(ge=0, le=100)] = 0


class NewUser(Profile):
    """Without a password the answer holds a link by which the person chooses one, so that nobody else knows it."""

    email: MailAddress
    name: Name
    role: Role
    password: Password | None = None


class ChangeUser(Profile):
    """What is left out stays."""

    name: Name = ""
    role: Role = "agent"


class RemoveQuery(Asked):
    """Keys that the person made are revoked, unless machines that go on need them."""

    keep_api_keys: bool = False


class RemovedUser(Answer):
    """`handed_back` conversations wait again. Of the keys that the person made `api_keys_revoked` ended and `api_keys` still work."""

    handed_back: int
    api_keys: int
    api_keys_revoked: int


class AcceptInvitation(Asked):
    token: Annotated[str, Field(min_length=20, max_length=200)]
    password: Password


class ChangeMe(Asked):
    """What is left out stays. A new password needs the present one and ends every other session."""

    name: Name = ""
    password: Password | None = None
    current_password: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)] | None = None
    signature_html: Annotated[str, Field(max_length=20_000)] | None = None


class MyStatus(Asked):
    status: Status


class PresencePolicy(Answer):
    """Who has not been seen for so many minutes is offline; 0: nobody ever is unless they say so."""

    offline_after_minutes: int


class AskedPresencePolicy(Asked):
    offline_after_minutes: Annotated[int, Field(ge=0, le=1440)]


class Change(Answer):
    """Who changed what in the settings. `about` names the person, team or inbox where it is known."""

    id: int
    at: Instant
    type: str
    actor: str
    actor_name: str | None
    about: str | None
    payload: dict[str, Any]


class AuditQuery(PageQuery):
    by: uuid.UUID | None = None
    kind: Annotated[str | None, Field(max_length=40, pattern="^[a-z_]+$")] = None


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
