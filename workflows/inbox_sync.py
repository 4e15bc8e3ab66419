"""Keeps one inbox in step: watch, fetch, ingest, react, for as long as the inbox is connected.

Holds no cursor and no mail: what it forgets when Temporal is wiped is only that somebody wanted a look. An idle inbox costs
a handful of history events in six hours, because one long watch sees to it.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from contracts import ids, queues, timing
    from contracts.failures import SENTENCES
    from contracts.inbound import (
        FetchOrder,
        FetchReport,
        InboundSteps,
        InboxPlan,
        InboxSyncInput,
        ResyncOrder,
        ResyncScope,
        WakeReason,
        WatchOrder,
        WatchReport,
    )
    from contracts.refs import ConversationRef, InboxRef
    from contracts.search_attributes import HEALTH, INBOX_ID, PROVIDER, TENANT_ID

WATCH_SECONDS = 6 * 3600
WATCH_LIMIT = timedelta(seconds=WATCH_SECONDS + 300)
FIRST_RETRY = 5  # seconds after the first failure; doubled up to ten minutes (integrity I-13)
LAST_RETRY = 600
AFTER_REFUSAL = 600  # at most six logins an hour with credentials that were refused
# A watch that the server ends soon after its start is not begun again at once (connection limits, a flapping server).
SHORT_WATCH = 300
FIRST_WATCH_PAUSE = 15
MOST_TURNS = 500
MOST_POKES = 2_000  # a run takes 10,000 signals; leave long before
REACT_ROUNDS = 20
RESYNCS_WAITING = 10


@workflow.defn(name="InboxSync")
class InboxSync:
    """Signals: `poke` (look now; many are one), `pause`, `resume`. Update: `resync` with a scope."""

    @workflow.init
    def __init__(self, state: InboxSyncInput) -> None:
        self._ref = InboxRef(state.tenant_id, state.inbox_id)
        self._provider = state.provider
        self._paused = state.paused
        self._tokens = state.tokens
        self._counted_at = state.counted_at
        self._failures = state.failures
        self._dirty = True  # each run begins with a look
        self._flags = False
        self._more = False  # a gap is being filled
        self._resyncs: list[ResyncOrder] = []
        self._pokes = 0
        self._turns = 0
        self._health = ""
        self._nudges = 0
        self._plan: InboxPlan | None = None
        self._watching: workflow.ActivityHandle[WatchReport] | None = None
        self._watched_at = 0.0
        self._short_watches = 0

    @workflow.signal
    def poke(self) -> None:
        self._pokes += 1
        self._dirty = True

    @workflow.signal
    def pause(self) -> None:
        self._paused = True
        self._nudges += 1

    @workflow.signal
    def resume(self) -> None:
        self._paused = False
        self._dirty = True
        self._nudges += 1
        self._plan = None

    @workflow.update
    def resync(self, order: ResyncOrder) -> None:
        """Accepted means that it will be done; orders that say the same are done once."""
        if order not in self._resyncs:
            self._resyncs.append(order)
            self._nudges += 1

    @resync.validator
    def _check_resync(self, order: ResyncOrder) -> None:
        if order.scope is ResyncScope.FOLDER and not order.folder_id:
            raise ApplicationError("folder_id: name the folder to resync", type="Invalid", non_retryable=True)
        if len(self._resyncs) >= RESYNCS_WAITING:
            raise ApplicationError("too many resyncs wait already", type="Invalid", non_retryable=True)

    @workflow.run
    async def run(self, state: InboxSyncInput) -> None:
        workflow.upsert_search_attributes(
            [
                TENANT_ID.value_set(state.tenant_id),
                INBOX_ID.value_set(state.inbox_id),
                PROVIDER.value_set(state.provider),
            ]
        )
        while not self._worn():
            self._turns += 1
            try:
                plan = await self._open()
            except ActivityError as error:
                if _name(error) == "NotFound":
                    await self._unwatch()
                    self._show("the inbox was removed")
                    return
                raise
            if plan.paused or self._paused or not plan.connected:
                await self._rest(plan)
                self._plan = None
                continue
            await self._turn(plan)
        await self._unwatch()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            InboxSyncInput(
                tenant_id=state.tenant_id,
                inbox_id=state.inbox_id,
                provider=self._provider,
                paused=self._paused,
                tokens=self._tokens,
                counted_at=self._counted_at,
                failures=self._failures,
            )
        )

    def _worn(self) -> bool:
        """Time for a fresh history. Orders that wait are done first: they live in this run only."""
        if self._resyncs:
            return False
        full = workflow.info().is_continue_as_new_suggested()
        return full or self._turns >= MOST_TURNS or self._pokes >= MOST_POKES

    async def _open(self) -> InboxPlan:
        """What the row says. Asked when a run begins, after a signal and after a refusal, not for every mail."""
        if self._plan is not None:
            return self._plan
        plan = await workflow.execute_activity_method(
            InboundSteps.open,
            self._ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="is it connected?",
        )
        if plan.provider != self._provider:
            self._provider = plan.provider
            workflow.upsert_search_attributes([PROVIDER.value_set(plan.provider)])
        self._plan = plan
        return plan

    async def _rest(self, plan: InboxPlan) -> None:
        """Paused or not connected: nothing is watched, nobody is asked, until a signal says so."""
        await self._unwatch()
        paused = plan.paused or self._paused
        self._tell_health("paused" if paused else self._health or "connecting")
        self._show("paused" if paused else "not connected; waiting for `resume`")
        self._dirty = False
        # A pause that reached us by signal only ends by signal; one in the row may also end with any poke.
        await workflow.wait_condition(lambda: self._dirty and not self._paused)

    async def _turn(self, plan: InboxPlan) -> None:
        """Sync when there is reason to, then wait for the next reason."""
        if self._dirty or self._flags or self._resyncs or self._more:
            free = self._more or bool(self._resyncs)  # the same look goes on, or a person waits for it
            wait = 0.0 if free else self._spend(plan.max_syncs_per_hour)
            if wait > 0:
                self._show(f"looked {plan.max_syncs_per_hour} times within an hour; the next look waits")
                await self._stopped(timedelta(seconds=wait), "until another sync is allowed")
                return
            await self._sync()
            return
        await self._wait(plan)

    def _spend(self, per_hour: int) -> float:
        """Take a token, or say for how long there is none. The bucket holds an hour's worth and fills evenly: a burst
        of mail is fetched promptly, and on the long run an hour sees no more than `per_hour` syncs.
        """
        now = workflow.now().timestamp()
        if self._counted_at == 0:
            self._tokens = float(per_hour)
        else:
            grown = (now - self._counted_at) * per_hour / 3600
            self._tokens = min(float(per_hour), self._tokens + max(grown, 0.0))
        self._counted_at = now
        if self._tokens < 1:
            return (1 - self._tokens) * 3600 / per_hour
        self._tokens -= 1
        return 0

    async def _sync(self) -> None:
        order = self._resyncs[0] if self._resyncs else ResyncOrder(ResyncScope.NEW)
        dirty, flags = self._dirty, self._flags
        self._dirty = self._flags = self._more = False
        self._show("fetching")
        try:
            fetched = await workflow.execute_activity_method(
                InboundSteps.fetch,
                FetchOrder(self._ref.tenant_id, self._ref.inbox_id, order.scope, order.folder_id, flags),
                task_queue=queues.IMAP,
                start_to_close_timeout=timing.BULK,
                heartbeat_timeout=timing.HEARTBEAT,
                retry_policy=timing.NETWORK_RETRY,
                summary=order.scope.value,
            )
        except ActivityError as error:
            self._dirty, self._flags = dirty, flags
            if _name(error) in ("NotConnected", "NotFound"):
                self._plan = None  # the next look at the row says what to do
                return
            if _name(error) == "LeaseLost":
                await self._stopped(timedelta(seconds=FIRST_RETRY), "another run has the inbox")
                return
            raise
        if order in self._resyncs and fetched.failure is None:
            self._resyncs.remove(order)
            await self._unwatch()  # the next watch looks at all folders anew
        self._tell_health(fetched.health)
        if fetched.pending:
            await self._ingest(fetched.answerable)
        elif fetched.answerable:
            await self._react()
        self._more = fetched.more
        if fetched.failure is None:
            self._failures = 0
            return
        self._dirty = True
        if fetched.health == "paused":
            self._plan = None  # refused for three days: a person is asked, not the server
        else:
            await self._back_off(fetched)

    async def _back_off(self, fetched: FetchReport) -> None:
        self._failures += 1
        seconds = min(LAST_RETRY, FIRST_RETRY * 2 ** min(self._failures - 1, 10))
        if fetched.failure == "AuthFailed":
            seconds = AFTER_REFUSAL
        if fetched.retry_seconds is not None:
            seconds = max(seconds, min(fetched.retry_seconds, 3600))
        self._show(SENTENCES.get(fetched.failure or "", "the server could not be asked"))
        self._dirty = False
        await self._stopped(timedelta(seconds=seconds), f"after {fetched.failure}")
        self._dirty = True

    async def _ingest(self, answerable: int) -> None:
        remaining = 1
        while remaining:
            self._show("reading new mail")
            try:
                report = await workflow.execute_activity_method(
                    InboundSteps.ingest,
                    self._ref,
                    task_queue=queues.INGEST,
                    start_to_close_timeout=timing.BULK,
                    heartbeat_timeout=timing.HEARTBEAT,
                    retry_policy=timing.DATABASE_RETRY,
                    summary="stored mail to conversations",
                )
            except ActivityError as error:
                if _name(error) in ("LeaseLost", "NotFound"):
                    return
                raise
            remaining, answerable = report.remaining, answerable + report.answerable
        if answerable:
            await self._react()

    async def _react(self) -> None:
        """One AutoResponse for each conversation that awaits the decision. Starting one twice is starting it once."""
        for _ in range(REACT_ROUNDS):
            found = await workflow.execute_activity_method(
                InboundSteps.react,
                self._ref,
                task_queue=queues.FLOW,
                start_to_close_timeout=timing.QUICK,
                retry_policy=timing.DATABASE_RETRY,
                summary="who awaits an answer?",
            )
            started = 0
            for conversation in found.conversations:
                started += await self._answer(conversation)
            if not found.more or not started:
                return  # what is left belongs to workflows that run already, or to the sweep

    async def _answer(self, conversation: ConversationRef) -> int:
        ref = self._ref
        about = [SearchAttributePair(TENANT_ID, ref.tenant_id), SearchAttributePair(INBOX_ID, ref.inbox_id)]
        try:
            await workflow.start_child_workflow(
                "AutoResponse",
                conversation,
                id=ids.auto_response(conversation.conversation_id),
                task_queue=queues.FLOW,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=TypedSearchAttributes(about),
                static_summary="automatic first answer",
            )
        except WorkflowAlreadyStartedError:
            return 0
        return 1

    async def _wait(self, plan: InboxPlan) -> None:
        """Nothing to do: watch. The watch goes on while a poke is served, and ends with a pause."""
        watching = self._watching
        if watching is None:
            pause = min(LAST_RETRY, FIRST_WATCH_PAUSE * 2 ** min(self._short_watches - 1, 10))
            if self._short_watches and await self._quiet(pause, "before the next watch"):
                return
            watching = self._watching = self._watch()
        self._show("in step; watching")
        await workflow.wait_condition(lambda: watching.done() or self._wanted())
        if not watching.done():
            return
        self._watching = None
        report, lasted = self._watched(watching), workflow.now().timestamp() - self._watched_at
        reason, poll = report.reason, report.poll_seconds or plan.poll_seconds
        short = reason is WakeReason.CLOSED and lasted < SHORT_WATCH
        self._short_watches = self._short_watches + 1 if short else 0
        if reason is WakeReason.UNSUPPORTED and await self._quiet(poll, "until the next look"):
            return
        if reason in (WakeReason.NOT_CONNECTED, WakeReason.TIMEOUT):
            self._plan = None
        self._flags = self._flags or reason is WakeReason.FLAGS
        self._dirty = True
        if report.answerable:
            await self._react()

    def _watch(self) -> "workflow.ActivityHandle[WatchReport]":
        self._watched_at = workflow.now().timestamp()
        return workflow.start_activity_method(
            InboundSteps.watch,
            WatchOrder(self._ref.tenant_id, self._ref.inbox_id, WATCH_SECONDS),
            task_queue=queues.WATCH,
            start_to_close_timeout=WATCH_LIMIT,
            heartbeat_timeout=timing.HEARTBEAT,
            retry_policy=timing.DATABASE_RETRY,
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
            summary="until something happens",
        )

    async def _quiet(self, seconds: int, why: str) -> bool:
        """Wait; True when somebody wanted something before the time was up."""
        pause = timedelta(seconds=seconds)
        try:
            await workflow.wait_condition(self._wanted, timeout=pause, timeout_summary=why)
        except TimeoutError:
            return False
        return True

    def _watched(self, watching: "workflow.ActivityHandle[WatchReport]") -> WatchReport:
        try:
            return watching.result()
        except ActivityError:
            return WatchReport(WakeReason.CLOSED)  # a fetch finds out what is wrong and tells the inbox

    def _wanted(self) -> bool:
        return self._dirty or self._paused or bool(self._resyncs)

    async def _stopped(self, pause: timedelta, why: str) -> None:
        """Sleep, whatever is poked; only a person (pause, resume, resync) cuts it short."""
        nudges = self._nudges
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._nudges != nudges, timeout=pause, timeout_summary=why)

    async def _unwatch(self) -> None:
        watching, self._watching = self._watching, None
        if watching is None:
            return
        if not watching.done():
            watching.cancel()
        with suppress(ActivityError, asyncio.CancelledError):
            await watching

    def _tell_health(self, health: str) -> None:
        if health != self._health:
            self._health = health
            workflow.upsert_search_attributes([HEALTH.value_set(health)])

    def _show(self, now: str) -> None:
        failures = f"\n\n{self._failures} looks in a row failed." if self._failures else ""
        workflow.set_current_details(f"**{now}**\n\nhealth: {self._health or 'unknown'}{failures}")


def _name(error: ActivityError) -> str:
    cause = error.cause
    return (cause.type or "") if isinstance(cause, ApplicationError) else ""
