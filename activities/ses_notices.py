"""Applies what the SNS webhook wrote down and did not get applied, and forgets what is long settled.

Each notice is a transaction of its own: dying repeats the one under way, twice finds it settled. One that breaks the step is put
aside after five attempts and holds up no other.
"""

import datetime as dt
import logging

from sqlalchemy.exc import InterfaceError, OperationalError

from store.sns_notices import apply_notice, forget_notices, note_failure, waiting_notices
from store.unit_of_work import Database

log = logging.getLogger(__name__)
LEFT_TO_THE_WEBHOOK = dt.timedelta(seconds=30)


async def apply_waiting(database: Database, *, now: dt.datetime) -> int:
    """Apply what has waited for half a minute; gives how many were looked at."""
    async with database.system_unit_of_work() as connection:
        await forget_notices(connection, now=now)
        waiting = await waiting_notices(connection, before=now - LEFT_TO_THE_WEBHOOK)
    for notice_id in waiting:
        try:
            async with database.system_unit_of_work() as connection:
                await apply_notice(connection, notice_id, now=now)
        except (OperationalError, InterfaceError):
            raise  # the database, not the notice: the next sweep goes on
        except Exception as error:
            log.warning("an SNS message could not be applied (%s)", type(error).__name__)
            async with database.system_unit_of_work() as connection:
                await note_failure(connection, notice_id, kind=type(error).__name__, now=now)
    return len(waiting)
