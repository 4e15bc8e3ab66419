"""How long an HTTP answer asks to be left alone: the value of its Retry-After field, in seconds."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# More is taken as a day: nobody may put a mailbox to sleep for longer by one answer.
LONGEST = 24 * 3600.0


def retry_after(value: str | None) -> float | None:
    """Seconds from a number or a date (RFC 9110 §10.2.3). None where there is none that can be read."""
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST)
