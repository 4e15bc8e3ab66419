"""`mailroom message …`: what happened to one message, through the API."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from commands.api_client import DEFAULT_DATA, connect, fail

app = typer.Typer(no_args_is_help=True, help="Look at single messages.")
console = Console()

Data = Annotated[Path, typer.Option("--data", help="Data directory of the running stack.")]


@app.callback()
def main() -> None:
    """A group, although it has one command so far."""


@app.command()
def timeline(
    message: Annotated[
        str, typer.Argument(help="The message's id, as the web client's address or the API shows it.")
    ],
    data: Data = DEFAULT_DATA,
) -> None:
    """Every step of a message: fetched, read, judged, answered; or queued, tried, settled, reported about."""
    try:
        message_id = uuid.UUID(message)
    except ValueError:
        raise fail("MESSAGE: is not an id; it looks like 0190a5da-c967-74bb-8cce-b302099a8057.") from None
    items = connect(data).call("GET", f"/v1/messages/{message_id}/timeline")["items"]
    if not items:
        console.print("No step yet. The first one is written when the message is taken up.")
        return
    table = Table("at", "after", "step", "try", "detail", "by", box=None, header_style="bold")
    first = dt.datetime.fromisoformat(items[0]["at"])
    for item in items:
        at = dt.datetime.fromisoformat(item["at"])
        table.add_row(
            f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}Z",
            _since(at - first),
            escape(item["step"]),
            str(item["attempt"] or ""),
            escape(_detail(item)),
            escape("" if item["actor"] == "system" else item["actor"]),
        )
    console.print(table)
    for link in dict.fromkeys(item["link"] for item in items if item["link"]):
        console.print(f"[dim]{escape(link)}[/]")


def _detail(item: dict[str, Any]) -> str:
    parts = [str(item["code"]) if item["code"] else "", item["detail"]]
    if item["next_at"]:
        parts.append(f"(until {item['next_at']})")
    if item["about"]:
        parts.append(f"→ message {item['about']}")
    return " ".join(filter(None, parts))


def _since(span: dt.timedelta) -> str:
    """`+0.4 s`, `+2 min`, `+3 h`, `+2 d`: short enough for a column."""
    seconds = span.total_seconds()
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"+{seconds / size:.0f} {word}"
    return f"+{seconds:.1f} s"
