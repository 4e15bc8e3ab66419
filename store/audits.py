"""Balance sheets: what lies in a folder at the provider, compared with what the ledger says lies there.

A window of UIDs is compared in one statement, so that each figure belongs to one moment, and only UIDs without an
explanation come back: a folder of a million mails costs no more memory than one of a thousand.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.enums import AuditReason
from store.event_log import NewEvent, append_events
from store.ledger import Place
from store.pages import Page, id_cursor, read_id_cursor
from store.visibility import Viewer

__all__ = [
    "AuditReason",
    "AuditRow",
    "BalanceFigures",
    "Drift",
    "WindowFigures",
    "ask_audit",
    "audits_done",
    "compare_window",
    "last_drift",
    "list_audits",
    "next_night",
    "postpone_audit",
    "record_audit",
]

# Nightly audits are spread over these hours (UTC): thousands of inboxes must not list their folders at once.
NIGHT_BEGINS = 1
NIGHT_MINUTES = 5 * 60
EXTRAS_NAMED = 1_000  # of one window; those left over are named the next night

# A row that says "vanished" of a mail that is there is no row: the mail is as good as missing.
COMPARE = text(
    f"""
    with told as (
      select u.uid from unnest(cast(:uids as bigint[])) as u(uid)
    ), kept as (
      select uid, state, gone_at is not null as gone from ledger
      where tenant_id = :tenant and inbox_id = :inbox and folder_id = :folder and uidvalidity = :uidvalidity
        and uid between :first and :last
    ), matched as (
      select coalesce(told.uid, kept.uid) as uid, coalesce(kept.state, '') as state, coalesce(kept.gone, false) as gone,
        told.uid is not null as there
      from told full join kept on kept.uid = told.uid
    )
    select state, gone, there, count(*) as n,
      case when there and state in ('', 'vanished') then array_agg(uid order by uid)
        when not there and not gone and state <> 'vanished' then (array_agg(uid order by uid))[1:{EXTRAS_NAMED}]
        else '{{}}' end as uids
    from matched group by state, gone, there
    """
)
RECORD = """
    insert into audits (tenant_id, inbox_id, folder_id, uidvalidity, reason, {names})
    values (:tenant, :inbox, :folder, :uidvalidity, :reason, {values}) returning id
"""
ASK = text(
    """
    update inboxes set audit_due_at = now(), audit_asked = true
    where tenant_id = :tenant and id = :inbox and deleted_at is null
    """
)
# An order that came while the audit ran is kept: it changed the time that the audit saw.
DONE = text(
    """
    update inboxes set audit_due_at = :next, audit_asked = false
    where tenant_id = :tenant and id = :inbox and audit_due_at is not distinct from cast(:due as timestamptz)
    """
)
POSTPONE = text(
    """
    update inboxes set audit_due_at = now() + make_interval(secs => :seconds)
    where tenant_id = :tenant and id = :inbox and audit_due_at <= now()
    """
)
COLUMNS = """
    a.id, a.tenant_id, a.inbox_id, a.folder_id, a.at, a.reason, a.uidvalidity, a.at_provider, a.in_ledger, a.stored,
    a.ingested, a.skipped, a.quarantined, a.seen, a.vanished, a.gone, a.deleted, a.ahead, a.history_waiting,
    a.beyond_horizon, a.not_asked_for, a.missing, a.extra
"""
PAGE = f"""
    select {COLUMNS}, f.name as folder from audits a
    join folders f on f.tenant_id = a.tenant_id and f.id = a.folder_id
    where a.tenant_id = :tenant and a.inbox_id = :inbox %s order by a.id desc limit :limit
"""
FIRST_PAGE = text(PAGE % "")
NEXT_PAGE = text(PAGE % "and a.id < :after")
DRIFT = text(
    """
    select i.tenant_id, i.id as inbox_id, min(l.at) as at, coalesce(sum(l.missing), 0) as missing,
      coalesce(sum(l.extra), 0) as extra, extract(epoch from now() - min(l.at)) as age_seconds
    from inboxes i
    join folders f on f.tenant_id = i.tenant_id and f.inbox_id = i.id and f.synced and f.state <> 'parked'
    left join lateral (select a.at, a.missing, a.extra from audits a
      where a.tenant_id = f.tenant_id and a.folder_id = f.id order by a.id desc limit 1) l on true
    where i.deleted_at is null and i.connected_at is not null
    group by i.tenant_id, i.id
    """
)


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """A window of UIDs. `states` counts the rows that are believed to lie in the folder; `unknown` are UIDs at the
    provider without such a row, `extras` some of the `extra` UIDs of rows without a mail.
    """

    states: Mapping[str, int]
    vanished: int
    gone: int
    deleted: int
    extra: int
    unknown: Sequence[int]
    extras: Sequence[int]


@dataclass(frozen=True, slots=True)
class BalanceFigures:
    """The figures of one sheet, in mails; `models.audits.Audit` says what each one means."""

    at_provider: int = 0
    in_ledger: int = 0
    stored: int = 0
    ingested: int = 0
    skipped: int = 0
    quarantined: int = 0
    seen: int = 0
    vanished: int = 0
    gone: int = 0
    deleted: int = 0
    ahead: int = 0
    history_waiting: int = 0
    beyond_horizon: int = 0
    not_asked_for: int = 0
    missing: int = 0
    extra: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow(BalanceFigures):
    """A sheet as it was recorded."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    folder_id: uuid.UUID
    at: dt.datetime
    reason: str
    uidvalidity: int
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """An inbox by the last sheets of its synced folders. `at` is the oldest of them; None, as its age, before the first."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    at: dt.datetime | None
    missing: int
    extra: int
    age_seconds: float | None


FIGURES = tuple(f.name for f in fields(BalanceFigures))
INSERT = text(RECORD.format(names=", ".join(FIGURES), values=", ".join(f":{n}" for n in FIGURES)))


async def compare_window(
    connection: AsyncConnection, place: Place, uids: Sequence[int], *, first: int, last: int
) -> WindowFigures:
    """Compare the UIDs that lie at the provider between `first` and `last` with the ledger's rows of that range."""
    rows = (
        await connection.execute(
            COMPARE, {**place.bound(), "uids": list(uids), "first": first, "last": last}
        )
    ).all()
    states: dict[str, int] = {}
    vanished = gone = deleted = extra = 0
    unknown: list[int] = []
    extras: list[int] = []
    for row in rows:
        if row.there and row.state in ("", "vanished"):
            unknown += row.uids
        elif row.state == "vanished":
            vanished += row.n
        elif row.gone:
            # Flagged as deleted it counts as gone here and is still listed there.
            deleted += row.n if row.there else 0
            gone += 0 if row.there else row.n
        else:
            states[row.state] = states.get(row.state, 0) + row.n
            if not row.there:
                extra += row.n
                extras += row.uids
    return WindowFigures(states, vanished, gone, deleted, extra, sorted(unknown), sorted(extras))


async def record_audit(
    connection: AsyncConnection, place: Place, figures: BalanceFigures, reason: AuditReason
) -> uuid.UUID:
    """Keep a sheet and tell that there is one. The database refuses one that does not balance."""
    counts = {name: getattr(figures, name) for name in FIGURES}
    row_id: uuid.UUID = (
        await connection.execute(INSERT, {**place.bound(), "reason": reason.value, **counts})
    ).scalar_one()
    event = NewEvent(
        "audit.recorded",
        place.tenant_id,
        inbox_id=place.inbox_id,
        payload={
            "audit_id": str(row_id),
            "folder_id": str(place.folder_id),
            "missing": figures.missing,
            "extra": figures.extra,
        },
    )
    await append_events(connection, [event])
    return row_id


async def ask_audit(connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID) -> None:
    """A person wants sheets now: the next pass draws them up. Asking twice is asking once."""
    await connection.execute(ASK, {"tenant": tenant_id, "inbox": inbox_id})


async def audits_done(
    connection: AsyncConnection,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    *,
    due: dt.datetime | None,
    now: dt.datetime,
) -> None:
    """Every folder has its sheet; `due` is the time that the pass had seen. The next one comes in the next night."""
    bound = {"tenant": tenant_id, "inbox": inbox_id, "due": due, "next": next_night(inbox_id, now)}
    await connection.execute(DONE, bound)


async def postpone_audit(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, *, seconds: float
) -> None:
    """It could not be finished: new mail must not wait for it again and again."""
    await connection.execute(POSTPONE, {"tenant": tenant_id, "inbox": inbox_id, "seconds": seconds})


def next_night(inbox_id: uuid.UUID, now: dt.datetime) -> dt.datetime:
    """The inbox's own minute of the next night, at least an hour from `now`, always the same for one inbox."""
    minute = inbox_id.int % NIGHT_MINUTES
    midnight = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + dt.timedelta(hours=NIGHT_BEGINS, minutes=minute)
    while at < now + dt.timedelta(hours=1):
        at += dt.timedelta(days=1)
    return at


async def list_audits(
    connection: AsyncConnection, viewer: Viewer, inbox_id: uuid.UUID, *, after: str | None, limit: int
) -> Page[AuditRow]:
    """A page of an inbox's sheets, newest first. The caller has checked that the viewer may see it. Raises BadCursor."""
    bound = {"tenant": viewer.tenant_id, "inbox": inbox_id, "limit": limit + 1}
    if after is None:
        answer = await connection.execute(FIRST_PAGE, bound)
    else:
        answer = await connection.execute(NEXT_PAGE, {**bound, "after": read_id_cursor(after)})
    rows = [AuditRow(**row) for row in answer.mappings()]
    return Page(rows[:limit], id_cursor(rows[limit - 1].id) if len(rows) > limit else None)


async def last_drift(connection: AsyncConnection) -> list[Drift]:
    """Every connected inbox by its folders' last sheets, over all tenants. As the system."""
    return [
        Drift(
            row.tenant_id,
            row.inbox_id,
            row.at,
            int(row.missing),
            int(row.extra),
            None if row.age_seconds is None else float(row.age_seconds),
        )
        for row in await connection.execute(DRIFT)
    ]
