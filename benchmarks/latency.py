"""How long people wait, on a real stack: new mail to its event, a click to the SMTP connection, a resync that finds nothing.

    python -m benchmarks.latency [--mails 60] [--mailbox 20000] [--json result.json]

Needs Dovecot. Counted is from the server's own `EXISTS` line, seen by a relay before it (`benchmarks/wire_tap.py`), to the
`message.received` event at a client of the stream; from `POST …/messages` with undo off to the accepted SMTP connection; and from
`POST …/resync` to the inbox's new `last_sync_at`, over a mailbox of `--mailbox` mails that are all there. `--steps` prints when each
step of the last turn of the sync and of the last send began and ended, from Temporal's histories.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import aconnect_sse
from rich.console import Console
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from benchmarks.cpu_by_part import CpuByPart
from benchmarks.ingest import connect, fill, resync_seconds, wait_until_ingested
from benchmarks.mailbox import mails
from benchmarks.served import Mailbox, mailroom, served_by_dovecot, submission
from benchmarks.wire_tap import Tap, tapped
from stack.ports import HOST, PortBook

EXISTS = rb"\* \d+ EXISTS\r\n"
NEVER = rb"(?!)"
PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    what: str
    times: int
    p50: float
    p99: float
    must: str

    @classmethod
    def of(cls, what: str, found: Sequence[float], must: str) -> "Spread":
        ordered = sorted(found)
        if not ordered:
            raise SystemExit(f"{what}: nothing was measured")
        last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        return cls(what, len(ordered), round(statistics.median(ordered), 1), round(last, 1), must)


@asynccontextmanager
async def received(api: httpx.AsyncClient) -> AsyncIterator["asyncio.Queue[float]"]:
    """The moments at which `message.received` events arrive."""
    heard: asyncio.Queue[float] = asyncio.Queue()
    ready = asyncio.Event()

    async def listen() -> None:
        async with aconnect_sse(api, "GET", "/v1/events/stream", timeout=None) as source:
            async for event in source.aiter_sse():
                if event.event == "ready":
                    ready.set()
                elif event.event == "message.received":
                    heard.put_nowait(time.perf_counter())

    listening = asyncio.create_task(listen())
    try:
        await asyncio.wait_for(ready.wait(), 15)
        yield heard
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def new_mail(api: httpx.AsyncClient, mailbox: Mailbox, tap: Tap, count: int) -> list[float]:
    """From the server's EXISTS to the event, one mail after another."""
    found = []
    async with received(api) as heard:
        await asyncio.sleep(4)  # let the watch begin
        for raw in mails(count, seed=uuid.uuid4().int % 2**31, to=mailbox.user):
            while not heard.empty():
                heard.get_nowait()
            began = time.perf_counter()
            mailbox.deliver(raw)
            try:
                at = await asyncio.wait_for(heard.get(), 30)
            except TimeoutError:
                continue  # a generated duplicate raises no event
            told = tap.first_seen(began)
            if told is not None and told < at:
                found.append((at - told) * 1000)
            await asyncio.sleep(PAUSE)
    return found


async def clicks(api: httpx.AsyncClient, smtp: Tap, count: int) -> list[float]:
    """From the POST of a reply to the SMTP connection."""
    page = (await api.get("/v1/conversations", params={"limit": 50})).raise_for_status().json()
    found = []
    for number in range(count):
        one = page["items"][number % len(page["items"])]
        fresh = (await api.get(f"/v1/conversations/{one['id']}")).raise_for_status().json()
        body = {"text": "It is on its way.", "seen_version": fresh["version"]}
        began = time.perf_counter()
        answer = await api.post(
            f"/v1/conversations/{one['id']}/messages",
            json=body,
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )
        answer.raise_for_status()
        found.append((await asyncio.wait_for(smtp.next_opened(began), 30) - began) * 1000)
        await asyncio.sleep(PAUSE)
    return found


async def print_steps(client: Client, workflow_id: str, last: int, console: Console) -> None:
    """The last events of a history with the milliseconds since the one before."""
    events = [e async for e in client.get_workflow_handle(workflow_id).fetch_history_events()][-last:]
    console.print(f"\n{workflow_id}")
    before = events[0].event_time.ToNanoseconds() if events else 0
    for event in events:
        now = event.event_time.ToNanoseconds()
        name = event.activity_task_scheduled_event_attributes.activity_type.name
        console.print(
            f"  +{(now - before) / 1e6:8.1f} ms  {EventType.Name(event.event_type).removeprefix('EVENT_TYPE_')} {name}"
        )
        before = now


async def measure(arguments: argparse.Namespace, console: Console) -> list[Spread]:
    base = Path(tempfile.mkdtemp(prefix="mailroom-latency-"))
    ports = PortBook(base / "ports.json")
    try:
        async with served_by_dovecot(ports.port("imap"), ports.port("imaps")) as mailbox:
            await fill(mailbox, arguments.mailbox, console)
            async with (
                tapped(HOST, mailbox.port, EXISTS) as imap_tap,
                submission(base / "smtp") as smtp,
                tapped(smtp["host"], smtp["port"], NEVER) as smtp_tap,
                mailroom(base / "data", demo_mail=False) as stack,
                httpx.AsyncClient(
                    base_url=stack["api_url"],
                    headers={"Authorization": f"Bearer {stack['api_key']}"},
                    trust_env=False,
                    timeout=60,
                ) as api,
            ):
                through = Mailbox(
                    HOST,
                    imap_tap.port,
                    mailbox.user,
                    mailbox.password,
                    mailbox.maildir,
                    mailbox.owner,
                    mailbox.pid,
                )
                return await _measure(
                    arguments,
                    console,
                    stack,
                    api,
                    through,
                    imap_tap,
                    {**smtp, "port": smtp_tap.port},
                    smtp_tap,
                )
    finally:
        shutil.rmtree(base, ignore_errors=True)


async def _measure(
    arguments: argparse.Namespace,
    console: Console,
    stack: dict[str, Any],
    api: httpx.AsyncClient,
    mailbox: Mailbox,
    imap_tap: Tap,
    smtp: dict[str, Any],
    smtp_tap: Tap,
) -> list[Spread]:
    inbox = await connect(api, mailbox, smtp)
    (await api.patch(f"/v1/inboxes/{inbox}", json={"undo_send_seconds": 0})).raise_for_status()
    engine = create_async_engine(stack["database_admin_url"])
    watch = CpuByPart.of_stack(stack["pid"], {})
    temporal = await Client.connect(stack["temporal_address"])
    results = []

    async def told(what: str, found: Sequence[float], must: str, workflow_id: str, last: int) -> None:
        results.append(Spread.of(what, found, must))
        console.print(results[-1])
        if arguments.steps:
            await print_steps(temporal, workflow_id, last, console)

    try:
        await wait_until_ingested(engine, inbox, arguments.mailbox, watch, console)
        sync = f"inbox-sync/{inbox}"
        found = await new_mail(api, mailbox, imap_tap, arguments.mails)
        await told("EXISTS to event", found, "p50 50, p99 150; aim 10, 30", sync, 36)
        found = await clicks(api, smtp_tap, arguments.mails // 2)
        async for send in temporal.list_workflows("WorkflowType = 'SendMessage'"):
            await told("click to SMTP connection", found, "p50 150; aim 50", send.id, 60)
            break
        await asyncio.sleep(5)
        found = [1000 * await resync_seconds(api, engine, inbox)]
        await told(f"resync of {arguments.mailbox} mails, nothing new", found, "1,000; aim 200", sync, 20)
    finally:
        await engine.dispose()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--mails", type=int, default=60, help="new mails, and twice as many as replies")
    parser.add_argument("--mailbox", type=int, default=20_000, help="mails that lie there before")
    parser.add_argument("--steps", action="store_true", help="print where the time went")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    before = os.getloadavg()[0]
    results = asyncio.run(measure(arguments, console))
    for r in results:
        console.print(f"{r.what}: p50 {r.p50} ms, p99 {r.p99} ms ({r.times} times; must {r.must})")
    console.print(f"load average before {before:.1f}, after {os.getloadavg()[0]:.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(r) for r in results], indent=2) + "\n")


if __name__ == "__main__":
    main()
