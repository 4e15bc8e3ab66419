"""The `mailroom` command: what it can do, and where each command lives. Reads settings only for the commands that need them."""

import asyncio
import json
import os
import runpy
from pathlib import Path
from typing import Annotated

import typer

from commands import balance, events, inbox, keys, message, reingest, user
from commands.api_client import DEFAULT_DATA, fail
from commands.backup import backup as take_backup
from commands.backup import make_restored_safe
from commands.backup import restore as bring_back
from commands.doctor import doctor as run_doctor
from commands.run import RunOptions, run
from commands.schema import check, check_from_nothing, prepare_temporal, temporal_client, upgrade
from contracts.queues import ALL as QUEUES
from providers.s3.blobs import BlobStore
from settings import load_settings

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # a local may be a password
    help="Mailroom: a self-hosted, durable unified inbox. Nothing lost, nothing sent twice.",
)
inbox.app.command()(balance.audit)
inbox.app.command()(balance.gaps)
app.add_typer(events.app, name="events")
app.add_typer(inbox.app, name="inbox")
app.add_typer(keys.app, name="keys")
app.add_typer(message.app, name="message")
app.add_typer(reingest.app, name="reingest")
app.add_typer(user.app, name="user")

Data = Annotated[Path, typer.Option("--data", help="Where everything of the embedded stack lives.")]
AsJson = Annotated[bool, typer.Option("--json", help="Progress as one JSON object a line, for machines.")]
WebOpen = Annotated[
    bool, typer.Option("--web-open/--no-web-open", help="Open the web client in a browser when ready.")
]


@app.command()
def demo(data: Data = DEFAULT_DATA, json_progress: AsJson = False, web_open: WebOpen = False) -> None:
    """Everything on this machine, with a demo mailbox and customers who write. Needs nothing but Python."""
    options = RunOptions(data=data, demo=True, json=json_progress, open_browser=web_open)
    raise typer.Exit(asyncio.run(run(options)))


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    owner: Annotated[
        str | None, typer.Option(help="Sign-in address of the owner, at the first start.")
    ] = None,
    json_progress: AsJson = False,
    web_open: WebOpen = False,
) -> None:
    """Everything on this machine, for real mailboxes: no demo mail."""
    options = RunOptions(data=data, demo=False, json=json_progress, open_browser=web_open, owner_email=owner)
    raise typer.Exit(asyncio.run(run(options)))


@app.command()
def worker(
    queues: Annotated[str, typer.Option(help=f"Comma separated subset of {', '.join(QUEUES)}.")] = ",".join(
        QUEUES
    ),
) -> None:
    """Run the Temporal worker of a real deployment (settings from the environment)."""
    chosen = [q.strip() for q in queues.split(",") if q.strip()]
    unknown = sorted(set(chosen) - set(QUEUES))
    if unknown or not chosen:
        raise fail(f"--queues: {', '.join(unknown) or 'nothing'} is not one of {', '.join(QUEUES)}.")
    os.environ["MAILROOM_WORKER_QUEUES"] = ",".join(chosen)
    runpy.run_module("worker", run_name="__main__")


@app.command()
def api() -> None:
    """Run the API and web client of a real deployment (settings from the environment)."""
    runpy.run_module("api.app", run_name="__main__")


@app.command()
def migrate(
    check_only: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Only compare the models with the migrations, in a throwaway database unless --url names one.",
        ),
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="Owner's database URL instead of the settings'; then only tables.")
    ] = None,
) -> None:
    """Bring tables, Temporal namespace and bucket to what this version needs. Running it again changes nothing."""
    if check_only:
        if url is None:
            asyncio.run(check_from_nothing())
        else:
            check(url)
        typer.echo("Models and migrations agree.")
        return
    upgrade(url)
    typer.echo("Tables are up to date.")
    if url is not None:
        return
    settings = load_settings()

    async def others() -> None:
        async with temporal_client(settings) as client:
            await prepare_temporal(client)
        blobs = BlobStore(
            endpoint=settings.s3_address,
            bucket=settings.s3_bucket,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            region=settings.s3_region,
        )
        await blobs.ensure_bucket()
        blobs.close()

    asyncio.run(others())
    typer.echo("Temporal namespace, search attributes and bucket stand.")


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="Folder of the backup; an earlier one there is renewed.")],
    data: Data = DEFAULT_DATA,
    json_progress: AsJson = False,
) -> None:
    """Back up the data of `mailroom up`, running or stopped: the database, all objects, the secrets."""
    raise typer.Exit(asyncio.run(take_backup(data, to, as_json=json_progress)))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="Folder of the backup.")],
    data: Data = DEFAULT_DATA,
    replace: Annotated[
        bool, typer.Option("--replace", help="Move data that is there aside, into before-restore-….")
    ] = False,
    json_progress: AsJson = False,
) -> None:
    """Bring a stopped data directory to what a backup holds. Nothing that may be out by now is sent again."""
    raise typer.Exit(asyncio.run(bring_back(data, source, replace=replace, as_json=json_progress)))


@app.command(name="after-restore")
def after_restore(data: Data = DEFAULT_DATA) -> None:
    """After PostgreSQL was restored by other means, before a worker or API starts: doubt what the rows call unsent."""
    url = os.environ.get("MAILROOM_DATABASE_URL")
    raise typer.Exit(asyncio.run(make_restored_safe(data, url)))


@app.command()
def doctor(data: Data = DEFAULT_DATA) -> None:
    """Check every dependency; say what is wrong and how to mend it."""
    manifest = data / "stack.json"
    environment = None
    if "MAILROOM_DATABASE_URL" not in os.environ and manifest.exists():
        environment = json.loads(manifest.read_text()).get("environment")
    raise typer.Exit(run_doctor(data, environment))


if __name__ == "__main__":
    app(prog_name="mailroom")
