"""Works through a tenant's retention policy: conversations and spam whose days are over, old notices, and octets that nobody names.

Every batch is one transaction that also adds to the run's counts; octets go afterwards, from the notes that those transactions
left. Dying anywhere repeats nothing: what is gone is not found again. An attempt that was given up and still runs removes
what its successor would.
"""

import datetime as dt
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities._edges import edges
from activities.heartbeat import heartbeats
from activities.object_drops import ObjectDrops
from contracts.retention import (
    RetentionOrder,
    RetentionProgress,
    RetentionQuestion,
    RetentionSteps,
    RetentionTenants,
)
from store import retention
from store.retention import REMOVALS, Policy
from store.unit_of_work import Database

SECONDS = 30.0
NOWHERE = uuid.UUID(int=0)
Batch = Callable[[AsyncConnection], Awaitable[Counter[str]]]


class Retaining(RetentionSteps):
    """`clock` gives aware instants; `seconds` is how long one step goes on beginning batches."""

    def __init__(
        self,
        database: Database,
        drops: ObjectDrops,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        seconds: float = SECONDS,
    ) -> None:
        self._database = database
        self._drops = drops
        self._clock = clock
        self._seconds = seconds

    @activity.defn(name="retention.tenants")
    async def tenants(self, question: RetentionQuestion) -> RetentionTenants:
        after = uuid.UUID(question.after) if question.after else NOWHERE
        with edges():
            async with self._database.system_unit_of_work() as connection:
                found = await retention.tenants_after(connection, after)
        return RetentionTenants(tuple(str(tenant) for tenant in found))

    @activity.defn(name="retention.step")
    async def step(self, order: RetentionOrder) -> RetentionProgress:
        with edges():
            async with heartbeats():
                return await self._step(uuid.UUID(order.tenant_id), order)

    async def _step(self, tenant_id: uuid.UUID, order: RetentionOrder) -> RetentionProgress:
        until = time.monotonic() + self._seconds
        now = self._clock()
        async with self._database.unit_of_work(tenant_id) as connection:
            policy = await retention.read_policy(connection, tenant_id)
            run_id = await retention.begin_run(connection, tenant_id, now=now)
        total: Counter[str] = Counter()
        rows_done = order.rows_done
        if not rows_done:
            rows_done = await self._rows(tenant_id, run_id, policy, now, until, total)
        more = True
        while rows_done and more and time.monotonic() < until:
            counts, more = await self._drops.some(tenant_id)
            gone = Counter(objects=counts["objects"], octets=counts["mails"])
            async with self._database.unit_of_work(tenant_id) as connection:
                await retention.note_run(connection, tenant_id, run_id, +gone)
            total += gone
        done = rows_done and not more
        if done:
            async with self._database.unit_of_work(tenant_id) as connection:
                await retention.forget_traces(connection, tenant_id, now=now)
                await retention.end_run(connection, tenant_id, run_id, now=now)
        return RetentionProgress(
            done=done,
            rows_done=rows_done,
            archived=total["archived"],
            conversations=total["conversations"],
            messages=total["messages"],
            objects=total["objects"],
        )

    async def _rows(
        self,
        tenant_id: uuid.UUID,
        run_id: uuid.UUID,
        policy: Policy,
        now: dt.datetime,
        until: float,
        total: Counter[str],
    ) -> bool:
        """False when the time was over first."""
        for batch in self._batches(tenant_id, policy, now):
            while True:
                if time.monotonic() >= until:
                    return False
                async with self._database.unit_of_work(tenant_id) as connection:
                    counts = await batch(connection)
                    if counts:
                        await retention.note_run(connection, tenant_id, run_id, counts)
                if not counts:
                    break
                total += counts
        return True

    def _batches(self, tenant_id: uuid.UUID, policy: Policy, now: dt.datetime) -> list[Batch]:
        """What the policy wants, each to be called until it finds nothing."""
        found: list[Batch] = []
        if policy.archive_idle_days is not None:
            found.append(self._archive(tenant_id, policy.archive_idle_days, now))
        for kind, field in REMOVALS.items():
            days: int | None = getattr(policy, field)
            if days is not None:
                found.append(self._remove(tenant_id, kind, days, now))
        if policy.spam_days is not None:
            found.append(self._spam(tenant_id, policy.spam_days, now))
        found.append(self._notices(tenant_id, policy.notice_days, now))
        return found

    def _archive(self, tenant_id: uuid.UUID, days: int, now: dt.datetime) -> Batch:
        async def batch(connection: AsyncConnection) -> Counter[str]:
            return +Counter(archived=await retention.archive_batch(connection, tenant_id, days=days, now=now))

        return batch

    def _remove(self, tenant_id: uuid.UUID, kind: str, days: int, now: dt.datetime) -> Batch:
        async def batch(connection: AsyncConnection) -> Counter[str]:
            return await retention.remove_batch(connection, tenant_id, kind, days=days, now=now)

        return batch

    def _spam(self, tenant_id: uuid.UUID, days: int, now: dt.datetime) -> Batch:
        async def batch(connection: AsyncConnection) -> Counter[str]:
            return await retention.remove_spam_batch(connection, tenant_id, days=days, now=now)

        return batch

    def _notices(self, tenant_id: uuid.UUID, days: int, now: dt.datetime) -> Batch:
        async def batch(connection: AsyncConnection) -> Counter[str]:
            return await retention.remove_notices(connection, tenant_id, days=days, now=now)

        return batch
