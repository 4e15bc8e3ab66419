"""Notices: what a person is told, how they want to hear, and from where a tenant's digests are sent."""

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from api.schemas.base import Answer, Asked, Instant, Named, PageQuery

NoticeKind = Literal[
    "assigned", "mentioned", "reply", "sla_warned", "sla_breached", "send_unknown", "send_failed", "rule"
]
NoticeMail = Literal["off", "digest", "at_once"]
DigestPace = Literal["off", "interval", "daily"]


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone; name one such as Europe/Berlin") from None
    return value


class NoticeConversation(Answer):
    id: str
    number: int
    subject: str
    customer: str


class Notice(Answer):
    """`actor` is who did it, null for mail and for Mailroom itself."""

    id: str
    kind: NoticeKind
    conversation: NoticeConversation | None
    message_id: str | None
    actor: Named | None
    created_at: Instant
    read_at: Instant | None


class NoticePage(Answer):
    """`unread` counts no further than 100."""

    items: list[Notice]
    next: str | None = None
    unread: int


class NoticeQuery(PageQuery):
    unread: bool = False


class ReadNotices(Asked):
    """These, those of one conversation, or all."""

    ids: Annotated[list[str], Field(max_length=200, default_factory=list)]
    conversation_id: Annotated[str | None, Field(max_length=36)] = None
    all: bool = False

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.ids and self.conversation_id is None and not self.all:
            raise ValueError("name `ids`, a `conversation_id`, or say `all`")
        return self


class UnreadCount(Answer):
    unread: int


class NoticeWish(Asked):
    live: bool = True
    mail: NoticeMail = "off"


class AskedDigest(Asked):
    """`daily_hour` is of the clock in `time_zone`. `snippets`: the digest also quotes the beginning of each mail."""

    pace: DigestPace = "interval"
    every_minutes: Annotated[int, Field(ge=5, le=1440)] = 30
    daily_hour: Annotated[int, Field(ge=0, le=23)] = 8
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] = "UTC"
    snippets: bool = False


class AskedPreferences(Asked):
    """Kinds that are left out are as usual."""

    kinds: Annotated[dict[NoticeKind, NoticeWish], Field(default_factory=dict)]
    digest: AskedDigest = AskedDigest()


class Preferences(Answer):
    """Every kind is here. `mailed_from` is the address that digests come from, null while the tenant has chosen none."""

    kinds: dict[NoticeKind, NoticeWish]
    digest: AskedDigest
    mailed_from: str | None


class NotificationSettings(Answer):
    inbox: Named | None


class AskedNotificationSettings(Asked):
    """The inbox that digests are sent from; null: none are sent."""

    inbox_id: Annotated[str | None, Field(max_length=36)]
