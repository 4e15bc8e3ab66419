"""Service levels: business hours, policies, the clocks of a conversation, and what a change of them would move."""

import datetime as dt
import uuid
from typing import Annotated, Literal

from pydantic import Field, model_validator

from api.schemas.base import Answer, Asked, Channel, Instant, Name, Priority

SlaTarget = Literal["first_response", "next_response", "resolution"]
SlaTime = Literal["business", "calendar"]
PausingStatus = Literal["pending", "snoozed"]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", description="as 09:00; 24:00 ends a day")]
Intervals = Annotated[list[tuple[Clock, Clock]], Field(max_length=12)]
Minutes = Annotated[int, Field(ge=1, le=525_600)]
Ids = Annotated[list[uuid.UUID], Field(max_length=100)]


class OwnDate(Asked):
    """A day of one's own: its intervals replace the week's, none means closed."""

    date: dt.date
    name: Annotated[str, Field(max_length=100)] = ""
    intervals: Intervals = Field(default_factory=list)


class NewHours(Asked):
    """`week` has seven days, Monday first. `country` and `subdivision` (ISO 3166) close public holidays."""

    name: Name
    time_zone: Annotated[str, Field(max_length=64)]
    week: Annotated[list[Intervals], Field(min_length=7, max_length=7)]
    country: Annotated[str, Field(max_length=3)] = ""
    subdivision: Annotated[str, Field(max_length=10)] = ""
    dates: Annotated[list[OwnDate], Field(max_length=400)] = Field(default_factory=list)
    is_default: bool = False


class ChangeHours(Asked):
    """What is left out stays."""

    name: Name = ""
    time_zone: Annotated[str, Field(max_length=64)] = ""
    week: Annotated[list[Intervals], Field(min_length=7, max_length=7)] = Field(default_factory=list)
    country: Annotated[str, Field(max_length=3)] = ""
    subdivision: Annotated[str, Field(max_length=10)] = ""
    dates: Annotated[list[OwnDate], Field(max_length=400)] = Field(default_factory=list)
    is_default: bool = False


class ShownDate(Answer):
    date: dt.date
    name: str
    intervals: list[tuple[str, str]]


class Hours(Answer):
    """Business hours. The default ones measure response times where no policy applies."""

    id: str
    name: str
    time_zone: str
    week: list[list[tuple[str, str]]]
    country: str
    subdivision: str
    dates: list[ShownDate]
    is_default: bool
    policies: list[str]
    created_at: Instant
    updated_at: Instant


class Country(Answer):
    code: str
    subdivisions: list[str]


class HoursList(Answer):
    """`countries` are those whose public holidays are known."""

    items: list[Hours]
    countries: list[Country]


class Promise(Asked):
    minutes: Minutes
    time: SlaTime = "business"


class Promises(Asked):
    """At least one. `null` promises nothing for that target."""

    first_response: Promise | None = None
    next_response: Promise | None = None
    resolution: Promise | None = None

    @model_validator(mode="after")
    def _one(self) -> "Promises":
        if self.first_response is None and self.next_response is None and self.resolution is None:
            raise ValueError("promises nothing; give minutes for at least one target")
        return self


class Conditions(Asked):
    """Each that is given has to fit; of a list one value has to. Tags and inboxes by id."""

    channel: Annotated[list[Channel], Field(max_length=20)] = Field(default_factory=list)
    priority: Annotated[list[Priority], Field(max_length=4)] = Field(default_factory=list)
    inbox: Ids = Field(default_factory=list)
    tag: Ids = Field(default_factory=list)
    vip: bool | None = None


class Escalation(Asked):
    """What happens beside telling whoever has the conversation. A priority is only ever raised."""

    notify_users: Ids = Field(default_factory=list)
    notify_teams: Ids = Field(default_factory=list)
    priority: Priority | None = None
    assign_user: uuid.UUID | None = None
    assign_team: uuid.UUID | None = None
    tags: Ids = Field(default_factory=list)


class Escalations(Asked):
    warn: Escalation | None = None
    breach: Escalation | None = None


class NewPolicy(Asked):
    """The first enabled policy, by `position`, whose conditions fit applies. Without hours all time counts."""

    name: Name
    enabled: bool = True
    position: Annotated[int, Field(ge=0, le=100_000)] | None = None
    conditions: Conditions = Conditions()
    targets: Promises
    business_hours_id: uuid.UUID | None = None
    warn_percent: Annotated[int, Field(ge=1, le=100)] = 80
    pause_on: Annotated[list[PausingStatus], Field(max_length=2)] = Field(default=["pending", "snoozed"])
    actions: Escalations = Escalations()


class ChangePolicy(Asked):
    """What is left out stays."""

    name: Name = ""
    enabled: bool = True
    position: Annotated[int, Field(ge=0, le=100_000)] = 0
    conditions: Conditions = Conditions()
    targets: Promises = Promises.model_construct()
    business_hours_id: uuid.UUID | None = None
    warn_percent: Annotated[int, Field(ge=1, le=100)] = 80
    pause_on: Annotated[list[PausingStatus], Field(max_length=2)] = Field(default_factory=list)
    actions: Escalations = Escalations()


class Policy(Answer):
    id: str
    name: str
    enabled: bool
    position: int
    conditions: Conditions
    targets: Promises
    business_hours_id: str | None
    warn_percent: int
    pause_on: list[str]
    actions: Escalations
    created_at: Instant
    updated_at: Instant


class Recount(Answer):
    """Conversations that are worked out again because hours or policies changed. `excused` breaches are none by what holds now."""

    id: str
    why: str
    state: Literal["running", "done"]
    total: int
    done: int
    moved: int
    excused: int
    created_at: Instant
    finished_at: Instant | None


class PolicyList(Answer):
    items: list[Policy]
    recount: Recount | None


class MovedClock(Answer):
    """A clock before and after. Null instants: it is paused, or there is none. `change` is `started`, `ended` or `moved`."""

    conversation_id: str
    number: int
    subject: str
    target: SlaTarget
    change: Literal["started", "ended", "moved"]
    old_due: Instant | None
    new_due: Instant | None
    newly_breached: bool
    excused: bool


class PreviewCounts(Answer):
    """`complete` is false where there are more conversations than were looked at."""

    conversations: int
    started: int
    ended: int
    moved: int
    newly_breached: int
    excused: int
    complete: bool


class Preview(Answer):
    """What a change would do. `counts` come with the first page."""

    counts: PreviewCounts | None
    items: list[MovedClock]
    next: str | None


class SlaSegment(Answer):
    """A stretch of a clock's time. `why` names the status of a pause."""

    kind: Literal["running", "paused", "outside", "holiday"]
    start: Instant
    end: Instant
    seconds: int
    why: str


class SlaClock(Answer):
    """One target. `state` says where it stands; `sentence` is its arithmetic in words. While it is paused, `due_at` is null."""

    id: str
    target: SlaTarget
    policy: str | None
    hours: str | None
    state: Literal["running", "paused", "warned", "breached", "met", "late", "ended", "excused"]
    target_seconds: int
    business: bool
    started_at: Instant
    warn_at: Instant | None
    due_at: Instant | None
    warned_at: Instant | None
    breached_at: Instant | None
    met_at: Instant | None
    ended_at: Instant | None
    ended_by: str | None
    excuse: str | None
    running_seconds: int
    segments: list[SlaSegment]
    sentence: str


class ConversationSla(Answer):
    """All clocks of a conversation, the newest first, as of `at`."""

    at: Instant
    policy: str | None
    first_response_seconds: int | None
    avg_response_seconds: int | None
    first_response_business_seconds: int | None
    avg_response_business_seconds: int | None
    clocks: list[SlaClock]
