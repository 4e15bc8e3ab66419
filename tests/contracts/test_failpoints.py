"""Failpoints: each named place stands in the code exactly where a process can fall, and costs nothing while it is unarmed."""

import ast
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from contracts import failpoints
from contracts.failpoints import Failpoint
from settings import Settings

ROOT = Path(__file__).parents[2]
# One call for all stages of a submission: the name is made from the stage's.
BY_STAGE = {f"DELIVER_STAGE_{stage}" for stage in ("CONNECT", "AUTH", "MAIL", "RCPT", "BODY", "DOT")}


def calls(*, of_mail_apis: bool | None = None) -> Counter[str]:
    """How often each member is named in the code that does the work; only, or never, in the passes over web APIs if asked so."""
    found: Counter[str] = Counter()
    for path in [*(ROOT / "activities").glob("*.py"), *(ROOT / "api").glob("*.py"), ROOT / "worker_steps.py"]:
        if of_mail_apis is not None and path.name.startswith("api_") is not of_mail_apis:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Failpoint":
                found[node.attr] += 1
    return found


def test_every_place_is_passed_by_the_code() -> None:
    assert set(calls()) | BY_STAGE == set(Failpoint.__members__)
    assert "COMMITTED[stage]" in (ROOT / "activities/outbound_deliver.py").read_text()


def test_no_place_is_named_twice() -> None:
    """Once in each way of syncing: a mailbox is read over IMAP or over a web API, and both pass the same places."""
    for of_mail_apis in (True, False):
        assert [name for name, times in calls(of_mail_apis=of_mail_apis).items() if times != 1] == []


@pytest.mark.parametrize("point", Failpoint)
def test_every_place_says_where_it_is(point: Failpoint) -> None:
    assert len(point.place) > 10
    assert point.process in {"worker", "api", "api_mailbox"}
    assert failpoints.parse(point.value).points == {point}


def test_a_wrong_name_is_refused_with_the_right_ones() -> None:
    with pytest.raises(ValueError, match=r"'fetch\.nowhere' is no failpoint; there are connect\.folders_saved, "):
        failpoints.parse("fetch.nowhere")
    with pytest.raises(ValueError, match="'dance' is no action"):
        failpoints.parse("fetch.leased:dance")


def test_nothing_falls_by_default() -> None:
    assert Settings.model_fields["failpoint"].default is None
    for point in Failpoint:
        failpoints.reached(point)


FALLS = """
import sys
from contracts import failpoints
from contracts.failpoints import Failpoint
failpoints.arm(failpoints.parse(sys.argv[1]))
failpoints.reached(Failpoint.FETCH_LEASED)
print("passed the other one", flush=True)
failpoints.reached(Failpoint.COPY_MARKED)
failpoints.reached(Failpoint.COPY_MARKED)
print("went on", flush=True)
"""


def falling(how: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", FALLS, how], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


@pytest.mark.parametrize("how", ["copy.marked", "settle.after_commit,copy.marked,copy.appended"])
def test_an_armed_process_is_killed_there_and_not_before(how: str) -> None:
    out, err = falling(how).communicate(timeout=30)
    assert out == b"passed the other one\n"
    assert b"failpoint copy.marked reached" in err


def test_a_stopped_process_goes_on_once_it_is_continued() -> None:
    process = falling("copy.marked:stop")
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        done, status = os.waitpid(process.pid, os.WUNTRACED | os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=30)
    assert out == b"passed the other one\nwent on\n"
