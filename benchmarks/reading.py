"""A desk with a million conversations behind the real HTTP API: how long lists, counts, one conversation and searches take.

    python -m benchmarks.reading [--conversations 1000000] [--samples 200] [--json result.json]

Starts `mailroom up` in a directory of its own, fills its database (`benchmarks/big_desk.py`, two messages for each conversation,
about three minutes for a million), then asks as an agent's browser would, one request after another. `--data` keeps the
directory and finds it filled the next time.
"""

import argparse
import asyncio
import datetime as dt
import hashlib
import http.client
import itertools
import json
import os
import shutil
import socket
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.big_desk import BigDesk, fill
from benchmarks.served import mailroom
from store.pages import time_cursor

SESSIONS = 400  # a session may search fifteen times at once, so many agents take turns
LIST_P50, LIST_P99 = 10.0, 30.0
SEARCH_P50 = 50.0


@dataclass(frozen=True, slots=True)
class Case:
    """One request that is asked again and again: a path with its query, or the paths of several conversations."""

    name: str
    paths: Sequence[str]
    query: Mapping[str, Any]
    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Timed:
    name: str
    items: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_ms: float  # of the API's process, for each request
    bound: str
    met: bool | None


def prepare(dsn: str, data: Path, conversations: int, *, messages_each: int = 2) -> tuple[BigDesk, list[str]]:
    """The filled desk of this directory and fresh sessions of its first agent."""
    known = data / "big-desk.json"
    if known.exists():
        kept = json.loads(known.read_text())
        ids = {n: [uuid.UUID(i) for i in kept[n]] for n in ("inboxes", "agents")}
        desk = BigDesk(
            uuid.UUID(kept["tenant_id"]),
            ids["inboxes"],
            ids["agents"],
            kept["tags"],
            kept["conversations"],
            dt.datetime.fromisoformat(kept["filled_at"]),
        )
    else:
        with psycopg.connect(dsn) as connection:
            row = connection.execute("select id from tenants order by created_at limit 1").fetchone()
        if row is None:
            raise SystemExit("the stack has no tenant: it did not start as it should")
        desk = fill(dsn, conversations, row[0], messages_each=messages_each)
        known.write_text(json.dumps(asdict(desk), default=str))
    tokens = [uuid.uuid4().hex for _ in range(SESSIONS)]
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into sessions (tenant_id, user_id, token_sha256, expires_at) values (%s, %s, %s, now() + interval '1 day')",
            [(desk.tenant_id, desk.agents[0], hashlib.sha256(t.encode()).digest()) for t in tokens],
        )
    return desk, tokens


def cases(desk: BigDesk) -> list[Case]:
    every = "/v1/conversations"
    middle = desk.filled_at - dt.timedelta(minutes=desk.conversations // 2)
    active = ["open", "pending"]

    def listed(name: str, **query: Any) -> Case:
        return Case(name, [every], {"limit": 50, **query}, LIST_P50, LIST_P99)

    def searched(name: str, words: str, bound: float | None = None, **query: Any) -> Case:
        return Case(
            f"search: {name}", [every], {"limit": 50, "status": active, "search": words, **query}, bound
        )

    first, last = str(desk.inboxes[0]), str(desk.inboxes[-1])
    return [
        listed("all, first page"),
        listed("all, page in the middle", after=time_cursor(middle, uuid.UUID(int=0))),
        listed("all, oldest first", sort="oldest"),
        listed("open", status="open"),
        listed("open, page in the middle", status="open", after=time_cursor(middle, uuid.UUID(int=0))),
        listed("pending", status="pending"),
        listed("closed", status="closed"),
        listed("mine", status=active, assigned_to="me"),
        listed("unassigned", status=active, assigned_to="none"),
        listed("open, oldest first", status="open", sort="oldest"),
        listed("open, unread", status="open", unread="true"),
        listed("closed, unread (none)", status="closed", unread="true"),
        listed("open, big inbox", status="open", inbox=first),
        listed("open, small inbox", status="open", inbox=last),
        listed("unassigned, small inbox", status=active, assigned_to="none", inbox=last),
        listed("all, small inbox", inbox=last),
        listed("all, small inbox, oldest", inbox=last, sort="oldest"),
        listed("all, common tag", tag="common"),
        listed("all, rare tag", tag="rare"),
        listed("all, category nobody uses", category="none"),
        Case("counts", ["/v1/conversations/counts"], {}),
        Case("status of the biggest inbox", [f"/v1/inboxes/{first}/status"], {}),
        searched("a rare word", "w40000x OR w40001", SEARCH_P50),
        searched("a selective word", "w31415", SEARCH_P50, status="closed"),
        searched("two words", "w200 w300", SEARCH_P50, status=[]),
        searched("one mail in 400", "w1000"),
        searched("one mail in 40", "w100"),
        searched("one mail in 4", "w10"),
        searched("nearly every mail", '"w1"'),
        searched("a beginning of thousands of words", "w4", status=[]),
        searched("a beginning of most words", "w"),
        searched("a word in no mail", "nowhere", SEARCH_P50),
        searched("a frequent word, page in the middle", '"w10"', after=time_cursor(middle, uuid.UUID(int=0))),
        searched("a frequent word in a small inbox", '"w10"', inbox=last),
        searched("a frequent word, unread", '"w10"', unread="true"),
        searched("a name", "Person 31415", SEARCH_P50, status=[]),
    ]


class Agents:
    """Takes turns among the sessions, and waits where the API asks to slow down. `process` is the API's.

    Asks over one connection of the standard library's client, since httpx adds 1.4 ms to each answer.
    """

    def __init__(self, url: str, tokens: Sequence[str], process: psutil.Process) -> None:
        place = urlsplit(url)
        self._api = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        self._api.connect()
        self._api.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._process = process
        self._tokens: Iterator[str] = itertools.cycle(tokens)

    def cpu(self) -> float:
        """Seconds that the API has used until now."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def get(self, path: str, query: Mapping[str, Any]) -> tuple[float, Any]:
        """Milliseconds and the answer. Waiting for the rate limit is not counted."""
        target = f"{path}?{urlencode(query, doseq=True)}"
        while True:
            headers = {"Cookie": f"mailroom={next(self._tokens)}"}
            began = time.perf_counter()
            self._api.request("GET", target, headers=headers)
            answer = self._api.getresponse()
            body = answer.read()
            took = (time.perf_counter() - began) * 1000
            if answer.status == 429:
                time.sleep(float(answer.headers["Retry-After"]))
                continue
            if answer.status != 200:
                raise SystemExit(f"{target} was answered {answer.status}")
            return took, json.loads(body)


def time_case(agents: Agents, case: Case, samples: int) -> Timed:
    found: list[float] = []
    items = 0
    before = agents.cpu()
    ends = time.monotonic() + 20
    for path in itertools.islice(itertools.cycle(case.paths), samples + 3):
        took, answer = agents.get(path, case.query)
        items = len(answer["items"]) if "items" in answer else 1
        found.append(took)
        if time.monotonic() > ends and len(found) > 5:
            break
    cpu = (agents.cpu() - before) / len(found) * 1000
    counted = sorted(found[3:])  # the first ones warm caches and connections
    p50, p99 = statistics.median(counted), counted[min(len(counted) - 1, int(len(counted) * 0.99))]
    bounds = [f"≤ {b:.0f}" for b in (case.p50, case.p99) if b is not None]
    limits = [(p50, case.p50), (p99, case.p99)]
    met = all(b is None or took <= b for took, b in limits) if bounds else None
    return Timed(
        case.name,
        items,
        round(p50, 2),
        round(p99, 2),
        round(counted[-1], 2),
        round(cpu, 2),
        " / ".join(bounds),
        met,
    )


async def measure(arguments: argparse.Namespace, console: Console) -> list[Timed]:
    kept = arguments.data
    base = kept or Path(tempfile.mkdtemp(prefix="mailroom-reading-"))
    try:
        async with mailroom(base / "data", demo_mail=False) as stack:
            dsn = stack["database_admin_url"].replace("+psycopg", "")
            desk, tokens = await asyncio.to_thread(prepare, dsn, base, arguments.conversations)
            below = psutil.Process(stack["pid"]).children(recursive=True)
            process = next(p for p in below if p.cmdline()[-1:] == ["api.app"])
            return ask(Agents(stack["api_url"], tokens, process), desk, arguments, console)
    finally:
        if kept is None:
            shutil.rmtree(base, ignore_errors=True)


def ask(agents: Agents, desk: BigDesk, arguments: argparse.Namespace, console: Console) -> list[Timed]:
    _, page = agents.get("/v1/conversations", {"limit": 200, "status": "closed"})
    opened = [f"/v1/conversations/{one['id']}" for one in page["items"]]
    asked = [
        *cases(desk),
        Case("open one conversation", opened, {}),
        Case("its messages", [f"{path}/messages" for path in opened], {}),
    ]
    return time_cases(agents, asked, arguments, console)


def time_cases(agents: Agents, asked: Sequence[Case], arguments: argparse.Namespace, console: Console) -> list[Timed]:
    """Times each case that is wanted, and tells of it at once."""
    results = []
    for case in asked:
        if arguments.only and arguments.only not in case.name:
            continue
        results.append(time_case(agents, case, arguments.samples))
        console.print(f"{results[-1].name}: {results[-1].p50_ms} / {results[-1].p99_ms} ms")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--only", help="cases whose name contains this")
    parser.add_argument("--data", type=Path, help="keep the filled stack in this directory")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    before = os.getloadavg()[0]
    results = asyncio.run(measure(arguments, console))
    table = Table(
        "case",
        "items",
        "p50 ms",
        "p99 ms",
        "worst",
        "CPU ms",
        "must",
        "met",
        title=f"{arguments.conversations:,} conversations",
    )
    for r in results:
        met = {None: "", True: "yes", False: "NO"}[r.met]
        table.add_row(
            r.name, str(r.items), str(r.p50_ms), str(r.p99_ms), str(r.worst_ms), str(r.cpu_ms), r.bound, met
        )
    console.print(table)
    console.print(f"load average before {before:.1f}, after {os.getloadavg()[0]:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(r) for r in results], indent=2) + "\n")


if __name__ == "__main__":
    main()
