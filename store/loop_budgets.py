"""Counts of automatic mails, by correspondent, by inbox and over the tenant, in buckets of ten minutes (integrity L-4).

The count is raised before the sum is read, which serialises rivals on the bucket's row: two answers cannot both be the
last allowed one. Buckets are only ever added to, except when the mail that raised them was refused.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

BUCKET = dt.timedelta(minutes=10)
WHOLE_INBOX = "*"

RAISE = text(
    """
    insert into loop_budgets (tenant_id, inbox_id, correspondent_key, window_start, count)
    values (:tenant, :inbox, :key, :start, 1)
    on conflict (tenant_id, inbox_id, correspondent_key, window_start) do update set count = loop_budgets.count + 1
    """
)
LOWER = text(
    """
    update loop_budgets set count = count - 1
    where tenant_id = :tenant and inbox_id = :inbox and correspondent_key = :key and window_start = :start
    """
)
SUM_OF = text(
    """
    select coalesce(sum(count), 0) from loop_budgets
    where tenant_id = :tenant and inbox_id = :inbox and correspondent_key = :key and window_start > :since
    """
)
SUM_OF_TENANT = text(
    """
    select coalesce(sum(count), 0) from loop_budgets
    where tenant_id = :tenant and correspondent_key = :key and window_start > :since
    """
)
FORGET = text("delete from loop_budgets where window_start < :before")


@dataclass(frozen=True, slots=True)
class Spent:
    """The budget that is used up and the minutes that it spans."""

    budget: str
    minutes: int


async def take(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    inbox_id: uuid.UUID,
    correspondent_key: str,
    now: dt.datetime,
    correspondent_caps: Mapping[int, int],
    everywhere_caps: Mapping[int, int],
    inbox_caps: Mapping[int, int],
    tenant_caps: Mapping[int, int],
) -> Spent | None:
    """Count one automatic mail. None when it fits; else the budget that is used up (`correspondent` of this inbox,
    the same person `everywhere`, `inbox`, `tenant`), and nothing is counted. Caps map minutes to mails; spans count in
    whole buckets, on the strict side.
    """
    place = {"tenant": tenant_id, "inbox": inbox_id, "start": _bucket(now)}
    for key in (correspondent_key, WHOLE_INBOX):
        await connection.execute(RAISE, {**place, "key": key})
    spent: Spent | None = None
    checks = (
        ("correspondent", SUM_OF, correspondent_key, correspondent_caps),
        ("everywhere", SUM_OF_TENANT, correspondent_key, everywhere_caps),
        ("inbox", SUM_OF, WHOLE_INBOX, inbox_caps),
        ("tenant", SUM_OF_TENANT, WHOLE_INBOX, tenant_caps),
    )
    for name, statement, key, caps in checks:
        for minutes, cap in caps.items():
            since = now - dt.timedelta(minutes=minutes) - BUCKET
            bound = {"tenant": tenant_id, "key": key, "since": since}
            if statement is SUM_OF:
                bound["inbox"] = inbox_id
            if spent is None and int((await connection.execute(statement, bound)).scalar_one()) > cap:
                spent = Spent(name, minutes)
    if spent is not None:
        for key in (correspondent_key, WHOLE_INBOX):
            await connection.execute(LOWER, {**place, "key": key})
    return spent


async def forget(connection: AsyncConnection, *, before: dt.datetime) -> int:
    """Delete buckets that no cap looks at any more; as the system, over all tenants."""
    return (await connection.execute(FORGET, {"before": before})).rowcount


def _bucket(now: dt.datetime) -> dt.datetime:
    return now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
