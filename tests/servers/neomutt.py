"""NeoMutt as an outside judge: its index of a maildir, threaded by headers alone, read from its screen."""

import shutil
import time
from pathlib import Path

import pexpect
import pyte
import pytest

COLUMNS, ROWS = 120, 30
needs_neomutt = pytest.mark.skipif(
    shutil.which("neomutt") is None, reason="neomutt is not installed (Debian package neomutt)"
)
RC = """\
set folder="{box}" spoolfile="{box}" header_cache="" mbox_type=Maildir
set sort=threads sort_aux=date strict_threads=yes duplicate_threads=no ascii_chars=yes collapse_all=no
set hide_thread_subject=no quit=yes help=no wait_key=no mark_old=no sidebar_visible=no beep=no
set index_format="ROW %C TREE %s"
"""


def index_rows(box: Path, home: Path, count: int) -> list[str]:
    """The `count` index rows of NeoMutt's screen, tree and subject, as a person sees them."""
    rc = home / "neomuttrc"
    rc.write_text(RC.format(box=box), encoding="utf-8")
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    environment = {
        "HOME": str(home),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    reader = pexpect.spawn(
        "neomutt",
        ["-n", "-F", str(rc), "-f", str(box)],
        env=environment,
        dimensions=(ROWS, COLUMNS),
        timeout=20,
    )
    try:
        until = time.monotonic() + 20
        rows = []
        while len(rows) < count and time.monotonic() < until:
            try:
                stream.feed(reader.read_nonblocking(65_536, timeout=0.3))
            except pexpect.TIMEOUT:
                pass
            except pexpect.EOF:
                break
            rows = [
                line.partition("TREE ")[2].rstrip()
                for line in screen.display
                if line.lstrip().startswith("ROW ")
            ]
        assert len(rows) == count, "\n".join(screen.display)
        return rows
    finally:
        reader.close(force=True)
