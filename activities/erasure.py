"""Erases a person batch by batch: first rows, each batch with its part of the receipt, then octets in the bucket, then the end.

The erasure's row says how far it is. Dying anywhere loses nothing: a batch and its counts are one transaction, and octets are
dropped from notes that stand until they are gone. Two attempts at once take turns at the erasure's row.
"""

import datetime as dt
import time
import uuid
from collections import Counter
from collections.abc import Callable

from temporalio import activity

from activities._edges import edges, failure
from activities.heartbeat import heartbeats
from activities.object_drops import ObjectDrops
from contracts.erasure import ErasureProgress, ErasureRef, ErasureSteps
from store.dropped_objects import left_of
from store.erasures import add_octets, end_erasure, erase_batch
from store.unit_of_work import Database

SECONDS = 30.0


class Erasing(ErasureSteps):
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

    @activity.defn(name="erasure.step")
    async def step(self, ref: ErasureRef) -> ErasureProgress:
        with edges():
            async with heartbeats():
                return await self._step(uuid.UUID(ref.tenant_id), uuid.UUID(ref.erasure_id))

    async def _step(self, tenant_id: uuid.UUID, erasure_id: uuid.UUID) -> ErasureProgress:
        until = time.monotonic() + self._seconds
        messages = 0
        while True:
            async with self._database.unit_of_work(tenant_id) as connection:
                batch = await erase_batch(connection, tenant_id, erasure_id, now=self._clock())
            if batch is None:
                raise failure("NotFound")
            messages += batch.messages
            if batch.waiting or not batch.more:
                break
            if time.monotonic() >= until:
                return ErasureProgress(batch.state, messages=messages)
        if batch.state != "objects":
            return ErasureProgress(batch.state, waiting=batch.waiting, messages=messages)
        more = True
        while more and time.monotonic() < until:
            counts, more = await self._drops.some(tenant_id, erasure_id=erasure_id)
            gone = Counter(objects=counts["objects"], octets=counts["mails"])
            async with self._database.unit_of_work(tenant_id) as connection:
                await add_octets(connection, tenant_id, erasure_id, +gone)
        async with self._database.unit_of_work(tenant_id) as connection:
            waiting, refused = await left_of(connection, tenant_id, erasure_id)
            if not waiting:
                await end_erasure(connection, tenant_id, erasure_id, refused=refused, now=self._clock())
                return ErasureProgress("done", messages=messages)
        return ErasureProgress("objects", waiting=not more, messages=messages)
