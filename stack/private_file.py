"""JSON files that only their owner can read and that are never seen half-written: new file, fsync, rename.

A crash before the rename leaves the old content and a stray `.tmp` file that the next write replaces.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path


class UnreadableFile(Exception):
    """A file of the data directory does not hold what it should. The sentence names the file and the remedy."""


def write_private_json(path: Path, content: Mapping[str, object]) -> None:
    """Replace `path` by `content` atomically, mode 0600. Raises OSError when the disk refuses."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, object] | None:
    """The object in `path`, None when there is no such file. Raises `UnreadableFile` for anything but a JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise UnreadableFile(f"{path} cannot be read ({type(error).__name__}); restore it from a backup") from error
    if not isinstance(content, dict):
        raise UnreadableFile(f"{path} holds no JSON object; restore it from a backup")
    return content
