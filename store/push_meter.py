"""Announced against found: of the mails that came while an inbox was announced, how many no announcement told of in time.

Graph's notices name their mail, so each mail is looked up by its id. Gmail's name none: a mail counts as announced when any
announcement of the mailbox came between its arrival and a notice's time after it was found. Each mail is counted once, under a lock
of the inbox's row, whoever counts.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

CLOCKS_DIFFER = dt.timedelta(seconds=1)  # more would take the mail before for this one; less counts as lost, which only costs looks
AT_ONCE = dt.timedelta(days=1)  # what was not counted by then never is; so nothing has to be remembered for longer
KEPT = dt.timedelta(days=7)
RECENT = dt.timedelta(hours=1)  # the hour that runs, and the one before it
DAY = dt.timedelta(hours=24)

LOCK = text(
    """
    select provider, watch_since, push_counted_to,
      coalesce(graph_subscription_expires_at, gmail_watch_expires_at) > :now as live
    from inboxes where tenant_id = :tenant_id and id = :inbox_id and deleted_at is null for no key update
    """
)
# Mail that was put in with an old date (an import) was not announced as new. What was looked at first while nobody announced, or was
# told before the grant, is not counted; Graph tells whole seconds.
JUDGE = text(
    """
    with came as (
      select l.created_at <= :ripe as ripe,
        case when :by_id then exists (select from push_notices n where n.tenant_id = l.tenant_id and n.inbox_id = l.inbox_id
            and n.mail_id = l.provider_message_id and n.received_at <= l.created_at + :grace)
        else exists (select from push_notices n where n.tenant_id = l.tenant_id and n.inbox_id = l.inbox_id
            and n.received_at between least(l.internal_date, l.created_at) - :skew and l.created_at + :grace)
        end as announced
      from ledger l
      where l.tenant_id = :tenant_id and l.inbox_id = :inbox_id and l.provider_message_id is not null and not l.historical
        and l.created_at > :counted_to and l.raw_key is not null
        and coalesce(l.internal_date, l.created_at) >= greatest(:since - :skew, l.created_at - :at_once)
    )
    select count(*) filter (where ripe) as found, count(*) filter (where ripe and not announced) as missed,
      count(*) filter (where not ripe and not announced) as awaited
    from came
    """
)
ADD = text(
    """
    insert into push_hours (tenant_id, inbox_id, hour, found, missed)
    values (:tenant_id, :inbox_id, :hour, :found, :missed)
    on conflict (tenant_id, inbox_id, hour) do update
      set found = push_hours.found + excluded.found, missed = push_hours.missed + excluded.missed
    """
)
FORGET = text("delete from push_hours where tenant_id = :tenant_id and inbox_id = :inbox_id and hour < :before")
COUNTED = text("update inboxes set push_counted_to = :to where tenant_id = :tenant_id and id = :inbox_id")
SUMS = text(
    """
    select coalesce(sum(found), 0) as found, coalesce(sum(missed), 0) as missed,
      coalesce(sum(found) filter (where hour >= :recent), 0) as recent_found,
      coalesce(sum(missed) filter (where hour >= :recent), 0) as recent_missed
    from push_hours where tenant_id = :tenant_id and inbox_id = :inbox_id and hour >= :day
    """
)
POLLS = text(
    """
    update inboxes set poll_seconds = :seconds
    where tenant_id = :tenant_id and id = :inbox_id and poll_seconds is distinct from :seconds
    """
)
VIEW = text(
    """
    select i.watch_since, i.watch_renewed_at, i.watch_due_at, i.watch_refusal, i.watch_failures, i.poll_seconds,
      coalesce(i.graph_subscription_expires_at, i.gmail_watch_expires_at) as expires_at,
      (select max(n.received_at) from push_notices n where n.tenant_id = i.tenant_id and n.inbox_id = i.id) as last_notice_at
    from inboxes i where i.tenant_id = :tenant_id and i.id = :inbox_id
    """
)


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts of the last hour or two and of the last day; `awaited` mails were found and may still be announced in time.
    `live`: announcements are granted now.
    """

    live: bool
    recent_found: int = 0
    recent_missed: int = 0
    found: int = 0
    missed: int = 0
    awaited: int = 0


@dataclass(frozen=True, slots=True)
class PushView:
    """How an inbox is announced, for people. Instants are aware; `refusal` is a sentence of ours."""

    expires_at: dt.datetime | None
    since: dt.datetime | None
    renewed_at: dt.datetime | None
    due_at: dt.datetime | None
    refusal: str | None
    failures: int
    last_notice_at: dt.datetime | None
    poll_seconds: int | None
    found: int
    missed: int

    def state(self, now: dt.datetime) -> str:
        """`on`; `refused` where the provider said no; `lapsed` where it ended; `asking` where it was never granted yet; `off`."""
        if self.expires_at is not None and self.expires_at > now:
            return "on"
        if self.failures:
            return "refused"
        if self.renewed_at is not None:
            return "lapsed"
        return "off" if self.due_at is None else "asking"


async def count_announced(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, now: dt.datetime, grace: dt.timedelta
) -> Meter | None:
    """Count the mails that were found more than `grace` ago and were not counted yet; None when the inbox was removed. Run twice,
    it counts nothing twice.
    """
    key = {"tenant_id": tenant_id, "inbox_id": inbox_id}
    row = (await connection.execute(LOCK, {**key, "now": now})).first()
    if row is None:
        return None
    live = bool(row.live)
    if row.watch_since is None:
        return Meter(live)
    ripe = now - grace
    since = max(row.watch_since, row.push_counted_to or row.watch_since, now - AT_ONCE)
    bound = {"ripe": ripe, "grace": grace, "skew": CLOCKS_DIFFER, "at_once": AT_ONCE, "by_id": row.provider == "graph"}
    bound |= {"counted_to": since, "since": row.watch_since}
    counts = (await connection.execute(JUDGE, {**key, **bound})).one()
    if counts.found and live:
        await connection.execute(ADD, {**key, "hour": _hour(now), "found": counts.found, "missed": counts.missed})
        await connection.execute(FORGET, {**key, "before": now - KEPT})
    if ripe > since:
        await connection.execute(COUNTED, {**key, "to": ripe})
    sums = await _sums(connection, tenant_id, inbox_id, now)
    return Meter(live, int(sums.recent_found), int(sums.recent_missed), int(sums.found), int(sums.missed), counts.awaited)


async def note_interval(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, seconds: int) -> None:
    """How long the sync rests until it looks by itself, for people to see."""
    await connection.execute(POLLS, {"tenant_id": tenant_id, "inbox_id": inbox_id, "seconds": seconds})


async def read_push(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, now: dt.datetime
) -> PushView:
    """The inbox must exist. Reads only."""
    row = (await connection.execute(VIEW, {"tenant_id": tenant_id, "inbox_id": inbox_id})).one()
    sums = await _sums(connection, tenant_id, inbox_id, now)
    return PushView(
        expires_at=row.expires_at,
        since=row.watch_since,
        renewed_at=row.watch_renewed_at,
        due_at=row.watch_due_at,
        refusal=row.watch_refusal,
        failures=row.watch_failures,
        last_notice_at=row.last_notice_at,
        poll_seconds=row.poll_seconds,
        found=int(sums.found),
        missed=int(sums.missed),
    )


async def _sums(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, now: dt.datetime
) -> Row[Any]:
    bound = {"recent": _hour(now) - RECENT, "day": _hour(now) - DAY}
    return (await connection.execute(SUMS, {"tenant_id": tenant_id, "inbox_id": inbox_id, **bound})).one()


def _hour(now: dt.datetime) -> dt.datetime:
    return now.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
