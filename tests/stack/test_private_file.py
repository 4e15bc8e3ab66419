"""Files only their owner reads, replaced at once."""

import os
from pathlib import Path

import pytest

from stack.private_file import UnreadableFile, read_json, write_private_json


def test_round_trip_is_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    before = os.umask(0)
    try:
        write_private_json(path, {"a": 1})
    finally:
        os.umask(before)
    assert read_json(path) == {"a": 1}
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_crash_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file.json.tmp").write_text("half")
    write_private_json(tmp_path / "file.json", {"a": 2})
    assert read_json(tmp_path / "file.json") == {"a": 2}
    assert list(tmp_path.iterdir()) == [tmp_path / "file.json"]


def test_missing_is_none_and_spoilt_is_an_error(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json") is None
    for content in ("", "[1]", "{"):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(UnreadableFile, match=r"bad\.json"):
            read_json(tmp_path / "bad.json")
