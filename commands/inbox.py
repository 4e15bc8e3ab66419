"""`mailroom inbox …`: connect, look at, pause, resume and resync inboxes, through the API. Balance and gaps: `commands/balance.py`."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from commands.api_client import DEFAULT_DATA, ApiClient, connect, fail

app = typer.Typer(no_args_is_help=True, help="Connect, inspect and steer inboxes.")
console = Console()

Data = Annotated[Path, typer.Option("--data", help="Data directory of the running stack.")]
Which = Annotated[str, typer.Argument(help="The inbox: its id, its name or its address.")]
HEALTH_STYLE = {
    "ok": "green",
    "connecting": "yellow",
    "degraded": "yellow",
    "auth_failed": "red",
    "paused": "dim",
}
CONNECT_WITHIN = 60.0


class Security(StrEnum):
    TLS = "tls"
    STARTTLS = "starttls"
    PLAIN = "plain"


class Scope(StrEnum):
    NEW = "new"
    FOLDER = "folder"
    ALL = "all"


DEFAULT_PORTS = {
    "imap": {Security.TLS: 993, Security.STARTTLS: 143, Security.PLAIN: 143},
    "smtp": {Security.TLS: 465, Security.STARTTLS: 587, Security.PLAIN: 25},
}


def find(api: ApiClient, which: str) -> dict[str, Any]:
    """The one inbox that `which` names; ends the command when none or several match."""
    items: list[dict[str, Any]] = api.call("GET", "/v1/inboxes")["items"]
    matches = [i for i in items if which in {i["id"], i["name"], i["email_address"]}]
    if len(matches) == 1:
        return matches[0]
    known = ", ".join(i["name"] for i in items) or "none yet; connect one with `mailroom inbox add`"
    what = "No inbox" if not matches else f"{len(matches)} inboxes"
    raise fail(f"INBOX: {what} called {which!r}. Known: {known}.")


@app.command("list")
def list_inboxes(data: Data = DEFAULT_DATA) -> None:
    """All inboxes with their health."""
    items = connect(data).call("GET", "/v1/inboxes")["items"]
    if not items:
        console.print("No inbox yet. Connect one with [bold]mailroom inbox add[/].")
        return
    table = Table("name", "address", "health", "last sync", "last error", box=None, header_style="bold")
    for item in items:
        health = f"[{HEALTH_STYLE.get(item['health'], '')}]{item['health']}[/]"
        table.add_row(
            item["name"], item["email_address"], health, item["last_sync_at"] or "–", item["last_error"] or ""
        )
    console.print(table)


@app.command()
def add(
    address: Annotated[str, typer.Argument(help="The mailbox's address, e.g. support@example.com.")],
    imap_host: Annotated[str, typer.Option(help="IMAP server.")],
    smtp_host: Annotated[str, typer.Option(help="SMTP server for answers.")],
    password: Annotated[
        str,
        typer.Option(
            prompt=True, hide_input=True, envvar="MAILROOM_INBOX_PASSWORD", help="Asked for when not given."
        ),
    ],
    username: Annotated[str | None, typer.Option(help="Login name; the address when left out.")] = None,
    name: Annotated[str | None, typer.Option(help="Name shown in Mailroom.")] = None,
    display_name: Annotated[str, typer.Option(help="Name that customers see as the sender.")] = "",
    imap_security: Annotated[Security, typer.Option(help="How IMAP is protected.")] = Security.TLS,
    imap_port: Annotated[int | None, typer.Option(min=1, max=65535, help="IMAP port.")] = None,
    smtp_security: Annotated[Security, typer.Option(help="How SMTP is protected.")] = Security.TLS,
    smtp_port: Annotated[int | None, typer.Option(min=1, max=65535, help="SMTP port.")] = None,
    backfill_days: Annotated[int, typer.Option(min=0, help="Days of history to bring in; 0 for none.")] = 90,
    data: Data = DEFAULT_DATA,
) -> None:
    """Connect a mailbox by IMAP and SMTP, and wait until it is connected or refused."""
    api = connect(data)
    login = {"username": username or address, "password": password, "auth": "password"}
    made = api.call(
        "POST",
        "/v1/inboxes",
        {
            "name": name or address.partition("@")[0],
            "email_address": address,
            "display_name": display_name,
            "imap": {
                "host": imap_host,
                "port": imap_port or DEFAULT_PORTS["imap"][imap_security],
                "security": imap_security.value,
                **login,
            },
            "smtp": {
                "host": smtp_host,
                "port": smtp_port or DEFAULT_PORTS["smtp"][smtp_security],
                "security": smtp_security.value,
                **login,
            },
            "backfill_days": backfill_days,
        },
    )
    with console.status("Connecting …"):
        until = time.monotonic() + CONNECT_WITHIN
        while time.monotonic() < until:
            inbox = api.call("GET", f"/v1/inboxes/{made['id']}")
            if inbox["health"] != "connecting" or inbox["last_error"]:
                break
            time.sleep(0.5)
    if inbox["health"] == "ok":
        console.print(
            f"[green]✓[/] {inbox['name']} is connected. Its history comes in now: mailroom inbox status {inbox['name']}"
        )
        return
    raise fail(inbox["last_error"] or "Not connected yet; `mailroom inbox status` tells how it goes on.")


@app.command()
def status(which: Which, data: Data = DEFAULT_DATA) -> None:
    """Health, folders, backfill and the ledger's counts of one inbox."""
    api = connect(data)
    inbox = api.call("GET", f"/v1/inboxes/{find(api, which)['id']}/status")
    style = HEALTH_STYLE.get(inbox["health"], "")
    console.print(f"[bold]{inbox['name']}[/] {inbox['email_address']}  [{style}]{inbox['health']}[/]")
    if inbox["last_error"]:
        console.print(f"  [red]{inbox['last_error']}[/] ({inbox['last_error_at']})")
    if inbox["links"].get("temporal"):
        console.print(f"  workflow: {inbox['links']['temporal']}")
    table = Table("folder", "role", "synced", "messages", "last UID", "state", box=None, header_style="bold")
    for folder in inbox["folders"]:
        table.add_row(
            folder["name"],
            folder["role"],
            "yes" if folder["synced"] else "no",
            str(folder["messages"]),
            str(folder["last_uid"]),
            folder["state"],
        )
    console.print(table)
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"), console=console
    )
    for fill in inbox["backfills"]:
        eta = f", {fill['eta_seconds']} s left" if fill["eta_seconds"] else ""
        words = f"{fill['done']} of {fill['total']} ({fill['state']}{eta})"
        bars.add_task(
            f"history of {fill['folder']}", completed=fill["done"], total=max(fill["total"], 1), words=words
        )
    console.print(bars)
    counts = "  ".join(f"{state} {count}" for state, count in inbox["ledger"].items())
    console.print(f"ledger: {counts}")


@app.command()
def pause(which: Which, data: Data = DEFAULT_DATA) -> None:
    """Stop syncing; answers are still sent."""
    api = connect(data)
    inbox = api.call("POST", f"/v1/inboxes/{find(api, which)['id']}/pause")
    console.print(f"{inbox['name']} is paused.")


@app.command()
def resume(which: Which, data: Data = DEFAULT_DATA) -> None:
    """Sync again; what came meanwhile is fetched."""
    api = connect(data)
    inbox = api.call("POST", f"/v1/inboxes/{find(api, which)['id']}/resume")
    console.print(f"{inbox['name']} syncs again.")


@app.command()
def resync(
    which: Which,
    scope: Annotated[
        Scope,
        typer.Option(help="new: look now. folder, all: compare with the ledger and fetch what it lacks."),
    ] = Scope.NEW,
    folder: Annotated[str | None, typer.Option(help="Folder name, for --scope folder.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Look for mail now, or compare whole folders with the ledger."""
    api = connect(data)
    inbox = find(api, which)
    body: dict[str, Any] = {"scope": scope.value}
    if scope is Scope.FOLDER:
        folders = api.call("GET", f"/v1/inboxes/{inbox['id']}/status")["folders"]
        matches = [f["id"] for f in folders if f["name"] == folder]
        if not matches:
            raise fail(f"--folder: {folder!r} is not one of {', '.join(f['name'] for f in folders)}.")
        body["folder_id"] = matches[0]
    answer = api.call("POST", f"/v1/inboxes/{inbox['id']}/resync", body)
    console.print(f"{inbox['name']}: resync asked of workflow {answer['workflow_id']}.")
