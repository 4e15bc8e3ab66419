"""Generate a mailbox, serve it by Dovecot (or pymap), run the real pipeline over it, and print what it took.

    python -m benchmarks.ingest --mails 2000 [--server dovecot|pymap] [--rows-only] [--json result.json]

Measured: mails/s from connecting to the last one listable and the last one searchable, CPU of every part, peak memory of
the worker with its children, a resync that finds nothing new, and the time from a new mail in the mailbox to its event on
the stream. Everything runs on this machine: compare figures of one run, and look at the yardsticks measured beside them.
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
from httpx_sse import aconnect_sse
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.cpu_by_part import CpuByPart
from benchmarks.mailbox import mails
from benchmarks.served import Mailbox, imap_pid, mailroom, served_by_dovecot, submission
from benchmarks.yardsticks import fetch_and_drop, fetch_and_parse, hashing
from stack.maildir import make_maildir
from stack.ports import PortBook

NEW_MAILS = 30
WITHOUT_TEXT = (
    "create function without_text() returns trigger language plpgsql as $$ begin new.indexed_at := now(); return new; end $$",
    "create trigger without_text before insert on messages for each row execute function without_text()",
)
GIVE_UP = 1800.0


@dataclass(frozen=True, slots=True)
class Result:
    mails: int
    server: str
    bytes_mean: int
    seconds: float
    mails_per_second: float
    searchable_after_seconds: float
    searchable_mails_per_second: float
    messages_stored: int
    duplicates: int
    conversations: int
    quarantined: int
    cpu_ms_per_mail: dict[str, float]
    worker_peak_mb: float
    resync_seconds: float
    yardstick_fetch_and_drop_mails_per_second: float
    yardstick_fetch_and_parse_mails_per_second: float
    yardstick_hashing_seconds: float
    load_average: float
    new_mail_p50_ms: float
    new_mail_p99_ms: float


async def fill(mailbox: Mailbox, count: int, console: Console) -> int:
    """Deliver the generated mails; the mean size in bytes."""
    total = 0
    with _bar(console) as bar:
        task = bar.add_task("generate", total=count)
        for raw in mails(count, to=mailbox.user):
            mailbox.deliver(raw)
            total += len(raw)
            bar.advance(task)
    return total // max(count, 1)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=1,
    )


async def connect(api: httpx.AsyncClient, mailbox: Mailbox, smtp: dict[str, Any]) -> str:
    login = {"username": mailbox.user, "password": mailbox.password, "auth": "password"}
    place = {"host": mailbox.host, "port": mailbox.port, "security": "plain", **login}
    answer = await api.post(
        "/v1/inboxes",
        json={
            "name": "Bench",
            "email_address": mailbox.user,
            "imap": place,
            "smtp": smtp,
            "backfill_days": 3650,
        },
    )
    answer.raise_for_status()
    inbox = str(answer.json()["id"])
    for _ in range(300):
        state = (await api.get(f"/v1/inboxes/{inbox}")).json()
        if state["health"] == "ok":
            return inbox
        if state["last_error"]:
            break
        await asyncio.sleep(0.1)
    raise SystemExit(f"the inbox did not connect: {state['last_error'] or state['health']}")


async def leave_full_text_out(engine: AsyncEngine) -> None:
    """From now on no new message waits for its index. A lock would do, too, but its waiters hide events and keep dead rows."""
    async with engine.begin() as connection:
        for statement in WITHOUT_TEXT:
            await connection.execute(text(statement))


async def wait_until_ingested(
    engine: AsyncEngine, inbox: str, count: int, watcher: CpuByPart, console: Console
) -> tuple[float, float]:
    """Seconds until every mail has its fate, and until every message is searchable."""
    began = time.monotonic()
    ingested = 0.0
    with _bar(console) as bar:
        task = bar.add_task("ingest", total=count)
        while time.monotonic() - began < GIVE_UP:
            watcher.sample()
            async with engine.connect() as connection:
                done = (
                    await connection.execute(
                        text(
                            "select count(*) from ledger where inbox_id = :i and state in ('ingested', 'skipped', 'quarantined')"
                        ),
                        {"i": inbox},
                    )
                ).scalar_one()
                bar.update(task, completed=done)
                if done >= count:
                    ingested = ingested or time.monotonic() - began
                    waiting = (
                        await connection.execute(
                            text("select count(*) from messages where inbox_id = :i and indexed_at is null"),
                            {"i": inbox},
                        )
                    ).scalar_one()
                    if waiting == 0:
                        return ingested, time.monotonic() - began
            await asyncio.sleep(_until_next_look(done, count, time.monotonic() - began))
    raise SystemExit(f"gave up after {GIVE_UP:.0f} s with {done} of {count} mails")


def _until_next_look(done: int, count: int, seconds: float) -> float:
    """Half of the time that the rest should take: each look counts rows, on the processors that are measured."""
    left = (count - done) / done * seconds if done else 1.0
    return min(1.0, max(0.1, left / 2))


async def new_mail_latencies(api: httpx.AsyncClient, mailbox: Mailbox) -> list[float]:
    """Milliseconds from a mail standing in the mailbox to its event, one after another."""
    heard: asyncio.Queue[float] = asyncio.Queue()
    ready = asyncio.Event()

    async def listen() -> None:
        async with aconnect_sse(api, "GET", "/v1/events/stream", timeout=None) as source:
            async for event in source.aiter_sse():
                if event.event == "ready":
                    ready.set()
                elif event.event == "message.received":
                    heard.put_nowait(time.monotonic())

    listening = asyncio.create_task(listen())
    found = []
    try:
        await asyncio.wait_for(ready.wait(), 15)
        await asyncio.sleep(3)  # let the watch begin
        for raw in mails(NEW_MAILS, seed=77, to=mailbox.user):
            while not heard.empty():
                heard.get_nowait()
            began = time.monotonic()
            mailbox.deliver(raw)
            try:
                found.append((await asyncio.wait_for(heard.get(), 30) - began) * 1000)
            except TimeoutError:
                continue  # a generated duplicate raises no event
            await asyncio.sleep(0.3)
    finally:
        listening.cancel()
    return sorted(found)


async def resync_seconds(api: httpx.AsyncClient, engine: Any, inbox: str) -> float:
    """From asking for a whole resync to its end, with nothing new in the mailbox; the median of five."""
    last = text("select last_sync_at from inboxes where id = :i")
    found = []
    for _ in range(5):
        await asyncio.sleep(1)
        async with engine.connect() as connection:
            before = (await connection.execute(last, {"i": inbox})).scalar_one()
        began = time.monotonic()
        (await api.post(f"/v1/inboxes/{inbox}/resync", json={"scope": "all"})).raise_for_status()
        while time.monotonic() - began < 60:
            async with engine.connect() as connection:
                if (await connection.execute(last, {"i": inbox})).scalar_one() != before:
                    break
            await asyncio.sleep(0.01)
        found.append(time.monotonic() - began)
    return statistics.median(found)


def _per_mail(seconds: dict[str, float], mails: int) -> dict[str, float]:
    """Milliseconds of CPU a mail by part; the benchmark itself, which only looks on, is no part of the sum."""
    parts = {name: round(used * 1000 / mails, 3) for name, used in sorted(seconds.items())}
    return {"all": round(sum(v for k, v in parts.items() if k != "looking on"), 3), **parts}


async def measure(arguments: argparse.Namespace, console: Console) -> Result:
    base = Path(tempfile.mkdtemp(prefix="mailroom-bench-"))
    try:
        if arguments.server == "dovecot":
            ports = PortBook(base / "ports.json")
            async with served_by_dovecot(ports.port("imap"), ports.port("imaps")) as mailbox:
                mean = await fill(mailbox, arguments.mails, console)
                async with (
                    mailroom(base / "data", demo_mail=False) as stack,
                    submission(base / "smtp") as smtp,
                ):
                    return await measure_connected(arguments, console, stack, mailbox, smtp, mean)
        async with mailroom(base / "data", demo_mail=True) as stack:
            place = Path(stack["data"]) / "mail" / stack["mail_accounts"][1]["address"]
            make_maildir(place)
            account = stack["mail_accounts"][1]
            imap = stack["imap"]
            mailbox = Mailbox(
                imap["host"],
                imap["port"],
                account["address"],
                account["password"],
                place,
                None,
                imap_pid("stack.demo_imap"),
            )
            mean = await fill(mailbox, arguments.mails, console)
            smtp = {
                **stack["smtp"],
                "username": account["address"],
                "password": account["password"],
                "auth": "password",
            }
            return await measure_connected(arguments, console, stack, mailbox, smtp, mean)
    finally:
        shutil.rmtree(base, ignore_errors=True)


async def measure_connected(
    arguments: argparse.Namespace,
    console: Console,
    stack: dict[str, Any],
    mailbox: Mailbox,
    smtp: dict[str, Any],
    mean: int,
) -> Result:
    headers = {"Authorization": f"Bearer {stack['api_key']}"}
    engine = create_async_engine(stack["database_admin_url"])
    try:
        async with httpx.AsyncClient(
            base_url=stack["api_url"], headers=headers, trust_env=False, timeout=60
        ) as api:
            place = (mailbox.host, mailbox.port, mailbox.user, mailbox.password)
            _, dropped = await asyncio.to_thread(fetch_and_drop, *place)
            parsed = await asyncio.to_thread(fetch_and_parse, *place)
            hashed = await asyncio.to_thread(hashing)
            watcher = CpuByPart.of_stack(stack["pid"], {"imap server": mailbox.pid})
            if arguments.rows_only:
                await leave_full_text_out(engine)
            inbox = await connect(api, mailbox, smtp)
            seconds, searchable = await wait_until_ingested(engine, inbox, arguments.mails, watcher, console)
            cpu = watcher.seconds()
            load = os.getloadavg()[0]
            async with engine.connect() as connection:
                row = (
                    await connection.execute(
                        text(
                            "select (select count(*) from messages where inbox_id = :i) as messages,"
                            " (select count(*) from conversations where inbox_id = :i and merged_into is null) as conversations,"
                            " (select count(*) from ledger where inbox_id = :i and state = 'skipped') as skipped,"
                            " (select count(*) from ledger where inbox_id = :i and state = 'quarantined') as quarantined"
                        ),
                        {"i": inbox},
                    )
                ).one()
            resync = await resync_seconds(api, engine, inbox)
            latencies = [] if arguments.quick else await new_mail_latencies(api, mailbox)
    finally:
        await engine.dispose()
    return Result(
        mails=arguments.mails,
        server=arguments.server,
        bytes_mean=mean,
        seconds=round(seconds, 2),
        mails_per_second=round(arguments.mails / seconds, 1),
        messages_stored=row.messages,
        duplicates=row.skipped,
        conversations=row.conversations,
        quarantined=row.quarantined,
        searchable_after_seconds=round(searchable, 2),
        searchable_mails_per_second=round(arguments.mails / searchable, 1),
        cpu_ms_per_mail=_per_mail(cpu, arguments.mails),
        worker_peak_mb=round(watcher.worker_peak / 1e6, 1),
        resync_seconds=round(resync, 3),
        yardstick_fetch_and_drop_mails_per_second=round(dropped),
        yardstick_fetch_and_parse_mails_per_second=round(parsed),
        yardstick_hashing_seconds=round(hashed, 3),
        load_average=round(load, 2),
        new_mail_p50_ms=round(statistics.median(latencies), 1) if latencies else -1.0,
        new_mail_p99_ms=round(latencies[-1], 1) if latencies else -1.0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument("--server", choices=("dovecot", "pymap"), default="dovecot")
    parser.add_argument("--rows-only", action="store_true", help="without full text: how fast rows are listable")
    parser.add_argument("--quick", action="store_true", help="leave out the latency of single new mails")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    result = asyncio.run(measure(arguments, console))
    table = Table(
        title=f"{result.mails} mails, mean {result.bytes_mean / 1000:.0f} kB, served by {result.server}",
        show_header=False,
    )
    for name, value in asdict(result).items():
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(result), indent=2) + "\n")


if __name__ == "__main__":
    main()
