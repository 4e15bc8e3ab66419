"""Finds rows that should have a workflow, and tidies what has expired. Both may run twice: finding reads, tidying repeats.

These are among the few steps that look over all tenants.
"""

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Collection

from temporalio import activity

from activities._edges import edges
from activities.agents_absent import look_who_is_there
from activities.heartbeat import heartbeats
from activities.ses_notices import apply_waiting
from activities.ses_spool import SesSpool
from contracts.sweep import SweepFindings, SweepFound, SweepQuestion, SweepSteps, TidyReport
from store import loop_breaches, loop_budgets, sweep
from store.counter_checks import ask_for_checks
from store.search import index_all_tenants, rebuild_documents
from store.search_notes import index_older_notes
from store.unit_of_work import Database

INDEX_BATCH = 500
INDEX_BATCHES = 40
REBUILD_BATCHES = 20  # they are searchable meanwhile
BUDGETS_KEPT = dt.timedelta(hours=24)
BREACHES_KEPT = dt.timedelta(days=30)


class Sweeping(SweepSteps):
    """`spool` is the bucket where SES puts incoming mail. `poll_seconds` is the poll interval of inboxes without IDLE; `watched` are the
    providers that are asked to announce changes. `clock` gives aware instants.
    """

    def __init__(
        self,
        database: Database,
        *,
        poll_seconds: int = 300,
        watched: Collection[str] = (),
        spool: SesSpool | None = None,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._watched = watched
        self._spool = spool
        self._clock = clock

    @activity.defn(name="sweep.find")
    async def find(self, question: SweepQuestion) -> SweepFindings:
        with edges():
            async with self._database.system_unit_of_work() as connection:
                rows = await sweep.find(
                    connection,
                    kind=question.kind.value,
                    after=uuid.UUID(question.after) if question.after else None,
                    full=question.full,
                    now=self._clock(),
                    poll_seconds=self._poll_seconds,
                    watched=self._watched,
                )
            found = tuple(SweepFound(str(r.tenant_id), str(r.id), str(r.inbox_id or "")) for r in rows)
            last = len(found) < sweep.PAGE or question.kind.value in sweep.ONE_PAGE
            return SweepFindings(found, None if last else found[-1].id)

    @activity.defn(name="sweep.tidy")
    async def tidy(self) -> TidyReport:
        with edges():
            async with heartbeats():
                now = self._clock()
                async with self._database.system_unit_of_work() as connection:
                    tidied = await sweep.tidy(connection, now=now)
                    await loop_budgets.forget(connection, before=now - BUDGETS_KEPT)
                    await loop_breaches.forget(connection, before=now - BREACHES_KEPT)
                await look_who_is_there(self._database, now=now)
                async with self._database.system_unit_of_work() as connection:
                    await ask_for_checks(connection)
                await apply_waiting(self._database, now=now)
                if self._spool is not None:
                    await self._spool.look(now=now)
                indexed = 0
                for step, most in ((index_all_tenants, INDEX_BATCHES), (index_older_notes, INDEX_BATCHES), (rebuild_documents, REBUILD_BATCHES)):
                    indexed += await self._index(step, most)
        return TidyReport(
            sessions=tidied.sessions,
            uploads=tidied.uploads,
            idempotency_keys=tidied.idempotency_keys,
            login_attempts=tidied.login_attempts,
            indexed=indexed,
            partitions=tidied.partitions,
        )

    async def _index(self, step: Callable[..., Awaitable[int]], most: int) -> int:
        """Take the step until nothing is left, at most so often."""
        done = 0
        for _ in range(most):
            # Each batch is a transaction of its own: a long one would hold the event log's readers back.
            async with self._database.system_unit_of_work() as connection:
                batch = await step(connection, limit=INDEX_BATCH)
            done += batch
            if batch < INDEX_BATCH:
                break
        return done
