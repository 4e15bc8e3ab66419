"""When the next mail of notices is due, in a person's own time zone. Pure."""

import datetime as dt
from zoneinfo import ZoneInfo

# A notice that is to be mailed at once waits this long, so that what comes together goes in one mail.
TOGETHER = dt.timedelta(seconds=60)


def at_once(now: dt.datetime) -> dt.datetime:
    """When a mail of what cannot wait is due."""
    return now + TOGETHER


def next_digest(
    now: dt.datetime, *, pace: str, every_minutes: int, daily_hour: int, time_zone: str
) -> dt.datetime | None:
    """The end of the window that `now` lies in, in UTC; None for a person who wants no digests.

    Windows of minutes are aligned with the epoch. A daily hour that a change of clocks leaves out is taken an hour later, one that
    comes twice the first time (PEP 495). Raises ValueError for a pace or a zone that is none.
    """
    if pace == "off":
        return None
    if pace == "interval":
        span = every_minutes * 60
        return dt.datetime.fromtimestamp((int(now.timestamp()) // span + 1) * span, dt.UTC)
    if pace != "daily":
        raise ValueError("pace: is off, interval or daily")
    zone = ZoneInfo(time_zone)
    day = now.astimezone(zone).date()
    while True:
        due = dt.datetime.combine(day, dt.time(daily_hour), zone).astimezone(dt.UTC)
        if due > now:
            return due
        day += dt.timedelta(days=1)
