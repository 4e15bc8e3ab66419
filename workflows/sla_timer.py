"""The timer of a tenant's service levels: one run for all of its clocks, asleep until the next of them has something to do.

The rows decide: a clock's next instant is in an index, and acting sets what was empty. So a late, lost or doubled wake-up
changes nothing, and a clock acts late after an outage, never early, never twice. Why not one run for each conversation:
docs/decisions/0017-one-timer-for-all-clocks.md.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.search_attributes import TENANT_ID
    from contracts.sla import RecountReport, SlaRef, SlaReport, SlaSteps

LONGEST = timedelta(minutes=10)  # a wake-up that was lost with its sender costs no more than this
LEAST = timedelta(seconds=0.05)


@workflow.defn(name="SlaTimer")
class SlaTimer:
    """Signal `poke`: a clock has something to do earlier than was known, or there is a recount."""

    def __init__(self) -> None:
        self._poked = False

    @workflow.signal
    def poke(self) -> None:
        self._poked = True

    @workflow.run
    async def run(self, ref: SlaRef) -> None:
        """Never ends by itself; without a running clock it sleeps until it is poked."""
        workflow.upsert_search_attributes([TENANT_ID.value_set(ref.tenant_id)])
        while not workflow.info().is_continue_as_new_suggested():
            self._poked = False
            report = await self._act(ref)
            said = f"{report.warned} warned, {report.breached} breached in the last look"
            if report.recounting:
                page = await self._recount(ref)
                workflow.set_current_details(f"{said}; {page.done} of {page.total} worked out again")
                continue
            if report.wait_seconds == 0:
                continue
            wait = None if report.wait_seconds is None else timedelta(seconds=report.wait_seconds)
            workflow.set_current_details(f"{said}; " + ("no clock runs" if wait is None else f"next in {wait}"))
            await self._sleep(wait)
        workflow.continue_as_new(ref)

    async def _act(self, ref: SlaRef) -> SlaReport:
        return await workflow.execute_activity_method(
            SlaSteps.act,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="what is due",
        )

    async def _recount(self, ref: SlaRef) -> RecountReport:
        return await workflow.execute_activity_method(
            SlaSteps.recount,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="work out again",
        )

    async def _sleep(self, wait: timedelta | None) -> None:
        """Until then, or less when something came in between."""
        if wait is None:
            await workflow.wait_condition(lambda: self._poked)
            return
        try:
            await workflow.wait_condition(
                lambda: self._poked, timeout=min(max(wait, LEAST), LONGEST), timeout_summary="until the next clock"
            )
        except TimeoutError:
            return
