"""The desk's own reading at 1,000,000 messages in 200,000 conversations: lists, saved views, counters, searches, the first paint.

    python -m benchmarks.desk_reading [--conversations 200000] [--samples 200] [--json result.json]

As `benchmarks.reading`, with five messages in each conversation, views made by the API and filled by the desk, and Chromium for the
paint (`--no-browser` leaves it out). `--data` keeps the directory and finds it filled the next time.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from playwright.async_api import async_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.big_desk import BigDesk
from benchmarks.reading import Agents, Case, Timed, prepare, time_cases
from benchmarks.served import mailroom

EACH = 5
READ_P99, SEARCH_P99, PAINT = 30.0, 150.0, 1000.0
EVERY = "/v1/conversations"
CHROMIUM = "/usr/bin/chromium"  # of the Debian package `chromium`
FILLED_WITHIN = 900.0  # seconds


@dataclass(frozen=True, slots=True)
class Painted:
    """Milliseconds from asking for the page: the first pixels, and the first conversation on the screen."""

    first_paint: float
    first_row: float


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def views(desk: BigDesk) -> dict[str, dict[str, Any]]:
    """Of many members and of few, of one's own, with `any`, with other tables, and one that time moves."""
    active = leaf("status", "in", ["open", "pending"])
    return {
        "everything": {"all": []},
        "urgent and open": {"all": [active, leaf("priority", "in", ["urgent"])]},
        "mine or followed by me": {"all": [active, {"any": [leaf("assignee", "in", ["me"]), leaf("follower", "in", ["me"])]}]},
        "old, closed, with files": {
            "all": [leaf("status", "in", ["closed"]), leaf("has_attachment", "is", True), leaf("last_message_at", "before", "2026-08-01")]
        },
        "one customer": {"all": [leaf("customer_address", "is", "person31415@customers.example.org")]},
        "three inboxes, unread or urgent": {
            "all": [
                leaf("inbox", "in", [str(i) for i in desk.inboxes[-3:]]),
                {"any": [leaf("unread", "is", True), leaf("priority", "in", ["urgent", "high"])]},
            ]
        },
        "subject says w77": {"all": [leaf("subject", "contains", "w77 ")]},
        "waiting for two days": {"all": [active, leaf("waiting_since", "older_than", "2d")]},
    }


async def make_views(agents: Agents, api: httpx.AsyncClient, token: str, desk: BigDesk) -> tuple[dict[str, str], float]:
    """The ids of the views by name, filled; and how many seconds that took."""
    headers = {"Cookie": f"mailroom={token}", "X-Mailroom": "1", "Origin": str(api.base_url).rstrip("/")}
    _, known = agents.get("/v1/views", {})
    made = {v["name"]: v["id"] for v in known["items"]}
    began = time.monotonic()
    for name, conditions in views(desk).items():
        if name not in made:
            body = {"name": name, "shared": True, "conditions": conditions}
            answer = await api.post("/v1/views", json=body, headers=headers)
            answer.raise_for_status()
            made[name] = answer.json()["id"]
    while time.monotonic() - began < FILLED_WITHIN:
        _, known = agents.get("/v1/views", {})
        if all(v["filling"] is None for v in known["items"]):
            return made, time.monotonic() - began
        await asyncio.sleep(0.5)
    raise SystemExit("the desk did not fill the views in time")


def cases(desk: BigDesk, made: dict[str, str]) -> list[Case]:
    active = ["open", "pending"]

    def listed(name: str, **query: Any) -> Case:
        return Case(f"list: {name}", [EVERY], {"limit": 50, **query}, None, READ_P99)

    def searched(name: str, words: str, **query: Any) -> Case:
        return Case(f"search: {name}", [EVERY], {"limit": 50, "search": words, **query}, None, SEARCH_P99)

    return [
        listed("open", status="open"),
        listed("mine", status=active, assigned_to="me"),
        listed("unassigned", status=active, assigned_to="none"),
        listed("unread", status=active, unread="true"),
        listed("closed", status="closed"),
        listed("urgent", status=active, priority=["urgent", "high"]),
        listed("two people", status=active, assigned_to=[str(a) for a in desk.agents[:2]]),
        listed("followed by me", status=active, followed="true"),
        listed("with files", attachment="true"),
        listed("longest waiting", status=active, sort="waiting"),
        listed("next due", status=active, sort="sla_due"),
        *(Case(f"view: {name}", [EVERY], {"limit": 50, "view": view}, None, READ_P99) for name, view in made.items()),
        Case("view: everything, oldest first", [EVERY], {"limit": 50, "view": made["everything"], "sort": "oldest"}, None, READ_P99),
        Case("counters", ["/v1/conversations/counts"], {}, None, READ_P99),
        Case("views", ["/v1/views"], {}, None, READ_P99),
        searched("a rare word", "w40001"),
        searched("a word in its other forms", "printer"),
        searched("one mail in 400", "w1000"),
        searched("one mail in 100", "w250"),
        searched("one mail in 40", "w100", status=active),
        searched("one mail in 4", "w10"),
        searched("nearly every mail", '"w1"'),
        searched("two words", "w200 w300"),
        searched("two words or two", "w20000 or w20001 or w20002"),
        searched("a phrase", '"w1 w2"'),
        searched("a beginning of thousands of words", "w4"),
        searched("without a word", "w20 -w10"),
        searched("from somebody", "from:person31415"),
        searched("from a domain that everybody is of", "from:customers.example.org w100"),
        searched("in the subject", "subject:w100"),
        searched("a file's name", "filename:w100"),
        searched("a word in mails with a file", "has:attachment w100"),
        searched("a word, unread and open", "w100 is:unread is:open"),
        searched("a word of last week", "w100 after:7d"),
        searched("a word in no mail", "nowhere"),
        searched("a frequent word in a view", "w10", view=made["urgent and open"]),
    ]


async def paint(url: str, token: str, rounds: int = 7) -> Painted:
    """The medians over new browsers' first visits, nothing cached."""
    first, row = [], []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            for _ in range(rounds):
                context = await browser.new_context(viewport={"width": 1440, "height": 900})
                await context.add_cookies([{"name": "mailroom", "value": token, "url": url}])
                page = await context.new_page()
                await page.goto(url, wait_until="commit")
                await page.wait_for_selector("conversation-row[data-id]", timeout=60_000)
                row.append(await page.evaluate("performance.now()"))
                first.append(
                    await page.evaluate(
                        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()"
                    )
                )
                await context.close()
        finally:
            await browser.close()
    return Painted(statistics.median(first), statistics.median(row))


async def measure(arguments: argparse.Namespace, console: Console) -> tuple[list[Timed], Painted | None]:
    kept = arguments.data
    base = kept or Path(tempfile.mkdtemp(prefix="mailroom-desk-"))
    try:
        async with mailroom(base / "data", demo_mail=False) as stack:
            dsn, url = stack["database_admin_url"].replace("+psycopg", ""), stack["api_url"]
            desk, tokens = await asyncio.to_thread(prepare, dsn, base, arguments.conversations, messages_each=EACH)
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as api:
                below = psutil.Process(stack["pid"]).children(recursive=True)
                agents = Agents(url, tokens, next(p for p in below if p.cmdline()[-1:] == ["api.app"]))
                made, took = await make_views(agents, api, tokens[0], desk)
                console.print(f"{len(made)} views filled after {took:.1f} s")
                results = time_cases(agents, cases(desk, made), arguments, console)
            return results, None if arguments.no_browser else await paint(url, tokens[0])
    finally:
        if kept is None:
            shutil.rmtree(base, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk_reading", description=__doc__)
    parser.add_argument("--conversations", type=int, default=200_000)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--only", help="cases whose name contains this")
    parser.add_argument("--no-browser", action="store_true", help="leave the first paint out")
    parser.add_argument("--data", type=Path, help="keep the filled stack in this directory")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    before = os.getloadavg()[0]
    results, painted = asyncio.run(measure(arguments, console))
    table = Table("case", "items", "p50 ms", "p99 ms", "worst", "CPU ms", "must", "met")
    for r in results:
        met = {None: "", True: "yes", False: "NO"}[r.met]
        table.add_row(r.name, str(r.items), str(r.p50_ms), str(r.p99_ms), str(r.worst_ms), str(r.cpu_ms), r.bound, met)
    console.print(table)
    if painted is not None:
        console.print(f"first paint {painted.first_paint:.0f} ms (must be below {PAINT:.0f}), first conversation {painted.first_row:.0f} ms")
    console.print(f"{arguments.conversations * EACH:,} messages; load average before {before:.1f}, after {os.getloadavg()[0]:.1f}")
    if arguments.json:
        shown = {"cases": [asdict(r) for r in results], "paint": asdict(painted) if painted else None}
        arguments.json.write_text(json.dumps(shown, indent=2) + "\n")


if __name__ == "__main__":
    main()
