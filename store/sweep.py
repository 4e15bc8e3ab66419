"""What should have a running workflow, read from rows over all tenants, and what has expired and may go.

The finders are pages of ids in the order of the primary key. Without `full` they leave out rows whose workflow has shown
life lately, so that silence stays cheap; the first sweep of a new Temporal database is full.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

PAGE = 10
NOWHERE = uuid.UUID(int=0)

# Rows that wait for their time need no workflow before it. A mail that a server put off is looked after by its
# workflow; only a full sweep doubts that. An unknown one is asked about again once it has turned up in Sent. Of one that
# is out the copy in Sent may still be missing.
SENDS = text(
    """
    select * from (
      select m.tenant_id, m.id, m.inbox_id from messages m
      where m.id > :after and m.direction = 'outbound'
        and ((m.send_status in ('queued', 'scheduled') and coalesce(greatest(m.undo_until, m.scheduled_at), :now) <= :soon
              and (:full or m.first_attempt_at is null or m.first_attempt_at < :given_up))
          or m.send_status = 'sending'
          or (m.send_status = 'unknown' and m.sent_copy_at is not null))
      union all
      select m.tenant_id, m.id, m.inbox_id from messages m
      where m.id > :after and m.copy_due_at <= :now and m.send_status in ('sent', 'failed')
    ) s order by id limit :limit
    """
)
INBOXES = text(
    """
    select i.tenant_id, i.id, i.id as inbox_id from inboxes i
    where i.id > :after and i.connected_at is not null and i.deleted_at is null and i.paused_at is null
      and (:full or i.last_sync_at is null or i.last_sync_at < :silent
           or i.connected_at > :recent or i.updated_at > :recent)
    order by i.id limit :limit
    """
)
CONNECTS = text(
    """
    select i.tenant_id, i.id, i.id as inbox_id from inboxes i
    where i.id > :after and i.connected_at is null and i.health = 'connecting' and i.deleted_at is null
      and i.paused_at is null
      and (i.provider = 'ses' or i.credentials_sealed is not null or exists (select from oauth_grants g
        where g.tenant_id = i.tenant_id and g.inbox_id = i.id and g.ended_reason is null))
    order by i.id limit :limit
    """
)
BACKFILLS = text(
    """
    select f.tenant_id, f.id, f.inbox_id from folders f
    join inboxes i on i.tenant_id = f.tenant_id and i.id = f.inbox_id
    where f.id > :after and f.backfill_state in ('waiting', 'running') and f.synced and f.uidvalidity is not null
      and i.connected_at is not null and i.deleted_at is null and i.paused_at is null
    order by f.id limit :limit
    """
)
# Started where it is not running: a run that works on shows life by its rows.
REINGESTS = text(
    """
    select r.tenant_id, r.id, cast(null as uuid) as inbox_id from reingests r
    where r.id > :after and r.state in ('planning', 'applying') and r.paused_at is null
      and (:full or r.updated_at < :restless)
    order by r.id limit :limit
    """
)
# As `inbound.react` would: a first mail that may be answered, in an inbox that answers, not decided on yet. Ids are in
# the order of time, so the day's conversations are a range of the primary key; only their messages are looked at.
AUTO_RESPONSES = text(
    """
    with open as materialized (
      select c.tenant_id, c.id, c.inbox_id from conversations c
      join inboxes i on i.tenant_id = c.tenant_id and i.id = c.inbox_id
      where c.id > greatest(cast(:after as uuid), cast(:floor as uuid))
        and i.deleted_at is null and (i.auto_response_enabled
          or exists (select from rule_answers w where w.tenant_id = c.tenant_id and w.conversation_id = c.id))
        and c.created_at > :yesterday and not c.historical and c.merged_into is null and c.deleted_at is null
        and not exists (select from auto_response_claims a
          where a.tenant_id = c.tenant_id and a.conversation_id = c.id)
    )
    select tenant_id, id, inbox_id from open
    where exists (select from messages m where m.tenant_id = open.tenant_id and m.conversation_id = open.id
      and m.direction = 'inbound' and m.may_answer and not m.historical)
    order by id limit :limit
    """
)
# The longest due come first: a domain that is checked is due again much later.
DOMAINS = text(
    """
    select d.tenant_id, d.id, cast(null as uuid) as inbox_id from domains d
    where d.check_due_at <= :now and d.deleted_at is null order by d.check_due_at limit :limit
    """
)
# What a watch is granted ends within days; where none is asked for, nothing is due.
WATCHES = text(
    """
    select i.tenant_id, i.id, i.id as inbox_id from inboxes i
    where i.provider = any(:watched) and i.connected_at is not null and i.deleted_at is null and i.paused_at is null
      and i.health <> 'auth_failed' and (i.watch_due_at is null or i.watch_due_at <= :now)
    order by i.watch_due_at nulls first, i.id limit :limit
    """
)
# A desk at work reads what is committed at once; one that is missing shows by events that nobody reads.
DESKS = text(
    """
    select t.id as tenant_id, t.id, cast(null as uuid) as inbox_id from tenants t
    left join desk_cursors d on d.tenant_id = t.id
    where t.id > :after and (:full or exists (select from events e where e.tenant_id = t.id
      and (e.xid, e.id) > (coalesce(d.xid, '0'), coalesce(d.id, 0)) and e.created_at < :unread))
    order by t.id limit :limit
    """
)
# As with sends: what sleeps needs no workflow before its time, so silence costs nothing however many are asleep.
SNOOZES = text(
    """
    select c.tenant_id, c.id, c.inbox_id from conversations c
    where c.id > :after and c.status = 'snoozed' and c.snoozed_until <= :soon
      and c.merged_into is null and c.deleted_at is null
    order by c.id limit :limit
    """
)
# A timer at work leaves nothing overdue. Where one is asleep, its tenant is found and starting it again is harmless.
SLA_TIMERS = text(
    """
    select t.id as tenant_id, t.id, cast(null as uuid) as inbox_id from tenants t
    where t.id > :after and (exists (select from sla_clocks k where k.tenant_id = t.id and k.next_at is not null
        and (:full or k.next_at < :unread))
      or exists (select from sla_recounts r where r.tenant_id = t.id and r.state = 'running'))
    order by t.id limit :limit
    """
)
ERASURES = text(
    """
    select e.tenant_id, e.id, cast(null as uuid) as inbox_id from erasures e
    where e.id > :after and e.state <> 'done' order by e.id limit :limit
    """
)
# By person: a window that was taken is due no more.
DIGESTS = text(
    """
    select s.tenant_id, s.user_id as id, cast(null as uuid) as inbox_id from notice_settings s
    where s.user_id > :after and s.digest_due_at <= :now order by s.user_id limit :limit
    """
)
BULKS = text(
    """
    select b.tenant_id, b.id, cast(null as uuid) as inbox_id from bulks b
    where b.id > :after and b.state in ('running', 'undoing') and (:full or b.updated_at < :restless)
    order by b.id limit :limit
    """
)
# One at work leaves nothing waiting for minutes, unless its endpoint is to be asked later.
WEBHOOKS = text(
    """
    select e.tenant_id, e.id, cast(null as uuid) as inbox_id from webhook_endpoints e
    where e.id > :after and e.status <> 'disabled' and (:full or e.next_attempt_at is null or e.next_attempt_at < :unread)
      and exists (select from webhook_deliveries d where d.tenant_id = e.tenant_id and d.endpoint_id = e.id
        and d.status = 'pending' and (:full or d.created_at < :unread))
    order by e.id limit :limit
    """
)
FINDERS: dict[str, TextClause] = {
    "sends": SENDS,
    "inboxes": INBOXES,
    "connects": CONNECTS,
    "backfills": BACKFILLS,
    "auto_responses": AUTO_RESPONSES,
    "reingests": REINGESTS,
    "domains": DOMAINS,
    "watches": WATCHES,
    "snoozes": SNOOZES,
    "desks": DESKS,
    "sla_timers": SLA_TIMERS,
    "erasures": ERASURES,
    "digests": DIGESTS,
    "bulks": BULKS,
    "webhooks": WEBHOOKS,
}
ONE_PAGE = frozenset({"domains", "watches"})  # look-ups at other people's servers: what is behind the page has the next minute

OLD_SESSIONS = text("delete from sessions where expires_at < :now")
# An upload lives a day, or as long as a draft holds it; what became a file of a message has a row of its own and does not need it. Its octets are dropped by the
# next retention run, unless somebody names them.
OLD_UPLOADS = text(
    """
    with gone as (
      delete from uploads u where u.created_at < :yesterday
        and not exists (select from drafts d where d.tenant_id = u.tenant_id
          and d.attachments @> jsonb_build_array(jsonb_build_object('id', u.id::text)))
      returning tenant_id, upload_key, storage_key
    ), noted as (
      insert into dropped_objects (tenant_id, storage_key)
      select tenant_id, upload_key from gone union select tenant_id, storage_key from gone where storage_key is not null
      on conflict (tenant_id, storage_key, raw_offset) do update set dropped_at = now()
    )
    select count(*) from gone
    """
)
OLD_KEYS = text("delete from idempotency_keys where created_at < :week")
OLD_ATTEMPTS = text("delete from login_attempts where at < :yesterday")
# A plan that nobody wants for a month is not wanted; what a run found, and with it pieces of mail, is kept as long.
OLD_PLANS = text(
    """
    update reingests set state = 'cancelled', ended_at = :now, error = 'Nobody took it over within thirty days.'
    where state = 'planned' and planned_at < :month
    """
)
OLD_FINDINGS = text(
    """
    delete from reingest_changes c using reingests r
    where r.tenant_id = c.tenant_id and r.id = c.reingest_id and r.ended_at < :month
    """
)
# What could be undone can no longer, and nobody looks at it.
OLD_BULKS = text("delete from bulks where ended_at < :month")
# What waits at an endpoint that is switched off waits for a month too, and is then of no use.
OLD_DELIVERIES = text("delete from webhook_deliveries where created_at < :month")
PARTITIONS = text("select mailroom_ensure_event_partitions(3)")


@dataclass(frozen=True, slots=True)
class Found:
    """A row without an inbox of its own has none here."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    inbox_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Tidied:
    sessions: int
    uploads: int
    idempotency_keys: int
    login_attempts: int
    partitions: int


async def find(
    connection: AsyncConnection,
    *,
    kind: str,
    after: uuid.UUID | None,
    full: bool,
    now: dt.datetime,
    poll_seconds: int = 300,
    watched: Collection[str] = (),
) -> list[Found]:
    """At most ten rows of one kind behind `after`; as the system. `kind` is a key of `FINDERS`.

    An inbox is silent when it has not been synced for six poll intervals, and for half an hour at least: IDLE alone may
    last 25 minutes.
    """
    bound = {
        "after": after or NOWHERE,
        "limit": PAGE,
        "watched": list(watched),
        "now": now,
        "full": full,
        "soon": now + dt.timedelta(seconds=90),
        "given_up": now - dt.timedelta(hours=49),
        "silent": now - max(dt.timedelta(minutes=30), dt.timedelta(seconds=6 * poll_seconds)),
        "recent": now - dt.timedelta(minutes=10),
        "unread": now - dt.timedelta(seconds=10),
        "restless": now - dt.timedelta(minutes=2),
        "yesterday": now - dt.timedelta(days=1),
        "floor": least_id(now - dt.timedelta(days=1)),
    }
    statement = FINDERS[kind]
    named = {name: bound[name] for name in statement.compile().params}
    rows = await connection.execute(statement, named)
    return [Found(row.tenant_id, row.id, row.inbox_id) for row in rows]


async def tidy(connection: AsyncConnection, *, now: dt.datetime) -> Tidied:
    """Delete what has expired and make the next months' event partitions; as the system. Repeats harmlessly."""
    yesterday, week, month = (now - dt.timedelta(days=days) for days in (1, 7, 30))

    async def gone(statement: TextClause, **bound: dt.datetime) -> int:
        return (await connection.execute(statement, bound)).rowcount

    await gone(OLD_PLANS, now=now, month=month)
    await gone(OLD_FINDINGS, month=month)
    await gone(OLD_BULKS, month=month)
    await gone(OLD_DELIVERIES, month=month)
    return Tidied(
        sessions=await gone(OLD_SESSIONS, now=now),
        uploads=int((await connection.execute(OLD_UPLOADS, {"yesterday": yesterday})).scalar_one()),
        idempotency_keys=await gone(OLD_KEYS, week=week),
        login_attempts=await gone(OLD_ATTEMPTS, yesterday=yesterday),
        partitions=int((await connection.execute(PARTITIONS)).scalar_one()),
    )


def least_id(at: dt.datetime) -> uuid.UUID:
    """The least UUIDv7 (RFC 9562 §5.7) that can have been made at that instant or later."""
    return uuid.UUID(int=(int(at.timestamp() * 1000) & ((1 << 48) - 1)) << 80)
