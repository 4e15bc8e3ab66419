"""What operators watch, over all tenants: mails that wait, quarantine, sends that are open, gaps, inboxes by health.

Counts and ages only, never an id or a name. Every question is bounded and has an index (`docs/metrics.md`). Read as the
system; changes nothing.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import Health, LedgerState, LoopBudgetKind, SendStatus
from store.audits import last_drift
from store.counter_checks import counter_drift

MOST = 100_000
# Ages are of the oldest among the first hundred thousand: when there are more, the number itself is the alarm.
WAITING = text(
    f"""
    select state, count(*) as n, extract(epoch from now() - min(created_at) filter (where not historical)) as oldest from
      (select state, created_at, historical from ledger where state in ('seen', 'stored') limit {MOST}) s group by state
    """
)
QUARANTINED = text(
    f"""
    select count(*) as n, extract(epoch from now() - min(first_at)) as oldest
    from (select first_at from quarantine where resolved_at is null limit {MOST}) q
    """
)
OPEN_SENDS = text(
    f"""
    select send_status, count(*) as n,
      extract(epoch from now() - min(case send_status when 'unknown' then unknown_since
        when 'sending' then stepped_at end)) as oldest,
      extract(epoch from now() - min(due) filter (where first_attempt_at is null
        and send_status in ('queued', 'scheduled') and due < now())) as overdue
    from
      (select send_status, unknown_since, first_attempt_at, coalesce(greatest(undo_until, scheduled_at), created_at) as due,
         case when send_status = 'sending' then (select max(at) from send_steps s
           where s.tenant_id = messages.tenant_id and s.message_id = messages.id) end as stepped_at
       from messages
       where send_status in ('draft', 'scheduled', 'queued', 'sending', 'unknown') limit {MOST}) s
    group by send_status
    """
)
GAPS = text(
    f"""
    select count(*) as n, extract(epoch from now() - min(opened_at)) as oldest
    from (select opened_at from gaps where closed_at is null limit {MOST}) g
    """
)
INBOXES = text(
    """
    select case when paused_at is not null then 'paused' else health end as health, count(*) as n
    from inboxes where deleted_at is null group by 1
    """
)
WATCHES = text(
    f"""
    select state, count(*) as n, extract(epoch from min(ends) filter (where state = 'on') - now()) as left,
      extract(epoch from now() - min(watch_renewed_at) filter (where state = 'on')) as renewed
    from (select watch_renewed_at, coalesce(graph_subscription_expires_at, gmail_watch_expires_at) as ends,
        case when coalesce(graph_subscription_expires_at, gmail_watch_expires_at) > now() then 'on'
          when watch_failures > 0 then 'refused' when watch_renewed_at is not null then 'lapsed' else 'none' end as state
      from inboxes where provider in ('gmail', 'graph') and connected_at is not null and paused_at is null
        and deleted_at is null limit {MOST}) w group by state
    """
)
PUSHED = text(
    f"""
    select coalesce(sum(found), 0) as found, coalesce(sum(missed), 0) as missed from
      (select found, missed from push_hours where hour >= date_trunc('hour', now()) - interval '1 hour' limit {MOST}) h
    """
)
# The first unread event of each tenant, by the index of the log.
DESKS = text(
    """
    select extract(epoch from now() - min(e.created_at)) as behind from tenants t
    left join desk_cursors d on d.tenant_id = t.id
    cross join lateral (select created_at from events
      where tenant_id = t.id and (xid, id) > (coalesce(d.xid, '0'), coalesce(d.id, 0)) order by xid, id limit 1) e
    """
)
DESK_FAILURES = text(f"select count(*) from (select from desk_failures limit {MOST}) f")
USED_UP = text("select budget, count(*) as n from loop_breaches where paused_until > now() group by budget")
WATCH_WORDS = ("on", "refused", "lapsed", "none")
INBOX_WORDS = tuple(h.value for h in Health)
BUDGET_WORDS = tuple(b.value for b in LoopBudgetKind)
LEDGER_WORDS = (LedgerState.SEEN.value, LedgerState.STORED.value)
SEND_WORDS = tuple(
    s.value for s in (SendStatus.SCHEDULED, SendStatus.QUEUED, SendStatus.SENDING, SendStatus.UNKNOWN)
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts by state, and ages in seconds of the oldest; an age is 0 where there is none. `sends_overdue` is how long
    the oldest send is past its time without a first attempt; `drift` the mails that the last balance sheets lack,
    `audit_oldest` the age of the oldest of those sheets. `watches` are inboxes of Gmail and Graph by how they are announced, `watch_left`
    the seconds until the first of those announcements ends, `watch_renewed` the age of the oldest renewal; `pushed` the mails of the
    last hour or two, announced or missed; `desk_behind` the age of the oldest event that was not reacted to; `counter_drift` by how many conversations the counters of lists were wrong at their last check.
    """

    ledger: dict[str, int]
    ledger_oldest: float
    quarantined: int
    quarantine_oldest: float
    sends: dict[str, int]
    sends_oldest: dict[str, float]
    sends_overdue: float
    gaps: int
    gaps_oldest: float
    inboxes: dict[str, int]
    used_up: dict[str, int]
    drift: int
    audit_oldest: float
    watches: dict[str, int]
    watch_left: float
    watch_renewed: float
    pushed: dict[str, int]
    desk_behind: float
    desk_failures: int
    counter_drift: int


async def read_figures(connection: AsyncConnection) -> Figures:
    waiting = {r.state: r for r in await connection.execute(WAITING)}
    quarantined = (await connection.execute(QUARANTINED)).one()
    sends = {r.send_status: r for r in await connection.execute(OPEN_SENDS)}
    gaps = (await connection.execute(GAPS)).one()
    inboxes = {r.health: r.n for r in await connection.execute(INBOXES)}
    used_up = {r.budget: r.n for r in await connection.execute(USED_UP)}
    drifts = await last_drift(connection)
    watches = {r.state: r for r in await connection.execute(WATCHES)}
    pushed = (await connection.execute(PUSHED)).one()
    return Figures(
        ledger={word: waiting[word].n if word in waiting else 0 for word in LEDGER_WORDS},
        ledger_oldest=max((_age(r.oldest) for r in waiting.values()), default=0.0),
        quarantined=quarantined.n,
        quarantine_oldest=_age(quarantined.oldest),
        sends={word: sends[word].n if word in sends else 0 for word in SEND_WORDS},
        sends_oldest={word: _age(sends[word].oldest) if word in sends else 0.0 for word in ("sending", "unknown")},
        sends_overdue=max((_age(r.overdue) for r in sends.values()), default=0.0),
        gaps=gaps.n,
        gaps_oldest=_age(gaps.oldest),
        inboxes={word: inboxes.get(word, 0) for word in INBOX_WORDS},
        used_up={word: used_up.get(word, 0) for word in BUDGET_WORDS},
        drift=sum(d.missing for d in drifts),
        audit_oldest=max((d.age_seconds or 0.0 for d in drifts), default=0.0),
        watches={word: watches[word].n if word in watches else 0 for word in WATCH_WORDS},
        watch_left=_age(watches["on"].left) if "on" in watches else 0.0,
        watch_renewed=_age(watches["on"].renewed) if "on" in watches else 0.0,
        desk_behind=_age((await connection.execute(DESKS)).scalar_one()),
        desk_failures=int((await connection.execute(DESK_FAILURES)).scalar_one()),
        pushed={"announced": int(pushed.found - pushed.missed), "missed": int(pushed.missed)},
        counter_drift=await counter_drift(connection),
    )


def _age(seconds: object) -> float:
    return 0.0 if seconds is None else max(0.0, float(str(seconds)))
