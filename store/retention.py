"""What a tenant keeps and for how long: the policy, what it would meet, and its work in small batches that repeat harmlessly.

A batch is one transaction of the caller. It never touches a conversation that is held, that has changed within its days, or that
still has something to send.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events
from store.pages import Page, id_cursor, read_id_cursor
from store.removal import TombstoneReason, before, drop_conversations, remove_messages
from store.sweep import least_id

ACTOR = "retention"
CONVERSATIONS_A_BATCH = 20
MESSAGES_A_BATCH = 200
ARCHIVED_A_BATCH = 200
NOTICES_A_BATCH = 1000
PREVIEW_MOST = 10_000
TOMBSTONES_KEPT = dt.timedelta(days=400)
RUNS_KEPT = dt.timedelta(days=400)
REMOVALS = {"spam": "spam_days", "trash": "trash_days", "closed": "closed_days"}

POLICY = text(
    """
    select p.archive_idle_days, p.spam_days, p.trash_days, p.closed_days, p.notice_days, p.changed_at, u.name as changed_by
    from retention_policies p left join users u on u.tenant_id = p.tenant_id and u.id = p.changed_by
    where p.tenant_id = :tenant
    """
)
SAVE = text(
    """
    insert into retention_policies (tenant_id, archive_idle_days, spam_days, trash_days, closed_days, notice_days, changed_by)
    values (:tenant, :archive_idle_days, :spam_days, :trash_days, :closed_days, :notice_days, :user)
    on conflict (tenant_id) do update set archive_idle_days = excluded.archive_idle_days, spam_days = excluded.spam_days,
      trash_days = excluded.trash_days, closed_days = excluded.closed_days, notice_days = excluded.notice_days,
      changed_by = excluded.changed_by, changed_at = now()
    """
)
# What has rested so long that its policy may take it. Every change counts as life, an agent's as well as a mail.
RESTING = """
    c.tenant_id = :tenant and c.merged_into is null and c.deleted_at is null and not c.held
    and c.last_message_at < :before and c.updated_at < :before
    and not exists (select from conversations a where a.tenant_id = :tenant and a.merged_into = c.id and a.held)
    and not exists (select from messages m where m.tenant_id = :tenant and m.conversation_id = c.id
      and m.send_status in ('queued', 'scheduled', 'sending'))
"""
OLD_SPAM = """
    m.tenant_id = :tenant and m.conversation_id is null and m.classification = 'spam' and m.received_at < :before
"""
COUNT_RESTING = text(
    f"select count(*) from (select from conversations c where {RESTING} and c.status = any(:statuses) limit :most) s"
)
COUNT_SPAM = text(f"select count(*) from (select from messages m where {OLD_SPAM} limit :most) s")
COUNT_HELD = text("select count(*) from (select from conversations where tenant_id = :tenant and held limit :most) s")
PICK = text(
    f"select c.id from conversations c where {RESTING} and c.status = any(:statuses) order by c.last_message_at limit :limit"
)
PICK_SPAM = text(f"select m.id from messages m where {OLD_SPAM} order by m.received_at limit :limit")
MESSAGES_OF = text(
    """
    select m.id from messages m where m.tenant_id = :tenant and m.conversation_id in (
      select id from conversations where tenant_id = :tenant
        and (id = any(cast(:ids as uuid[])) or merged_into = any(cast(:ids as uuid[]))))
    order by m.id limit :limit
    """
)
ARCHIVE = text(
    f"""
    update conversations set status = 'archived', closed_at = coalesce(closed_at, now()), snoozed_until = null
    where tenant_id = :tenant and id in (
      select c.id from conversations c where {RESTING} and c.status = any(:statuses)
      order by c.last_message_at limit :limit for no key update skip locked)
    returning id, inbox_id, version
    """
)
OLD_NOTICES = text(
    """
    delete from notices where tenant_id = :tenant and id in (
      select id from notices where tenant_id = :tenant and id < :floor order by id limit :limit)
    """
)
OLD_DIGESTS = text(
    """
    delete from digests where tenant_id = :tenant and id in (
      select id from digests where tenant_id = :tenant and created_at < :before order by created_at limit :limit)
    returning message_id
    """
)
OLD_TOMBSTONES = text("delete from tombstones where tenant_id = :tenant and reason = 'expired' and created_at < :before")
OLD_RUNS = text("delete from retention_runs where tenant_id = :tenant and started_at < :before")
TENANTS = text("select id from tenants where id > :after order by id limit :limit")
# A run that was cut short is gone on with; one that is a day old was given up with its schedule's run.
BEGIN_RUN = text(
    """
    with under_way as (
      select id from retention_runs where tenant_id = :tenant and ended_at is null and started_at > :recent
      order by started_at desc limit 1
    ), made as (
      insert into retention_runs (tenant_id, started_at) select :tenant, :now where not exists (select from under_way)
      returning id
    )
    select id from under_way union all select id from made
    """
)
RUN_COUNTS = text("select counts from retention_runs where tenant_id = :tenant and id = :run for update")
NOTE_RUN = text("update retention_runs set counts = cast(:counts as jsonb) where tenant_id = :tenant and id = :run")
END_RUN = text("update retention_runs set ended_at = :now where tenant_id = :tenant and id = :run and ended_at is null")
# A night in which nothing went is not worth a line.
FORGET_EMPTY = text(
    "delete from retention_runs where tenant_id = :tenant and id = :run and ended_at is not null and counts = '{}'"
)
LIST_RUNS = text(
    """
    select id, started_at, ended_at, counts from retention_runs
    where tenant_id = :tenant and (cast(:after as uuid) is null or id < :after) order by id desc limit :limit
    """
)
HOLD = text(
    """
    update conversations set held = :held where tenant_id = :tenant and id = :id and deleted_at is null
    returning old.held as was, inbox_id, version
    """
)
WORKS_ON = {"archive": ("open", "pending", "closed"), "spam": ("spam",), "trash": ("trash",), "closed": ("closed", "archived")}


@dataclass(frozen=True, slots=True)
class Policy:
    """Days after which what goes; None: never."""

    archive_idle_days: int | None = None
    spam_days: int | None = None
    trash_days: int | None = None
    closed_days: int | None = None
    notice_days: int = 90
    changed_at: dt.datetime | None = None
    changed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """How much a policy would meet now, each at most 10,000. `closed` are closed and archived conversations."""

    archive: int
    spam_mails: int
    spam: int
    trash: int
    closed: int
    held: int


@dataclass(frozen=True, slots=True)
class Run:
    id: uuid.UUID
    started_at: dt.datetime
    ended_at: dt.datetime | None
    counts: Mapping[str, int]


async def read_policy(connection: AsyncConnection, tenant_id: uuid.UUID) -> Policy:
    """The policy; without a row no mail is lost."""
    row = (await connection.execute(POLICY, {"tenant": tenant_id})).first()
    return Policy() if row is None else Policy(**row._asdict())


async def save_policy(
    connection: AsyncConnection, tenant_id: uuid.UUID, policy: Policy, *, user_id: uuid.UUID | None
) -> None:
    """From the next night on."""
    days = ("archive_idle_days", "spam_days", "trash_days", "closed_days", "notice_days")
    await connection.execute(
        SAVE, {"tenant": tenant_id, "user": user_id} | {name: getattr(policy, name) for name in days}
    )


async def preview(
    connection: AsyncConnection, tenant_id: uuid.UUID, policy: Policy, *, now: dt.datetime
) -> Preview:
    """What a run would do now. Reads only."""

    async def resting(kind: str, days: int | None) -> int:
        if days is None:
            return 0
        given = {"tenant": tenant_id, "before": before(now, days), "statuses": list(WORKS_ON[kind]), "most": PREVIEW_MOST}
        return int((await connection.execute(COUNT_RESTING, given)).scalar_one())

    spam_mails = 0
    if policy.spam_days is not None:
        given = {"tenant": tenant_id, "before": before(now, policy.spam_days), "most": PREVIEW_MOST}
        spam_mails = int((await connection.execute(COUNT_SPAM, given)).scalar_one())
    held = await connection.execute(COUNT_HELD, {"tenant": tenant_id, "most": PREVIEW_MOST})
    return Preview(
        archive=await resting("archive", policy.archive_idle_days),
        spam_mails=spam_mails,
        spam=await resting("spam", policy.spam_days),
        trash=await resting("trash", policy.trash_days),
        closed=await resting("closed", policy.closed_days),
        held=int(held.scalar_one()),
    )


async def archive_batch(connection: AsyncConnection, tenant_id: uuid.UUID, *, days: int, now: dt.datetime) -> int:
    """Archive some conversations that nobody has touched; how many, 0 at the end."""
    given = {
        "tenant": tenant_id,
        "before": before(now, days),
        "statuses": list(WORKS_ON["archive"]),
        "limit": ARCHIVED_A_BATCH,
    }
    rows = (await connection.execute(ARCHIVE, given)).all()
    await append_events(
        connection,
        [
            NewEvent(
                "conversation.updated",
                tenant_id,
                inbox_id=r.inbox_id,
                conversation_id=r.id,
                actor=ACTOR,
                payload={"version": r.version, "changed": ["status"], "status": "archived"},
            )
            for r in rows
        ],
    )
    return len(rows)


async def remove_batch(
    connection: AsyncConnection, tenant_id: uuid.UUID, kind: str, *, days: int, now: dt.datetime
) -> Counter[str]:
    """Remove some conversations of `spam`, `trash` or `closed` with all their mail; counts, empty at the end. A long conversation
    goes in several batches.
    """
    given = {"tenant": tenant_id, "before": before(now, days)}
    picked = await connection.execute(
        PICK, {**given, "statuses": list(WORKS_ON[kind]), "limit": CONVERSATIONS_A_BATCH}
    )
    ids = list(picked.scalars())
    if not ids:
        return Counter()
    found = await connection.execute(
        MESSAGES_OF, {"tenant": tenant_id, "ids": [str(i) for i in ids], "limit": MESSAGES_A_BATCH}
    )
    counts, _ = await remove_messages(connection, tenant_id, list(found.scalars()), reason=TombstoneReason.EXPIRED)
    counts["conversations"] += await drop_conversations(
        connection, tenant_id, ids, reason=TombstoneReason.EXPIRED, actor=ACTOR
    )
    return +counts


async def remove_spam_batch(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, days: int, now: dt.datetime
) -> Counter[str]:
    """Remove some mails that were judged spam as they came and never had a conversation."""
    given = {"tenant": tenant_id, "before": before(now, days), "limit": MESSAGES_A_BATCH}
    ids = list((await connection.execute(PICK_SPAM, given)).scalars())
    counts, _ = await remove_messages(connection, tenant_id, ids, reason=TombstoneReason.EXPIRED)
    return +counts


async def remove_notices(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, days: int, now: dt.datetime
) -> Counter[str]:
    """Forget some old notices, and old digests with the mails that they were."""
    old = before(now, days)
    gone = await connection.execute(
        OLD_NOTICES, {"tenant": tenant_id, "floor": least_id(old), "limit": NOTICES_A_BATCH}
    )
    digests = (
        await connection.execute(OLD_DIGESTS, {"tenant": tenant_id, "before": old, "limit": MESSAGES_A_BATCH})
    ).scalars().all()
    mails = [m for m in digests if m is not None]
    counts, _ = await remove_messages(connection, tenant_id, mails, reason=TombstoneReason.EXPIRED)
    return +Counter(notices=gone.rowcount, digests=len(digests), messages=counts["messages"])


async def forget_traces(connection: AsyncConnection, tenant_id: uuid.UUID, *, now: dt.datetime) -> None:
    """What retention itself wrote and nobody needs after a year."""
    await connection.execute(OLD_TOMBSTONES, {"tenant": tenant_id, "before": now - TOMBSTONES_KEPT})
    await connection.execute(OLD_RUNS, {"tenant": tenant_id, "before": now - RUNS_KEPT})


async def tenants_after(connection: AsyncConnection, after: uuid.UUID, *, limit: int = 10) -> list[uuid.UUID]:
    """The next tenants in the order of their ids; as the system."""
    return list((await connection.execute(TENANTS, {"after": after, "limit": limit})).scalars())


async def begin_run(connection: AsyncConnection, tenant_id: uuid.UUID, *, now: dt.datetime) -> uuid.UUID:
    """The run that is under way, or a new one."""
    given = {"tenant": tenant_id, "now": now, "recent": now - dt.timedelta(hours=20)}
    run: uuid.UUID = (await connection.execute(BEGIN_RUN, given)).scalar_one()
    return run


async def note_run(
    connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID, counts: Mapping[str, int]
) -> None:
    """Add to what the run has done, in the batch's own transaction."""
    key = {"tenant": tenant_id, "run": run_id}
    known = (await connection.execute(RUN_COUNTS, key)).scalar_one_or_none()
    if known is not None:
        await connection.execute(NOTE_RUN, {**key, "counts": orjson.dumps(dict(Counter(known) + Counter(counts))).decode()})


async def end_run(connection: AsyncConnection, tenant_id: uuid.UUID, run_id: uuid.UUID, *, now: dt.datetime) -> None:
    """Nothing is left to do tonight. Twice is once."""
    key = {"tenant": tenant_id, "run": run_id}
    await connection.execute(END_RUN, {**key, "now": now})
    await connection.execute(FORGET_EMPTY, key)


async def list_runs(
    connection: AsyncConnection, tenant_id: uuid.UUID, *, after: str | None, limit: int
) -> Page[Run]:
    """The nights in which something went, newest first. Raises BadCursor."""
    place = read_id_cursor(after) if after is not None else None
    rows = (await connection.execute(LIST_RUNS, {"tenant": tenant_id, "after": place, "limit": limit + 1})).all()
    items = [Run(r.id, r.started_at, r.ended_at, r.counts) for r in rows[:limit]]
    return Page(items, id_cursor(items[-1].id) if len(rows) > limit else None)


async def hold(
    connection: AsyncConnection, tenant_id: uuid.UUID, conversation_id: uuid.UUID, held: bool, *, actor: str
) -> bool:
    """Put a conversation under a hold, or lift it; False when there is none. Twice is once, with one event."""
    row = (
        await connection.execute(HOLD, {"tenant": tenant_id, "id": conversation_id, "held": held})
    ).first()
    if row is None:
        return False
    if row.was != held:
        payload = {"version": row.version, "changed": ["held"], "held": held}
        await append_events(
            connection,
            [NewEvent("conversation.updated", tenant_id, row.inbox_id, conversation_id, actor=actor, payload=payload)],
        )
    return True
