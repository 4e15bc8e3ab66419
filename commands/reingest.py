"""`mailroom reingest …`: read stored mail again with the parser of today: a dry run, what it would change, and taking it over."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from commands.api_client import DEFAULT_DATA, ApiClient, connect, fail
from commands.inbox import find

app = typer.Typer(no_args_is_help=True, help="Read stored mail again with the parser of today.")
console = Console()

Data = Annotated[Path, typer.Option("--data", help="Data directory of the running stack.")]
Which = Annotated[str, typer.Argument(help="The run: its id, or `last`.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Many = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many changes are listed.")]

POLL_SECONDS = 0.5
STATES = {
    "planning": "yellow",
    "planned": "cyan",
    "applying": "yellow",
    "applied": "green",
    "cancelled": "dim",
    "stale": "yellow",
    "refused": "red",
    "unread": "red",
}


@app.command()
def plan(
    inbox: Annotated[list[str] | None, typer.Option(help="Only this inbox (id, name or address); may be repeated.")] = None,
    folder: Annotated[list[str] | None, typer.Option(help="Only this folder of the one --inbox; may be repeated.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Received at this time (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Received before this time (UTC).")] = None,
    classification: Annotated[
        list[str] | None, typer.Option(help="message, bounce, complaint, auto_reply or spam; may be repeated.")
    ] = None,
    quarantine_reason: Annotated[
        list[str] | None, typer.Option(help="In quarantine for this reason, such as parser_error; may be repeated.")
    ] = None,
    message: Annotated[list[str] | None, typer.Option(help="This message, by id; may be repeated.")] = None,
    older_parser: Annotated[bool, typer.Option("--older-parser", help="Read by an older parser.")] = False,
    has_defects: Annotated[bool, typer.Option("--has-defects", help="With defects that the parser noted.")] = False,
    everything: Annotated[bool, typer.Option("--everything", help="All mail of the team.")] = False,
    limit: Many = 20,
    yes: Yes = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Count, ask, read again and compare. Nothing is changed: `mailroom reingest apply` does that."""
    api = connect(data)
    boxes = [find(api, which) for which in inbox or ()]
    selection: dict[str, Any] = {
        "inbox": [box["id"] for box in boxes],
        "folder": _folders(api, boxes, folder or []),
        "since": _instant(since),
        "until": _instant(until),
        "classification": classification or [],
        "quarantine_reason": quarantine_reason or [],
        "message": message or [],
        "older_parser": older_parser,
        "has_defects": has_defects,
        "everything": everything,
    }
    selection = {name: value for name, value in selection.items() if value}
    counted = api.call("GET", "/v1/reingests/preview", None, **selection)
    console.print(
        f"{counted['messages']:,} mails ({counted['size_bytes'] / 1_048_576:,.1f} MB, {counted['quarantined']:,} in"
        f" quarantine) are selected. {counted['older']:,} mails were read by a parser older than version"
        f" {counted['parser_version']}."
    )
    if not yes and counted["messages"] and not typer.confirm("Read them again?"):
        raise typer.Exit(1)
    run = api.call("POST", "/v1/reingests", selection)
    run = _watch(api, run, "planning", "Comparing", lambda r: (r["done"], r["total"]))
    _tell(api, run, limit)


@app.command("list")
def list_runs(data: Data = DEFAULT_DATA) -> None:
    """The newest runs."""
    items = connect(data).call("GET", "/v1/reingests", limit=20)["items"]
    if not items:
        console.print("No re-ingest yet. Begin with [bold]mailroom reingest plan[/].")
        return
    table = Table("run", "state", "mails", "differ", "taken over", "failed", "asked", box=None, header_style="bold")
    for run in items:
        table.add_row(
            run["id"],
            _state(run),
            f"{run['done']} of {run['total']}",
            str(run["changed"]),
            f"{run['applied']} of {run['to_apply']}",
            str(run["failed"]),
            run["created_at"],
        )
    console.print(table)


@app.command()
def show(
    which: Which = "last",
    kind: Annotated[
        str,
        typer.Option(
            help="Only changes of this kind: body, parts, headers, identity, classification, thread, defects, quarantine, version."
        ),
    ] = "any",
    diff: Annotated[bool, typer.Option("--diff", help="With the differences of the text that people see.")] = False,
    limit: Many = 50,
    data: Data = DEFAULT_DATA,
) -> None:
    """How far a run is, and what it would change."""
    api = connect(data)
    _tell(api, _find(api, which), limit, kind=kind, diff=diff)


@app.command()
def apply(which: Which = "last", yes: Yes = False, data: Data = DEFAULT_DATA) -> None:
    """Take over what the dry run found. Mails that have changed since are left alone."""
    api = connect(data)
    run = _find(api, which)
    if not yes:
        console.print(f"{run['changed']:,} mails are changed, {run['outdated']:,} only get the parser's new version.")
        if not typer.confirm("Take it over?"):
            raise typer.Exit(1)
    run = api.call("POST", f"/v1/reingests/{run['id']}/apply")
    run = _watch(api, run, "applying", "Taking over", lambda r: (r["applied"] + _unmade(r), r["to_apply"]))
    _tell(api, run, 0)


@app.command()
def pause(which: Which = "last", data: Data = DEFAULT_DATA) -> None:
    """Let a run rest; `resume` goes on where it stands."""
    _order(data, which, "pause", "is paused")


@app.command()
def resume(which: Which = "last", data: Data = DEFAULT_DATA) -> None:
    """Go on with a paused run."""
    _order(data, which, "resume", "goes on")


@app.command()
def cancel(which: Which = "last", data: Data = DEFAULT_DATA) -> None:
    """End a run. What it has taken over stays."""
    _order(data, which, "cancel", "is cancelled")


def _order(data: Path, which: str, action: str, told: str) -> None:
    api = connect(data)
    run = api.call("POST", f"/v1/reingests/{_find(api, which)['id']}/{action}")
    console.print(f"Run {run['id']} {told}.")


def _find(api: ApiClient, which: str) -> dict[str, Any]:
    if which != "last":
        run: dict[str, Any] = api.call("GET", f"/v1/reingests/{which}")
        return run
    items = api.call("GET", "/v1/reingests", limit=1)["items"]
    if not items:
        raise fail("RUN: there is none yet; begin with `mailroom reingest plan`.")
    newest: dict[str, Any] = items[0]
    return newest


def _folders(api: ApiClient, boxes: list[dict[str, Any]], names: list[str]) -> list[str]:
    if not names:
        return []
    if len(boxes) != 1:
        raise fail("--folder: needs exactly one --inbox, whose folders are meant.")
    folders = {f["name"]: f["id"] for f in api.call("GET", f"/v1/inboxes/{boxes[0]['id']}/status")["folders"]}
    unknown = [name for name in names if name not in folders]
    if unknown:
        raise fail(f"--folder: {unknown[0]!r} is not one of {', '.join(folders)}.")
    return [folders[name] for name in names]


def _instant(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z" if at else None


def _watch(
    api: ApiClient, run: dict[str, Any], state: str, word: str, far: Callable[[dict[str, Any]], tuple[int, int]]
) -> dict[str, Any]:
    """A bar until the run leaves `state`, or rests. Interrupting it leaves the run as it is."""
    columns = (TextColumn(word), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(word, total=None, words="")
        while True:
            done, total = far(run)
            words = f"{run['changed']} differ, {run['failed']} failed"
            bar.update(task, completed=done, total=max(total, 1), words=words)
            if run["state"] != state or run["paused"]:
                return run
            time.sleep(POLL_SECONDS)
            run = api.call("GET", f"/v1/reingests/{run['id']}")


def _unmade(run: dict[str, Any]) -> int:
    """Planned changes that were not made; what could not even be read was never planned."""
    unread = run["done"] - run["changed"] - run["outdated"]
    return max(0, run["failed"] - max(0, unread)) if run["state"] == "applying" else 0


def _tell(api: ApiClient, run: dict[str, Any], limit: int, *, kind: str = "any", diff: bool = False) -> None:
    console.print(
        f"Run {run['id']}: [bold]{_state(run)}[/], {run['done']:,} of {run['total']:,} compared, {run['changed']:,} differ,"
        f" {run['outdated']:,} only in the parser's version, {run['applied']:,} taken over, {run['failed']:,} failed."
    )
    if run["error"]:
        console.print(Text(run["error"], style="red"))
    for reason, count in run["failures"].items():
        console.print(Text(f"  {count} {reason.replace('_', ' ')}", style="red"))
    left = limit
    after: str | None = None
    table = Table("received", "from", "subject", "what", "now", box=None, header_style="bold")
    lines: list[dict[str, Any]] = []
    while left > 0:
        given: Any = {"kind": kind, "limit": min(left, 200), **({"after": after} if after else {})}
        page = api.call("GET", f"/v1/reingests/{run['id']}/changes", **given)
        lines += page["items"]
        left, after = left - len(page["items"]), page["next"]
        if not after:
            break
    for line in lines:
        table.add_row(
            (line["received_at"] or "")[:16].replace("T", " "),
            _shown(line["from"], 32),
            _shown(line["subject"], 40),
            Text(_what(line)),
            Text(f"{line['state']} {line['reason'] or ''}".strip().replace("_", " "), style=STATES.get(line["state"], "")),
        )
    if lines:
        console.print(table)
    if after:
        console.print("… and more; see them with --limit.")
    for line in lines if diff else ():
        _diff(api.call("GET", f"/v1/reingests/{run['id']}/changes/{line['ledger_id']}"))
    if run["state"] == "planned":
        console.print(f"Take it over with [bold]mailroom reingest apply {run['id']}[/].")


def _what(line: dict[str, Any]) -> str:
    """The kinds of a change, each in a few words."""
    detail, words = line["detail"], []
    for kind in line["kinds"]:
        told = detail.get(kind, {})
        if kind == "body":
            sizes = told.get("body_visible") or next(iter(told.values()))
            words.append(f"text {sizes['old_length'] or 0} → {sizes['new_length'] or 0} characters")
        elif kind == "parts":
            words.append(f"files +{len(told['added'])} −{len(told['removed'])} renamed {len(told['renamed'])}")
        elif kind == "headers":
            words.append(", ".join(h["field"].replace("_", " ") for h in told))
        elif kind == "classification":
            kept = f" (stays: {told['kept'].replace('_', ' ')})" if told["kept"] else ""
            words.append(f"{told['old']} → {told['new']}{kept}")
        elif kind == "thread":
            kept = f" (stays: {told['kept'].replace('_', ' ')})" if told["kept"] else ""
            words.append(f"moves, by {told['by'].replace('_', ' ')}{kept}")
        else:
            words.append(kind)
    return "; ".join(words) or "parser version"


def _diff(change: dict[str, Any]) -> None:
    console.print(Text(f"\n{_plain(change['from'] or '')}  {_plain(change['subject'] or '')}", style="bold"))
    for header in change["detail"].get("headers", ()):
        console.print(Text(f"  {header['field']}: {_plain(header['old'] or '')}", style="red"))
        console.print(Text(f"  {header['field']}: {_plain(header['new'] or '')}", style="green"))
    body = change["detail"].get("body", {})
    for line in (body.get("body_visible") or {}).get("diff", "").splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(Text(f"  {_plain(line)}", style=style))


def _state(run: dict[str, Any]) -> str:
    style = STATES.get(run["state"], "")
    return f"[{style}]{run['state']}{', paused' if run['paused'] else ''}[/]"


def _plain(text: str) -> str:
    """What a mail says could steer a terminal: whatever is no printable character is left out."""
    return "".join(c for c in text if c.isprintable() or c == "\t")


def _shown(text: str | None, most: int) -> Text:
    plain = _plain(text or "")
    return Text(plain if len(plain) <= most else plain[: most - 1] + "…")
