"""Figures: what may be asked, and the rows that answer. All durations are seconds."""

import datetime as dt
import uuid
import zoneinfo
from typing import Annotated, Literal

from pydantic import Field, field_validator

from api.schemas.base import Answer, Asked


class RangeQuery(Asked):
    """Whole days of a time zone, both ends included; the last thirty days by default."""

    since: Annotated[dt.date | None, Field(description="first day, as 2025-01-31")] = None
    until: Annotated[dt.date | None, Field(description="last day")] = None
    zone: Annotated[str, Field(max_length=64, description="an IANA time zone, as Europe/Berlin")] = "UTC"
    inbox: uuid.UUID | None = None
    format: Literal["json", "csv"] = "json"

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no IANA time zone; one is called Europe/Berlin") from None
        return value


class VolumeQuery(RangeQuery):
    by: Literal["day", "weekday_hour", "inbox", "channel", "agent"] = "day"


class DurationQuery(RangeQuery):
    measure: Literal["first_response", "resolution"] = "first_response"
    clock: Annotated[
        Literal["calendar", "business"], Field(description="business hours are known of first responses only")
    ] = "calendar"
    by: Literal["all", "day", "inbox", "team", "agent"] = "all"


class AttainmentQuery(RangeQuery):
    by: Literal["target", "day", "inbox", "team", "agent"] = "target"


class VolumeRow(Answer):
    """`key` is a day, `weekday hour` (Monday is 1), a channel or an id; `name` what people call it."""

    key: str
    name: str
    received: int
    sent: int
    auto: int


class Volume(Answer):
    rows: list[VolumeRow]


class DurationRow(Answer):
    """`median_seconds` and `p90_seconds` are within a hundredth of the exact ones."""

    key: str
    name: str
    count: int
    median_seconds: int
    p90_seconds: int


class Durations(Answer):
    rows: list[DurationRow]


class AttainmentRow(Answer):
    """`attainment` is the share that was kept, from 0 to 1."""

    key: str
    name: str
    kept: int
    breached: int
    attainment: float


class Attainment(Answer):
    rows: list[AttainmentRow]


class BacklogRow(Answer):
    day: str
    open: int
    pending: int
    snoozed: int
    unassigned: int


class Backlogs(Answer):
    rows: list[BacklogRow]


class LoadRow(Answer):
    """`assigned` are open and pending conversations of now, `sent` the answers of the range."""

    key: str
    name: str
    status: str
    capacity: int
    assigned: int
    sent: int


class Loads(Answer):
    rows: list[LoadRow]
