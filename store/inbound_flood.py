"""How much mail comes in from one sender and in all: what is beyond the caps is stored like any other, and starts nothing
(integrity L-9).

One statement for a batch counts, in the batch's own transaction: what is stored again is counted again only if it was
not stored before.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.addresses import address_key
from store.bulk import bound, new_id, rows_of
from store.incoming import IncomingMail
from store.loop_breaches import open_breach

WINDOW = dt.timedelta(minutes=10)
ALL = "<*"  # no address begins so, and the budgets of automatic mails have other keys
SENDER = "<"

COLUMNS = {"id": "uuid", "key": "text", "start": "timestamptz", "count": "bigint"}
COUNT = text(
    f"""
    with raised as (
      insert into loop_budgets as b (tenant_id, id, inbox_id, correspondent_key, window_start, count)
      select :tenant, v.id, :inbox, v.key, v.start, v.count from ({rows_of(COLUMNS)}) as v
      on conflict (tenant_id, inbox_id, correspondent_key, window_start) do update set count = b.count + excluded.count
      returning correspondent_key, window_start, count
    )
    select r.correspondent_key as key, r.window_start as start, r.count as now_there,
           coalesce(n.count, o.count, 0) as before
    from raised r
    left join raised n on n.correspondent_key = r.correspondent_key and n.window_start = r.window_start - :window
    left join loop_budgets o on o.tenant_id = :tenant and o.inbox_id = :inbox
      and o.correspondent_key = r.correspondent_key and o.window_start = r.window_start - :window
    """
)


@dataclass(frozen=True, slots=True)
class IncomingCaps:
    """Mails in ten minutes: from one sender of an inbox, and into an inbox."""

    sender: int
    inbox: int


async def beyond_caps(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    mails: Sequence[IncomingMail],
    caps: IncomingCaps,
    now: dt.datetime,
) -> frozenset[uuid.UUID]:
    """The ledger ids of those live mails that came after a cap was reached. They are counted by the time at which the
    server got them, so that catching up after an outage is no flood. A breach is told once.
    """
    live = sorted(
        (m for m in mails if not m.pending.historical and not m.from_sent), key=lambda m: m.received_at(now)
    )
    if not live:
        return frozenset()
    places = [(SENDER + address_key(m.sender.address), _window(m.received_at(now))) for m in live]
    counts = Counter(places) + Counter((ALL, start) for _, start in places)
    # In one order for everybody, so that two batches never wait for each other crosswise.
    rows = [{"id": new_id(), "key": k, "start": s, "count": n} for (k, s), n in sorted(counts.items())]
    answer = await connection.execute(
        COUNT, {"tenant": tenant_id, "inbox": inbox_id, "window": WINDOW, **bound(rows)}
    )
    seen = {(row.key, row.start): (row.now_there - counts[row.key, row.start], row.before) for row in answer}
    over: set[uuid.UUID] = set()
    broken: Counter[tuple[str, str]] = Counter()
    for mail, (key, start) in zip(live, places, strict=True):
        for place, cap, budget in (
            (key, caps.sender, "incoming-sender"),
            (ALL, caps.inbox, "incoming-inbox"),
        ):
            here, before = seen[place, start]
            seen[place, start] = here + 1, before
            # The window slides: of the one before, that part counts which lies within the last ten minutes.
            share = 1 - (mail.received_at(now) - start) / WINDOW
            if here + 1 + before * share > cap:
                over.add(mail.pending.id)
                broken[budget, place] += 1
    for (budget, place), count in sorted(broken.items()):
        await open_breach(
            connection,
            tenant_id=tenant_id,
            inbox_id=inbox_id,
            budget=budget,
            correspondent_key=place.removeprefix(SENDER),
            now=now,
            until=now + WINDOW,
            count=count,
        )
    return frozenset(over)


def _window(at: dt.datetime) -> dt.datetime:
    return at.astimezone(dt.UTC).replace(minute=at.minute // 10 * 10, second=0, microsecond=0)
