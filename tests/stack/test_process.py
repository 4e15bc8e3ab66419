"""A supervised child: ready, crash, stop, leftovers. The children are small Python programs."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from stack.layout import Layout
from stack.probes import Probe
from stack.process import Command, PartFailed, SupervisedProcess, plain_environment
from stack.python_part import PROJECT


def _child(layout: Layout, program: str, *, stop: tuple[tuple[signal.Signals, float], ...] | None = None) -> SupervisedProcess:
    command = Command(
        argv=(sys.executable, "-c", textwrap.dedent(program)),
        env=plain_environment(layout.root),
        cwd=layout.root,
        stop=stop or ((signal.SIGTERM, 3.0),),
    )
    return SupervisedProcess("child", command, log=layout.log("child"), hold=layout.hold("child"))


def _file_probe(path: Path) -> Probe:
    async def probe() -> str | None:
        return None if path.exists() else f"{path.name} is not there"  # noqa: ASYNC240 - a local look

    return probe


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Dead, but not yet collected by whoever inherited it.
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text() if sys.platform == "linux" else False


async def _until_gone(pid: int, within: float = 5) -> None:
    deadline = time.monotonic() + within
    while not _gone(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        await asyncio.sleep(0.02)


async def test_ready_when_the_probe_says_so(layout: Layout) -> None:
    mark = layout.root / "mark"
    child = _child(layout, f"import time; time.sleep(0.2); open({str(mark)!r}, 'w').close(); time.sleep(60)")
    await child.start()
    try:
        await child.ready(_file_probe(mark), within=10)
        assert child.running
    finally:
        await child.stop()
    assert not child.running


async def test_ending_while_starting_quotes_the_log_of_this_run_only(layout: Layout) -> None:
    layout.log("child").write_text("an older run\n")
    child = _child(layout, "import sys; print('no such thing as 7'); sys.exit(7)")
    await child.start()
    with pytest.raises(PartFailed) as failure:
        await child.ready(_file_probe(layout.root / "never"), within=10)
    assert failure.value.part == "child"
    assert failure.value.why == "ended while starting (exit code 7)"
    assert failure.value.log_tail == "no such thing as 7"
    await child.stop()


async def test_not_ready_in_time_says_what_is_missing(layout: Layout) -> None:
    child = _child(layout, "import time; time.sleep(60)")
    await child.start()
    try:
        with pytest.raises(PartFailed, match="not ready after 0 s: never is not there"):
            await child.ready(_file_probe(layout.root / "never"), within=0.2)
    finally:
        await child.stop()


async def test_a_crash_is_noticed_and_a_stop_is_none(layout: Layout) -> None:
    child = _child(layout, "import time; print('alive', flush=True); time.sleep(60)")
    await child.start()
    watch = asyncio.create_task(child.wait_for_crash())
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSEGV)
    failure = await asyncio.wait_for(watch, 5)
    assert failure.why == "ended unexpectedly (killed by SIGSEGV)"

    await child.start()
    watch = asyncio.create_task(child.wait_for_crash())
    await child.stop()
    await asyncio.sleep(0.6)
    assert not watch.done()
    watch.cancel()


async def test_stop_ends_the_stubborn_and_their_children(layout: Layout) -> None:
    pids = layout.root / "pids"
    child = _child(
        layout,
        f"""
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        with open({str(pids)!r} + ".new", "w") as file:
            file.write(f"{{os.getpid()}} {{grandchild.pid}}")
        os.rename({str(pids)!r} + ".new", {str(pids)!r})
        time.sleep(60)
        """,
        stop=((signal.SIGTERM, 0.3),),
    )
    await child.start()
    await child.ready(_file_probe(pids), within=10)
    own, grandchild = map(int, pids.read_text().split())
    await child.stop()
    assert _gone(own)
    await _until_gone(grandchild)


async def test_stopping_twice_or_before_the_start_is_harmless(layout: Layout) -> None:
    child = _child(layout, "import time; time.sleep(60)")
    await child.stop()
    await child.start()
    await child.stop()
    await child.stop()


SUPERVISOR = """
import asyncio, signal, sys
from pathlib import Path
from stack.layout import Layout
from stack.probes import Probe
from stack.process import Command, SupervisedProcess, plain_environment

async def main():
    layout = Layout.at(Path(sys.argv[1]))
    command = Command((sys.executable, "-c", sys.argv[2]), plain_environment(layout.root), layout.root)
    child = SupervisedProcess("child", command, log=layout.log("child"), hold=layout.hold("child"))
    await child.start()
    while not (layout.root / "mark").exists():
        await asyncio.sleep(0.02)
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def _supervise_and_kill(layout: Layout, program: str) -> int:
    """A supervisor of its own runs `program` until that makes `mark`, then dies by SIGKILL. Returns the child's pid."""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(layout.root), textwrap.dedent(program)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        supervisor.kill()
    return pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_a_child_does_not_outlive_a_killed_supervisor(layout: Layout) -> None:
    pid = _supervise_and_kill(layout, "import time; open('mark', 'w').close(); time.sleep(60)")
    await _until_gone(pid)


async def test_a_leftover_that_ends_late_is_waited_for(layout: Layout) -> None:
    slow = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), open('ended', 'w').close(), sys.exit(0)))
        open('mark', 'w').close()
        time.sleep(60)
        """
    _supervise_and_kill(layout, slow)
    child = _child(layout, "import time; time.sleep(60)")
    await child.start()
    try:
        assert (layout.root / "ended").exists()
    finally:
        await child.stop()


async def test_a_leftover_that_does_not_end_is_killed(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.process.LEFTOVER_GRACE", 0.5)
    deaf = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open('mark', 'w').close()
        time.sleep(60)
        """
    pid = _supervise_and_kill(layout, deaf)
    assert not _gone(pid)
    child = _child(layout, "import time; time.sleep(60)")
    await child.start()
    try:
        assert _gone(pid)
    finally:
        await child.stop()


async def test_a_program_that_does_not_exist_is_a_failure_of_the_part(layout: Layout) -> None:
    command = Command(("/nowhere/program",), plain_environment(layout.root), layout.root)
    child = SupervisedProcess("child", command, log=layout.log("child"), hold=layout.hold("child"))
    await child.start()
    with pytest.raises(PartFailed, match="No such file"):
        await child.ready(_file_probe(layout.root / "never"), within=10)
    await child.stop()


def test_foreign_servers_do_not_inherit_the_operator_s_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere.example.com")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert {"PGHOST", "AWS_PROFILE"}.isdisjoint(plain_environment(tmp_path))
