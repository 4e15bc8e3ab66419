"""Figures as sums by the hour, kept up with the event log: mails are counted when they pass, conversations by what changed of them.

Called by the desk's reader alone, in its transaction, so there is one writer for each tenant and each event counts once.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.box_counts import NOBODY
from store.bulk import bound
from store.event_log import LoggedEvent

Figure = tuple[str, str, str, str, str, int]  # hour, inbox, measure, team, agent, bucket
COUNTED = ("message.received", "message.sent")

# Ours was handed over when it was composed (as in store/response_times.py). A mail that is told twice (in parts, or once more after a doubt) counted with its first event.
MAILS = text(
    """
    with told as (
      select m.inbox_id, v.message_id,
        date_trunc('hour', case when m.send_attempts > 0 then m.sent_at else m.received_at end, 'UTC') as hour,
        case when m.direction = 'inbound' then 'received' when m.kind = 'message' then 'sent' else 'auto' end as flow,
        coalesce(case when m.kind = 'message' then m.author_id end, cast(:nobody as uuid)) as agent_id
      from json_to_recordset(cast(:rows as json)) as v(id bigint, message_id uuid, type text)
      join messages m on m.tenant_id = :tenant and m.id = v.message_id
      where m.conversation_id is not null and not m.historical
        and not exists (select from events e where e.tenant_id = :tenant and e.message_id = v.message_id
          and e.type = v.type and e.id < v.id)
    )
    insert into mail_hours (tenant_id, hour, inbox_id, flow, agent_id, n)
    select :tenant, hour, inbox_id, flow, agent_id, count(distinct message_id) from told group by hour, inbox_id, flow, agent_id
    order by hour, inbox_id, flow, agent_id
    on conflict (tenant_id, hour, inbox_id, flow, agent_id) do update set n = mail_hours.n + excluded.n
    """
)
# One that was merged away counts no more by itself; one that is removed has counted.
FACTS = text(
    """
    select c.id, c.inbox_id, c.team_id, c.assigned_to, c.status, c.created_at, c.closed_at,
      c.first_response_at, c.first_response_seconds, c.first_response_business_seconds, c.merged_into is not null as gone,
      (select m.author_id from messages m where m.tenant_id = c.tenant_id and m.conversation_id = c.id
         and m.direction = 'outbound' and m.kind = 'message' and m.author_id is not null
         and coalesce(m.send_status, 'sent') <> 'cancelled' order by m.received_at, m.id limit 1) as responder,
      (select json_agg(json_build_array(s.target, coalesce(s.met_at, s.breached_at), s.breached_at is null or s.excused_at is not null,
           s.met_by) order by s.started_at, s.target)
         from sla_clocks s where s.tenant_id = c.tenant_id and s.conversation_id = c.id
         and (s.met_at is not null or s.breached_at is not null)) as clocks,
      f.figures
    from conversations c
    left join conversation_figures f on f.tenant_id = c.tenant_id and f.conversation_id = c.id
    where c.tenant_id = :tenant and c.id = any(cast(:ids as uuid[])) and not c.historical and c.deleted_at is null
    """
)
CHANGE = text(
    """
    insert into duration_hours (tenant_id, hour, inbox_id, measure, team_id, agent_id, bucket, n)
    select :tenant, v.* from json_to_recordset(cast(:rows as json))
      as v(hour timestamptz, inbox_id uuid, measure text, team_id uuid, agent_id uuid, bucket bigint, n bigint)
    join inboxes i on i.tenant_id = :tenant and i.id = v.inbox_id
    on conflict (tenant_id, hour, inbox_id, measure, team_id, agent_id, bucket)
    do update set n = duration_hours.n + excluded.n
    """
)
KEEP = text(
    """
    insert into conversation_figures (tenant_id, conversation_id, figures)
    select :tenant, v.* from json_to_recordset(cast(:rows as json)) as v(conversation_id uuid, figures jsonb)
    on conflict (tenant_id, conversation_id) do update set figures = excluded.figures
    """
)
BACKLOG = text(
    """
    insert into backlog_hours (tenant_id, hour, inbox_id, open, pending, snoozed, unassigned)
    select :tenant, date_trunc('hour', cast(:now as timestamptz), 'UTC'), i.id,
      coalesce(sum(b.n) filter (where b.box = 'open'), 0), coalesce(sum(b.n) filter (where b.box = 'pending'), 0),
      coalesce(sum(b.n) filter (where b.box = 'snoozed'), 0), coalesce(sum(b.n) filter (where b.box = 'unassigned'), 0)
    from inboxes i left join (
      select inbox_id, box, n from box_counts where tenant_id = :tenant and who = cast(:nobody as uuid)
      union all select inbox_id, box, n from box_deltas where tenant_id = :tenant and who = cast(:nobody as uuid)
    ) b on b.inbox_id = i.id
    where i.tenant_id = :tenant and i.id = any(cast(:ids as uuid[])) group by i.id
    on conflict (tenant_id, hour, inbox_id) do update set open = excluded.open, pending = excluded.pending,
      snoozed = excluded.snoozed, unassigned = excluded.unassigned
    """
)


async def count_mails(connection: AsyncConnection, tenant_id: uuid.UUID, events: Sequence[LoggedEvent]) -> None:
    """Add the mails that these events tell of to the hours in which they came or went. History counts for nothing."""
    rows = [
        {"id": e.cursor.id, "message_id": e.message_id, "type": e.type}
        for e in events
        if e.type in COUNTED and e.message_id is not None
    ]
    if rows:
        await connection.execute(MAILS, {"tenant": tenant_id, "nobody": NOBODY, **bound(rows)})


async def facts_of(
    connection: AsyncConnection, tenant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> list[dict[str, Any]]:
    """What figures are made from, one row for each conversation that still counts; `figures` is what it has added so far."""
    rows = await connection.execute(FACTS, {"tenant": tenant_id, "ids": list(ids)})
    return [dict(row) for row in rows.mappings()]


async def change_figures(
    connection: AsyncConnection, tenant_id: uuid.UUID, changed: Sequence[tuple[uuid.UUID, Sequence[Figure], Sequence[Figure]]]
) -> None:
    """`changed` gives for each conversation what it had added and what it should have. Only the difference is written."""
    difference: Counter[Figure] = Counter()
    for _, before, after in changed:
        difference.update(after)
        difference.subtract(before)
    names = ("hour", "inbox_id", "measure", "team_id", "agent_id", "bucket")
    rows = [{**dict(zip(names, figure, strict=True)), "n": n} for figure, n in sorted(difference.items()) if n]
    if rows:
        await connection.execute(CHANGE, {"tenant": tenant_id, **bound(rows)})
    kept = [{"conversation_id": one, "figures": [list(f) for f in after]} for one, before, after in changed if list(before) != list(after)]
    if kept:
        await connection.execute(KEEP, {"tenant": tenant_id, "rows": orjson.dumps(kept).decode()})


async def note_backlog(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_ids: Collection[uuid.UUID], *, now: dt.datetime
) -> None:
    """What lies in these inboxes now, as the figure of this hour; the last look of an hour stands."""
    if inbox_ids:
        await connection.execute(
            BACKLOG, {"tenant": tenant_id, "ids": list(inbox_ids), "now": now, "nobody": NOBODY}
        )
