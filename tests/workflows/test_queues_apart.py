"""History never stands before new mail: in every recorded history its steps are on a queue of their own (integrity I-14)."""

import json

import pytest

from contracts import queues
from tests.workflows import saved


def queues_of(workflow: str) -> dict[str, set[str]]:
    """Which queue each step was handed to, in all saved histories of a workflow."""
    used: dict[str, set[str]] = {}
    for path in sorted((saved.FOLDER / workflow).glob("*.json")):
        for event in json.loads(path.read_text())["events"]:
            scheduled = event.get("activityTaskScheduledEventAttributes")
            if scheduled:
                used.setdefault(scheduled["activityType"]["name"], set()).add(scheduled["taskQueue"]["name"])
    return used


def test_history_is_read_on_its_own_queue() -> None:
    used = queues_of("Backfill")
    assert set(used) == {"backfill.plan", "backfill.step"}
    assert set().union(*used.values()) == {queues.BACKFILL}


@pytest.mark.parametrize("workflow", ["InboxSync", "ConnectInbox", "SendMessage", "AutoResponse"])
def test_nothing_else_waits_behind_history(workflow: str) -> None:
    used = queues_of(workflow)
    assert used, "no step found: the search is broken"
    assert queues.BACKFILL not in set().union(*used.values())
