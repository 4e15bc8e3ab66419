"""After how long a mailbox behind a web API is looked at by itself: by what its announcements proved to be worth.

The mails that were found are counted here, since each pass is followed by it. Dying before the commit counts them the next time;
run twice, nothing is counted twice; run late, what is older than a day is not counted.
"""

import datetime as dt

from rules.push_poll import NOTICE_SECONDS, Counts, next_look
from store.inbox_state import InboxState
from store.push_meter import count_announced, note_interval
from store.unit_of_work import Database

GRACE = dt.timedelta(seconds=NOTICE_SECONDS)


async def until_next_look(
    database: Database,
    inbox: InboxState,
    *,
    often: int,
    now: dt.datetime | None = None,
    grace: dt.timedelta = GRACE,
) -> int:
    """Seconds. `often` is the operator's interval; `grace` is the time that an announcement may take."""
    async with database.unit_of_work(inbox.tenant_id) as connection:
        meter = await count_announced(
            connection, inbox.tenant_id, inbox.id, now=now or dt.datetime.now(dt.UTC), grace=grace
        )
        if meter is None:
            return often
        seconds = next_look(
            often,
            live=meter.live,
            recent=Counts(meter.recent_found, meter.recent_missed),
            day=Counts(meter.found, meter.missed),
            awaited=meter.awaited > 0,
        )
        await note_interval(connection, inbox.tenant_id, inbox.id, seconds=seconds)
    return seconds
