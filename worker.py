"""The worker process: composes providers, store and activities, and polls the task queues until it is told to stop.

`python -m worker`, with MAILROOM_WORKER_QUEUES naming a subset of the queues (all by default). SIGTERM ends it within 40
seconds: running steps get 25 to finish, what is longer is retried elsewhere; kill -9 at any point is safe.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # until `seldom_collected`: looking for garbage, of which there is none yet, took a fifth of the imports

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from contracts import failpoints, ids, queues
from contracts.payload_guard import data_converter
from garbage import seldom_collected
from settings import Settings, load_settings
from store.key_rotation import check_ring
from store.restores import RestoredRows, check_cluster
from store.sealing import Sealer
from store.unit_of_work import Database
from telemetry import MetricsEndpoint, log_json
from worker_steps import Steps, composed
from worker_telemetry import HISTOGRAMS, CountingFailures, WorkerTelemetry
from workflow_code import share_workflow_code
from workflows.auto_response import AutoResponse
from workflows.backfill import Backfill
from workflows.bulk import Bulk
from workflows.check_domain import CheckDomain
from workflows.connect_inbox import ConnectInbox
from workflows.desk import Desk
from workflows.digest import Digest
from workflows.erase import Erase
from workflows.inbox_sync import InboxSync
from workflows.reingest import Reingest
from workflows.retention import Retention
from workflows.send_message import SendMessage
from workflows.sla_timer import SlaTimer
from workflows.snooze import Snooze
from workflows.sweep import Sweep
from workflows.under_watch import UnderWatch
from workflows.watch_renewal import WatchRenewal
from workflows.webhook_endpoint import WebhookEndpoint

log = logging.getLogger("mailroom.worker")

WORKFLOWS = (
    AutoResponse,
    Backfill,
    Bulk,
    CheckDomain,
    ConnectInbox,
    Desk,
    Digest,
    Erase,
    InboxSync,
    Reingest,
    Retention,
    SendMessage,
    SlaTimer,
    Snooze,
    Sweep,
    WatchRenewal,
    WebhookEndpoint,
)
GRACE = timedelta(seconds=25)
PLENTY = 500  # slots where seats are what is scarce
HARD_EXIT_SECONDS = 38.0  # integrity T-8: SIGTERM to exit in 40 s, whatever hangs
SWEEP_EVERY = timedelta(minutes=1)
RETENTION_EVERY, RETENTION_AT = timedelta(days=1), timedelta(hours=3)  # three in the morning, UTC
CONNECT_ATTEMPTS_SECONDS = (0.5, 1, 2, 5, 5, 10, 10, 20)


def workers(
    client: Client, steps: Steps, chosen: Sequence[str], settings: Settings, telemetry: WorkerTelemetry
) -> list[Worker]:
    """One Temporal worker for each queue, each with its own number of slots: the queue's resource decides it.

    Work that lasts has many more slots than seats (`activities/turns.py`): a task that is taken waits for its tenant's
    turn here, while one that is left with Temporal would wait behind everything that came before it.

    Every queue knows every activity; which one runs where is the workflows' choice (`task_queue=`).
    """
    slots = {
        queues.FLOW: 50,
        queues.IMAP: PLENTY,
        queues.WATCH: settings.worker_watches,
        queues.INGEST: PLENTY,
        queues.SEND: PLENTY,
        queues.BACKFILL: 32,
        queues.DESK: PLENTY,
        queues.REINGEST: 1,
        queues.WEBHOOKS: 100,
    }
    # Contracts are shared with the process: frozen values, nothing to isolate. Anything else is an accident.
    restrictions = SandboxRestrictions.default.with_passthrough_modules(
        "contracts"
    ).with_import_notification_policy(SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH)
    return [
        Worker(
            client,
            task_queue=queue,
            workflows=list(WORKFLOWS) if queue == queues.FLOW else [],
            activities=steps.functions(),
            workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
            interceptors=[UnderWatch(), CountingFailures(telemetry)],
            max_concurrent_activities=slots[queue],
            graceful_shutdown_timeout=GRACE,
        )
        for queue in chosen
    ]


async def ensure_sweep(client: Client) -> None:
    """Make the sweep's schedule where it is missing: at the first start, and after Temporal's database was lost."""
    action = ScheduleActionStartWorkflow(
        Sweep.run,
        id=ids.SWEEP,
        task_queue=queues.FLOW,
        static_summary="start what a crash left, tidy what expired",
    )
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            ids.SWEEP,
            Schedule(
                action=action,
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=SWEEP_EVERY)]),
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
            ),
            trigger_immediately=True,
        )


async def ensure_retention(client: Client) -> None:
    """Make the schedule of the nightly retention where it is missing. A night that Temporal slept through is the next one's work."""
    action = ScheduleActionStartWorkflow(
        Retention.run, id=ids.RETENTION, task_queue=queues.FLOW, static_summary="forget what the policies say"
    )
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            ids.RETENTION,
            Schedule(
                action=action,
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=RETENTION_EVERY, offset=RETENTION_AT)]),
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
            ),
        )


async def keep_schedules(client: Client) -> None:
    """Look once a minute that the schedules stand. Temporal being away is said elsewhere; it is asked again."""
    while True:
        with contextlib.suppress(RPCError):
            await ensure_sweep(client)
            await ensure_retention(client)
        await asyncio.sleep(SWEEP_EVERY.total_seconds())


async def connect(settings: Settings, runtime: Runtime) -> Client:
    """A client, waiting out a Temporal that is still starting; raises RuntimeError naming the remedy after a minute."""
    for pause in (*CONNECT_ATTEMPTS_SECONDS, None):
        try:
            return await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                runtime=runtime,
                data_converter=data_converter(),
            )
        except RuntimeError:
            if pause is None:
                break
            await asyncio.sleep(pause)
    raise SystemExit(
        f"Temporal does not answer at {settings.temporal_address}; check MAILROOM_TEMPORAL_ADDRESS, try `mailroom doctor`"
    )


async def refuse_unsafe_rows(database: Database, sealer: Sealer, lost: Sequence[str]) -> None:
    """Wait for the database; raises SystemExit naming the remedy when its rows come from a backup that nobody has looked
    after: what they call queued may be out by now (integrity P2); or when rows name keys that this ring cannot open them
    with: to go on would tell all those mailboxes that their passwords are wrong.
    """
    while True:
        try:
            async with database.system_unit_of_work() as connection:
                await check_cluster(connection)
                troubles = await check_ring(connection, sealer, lost)
        except RestoredRows:
            raise SystemExit(
                "These rows were restored from a backup into another PostgreSQL, so what they call unsent may have been"
                " sent since. Nothing is done before `mailroom after-restore` has run; see docs/backup.md."
            ) from None
        except (SQLAlchemyError, OSError) as error:
            log.warning("PostgreSQL does not answer yet", extra={"kind": type(error).__name__})
            await asyncio.sleep(2)
        else:
            break
    if troubles:
        named = "; ".join(f"key {t.key_id} is {t.what}, {t.rows} rows name it" for t in troubles)
        raise SystemExit(
            f"MAILROOM_CREDENTIAL_KEYS does not open the stored passwords: {named}. Put the right key back, or, if it is lost"
            " for good, name its id in MAILROOM_CREDENTIAL_KEYS_LOST; see docs/keys.md."
        )


async def _temporal_answers(client: Client) -> None:
    """One round trip. Raises when Temporal is away."""
    await client.workflow_service.get_system_info(
        GetSystemInfoRequest(), timeout=timedelta(seconds=2), retry=False
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def run(settings: Settings, chosen: Sequence[str]) -> None:
    """Poll until SIGTERM or SIGINT, or until a poller dies."""
    sdk_port = free_port()
    runtime = Runtime(
        telemetry=TelemetryConfig(
            metrics=PrometheusConfig(
                bind_address=f"127.0.0.1:{sdk_port}",
                durations_as_seconds=True,
                histogram_bucket_overrides=HISTOGRAMS,
            )
        )
    )
    sealer = Sealer(settings.key_ring)
    sealer.self_test()
    client = await connect(settings, runtime)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    seldom_collected()
    async with composed(settings) as steps:
        await refuse_unsafe_rows(steps.database, sealer, settings.credential_keys_lost)
        telemetry = WorkerTelemetry()
        pollers = workers(client, steps, chosen, settings, telemetry)
        running = [asyncio.create_task(poller.run(), name=poller.task_queue) for poller in pollers]
        endpoint = None
        if settings.worker_metrics_port:
            endpoint = MetricsEndpoint(
                "127.0.0.1",
                settings.worker_metrics_port,
                sdk_port=sdk_port,
                healthy=lambda: telemetry.beats() and not any(task.done() for task in running),
                ready=lambda: telemetry.ask({**steps.parts, "temporal": lambda: _temporal_answers(client)}),
                figures=telemetry.text,
            )
            endpoint.start()
        telemetry.start(client, chosen, steps.sources)
        sweeping = asyncio.create_task(keep_schedules(client))
        warming = asyncio.create_task(steps.warm())
        stopping = asyncio.create_task(stop.wait())
        log.info("worker started", extra={"queues": list(chosen)})
        try:
            done, _ = await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            # A step that ignores its cancellation must not keep the process: it is safe to die at any point.
            loop.call_later(HARD_EXIT_SECONDS, os._exit, 1)
            sweeping.cancel()
            warming.cancel()
            await telemetry.stop()
            await asyncio.gather(*(poller.shutdown() for poller in pollers))
            await asyncio.gather(*running, sweeping, warming, return_exceptions=True)
            if endpoint is not None:
                endpoint.stop()
    log.info("worker stopped")


def main() -> None:
    settings = load_settings()
    log_json(settings.log_level)
    share_workflow_code()
    failpoints.arm(failpoints.parse(settings.failpoint) if settings.failpoint else None)
    named = os.environ.get("MAILROOM_WORKER_QUEUES", "")
    chosen = tuple(q.strip() for q in named.split(",") if q.strip()) or queues.ALL
    unknown = sorted(set(chosen) - set(queues.ALL))
    if unknown:
        raise SystemExit(
            f"MAILROOM_WORKER_QUEUES: {', '.join(unknown)} is not one of {', '.join(queues.ALL)}"
        )
    asyncio.run(run(settings, chosen))


if __name__ == "__main__":
    main()
