"""Budgets that were used up: what is paused because of them, until when, and what was held back meanwhile (integrity L-4).

A breach lasts from the first refusal until its pause is over. It is told once, however long the flood and however many
workers meet it: the row's key decides who opens it, and only the opener tells.
"""

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_log import NewEvent, append_events

OPEN = text(
    """
    insert into loop_breaches as b
      (tenant_id, inbox_id, budget, correspondent_key, opened_at, last_at, paused_until, held_back)
    values (:tenant, :inbox, :budget, :key, :now, :now, :until, :count)
    on conflict (inbox_id, budget, correspondent_key, tenant_id) do update set
      opened_at = case when b.paused_until <= :now then excluded.opened_at else b.opened_at end,
      held_back = case when b.paused_until <= :now then excluded.held_back else b.held_back + excluded.held_back end,
      paused_until = greatest(b.paused_until, excluded.paused_until), last_at = excluded.last_at
    returning held_back = :count as opened
    """
)
# A tenant's budget pauses all of its inboxes, a person's budget that person in all of them.
PAUSED = text(
    """
    update loop_breaches set held_back = held_back + 1, last_at = :now
    where (inbox_id, budget, correspondent_key) = (
        select inbox_id, budget, correspondent_key from loop_breaches
        where tenant_id = :tenant and paused_until > :now
          and (budget = 'tenant' or (budget = 'everywhere' and correspondent_key = :key)
               or (inbox_id = :inbox and (budget = 'inbox' or (budget = 'correspondent' and correspondent_key = :key))))
        order by paused_until desc limit 1)
      and tenant_id = :tenant
    returning budget
    """
)
CURRENT = text(
    """
    select budget, correspondent_key, opened_at, last_at, paused_until, held_back from loop_breaches
    where tenant_id = :tenant and (inbox_id = :inbox or budget in ('tenant', 'everywhere')) and paused_until > :now
    order by opened_at desc limit 50
    """
)
FORGET = text("delete from loop_breaches where paused_until < :before")


@dataclass(frozen=True, slots=True)
class Breach:
    """`correspondent_key` is "" for whole inboxes and tenants; `held_back` counts the mails that were not sent (for
    incoming floods: the mails that came in and started nothing).
    """

    budget: str
    correspondent_key: str
    opened_at: dt.datetime
    last_at: dt.datetime
    paused_until: dt.datetime
    held_back: int


async def open_breach(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    budget: str,
    correspondent_key: str,
    now: dt.datetime,
    until: dt.datetime,
    count: int = 1,
) -> bool:
    """Note that a budget is used up and pause what it guards until `until`. True, with the one notice in the event log,
    when this opens a breach; False when it goes on. Two at once: one opens it.
    """
    whole = budget in {"inbox", "tenant", "incoming-inbox"}
    bound = {
        "tenant": tenant_id,
        "inbox": inbox_id,
        "budget": budget,
        "key": "" if whole else correspondent_key,
        "now": now,
        "until": until,
        "count": count,
    }
    opened = bool((await connection.execute(OPEN, bound)).scalar_one())
    if opened:
        what = "incoming_flood" if budget.startswith("incoming-") else "auto_responses_paused"
        payload = {"notice": what, "budget": budget, "until": until.isoformat()}
        await append_events(
            connection, [NewEvent("inbox.updated", tenant_id, inbox_id=inbox_id, payload=payload)]
        )
    return opened


async def held_back(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    correspondent_key: str,
    now: dt.datetime,
) -> str | None:
    """The budget because of which the rule is paused here now, with one more mail counted as held back; else None."""
    bound = {"tenant": tenant_id, "inbox": inbox_id, "key": correspondent_key, "now": now}
    return (await connection.execute(PAUSED, bound)).scalar_one_or_none()


async def current_breaches(
    connection: AsyncConnection, tenant_id: uuid.UUID, inbox_id: uuid.UUID, now: dt.datetime
) -> list[Breach]:
    """What is paused in this inbox now, the newest first."""
    rows = await connection.execute(CURRENT, {"tenant": tenant_id, "inbox": inbox_id, "now": now})
    return [Breach(**row) for row in rows.mappings()]


async def forget(connection: AsyncConnection, *, before: dt.datetime) -> int:
    """Delete breaches that ended before then; as the system, over all tenants."""
    return (await connection.execute(FORGET, {"before": before})).rowcount
