"""Logs stay bounded while a child writes them, and their tail is of this run."""

import os
from pathlib import Path

import pytest

from stack.log_file import LogFile


def test_tail_is_short_and_of_this_run(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    assert log.tail() == ""
    log.path.write_text("old run\n")
    descriptor = log.open_for_child()
    assert log.tail() == ""
    os.write(descriptor, b"".join(b"line %d\n" % number for number in range(50)) + b"\xff last")
    os.close(descriptor)
    lines = log.tail().splitlines()
    assert len(lines) == 20
    assert lines[-1] == "\ufffd last"


def test_a_big_log_is_put_aside_under_the_writing_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.log_file.MAX_BYTES", 100)
    log = LogFile(tmp_path / "a.log")
    descriptor = log.open_for_child()
    os.write(descriptor, b"x" * 150)
    log.shorten()
    os.write(descriptor, b"after\n")
    os.close(descriptor)
    assert log.path.read_text() == "after\n"
    assert (tmp_path / "a.log.1").stat().st_size == 150
    assert log.tail() == "after"
