"""`mailroom keys`: which keys sealed what, a new key for the embedded stack, and moving every row to the key that seals now.

What a key protects, how it is renewed and what losing it means is told in docs/keys.md. No command ever prints a key.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from commands.api_client import DEFAULT_DATA, fail
from settings import Settings, load_settings
from stack.layout import Layout
from stack.private_file import UnreadableFile
from stack.secrets import SecretsLost, add_credential_key, drop_credential_key
from store.key_rotation import KeyCount, KeyTrouble, RowPlace, check_ring, count_by_key, rotate_batch
from store.sealed_columns import SEALED
from store.sealing import Sealer
from store.unit_of_work import Database

T = TypeVar("T")
BATCH = 100
PATIENCE = 50  # rounds in a row that find nothing but rows which others are writing
PAUSE = 0.2  # seconds between such rounds
LEFT = 2  # exit code: something is not as it should be

app = typer.Typer(no_args_is_help=True, help="The keys that seal mailbox passwords and tokens.")
console = Console()
Data = Annotated[Path, typer.Option("--data", help="Where the embedded stack lives, when it is the one meant.")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rotation did. `left` rows still name another key: those nobody can open, and those that stayed locked."""

    rotated: int
    unreadable: tuple[RowPlace, ...]
    left: int


async def rotate_all(
    database: Database, sealer: Sealer, *, batch: int = BATCH, tell: Callable[[int, int], None] = lambda _done, _of: None
) -> Outcome:
    """Seal every row under the key that seals now; `tell` hears (done, of) after each batch.

    Each batch is a transaction of its own. Dying between or within batches leaves every row readable; the next run goes on
    with what is left. Two runs at once share the work, since each skips the rows that the other holds.
    """
    of = await _left(database, sealer)
    done, spoilt, idle = 0, set[RowPlace](), 0
    while idle < PATIENCE:
        before = done
        for place in SEALED:
            after: RowPlace | None = None
            while True:
                async with database.system_unit_of_work() as connection:
                    result = await rotate_batch(connection, sealer, place, after, batch)
                if result.last is None:
                    break
                done, after = done + result.rows, result.last
                spoilt |= set(result.unreadable)
                tell(done, max(of, done))
        if await _left(database, sealer) <= len(spoilt):
            break
        idle = 0 if done > before else idle + 1
        await asyncio.sleep(PAUSE if done == before else 0)
    return Outcome(done, tuple(sorted(spoilt, key=lambda p: (p.tenant_id, p.id))), await _left(database, sealer))


async def _left(database: Database, sealer: Sealer) -> int:
    async with database.system_unit_of_work() as connection:
        return sum(c.rows for c in await count_by_key(connection) if c.key_id != sealer.key_id)


@app.command(name="list")
def list_keys(data: Data = DEFAULT_DATA) -> None:
    """Every key of the ring and every key that rows name, with how many; exit code 2 when rows cannot be opened."""
    settings = _settings(data)
    sealer = Sealer(settings.key_ring)

    async def look(database: Database) -> tuple[list[KeyCount], list[KeyTrouble]]:
        async with database.system_unit_of_work() as connection:
            return await count_by_key(connection), await check_ring(connection, sealer)

    counts, troubles = _with_database(settings, look)
    rows: dict[str, int] = {}
    for count in counts:
        rows[count.key_id] = rows.get(count.key_id, 0) + count.rows
    trouble = {t.key_id: t.what for t in troubles}
    table = Table("key", "in the ring", "rows", "", box=None, header_style="bold")
    for key_id in (*sealer.key_ids, *sorted(set(rows) - set(sealer.key_ids))):
        words = {"missing": "[red]is missing[/]", "wrong": "[red]does not open its rows[/]"}.get(trouble.get(key_id, ""), "")
        if key_id == sealer.key_id:
            words = words or "seals"
        elif not words:
            words = "opens" if rows.get(key_id) else "may go"
        table.add_row(key_id, "yes" if key_id in sealer.key_ids else "no", str(rows.get(key_id, 0)), words)
    console.print(table)
    if troubles:
        console.print("Put the right key back, or read docs/keys.md on a key that is lost.")
        raise typer.Exit(LEFT)


@app.command()
def rotate(data: Data = DEFAULT_DATA) -> None:
    """Seal every row under the first key of the ring while Mailroom works. Safe to run twice and to stop; exit code 2 if any is left."""
    settings = _settings(data)
    sealer = Sealer(settings.key_ring)
    sealer.self_test()

    async def work(database: Database) -> Outcome:
        with console.status(f"Sealing with {sealer.key_id} …") as status:
            return await rotate_all(
                database, sealer, tell=lambda done, of: status.update(f"Sealing with {sealer.key_id}: {done} of {of}")
            )

    outcome = _with_database(settings, work)
    console.print(f"{outcome.rotated} rows sealed anew with {sealer.key_id}; {outcome.left} left under other keys.")
    for place in outcome.unreadable:
        console.print(f"[red]cannot be opened[/] tenant {place.tenant_id} row {place.id}")
    if outcome.left:
        if len(outcome.unreadable) < outcome.left:
            console.print("The others were being written all the time, or a process still seals with an older key. Run it again.")
        raise typer.Exit(LEFT)
    console.print("[green]✓[/] No row names an older key.")


@app.command()
def add(data: Data = DEFAULT_DATA) -> None:
    """Make a new key for the embedded stack; it seals from the next start on, the older ones go on opening."""
    made = _kept(lambda: add_credential_key(Layout.at(data)))
    console.print(f"Made key {made}. Restart `mailroom up`, then run `mailroom keys rotate`; back up {data / 'secrets.json'}.")


@app.command()
def drop(
    key_id: Annotated[str, typer.Argument(help="Id of an older key that no row names.")], data: Data = DEFAULT_DATA
) -> None:
    """Take an older key out of the embedded stack's ring. Refused while a row names it; asks the running database."""
    settings = _settings(data)

    async def look(database: Database) -> int:
        async with database.system_unit_of_work() as connection:
            return sum(c.rows for c in await count_by_key(connection) if c.key_id == key_id)

    if key_id == Sealer(settings.key_ring).key_id:
        raise fail(f"Key {key_id} is the one that seals now. Restart after `mailroom keys add` first.")
    if rows := _with_database(settings, look):
        raise fail(f"{rows} rows name key {key_id}. Run `mailroom keys rotate` first.")
    _kept(lambda: drop_credential_key(Layout.at(data), key_id))
    console.print(f"Key {key_id} is out of the ring from the next start on. Backups older than the rotation still need it.")


def _kept(change: Callable[[], T]) -> T:
    try:
        return change()
    except (SecretsLost, UnreadableFile, ValueError, OSError) as error:
        raise fail(str(error)) from None


def _settings(data: Path) -> Settings:
    """The environment's, or those that the running embedded stack was started with: never a ring that it does not have."""
    manifest = data / "stack.json"
    if "MAILROOM_DATABASE_URL" not in os.environ and manifest.exists():
        os.environ.update(json.loads(manifest.read_text()).get("environment") or {})
    return load_settings()


def _with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    async def run() -> T:
        database = Database(settings.database_url, pool_size=2, application="mailroom-keys")
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())
