"""The saved histories of the workflows: where they lie, how they are written and read, and the worker's own way to run them."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from temporalio.client import Client, WorkflowHistory
from temporalio.worker import WorkflowRunner

from contracts import queues
from settings import Settings
from worker import workers
from worker_steps import Steps
from worker_telemetry import WorkerTelemetry

FOLDER = Path(__file__).parent / "histories"


def files() -> list[Path]:
    """Every saved history, as `histories/<workflow>/<path>.json`."""
    return sorted(FOLDER.glob("*/*.json"))


def read(path: Path) -> WorkflowHistory:
    kept = json.loads(path.read_text())
    return WorkflowHistory.from_json(kept["workflowId"], {"events": kept["events"]})


def write(path: Path, history: WorkflowHistory) -> None:
    """One event on each line, so that two recordings can be compared. Stack traces stay out: they name folders."""
    events = history.to_json_dict()["events"]
    for holder in objects(events):
        holder.pop("stackTrace", None)
    lines = ",\n".join(json.dumps(event, sort_keys=True) for event in events)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"workflowId": {json.dumps(history.workflow_id)}, "events": [\n{lines}\n]}}\n')


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in `value`, the outer ones first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


async def runner(client: Client) -> WorkflowRunner:
    """The sandbox exactly as the worker sets it up: taken from a worker that it made, which is never started.

    On a connection of its own, because a worker holds the queue on its connection.
    """
    settings = cast("Settings", SimpleNamespace(worker_watches=1, worker_parsers=1))
    apart = await Client.connect(client.service_client.config.target_host, namespace=client.namespace)
    steps = cast("Steps", SimpleNamespace(functions=list))
    return workers(apart, steps, [queues.FLOW], settings, WorkerTelemetry())[0].config()["workflow_runner"]
