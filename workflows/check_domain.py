"""Checks one domain's DNS, because a person asked or because it was due. Its rows say when it is due again."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.domains import DomainRef, DomainReport, DomainSteps
    from contracts.search_attributes import TENANT_ID

GIVEN_UP = timedelta(minutes=10)  # the sweep starts it again when it is due


@workflow.defn(name="CheckDomain")
class CheckDomain:
    """One run for each domain at a time. Run twice, it looks twice."""

    @workflow.run
    async def run(self, ref: DomainRef) -> DomainReport:
        workflow.upsert_search_attributes([TENANT_ID.value_set(ref.tenant_id)])
        report = await workflow.execute_activity_method(
            DomainSteps.check,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.LOOK,
            schedule_to_close_timeout=GIVEN_UP,
            retry_policy=timing.DATABASE_RETRY,
            summary="look its records up",
        )
        held = "held" if report.held else "not held"
        workflow.set_current_details(f"**{held}**: {report.open} of {report.records} records are not right")
        return report
