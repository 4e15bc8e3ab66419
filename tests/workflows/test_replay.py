"""Every saved history replays through today's workflows; a changed order of commands is noticed; histories hold ids only."""

import base64
import importlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.worker import Replayer, WorkflowRunner
from temporalio.workflow import NondeterminismError

from contracts.failures import SENTENCES
from contracts.payload_guard import LIMIT, data_converter
from tests.workflows import saved
from tests.workflows.history_paths import DEFAULTS, PATHS
from worker import WORKFLOWS
from workflows import inbox_sync, send_message

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
WORKFLOW_ID = re.compile(rf"(?:desk|snooze|sla|erase|digest|inbox-sync|connect|check|check-domain|watch-renewal|send|auto-response|reingest|bulk|webhook|backfill/{UUID})/{UUID}|(?:sweep|retention)[\w:.-]*")
# An id, an enum's word, a failure's name, a word of the server itself, an instant.
OPAQUE = re.compile(
    rf"(?:{UUID})?|[a-z][a-z_-]{{0,30}}|[A-Z][A-Za-z]{{0,30}}|[A-Z_]{{3,40}}|[0-9-]{{10}}T[0-9:.]{{8,15}}Z"
)
# What we say ourselves beside timers, steps and workflows: plain words and numbers.
WORDS = re.compile(r"[\w ,.?'%()-]{1,120}")

NAMES = {vars(workflow)["__temporal_workflow_definition"].name for workflow in WORKFLOWS}
FILES = [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in saved.files()]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox(temporal_client: Client) -> WorkflowRunner:
    return await saved.runner(temporal_client)


def replayer(sandbox: WorkflowRunner, *workflows: type) -> Replayer:
    return Replayer(workflows=workflows or WORKFLOWS, workflow_runner=sandbox, data_converter=data_converter())


@pytest.mark.parametrize("path", FILES)
async def test_a_saved_history_replays(path: Path, sandbox: WorkflowRunner) -> None:
    await replayer(sandbox).replay_workflow(saved.read(path))


def test_every_workflow_and_every_path_has_a_history() -> None:
    found = {f"{path.parent.name}/{path.stem}" for path in saved.files()}
    assert {name.partition("/")[0] for name in found} == NAMES
    missing = {f"{path.workflow}/{path.name}" for path in PATHS} - found
    assert not missing, f"record them: python -m tests.workflows.record_histories {' '.join(sorted(missing))}"


def test_every_step_and_every_child_stands_in_some_history() -> None:
    steps, children = set(), set()
    for event in (event for path in saved.files() for event in _events(path)):
        if told := event.get("activityTaskScheduledEventAttributes"):
            steps.add(told["activityType"]["name"])
        if told := event.get("startChildWorkflowExecutionInitiatedEventAttributes"):
            children.add(told["workflowType"]["name"])
    assert steps == set(DEFAULTS)
    assert children == NAMES - {"Sweep", "Retention"}  # their schedules start them


@pytest.mark.parametrize("path", FILES)
def test_a_history_holds_ids_enums_and_counts_only(path: Path) -> None:
    text = path.read_text()
    assert "@" not in text
    kept = json.loads(text)
    assert WORKFLOW_ID.fullmatch(kept["workflowId"])
    for holder in saved.objects(kept["events"]):
        if "applicationFailureInfo" in holder:
            assert holder["message"] in SENTENCES.values(), holder
        for key, value in holder.items():
            if key == "workflowId":
                assert WORKFLOW_ID.fullmatch(value), value
            elif key in ("summary", "details") and isinstance(value, dict) and "data" in value:
                assert WORDS.fullmatch(json.loads(_data(value))), _data(value)
            elif key in ("payloads", "indexedFields"):
                for payload in value.values() if isinstance(value, dict) else value:
                    _is_opaque(payload)
    assert "stackTrace" not in text, "it names folders of the machine that recorded"


def _is_opaque(payload: dict[str, Any]) -> None:
    data = _data(payload)
    assert len(data) < LIMIT
    assert base64.b64decode(payload["metadata"]["encoding"]) in (b"json/plain", b"binary/null")
    for leaf in _leaves(json.loads(data) if data else None):
        assert leaf is None or isinstance(leaf, bool | int | float) or OPAQUE.fullmatch(leaf), leaf


def _data(payload: dict[str, Any]) -> bytes:
    return base64.b64decode(payload.get("data", ""))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]


def _events(path: Path) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(path.read_text())["events"]
    return events


# -- the test itself can fail ----------------------------------------------------------------------------------------

COMPOSE = "            composed = await self._compose(ref)\n"
SLEEP = "await workflow.sleep(timedelta(seconds=1))\n"
PATCHED = f'            if workflow.patched("breathe-first"):\n                {SLEEP}{COMPOSE}'


def changed(source: ModuleType, before: str, after: str, folder: Path, name: str) -> type:
    """The workflow of a copy of `source` in which `before` reads `after`."""
    code = inspect.getsource(source)
    assert code.count(before) == 1, "the workflow reads otherwise now: change this test along with it"
    (folder / f"{name}.py").write_text(code.replace(before, after))
    copy = importlib.import_module(name)
    found: type = next(c for _, c in inspect.getmembers(copy, inspect.isclass) if c.__module__ == name and hasattr(c, "run"))
    return found


async def test_one_command_more_is_noticed(
    sandbox: WorkflowRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    copy = changed(send_message, COMPOSE, f"            {SLEEP}{COMPOSE}", tmp_path, "send_message_with_a_sleep")
    with pytest.raises(NondeterminismError):
        await replayer(sandbox, copy).replay_workflow(saved.read(saved.FOLDER / "SendMessage" / "sent.json"))


async def test_another_step_is_noticed(
    sandbox: WorkflowRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    copy = changed(inbox_sync, "InboundSteps.react,", "InboundSteps.open,", tmp_path, "inbox_sync_with_another_step")
    with pytest.raises(NondeterminismError):
        await replayer(sandbox, copy).replay_workflow(saved.read(saved.FOLDER / "InboxSync" / "new-mail.json"))


async def test_a_patched_change_replays(
    sandbox: WorkflowRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    copy = changed(send_message, COMPOSE, PATCHED, tmp_path, "send_message_patched")
    await replayer(sandbox, copy).replay_workflow(saved.read(saved.FOLDER / "SendMessage" / "sent.json"))
