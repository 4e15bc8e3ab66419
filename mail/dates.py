"""The Date header as an instant: RFC 5322, its obsolete forms, and the ISO dates that scripts write.

Promises an aware UTC datetime within the years 1970 to 2200, or None; which clock to trust is the caller's decision.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_COMMENT = re.compile(r"\([^()]{0,200}\)")
_FIRST_YEAR, _LAST_YEAR = 1970, 2200


def parse_date(value: str) -> datetime | None:
    """The instant, in UTC. A time without zone (`-0000`, RFC 5322 §3.3) is taken as UTC."""
    text = value.strip()[:200]
    if not text:
        return None
    for candidate in (text, _COMMENT.sub(" ", text).strip()):
        for read in (parsedate_to_datetime, datetime.fromisoformat):
            try:
                found = read(candidate)
                moment = (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
            except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
                continue
            if _FIRST_YEAR <= moment.year <= _LAST_YEAR:
                return moment
    return None
