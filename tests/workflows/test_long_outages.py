"""An hour, or a day, without a part: every step on the way of a mail waits for it and then goes on by itself."""

import ast
import datetime as dt
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from contracts import timing
from tests.workflows.test_send_message import DUE, SENT, SETTLED, Row, running

WORKFLOWS = Path(__file__).parents[2] / "workflows"
DAY = dt.timedelta(hours=24)
ENDLESS = {"DATABASE_RETRY", "NETWORK_RETRY"}
# Steps that Temporal gives up on, and who goes on instead.
BOUNDED = {
    "verify": "a look proves nothing when it fails; the schedule looks again, then a person is asked",
    "file_copy": "the copy in Sent is tried again in rounds, by the sweep",
    "compose": "the workflow asks the row again, for two days",
    "deliver": "only the row allows another submission; the workflow asks it, for two days",
    "tidy": "the next sweep tidies",
    "check": "the sweep has a domain looked at again when it is due",
    "renew": "the sweep starts a renewal again when it is due, and mailboxes are polled meanwhile",
}


@pytest.mark.parametrize("name", sorted(ENDLESS))
def test_the_policies_of_the_way_have_no_last_attempt(name: str) -> None:
    policy = getattr(timing, name)
    assert policy.maximum_attempts == 0
    for part in ("DatabaseUnavailable", "StorageUnavailable", "Unreachable", "Throttled", "BlobMissing"):
        assert part not in policy.non_retryable_error_types
    assert policy.maximum_interval <= dt.timedelta(minutes=10), "it goes on soon after the part is back"
    assert timing.GIVE_UP_AFTER >= DAY


def steps() -> list[tuple[str, str, bool]]:
    """Each step that a workflow asks for: its name, its retry policy, and whether there is a limit to all its attempts."""
    found = []
    for path in sorted(WORKFLOWS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"execute_activity_method", "start_activity_method"}):
                continue
            given = {word.arg: word.value for word in node.keywords}
            policy = given["retry_policy"]
            word = policy.attr if isinstance(policy, ast.Attribute) else "bounded"
            found.append((node.args[0].attr, word, "schedule_to_close_timeout" in given))
    return found


def test_no_step_on_the_way_gives_up_unless_somebody_else_goes_on() -> None:
    asked = steps()
    assert len(asked) > 20
    given_up = {name for name, policy, limited in asked if policy not in ENDLESS or limited}
    assert given_up == set(BOUNDED)


async def test_a_day_without_the_bucket_delays_an_answer_and_no_more(time_skipping_env: WorkflowEnvironment) -> None:
    """One submission is one try; between them the row is asked again, for two days."""
    away = [ApplicationError("away", type="StorageUnavailable") for _ in range(31)]
    row = Row([DUE] * 32 + [SETTLED], deliveries=[*away, SENT])
    async with running(time_skipping_env, row) as handle:
        end = await handle.result()
    assert row.times("deliver")[-1] > DAY.total_seconds()
    assert row.settled == []
    assert end.state is SETTLED.state
