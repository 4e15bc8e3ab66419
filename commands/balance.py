"""`mailroom inbox audit` and `mailroom inbox gaps`: what lies at the provider and in the ledger, and what was missed and found."""

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from commands.api_client import DEFAULT_DATA, ApiClient, connect, fail
from commands.inbox import Data, Which, find

console = Console()
WITHIN = 120.0
LOOK_EVERY = 1.0
# Mails at the provider that the ledger need not have, by their reason.
EXPLAINED = {
    "ahead": "on its way",
    "history_waiting": "history to be read",
    "beyond_horizon": "older than wanted",
    "not_asked_for": "history not wanted",
    "deleted": "marked as deleted",
}
STATES = ("ingested", "stored", "skipped", "quarantined", "seen")
CAUSES = {
    "audit": "found by a balance sheet",
    "uidvalidity": "the folder was numbered anew",
    "lost_state": "the server or we had lost state",
    "reauth": "signed in again",
    "missed": "notifications were missed",
    "history_404": "the history was gone",
    "delta_410": "the change link was gone",
}


def audit(
    which: Which,
    last: Annotated[bool, typer.Option("--last", help="Only show the last sheets; do not draw up new ones.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Compare the mailbox with the ledger now, folder by folder; exit code 2 when mail is missing."""
    api = connect(data)
    inbox_id = find(api, which)["id"]
    before = {f["id"]: f["audit"] and f["audit"]["id"] for f in line_of(api, inbox_id)["folders"]}
    line = line_of(api, inbox_id)
    if not last:
        api.call("POST", f"/v1/inboxes/{inbox_id}/audit")
        with console.status("Listing the folders …"):
            until = time.monotonic() + WITHIN
            while (line := line_of(api, inbox_id))["audit_asked"] or _unchanged(line, before):
                if time.monotonic() > until:
                    raise fail(
                        "The new sheets are not there yet; the order stands. Look again with `mailroom inbox audit --last`."
                    )
                time.sleep(LOOK_EVERY)
    _show_sheets(line)
    if line["missing"]:
        console.print(f"[red]{line['missing']} missing[/]: they are being fetched; see `mailroom inbox gaps`.")
        raise typer.Exit(2)
    if any(f["audit"] is None for f in line["folders"]):
        console.print("[yellow]Not every folder has a sheet yet.[/]")
    else:
        console.print("[green]✓[/] Nothing is missing.")


def gaps(
    which: Which,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to show, newest first.")] = 20,
    data: Data = DEFAULT_DATA,
) -> None:
    """Stretches in which mail may have been missed, why, and what was found."""
    api = connect(data)
    found = api.call("GET", f"/v1/inboxes/{find(api, which)['id']}/gaps", limit=limit)["items"]
    if not found:
        console.print("There was never a gap in this inbox.")
        return
    table = Table(
        "opened", "closed", "cause", "folder", "since", "listed", "missing", "refilled", "quarantined", box=None, header_style="bold"
    )
    for gap in found:
        table.add_row(
            gap["opened_at"],
            gap["closed_at"] or "[yellow]open[/]",
            CAUSES.get(gap["cause"], gap["cause"]),
            gap["folder"] or "all",
            gap["since"] or "",
            *(str(gap[name]) for name in ("listed", "missing", "refilled", "quarantined")),
        )
    console.print(table)


def line_of(api: ApiClient, inbox_id: str) -> dict[str, Any]:
    """The inbox's line of the mailbox balance."""
    items: list[dict[str, Any]] = api.call("GET", "/v1/balance")["items"]
    return next(i for i in items if i["inbox"]["id"] == inbox_id)


def _unchanged(line: dict[str, Any], before: dict[str, str | None]) -> bool:
    return bool(line["folders"]) and all((f["audit"] and f["audit"]["id"]) == before.get(f["id"]) for f in line["folders"])


def _show_sheets(line: dict[str, Any]) -> None:
    table = Table(
        "folder", "at provider", "in ledger", "by state", "not wanted", "missing", "extra", "drawn up", box=None, header_style="bold"
    )
    for folder in line["folders"]:
        sheet = folder["audit"]
        if sheet is None:
            table.add_row(folder["name"], "–", "–", "", "", "", "", "never")
            continue
        states = ", ".join(f"{sheet[s]} {s}" for s in STATES if sheet[s])
        explained = ", ".join(f"{sheet[k]} {words}" for k, words in EXPLAINED.items() if sheet[k])
        missing = f"[red]{sheet['missing']}[/]" if sheet["missing"] else "0"
        table.add_row(
            folder["name"], str(sheet["at_provider"]), str(sheet["in_ledger"]), states, explained, missing, str(sheet["extra"]), sheet["at"]
        )
    console.print(table)
