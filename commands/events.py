"""`mailroom events`: old months of the event log, which all tenants share, go when the operator says so."""

import asyncio
import datetime as dt
import json
import os
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from commands.api_client import DEFAULT_DATA, fail
from settings import load_settings
from store.event_months import LEAST_KEPT, drop_month, months_to_drop, why_kept
from store.unit_of_work import Database

LEFT = 2  # exit code: something old stays for now
app = typer.Typer(no_args_is_help=True, help="The event log.")


@app.callback()
def group() -> None:
    """A group even with one command."""


@app.command()
def drop(
    keep_months: Annotated[int, typer.Option(min=LEAST_KEPT, help="So many months stay, the running one among them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    data: Annotated[Path, typer.Option("--data", help="Where the embedded stack lives, when it is the one meant.")] = DEFAULT_DATA,
) -> None:
    """Drop the months of the log before the last ones: timelines and the audit page lose what is older. For the owner's URL.

    Exit code 2 when a month stays because somebody has not read it or the log is busy. Safe to run twice and to stop.
    """
    manifest = data / "stack.json"
    if "MAILROOM_DATABASE_URL" not in os.environ and manifest.exists():
        os.environ.update(json.loads(manifest.read_text()).get("environment") or {})
    settings = load_settings()
    if settings.database_admin_url is None:
        raise fail("Set MAILROOM_DATABASE_ADMIN_URL: only the owner of the tables may drop a part of one.")
    lines, left = asyncio.run(
        drop_old_months(
            settings.database_url, settings.database_admin_url, keep=keep_months, today=dt.datetime.now(dt.UTC).date(), dry=dry_run
        )
    )
    typer.echo(os.linesep.join(lines) or "No month is old enough.")
    if left:
        raise typer.Exit(LEFT)


async def drop_old_months(url: str, owner_url: str, *, keep: int, today: dt.date, dry: bool = False) -> tuple[list[str], bool]:
    """What was done, a line for each month, and whether one stays that is old enough. Stops at the first that stays.

    Each month is a transaction of its own: dying between two leaves the younger ones for the next run.
    """
    lines: list[str] = []
    database = Database(url, pool_size=1, application="mailroom-events")
    owner = create_async_engine(owner_url, poolclass=NullPool, hide_parameters=True)
    try:
        async with database.system_unit_of_work() as connection:
            months = await months_to_drop(connection, keep=keep, today=today)
        for month in months:
            async with database.system_unit_of_work() as connection:
                against = await why_kept(connection, month)
            if against is not None:
                return [*lines, f"{month} stays: {against}."], True
            if not dry:
                try:
                    async with owner.begin() as connection:
                        await drop_month(connection, month)
                except OperationalError as error:
                    if getattr(error.orig, "sqlstate", None) != "55P03":
                        raise
                    return [*lines, f"{month} stays: the log is busy. Run it again."], True
            lines.append(f"{month} {'would be dropped' if dry else 'was dropped'}.")
        return lines, False
    finally:
        await owner.dispose()
        await database.close()
