"""What an inbox costs that nobody writes to: the worker's memory, and events of history in a day.

    python -m benchmarks.idle [--inboxes 50 200] [--json result.json]

Needs Dovecot. Connects empty mailboxes, waits until all are watched, and takes the slope of the worker's resident memory
(without its parser children) between the two numbers. The history of one idle inbox is read twice, a minute apart; what a turn
adds is counted by ending its watch with a new mail: the watch takes it, listens on for a minute and ends, and the pass that follows
adds more events than a watch that ends after its six hours. A server without IDLE is looked at from inside the same step, so it
writes no more history.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from temporalio.client import Client
from temporalio.service import RPCError

from benchmarks.mailbox import mails
from benchmarks.served import Mailbox, mailroom, served_by_dovecot, submission
from stack.ports import HOST, PortBook
from tests.servers.dovecot import Dovecot
from workflows.inbox_sync import WATCH_SECONDS

QUIET = 60.0
TURNED_WITHIN = 150.0  # a watch that took mail listens on for a minute before it ends
TURNS_A_DAY = 86_400 / WATCH_SECONDS
OPEN_EVENTS = 6  # after six hours the row is asked anew: one more short step


@dataclass(frozen=True, slots=True)
class Idle:
    inboxes: list[int]
    worker_mb: list[float]
    kilobytes_per_inbox: float
    events_while_quiet: int
    events_of_a_turn: int
    events_a_day: float
    load_average: float


async def connect_all(
    api: httpx.AsyncClient, server: Dovecot, port: int, smtp: dict[str, Any], count: int
) -> list[str]:
    accounts = [server.add_account() for _ in range(count)]
    await asyncio.sleep(1.2)  # Dovecot looks at its list of users once a second
    made = []
    for account in accounts:
        login = {"username": account.user, "password": account.password, "auth": "password"}
        place = {"host": HOST, "port": port, "security": "plain", **login}
        body = {
            "name": account.user,
            "email_address": account.user,
            "imap": place,
            "smtp": smtp,
            "backfill_days": 1,
        }
        answer = await api.post("/v1/inboxes", json=body)
        if answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["Retry-After"]) + 1)
            answer = await api.post("/v1/inboxes", json=body)
        made.append(str(answer.raise_for_status().json()["id"]))
    return made


async def watched(client: Client, inboxes: list[str]) -> None:
    """Wait until the sync of each inbox has nothing pending but its watch. Gives up after five minutes."""
    left = set(inboxes)
    for _ in range(150):
        for inbox in list(left):
            try:
                state = await client.get_workflow_handle(f"inbox-sync/{inbox}").describe()
            except RPCError:  # not begun yet; the wait has an end
                continue
            if [p.activity_type.name for p in state.raw_description.pending_activities] == ["inbound.watch"]:
                left.discard(inbox)
        if not left:
            return
        await asyncio.sleep(2)
    raise SystemExit(f"{len(left)} of {len(inboxes)} inboxes are not watched after five minutes")


def worker_memory(supervisor: int) -> float:
    """Megabytes of the worker alone, the least of what the garbage collector leaves."""
    found = [p for p in psutil.Process(supervisor).children() if "worker" in " ".join(p.cmdline()[:3])]
    return min(p.memory_info().rss for p in found) / 1e6


async def settled_memory(supervisor: int) -> float:
    samples = []
    for _ in range(10):
        samples.append(worker_memory(supervisor))
        await asyncio.sleep(1)
    return statistics.median(samples)


async def events_of(client: Client, inbox: str) -> int:
    state = await client.get_workflow_handle(f"inbox-sync/{inbox}").describe()
    return state.history_length


async def turned(client: Client, inbox: str, before: int) -> int:
    """Events that a turn added to the history, counted once the next watch has been under way for some seconds."""
    ends = asyncio.get_running_loop().time() + TURNED_WITHIN
    while await events_of(client, inbox) == before:
        if asyncio.get_running_loop().time() > ends:
            raise SystemExit("a new mail did not end the watch of an idle inbox: there is no turn to count")
        await asyncio.sleep(2)
    await watched(client, [inbox])
    await asyncio.sleep(5)
    return await events_of(client, inbox) - before


async def measure(arguments: argparse.Namespace, console: Console) -> Idle:
    base = Path(tempfile.mkdtemp(prefix="mailroom-idle-"))
    ports = PortBook(base / "ports.json")
    try:
        async with (
            served_by_dovecot(ports.port("imap"), ports.port("imaps")) as mailbox,
            submission(base / "smtp") as smtp,
            mailroom(base / "data", demo_mail=False) as stack,
            httpx.AsyncClient(
                base_url=stack["api_url"],
                headers={"Authorization": f"Bearer {stack['api_key']}"},
                trust_env=False,
                timeout=60,
            ) as api,
        ):
            return await _measure(arguments, console, stack, api, mailbox, smtp)
    finally:
        shutil.rmtree(base, ignore_errors=True)


async def _measure(
    arguments: argparse.Namespace,
    console: Console,
    stack: dict[str, Any],
    api: httpx.AsyncClient,
    mailbox: Mailbox,
    smtp: dict[str, Any],
) -> Idle:
    server: Dovecot = mailbox.owner
    client = await Client.connect(stack["temporal_address"])
    inboxes: list[str] = []
    memory = []
    for wanted in arguments.inboxes:
        inboxes += await connect_all(api, server, mailbox.port, smtp, wanted - len(inboxes))
        await watched(client, inboxes)
        memory.append(await settled_memory(stack["pid"]))
        console.print(f"{wanted} inboxes: {memory[-1]:.1f} MB")
    first = inboxes[0]
    before = await events_of(client, first)
    await asyncio.sleep(QUIET)
    quiet = await events_of(client, first) - before
    account = next(iter(a for a in server.accounts.values() if a.user != mailbox.user))
    server.deliver(account, next(mails(1, to=account.user)))
    turn = await turned(client, first, before + quiet)
    slope = (memory[-1] - memory[0]) * 1000 / (arguments.inboxes[-1] - arguments.inboxes[0])
    a_day = (turn + OPEN_EVENTS) * TURNS_A_DAY + quiet * 86_400 / QUIET
    return Idle(
        arguments.inboxes,
        [round(m, 1) for m in memory],
        round(slope, 1),
        quiet,
        turn,
        round(a_day, 1),
        round(os.getloadavg()[0], 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument(
        "--inboxes", type=int, nargs=2, default=[50, 200], help="two numbers, the smaller first"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    result = asyncio.run(measure(arguments, console))
    console.print(f"memory of an idle inbox: {result.kilobytes_per_inbox} kB (must 200, aim 80)")
    console.print(f"events of an idle inbox in a day: {result.events_a_day} (must 300, aim 100)")
    console.print(asdict(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(result), indent=2) + "\n")


if __name__ == "__main__":
    main()
