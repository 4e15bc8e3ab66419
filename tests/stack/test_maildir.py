"""Delivery puts whole mails into sight, bytes unchanged."""

from datetime import UTC, datetime
from pathlib import Path

from stack.maildir import FOLDERS, deliver, make_maildir


def test_delivery(tmp_path: Path) -> None:
    root = tmp_path / "box"
    make_maildir(root)
    make_maildir(root)
    raw = b"Subject: x\r\n\r\nFrom \xff\r\n"
    new = deliver(root, raw)
    seen = deliver(root, raw, folder="Sent", received=datetime(2020, 1, 2, tzinfo=UTC), seen=True)
    assert new.parent == root / "new"
    assert new.read_bytes() == raw
    assert seen.parent == root / ".Sent" / "cur"
    assert seen.name.endswith(":2,S")
    assert datetime.fromtimestamp(seen.stat().st_mtime, UTC) == datetime(2020, 1, 2, tzinfo=UTC)
    assert not any((root / "tmp").iterdir())
    assert all((root / f".{folder}" / "maildirfolder").exists() for folder in FOLDERS)


def test_every_mail_has_its_own_name(tmp_path: Path) -> None:
    make_maildir(tmp_path, ())
    assert len({deliver(tmp_path, b"x").name for _ in range(200)}) == 200
