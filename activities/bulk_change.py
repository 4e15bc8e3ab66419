"""Step `bulk.step`: slices of a bulk change for about ten seconds. Each slice is a transaction that takes the run's row, so dying
loses one slice at most, and two attempts at once take turns (`store/bulk_steps.py`).
"""

import datetime as dt
import time
import uuid

from temporalio import activity

from activities._edges import edges, failure
from activities.heartbeat import heartbeats
from contracts.bulk import BulkProgress, BulkRef, BulkSteps
from store.bulk_steps import step_bulk
from store.bulks import BulkRun
from store.unit_of_work import Database

ABOUT_SECONDS = 10.0


class BulkChanging(BulkSteps):
    """`slice_size` conversations go into one transaction."""

    def __init__(self, database: Database, *, slice_size: int = 100, seconds: float = ABOUT_SECONDS) -> None:
        self._database = database
        self._slice = slice_size
        self._seconds = seconds

    @activity.defn(name="bulk.step")
    async def step(self, ref: BulkRef) -> BulkProgress:
        ends = time.monotonic() + self._seconds
        with edges():
            async with heartbeats():
                while True:
                    run = await self._next(ref)
                    if not run.under_way or time.monotonic() >= ends:
                        return _progress(run)

    async def _next(self, ref: BulkRef) -> BulkRun:
        tenant_id = uuid.UUID(ref.tenant_id)
        async with self._database.unit_of_work(tenant_id) as connection:
            stepped = await step_bulk(
                connection, tenant_id, uuid.UUID(ref.bulk_id), now=dt.datetime.now(dt.UTC), limit=self._slice
            )
        if stepped is None:
            raise failure("NotFound")
        return stepped.run


def _progress(run: BulkRun) -> BulkProgress:
    return BulkProgress(run.state, run.total, run.done, run.changed, run.restored, run.left)
