"""Which ports were chosen on this machine a moment ago, whoever chose them: two stacks that start together choose differently.

Between choosing a port and its server's bind pass seconds, PostgreSQL's first start among them, and a port that is free at the
choice can be chosen by another start meanwhile. A claim ends by itself; nobody has to give it back, so a killed start leaves nothing.
"""

import contextlib
import fcntl
import json
import os
import tempfile
import time
from pathlib import Path

# Seconds a start may take from choosing its ports to listening on the last of them.
LASTS = 120.0


def place() -> Path:
    """The file of this user's claims."""
    return Path(tempfile.gettempdir()) / f"mailroom-ports-{os.getuid()}.json"


def claim(ports: list[int], owner: str) -> bool:
    """Claim all of `ports` or none; False when another than `owner` (a data directory) claimed one within `LASTS` seconds. Who
    claims his own again has it for as long again.

    Where the file cannot be had (a full disk, another's file of that name) nothing is claimed and the ports count as ours: the
    server that finds its port taken says so itself.
    """
    try:
        descriptor = os.open(place(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return True
    with contextlib.suppress(OSError), os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        now = time.time()
        claims = {port: (at, who) for port, (at, who) in _read(file.read()).items() if 0 <= now - at < LASTS}
        if any(claims.get(str(port), (now, owner))[1] != owner for port in ports):
            return False
        claims |= {str(port): (now, owner) for port in ports}
        file.seek(0)
        file.truncate()
        json.dump(claims, file)
    return True


def _read(text: str) -> dict[str, tuple[float, str]]:
    """When each port was claimed, and by whom; none where a writer died half-way."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    claims: dict[str, tuple[float, str]] = {}
    for port, claimed in found.items() if isinstance(found, dict) else ():
        match claimed:
            case [int() | float() as at, str() as owner]:
                claims[port] = (at, owner)
    return claims
