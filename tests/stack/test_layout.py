"""One data directory, one stack."""

import os
from pathlib import Path

import pytest

from stack.layout import DataDirectoryBusy, DataDirectoryUnusable, DataLock, Layout


def test_the_second_is_refused_until_the_first_lets_go(layout: Layout) -> None:
    first, second = DataLock(layout), DataLock(layout)
    first.acquire()
    with pytest.raises(DataDirectoryBusy, match=f"process {os.getpid()}"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_directories_are_closed_to_others(layout: Layout) -> None:
    layout.make()
    assert layout.root.stat().st_mode & 0o066 == 0
    for directory in (layout.logs, layout.run, layout.temporal, layout.s3, layout.mail):
        assert directory.stat().st_mode & 0o077 == 0


def test_a_path_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirectoryUnusable, match=r"--data: .*choose a directory"):
        Layout.at(tmp_path / "file").make()
