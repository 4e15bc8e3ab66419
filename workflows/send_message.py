"""Sends one message: waits out the undo window or the scheduled time, freezes, submits, settles doubt, files a copy.

The row decides, this only orders the steps in time: each turn asks the row anew, so a cancelled, retried or resolved
message, a lost Temporal database and a dead worker all lead back to the same question (integrity S-1 to S-12).
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts import queues, timing
    from contracts.failures import NON_RETRYABLE
    from contracts.outbound import (
        ComposeReport,
        DeliverOutcome,
        DeliverReport,
        OutboundSteps,
        SendEnd,
        SendPlan,
        SendState,
        SettleOrder,
        SettleReport,
        VerifyOutcome,
        VerifyReport,
    )
    from contracts.refs import MessageRef

STALE_PAUSE = timedelta(seconds=30)  # somebody else's attempt: let it come to an end


@workflow.defn(name="SendMessage")
class SendMessage:
    """Signals: `poke` (the row changed, look again) and `cancel` (the same, under the name that people expect)."""

    def __init__(self) -> None:
        self._poked = False
        self._troubles = 0
        self._trouble_since: float | None = None
        self._attempts = 0

    @workflow.signal
    def poke(self) -> None:
        self._poked = True

    @workflow.signal
    def cancel(self) -> None:
        self._poked = True

    @workflow.run
    async def run(self, ref: MessageRef) -> SendEnd:
        while True:
            self._poked = False
            plan = await self._plan(ref)
            match plan.state:
                case SendState.WAITING:
                    self._show("waiting until it is due")
                    await self._pause(timedelta(seconds=max(plan.wait_seconds, 0.05)), "until it is due")
                    continue
                case SendState.DUE:
                    await self._turn(ref)
                    continue
                case SendState.DOUBT:
                    await self._settle_doubt(ref)
                    continue
                case _:
                    if plan.copy_missing:
                        await self._file_unless_poked(ref)
            # A decision that came in while this run was ending would find nobody: look once more.
            if not self._poked:
                self._show(f"ended: {plan.state.value}")
                return SendEnd(plan.state, self._attempts)

    async def _turn(self, ref: MessageRef) -> None:
        """One attempt, with the wait that must follow it. The row says what comes next."""
        self._show("composing and handing over")
        try:
            composed = await self._compose(ref)
            if composed.state is not SendState.DUE:
                return
            report = await self._deliver(ref)
        except ActivityError as error:
            await self._trouble(ref, error)
            return
        self._troubles, self._trouble_since = 0, None
        self._attempts = max(self._attempts, report.attempt)
        if report.outcome is DeliverOutcome.DEFERRED:
            wait = timedelta(seconds=report.retry_after_seconds or timing.DEFERRED_FIRST.total_seconds())
            self._show(f"put off by the server ({report.stage}, {report.code}); tried again in {wait}")
            await self._pause(wait, "until the next attempt")
        elif report.outcome is DeliverOutcome.STALE:
            await self._pause(STALE_PAUSE, "another attempt owns the message")

    async def _trouble(self, ref: MessageRef, error: ActivityError) -> None:
        """A step failed on our side (bucket, credentials, a dead worker). The row knows whether a dot was out."""
        cause = error.cause
        name = cause.type if isinstance(cause, ApplicationError) else None
        now = workflow.time()
        self._trouble_since = self._trouble_since if self._trouble_since is not None else now
        over = now - self._trouble_since >= timing.GIVE_UP_AFTER.total_seconds()
        if name in NON_RETRYABLE or over:
            await self._settle(ref, DeliverOutcome.FAILED, name)
            return
        first, last = timing.DEFERRED_FIRST.total_seconds(), timing.DEFERRED_LAST.total_seconds()
        # The first failure is looked into at once: after a dead worker the row may stand at its dot.
        wait = 1.0 if self._troubles == 0 else min(first * 2 ** (self._troubles - 1), last)
        self._troubles = min(self._troubles + 1, 16)
        self._show(f"a step failed ({name or 'timeout'}); looked at again soon")
        await self._pause(timedelta(seconds=wait * (1 + 0.2 * workflow.random().random())), "after a failure")

    async def _settle_doubt(self, ref: MessageRef) -> None:
        """Look for the mail in Sent on the schedule; found is proof. Otherwise a person is asked (S-3)."""
        began = workflow.time()
        schedule = list(timing.VERIFY_AFTER)
        while schedule:
            after = schedule.pop(0)
            left = began + after - workflow.time()
            if left > 0:
                self._show("outcome unknown; looked for in Sent again soon")
                await workflow.sleep(timedelta(seconds=left), summary="before looking into Sent again")
            look = await self._look(ref)
            if look.outcome is VerifyOutcome.FOUND:
                await self._settle(ref, DeliverOutcome.SENT)
                return
            if look.outcome is VerifyOutcome.UNSENT:
                wait = timedelta(seconds=look.retry_after_seconds or timing.DEFERRED_FIRST.total_seconds())
                self._show(f"proven not sent; tried again in {wait}")
                await self._pause(wait, "until the next attempt")
                return
            if look.outcome is VerifyOutcome.AWAITED and after == timing.VERIFY_AFTER[-1]:
                schedule = list(timing.REPORTED_AFTER)
        settled = await self._settle(ref, DeliverOutcome.UNKNOWN)
        self._show("sent again, as this inbox wants" if settled.again else "waiting for a person to decide")

    async def _look(self, ref: MessageRef) -> VerifyReport:
        try:
            return await workflow.execute_activity_method(
                OutboundSteps.verify,
                ref,
                task_queue=queues.IMAP,
                schedule_to_close_timeout=timing.LOOK,
                heartbeat_timeout=timing.HEARTBEAT,
                retry_policy=timing.ONCE,
                summary="look for it in Sent",
            )
        except ActivityError:
            return VerifyReport(VerifyOutcome.CANNOT_LOOK)  # no proof either way; the schedule goes on

    async def _file_unless_poked(self, ref: MessageRef) -> None:
        """A Sent folder that refuses for minutes must not keep a person's retry waiting."""
        filing = asyncio.create_task(self._file_copy(ref))
        await workflow.wait_condition(lambda: self._poked or filing.done())
        if not filing.done():
            filing.cancel()
        await workflow.wait([filing])

    async def _file_copy(self, ref: MessageRef) -> None:
        """The copy in Sent is a courtesy: when it cannot be filed the mail is out all the same (S-11)."""
        try:
            await workflow.execute_activity_method(
                OutboundSteps.file_copy,
                ref,
                task_queue=queues.IMAP,
                start_to_close_timeout=timing.NETWORK,
                heartbeat_timeout=timing.HEARTBEAT,
                retry_policy=RetryPolicy(
                    initial_interval=timing.NETWORK_RETRY.initial_interval,
                    maximum_interval=timing.NETWORK_RETRY.maximum_interval,
                    maximum_attempts=timing.COPY_ATTEMPTS,
                    non_retryable_error_types=list(NON_RETRYABLE),
                ),
                summary="file one copy in Sent",
            )
        except ActivityError:
            workflow.logger.warning("the copy could not be filed in Sent")

    async def _plan(self, ref: MessageRef) -> SendPlan:
        return await workflow.execute_activity_method(
            OutboundSteps.plan,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="what does the row ask for",
        )

    async def _compose(self, ref: MessageRef) -> ComposeReport:
        return await workflow.execute_activity_method(
            OutboundSteps.compose,
            ref,
            task_queue=queues.SEND,
            start_to_close_timeout=timing.NETWORK,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=RetryPolicy(maximum_attempts=3, non_retryable_error_types=list(NON_RETRYABLE)),
            summary="freeze the bytes",
        )

    async def _deliver(self, ref: MessageRef) -> DeliverReport:
        return await workflow.execute_activity_method(
            OutboundSteps.deliver,
            ref,
            task_queue=queues.SEND,
            start_to_close_timeout=timing.SUBMIT,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.ONCE,
            summary="one submission",
        )

    async def _settle(
        self, ref: MessageRef, outcome: DeliverOutcome, failure: str | None = None
    ) -> SettleReport:
        return await workflow.execute_activity_method(
            OutboundSteps.settle,
            SettleOrder(ref.tenant_id, ref.message_id, outcome, failure),
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary=f"settle as {outcome.value}",
        )

    async def _pause(self, wait: timedelta, why: str) -> None:
        """Wait, or less when the row changed."""
        try:
            await workflow.wait_condition(lambda: self._poked, timeout=wait, timeout_summary=why)
        except TimeoutError:
            return

    def _show(self, words: str) -> None:
        workflow.set_current_details(words)
