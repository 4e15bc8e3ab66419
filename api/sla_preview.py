"""What a change of hours or policies would do to the clocks that run: worked out as the recount would, and written nowhere."""

import asyncio
import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.endpoint import Call
from api.problems import FieldError, not_valid
from api.schemas.base import PageQuery
from api.schemas.sla import MovedClock, Preview, PreviewCounts
from rules.sla_reading import Settings, outcome, read_settings, stories
from rules.sla_recount import Clock, read_clock
from store.pages import BadCursor, id_cursor, read_id_cursor
from store.sla_facts import about_conversations, clocks_of, database_now, mails_of, statuses_of
from store.sla_recounts import recount_page
from store.sla_view import heads_of

AT_ONCE = 200
MOST = 20_000  # conversations that are looked at for the counts: about ten seconds


async def preview(
    call: Call[PageQuery, Any], policies: Sequence[Mapping[str, Any]], hours: Sequence[Mapping[str, Any]]
) -> Preview:
    """With these instead of those that stand. Each batch is a transaction of its own, and others are let go on in between."""
    tenant_id, settings = call.who.tenant_id, read_settings(policies, hours)
    try:
        after = read_id_cursor(call.query.after) if call.query.after else None
    except BadCursor:
        raise not_valid(FieldError("after", "is not a cursor of this list")) from None
    counted = after is None
    counts: Counter[str] = Counter()
    items: list[MovedClock] = []
    following: uuid.UUID | None = None
    looked = 0
    while True:
        async with call.deps.database.unit_of_work(tenant_id) as connection:
            page = await recount_page(connection, tenant_id, after, limit=AT_ONCE)
            moved = await _moved(connection, tenant_id, page, settings)
        for conversation_id, clocks in moved:
            for clock in clocks:
                counts[clock.change] += 1
                counts["newly_breached"] += clock.newly_breached
                counts["excused"] += clock.excused
            counts["conversations"] += 1
            if len(items) < call.query.limit:
                items += clocks
                following = conversation_id if len(items) >= call.query.limit else None
        looked += len(page)
        ended = len(page) < AT_ONCE
        full = len(items) >= call.query.limit
        if ended or looked >= MOST or (full and not counted):
            break
        after = page[-1]
        await asyncio.sleep(0)
    named = ("conversations", "started", "ended", "moved", "newly_breached", "excused")
    return Preview(
        counts=PreviewCounts(**{n: counts[n] for n in named}, complete=ended) if counted else None,
        items=items,
        next=id_cursor(following) if following is not None else None,
    )


async def _moved(
    connection: AsyncConnection, tenant_id: uuid.UUID, page: Sequence[uuid.UUID], settings: Settings
) -> list[tuple[uuid.UUID, list[MovedClock]]]:
    """The conversations of the page whose clocks would be others."""
    rows = await about_conversations(connection, tenant_id, page)
    told = stories(page, await mails_of(connection, tenant_id, page), await statuses_of(connection, tenant_id, page))
    standing: dict[uuid.UUID, list[Clock]] = {i: [] for i in page}
    for found in await clocks_of(connection, tenant_id, page):
        standing[found["conversation_id"]].append(read_clock(found))
    now = await database_now(connection)
    changed: dict[uuid.UUID, list[dict[str, Any]]] = {}
    for row in rows:
        made = outcome(row, told[row["id"]], standing[row["id"]], settings, now=now, anew=True)
        differences = _differences(standing[row["id"]], made.clocks, now)
        if differences:
            changed[row["id"]] = differences
    heads = await heads_of(connection, tenant_id, list(changed))
    return [
        (i, [MovedClock.model_validate({"conversation_id": str(i), **heads[i], **d}) for d in clocks])
        for i, clocks in changed.items()
    ]


def _differences(before: Sequence[Clock], after: Sequence[Clock], now: dt.datetime) -> list[dict[str, Any]]:
    stood = {c.key: c for c in before}
    come = {c.key: c for c in after}
    found = []
    for key in [*stood, *(k for k in come if k not in stood)]:
        old, new = stood.get(key), come.get(key)
        if old is not None and old.ended_at is not None:
            continue
        gone = new is None or (new.ended_at is not None and old is not None)
        excused = old is not None and new is not None and old.excuse is None and new.excuse is not None
        due = new.due_at if new is not None and not gone else None
        if old is not None and not gone and old.due_at == due and not excused:
            continue
        late = new is not None and not gone and due is not None and due <= (new.ended_at or now)
        if old is None and new is not None and new.ended_at is not None and not late:
            continue
        found.append(
            {
                "target": key[0],
                "change": "started" if old is None else "ended" if gone else "moved",
                "old_due": old.due_at if old else None,
                "new_due": due,
                "newly_breached": late and (old is None or old.breached_at is None),
                "excused": excused,
            }
        )
    return found
