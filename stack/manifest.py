"""`stack.json`: the addresses and sign-ins of a running stack, for scripts that drive it from outside.

It exists only while the stack is ready; a stack that was killed leaves a stale one, whose `pid` no longer runs and
which the next start removes before anything else.
"""

import os
from collections.abc import Mapping

from stack.layout import Layout
from stack.private_file import write_private_json


def write_manifest(layout: Layout, content: Mapping[str, object]) -> None:
    """Write `content` plus the supervisor's `pid`, atomically and 0600."""
    write_private_json(layout.manifest, {**content, "pid": os.getpid(), "data": str(layout.root)})


def remove_manifest(layout: Layout) -> None:
    layout.manifest.unlink(missing_ok=True)
