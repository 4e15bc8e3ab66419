"""How starting is shown: a live table for people, one JSON object a line for machines. Never a secret in either."""

import json
import sys
import time
from dataclasses import asdict
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stack.part import StackEvent

MARKS = {"ready": ("✓", "green"), "failed": ("✗", "red"), "stopped": ("■", "dim")}


class TableProgress:
    """Rows for the parts in the order in which they began. Use as a context manager around the start."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._parts: dict[str, StackEvent] = {}
        self._began: dict[str, float] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._live = Live(
            get_renderable=self._table, console=self._console, refresh_per_second=8, transient=False
        )
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.refresh()
            self._live.__exit__(None, None, None)
            self._live = None

    def __call__(self, event: StackEvent) -> None:
        self._began.setdefault(event.part, time.monotonic())
        self._parts[event.part] = event
        if self._live is None and event.state == "failed":
            self._console.print(f"[red]✗[/] {event.part}: {event.detail}")

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, event in self._parts.items():
            mark: Text | Spinner
            if event.state == "starting":
                mark, seconds = Spinner("dots"), time.monotonic() - self._began[name]
            else:
                sign, style = MARKS[event.state]
                mark, seconds = Text(sign, style=style), event.seconds
            table.add_row(mark, name, Text(f"{seconds:4.1f} s", style="dim"), Text(event.detail, style="dim"))
        return table


class JsonProgress:
    """One line for each event: `{"part", "state", "seconds", "detail"}`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, event: StackEvent) -> None:
        sys.stdout.write(json.dumps(asdict(event)) + "\n")
        sys.stdout.flush()
