"""The database as one file and back, with PostgreSQL's own programs from the wheel.

`dump` may run while everything else does: it sees one moment. A file is complete or not there. `load` fills an empty
database in one transaction: dying in it leaves it empty.
"""

import asyncio
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stack.postgres import programs
from stack.process import PartFailed


async def dump(url: str, to: Path) -> int:
    """Write the database at `url` (of its superuser) to `to`; its size in octets. Raises `PartFailed` with the reason."""
    fresh = to.with_name(to.name + ".new")
    fresh.touch(mode=0o600)
    await _run("pg_dump", url, "--format=custom", f"--file={fresh}")
    size = fresh.stat().st_size
    with fresh.open("rb+") as written:
        os.fsync(written.fileno())
    fresh.replace(to)
    return size


async def load(url: str, source: Path) -> None:
    """Fill the empty database at `url` from a dump. Raises `PartFailed` with the reason."""
    await _run("pg_restore", url, "--exit-on-error", "--single-transaction", str(source))


async def _run(program: str, url: str, *arguments: str) -> None:
    """The password goes by the environment: everybody on the machine sees arguments."""
    parts = urlsplit(url)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGCONNECT_TIMEOUT": "10",
        "LC_ALL": "C",
    }
    name = parts.path.lstrip("/")
    process = await asyncio.create_subprocess_exec(
        str(programs() / program),
        f"--dbname={name}",
        "--no-password",  # a wrong one is an error, not a question
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        _, said = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        raise PartFailed(program, lines[0] if lines else f"exit code {process.returncode}")
