"""Records the saved histories anew: `python -m tests.workflows.record_histories [SendMessage/sent …]`, in about three minutes.

A dev server of its own runs the real workflows; one step plays all steps, with the answers that each path lists. The
paths run side by side, each workflow under an id of its own, so the same names are written every time.
"""

import asyncio
import sys
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowHandle,
)
from temporalio.common import RawValue
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from contracts import queues, search_attributes
from contracts.payload_guard import data_converter
from stack.temporal import find_program
from tests.workflows import saved
from tests.workflows.history_paths import DEFAULTS, PATHS
from tests.workflows.path_values import STILL, Path
from worker import WORKFLOWS

# So early a run suggests to continue as new here that the histories of those paths stay short.
SUGGEST_AFTER = 100
PATIENCE = 240.0


@dataclass
class Stage:
    """Plays every step of every path: the next of its answers, the last one again and again."""

    answers: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    played: dict[str, list[str]] = field(default_factory=dict)

    def load(self, workflow_id: str, path: Path) -> None:
        for name, answers in path.steps.items():
            self.answers[workflow_id, name] = list(answers)

    @activity.defn(dynamic=True)
    async def play(self, _arguments: Sequence[RawValue]) -> Any:
        info = activity.info()
        workflow_id, name = info.workflow_id or "", info.activity_type
        self.played.setdefault(workflow_id, []).append(name)
        answers = self.answers.get((workflow_id, name)) or [DEFAULTS[name]]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        while answer is STILL:
            activity.heartbeat()
            await asyncio.sleep(0.1)
        return answer

    async def reached(self, workflow_id: str, name: str, times: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.played.get(workflow_id, []).count(name) < times:  # noqa: ASYNC110 – a worker moves it
                await asyncio.sleep(0.05)


async def run_path(client: Client, stage: Stage, path: Path) -> None:
    """One path from its start to where it is cut; its history, or those of its runs, to files."""
    workflow_id = path.workflow_id
    stage.load(workflow_id, path)
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(
        path.workflow, args=[] if path.argument is None else [path.argument], id=workflow_id, task_queue=queues.FLOW, static_summary=path.name
    )
    first = handle.first_execution_run_id
    for after, times, act, *given in path.acts:
        await stage.reached(workflow_id, after, times)
        await asyncio.sleep(0.3)  # the workflow has taken note of the step
        await _act(handle, act, given)
    if path.until is not None:
        await stage.reached(workflow_id, *path.until)
        await asyncio.sleep(1.0)
    else:
        await asyncio.wait([asyncio.ensure_future(handle.result())], timeout=PATIENCE)
    run = client.get_workflow_handle(workflow_id, run_id=first)
    saved.write(saved.FOLDER / path.workflow / f"{path.name}.json", await run.fetch_history())
    if path.until is not None:
        await client.get_workflow_handle(workflow_id).terminate()


async def _act(handle: WorkflowHandle[Any, Any], act: str, given: Sequence[Any]) -> None:
    if act == "update":
        await handle.execute_update(*given)
    else:
        await handle.signal(act)


async def scheduled_sweep(client: Client) -> None:
    """The second run of a schedule, which is told what the first one found."""
    schedule = await client.create_schedule(
        "sweeping",
        Schedule(
            action=ScheduleActionStartWorkflow("Sweep", id="sweep-scheduled", task_queue=queues.FLOW), spec=ScheduleSpec()
        ),
    )
    async with asyncio.timeout(PATIENCE):
        for turn in range(1, 3):
            await schedule.trigger()
            while len(ran := (await schedule.describe()).info.recent_actions) < turn:  # noqa: ASYNC110 – the server acts
                await asyncio.sleep(0.1)
            action = ran[-1].action
            assert isinstance(action, ScheduleActionExecutionStartWorkflow)
            run = client.get_workflow_handle(action.workflow_id, run_id=action.first_execution_run_id)
            await run.result()
    saved.write(saved.FOLDER / "Sweep" / "scheduled-again.json", await run.fetch_history())


async def record(wanted: set[str]) -> None:
    async with await WorkflowEnvironment.start_local(
        data_converter=data_converter(),
        identity="recorder",  # else histories name this process and its machine
        search_attributes=search_attributes.ALL,
        dev_server_existing_path=find_program("temporal"),
        dev_server_extra_args=[
            "--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={SUGGEST_AFTER}",
        ],
    ) as environment, AsyncExitStack() as stack:
        client, stage = environment.client, Stage()
        sandbox = await saved.runner(client)
        for queue in queues.ALL:
            await stack.enter_async_context(
                Worker(
                    client,
                    task_queue=queue,
                    workflows=list(WORKFLOWS) if queue == queues.FLOW else [],
                    activities=[stage.play],
                    workflow_runner=sandbox,
                )
            )
        chosen = [path for path in PATHS if not wanted or f"{path.workflow}/{path.name}" in wanted]
        recording: list[Awaitable[None]] = [run_path(client, stage, path) for path in chosen]
        if not wanted or "Sweep/scheduled-again" in wanted:
            recording.append(scheduled_sweep(client))
        await asyncio.gather(*recording)


if __name__ == "__main__":
    asyncio.run(record(set(sys.argv[1:])))
